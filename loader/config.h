/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loader/config.h — what the user wants: boot.cfg and the EFI load options, as one struct boot_config.
 *
 * boot.cfg is text, one `key = value` a line; a line whose first character is `#` is a comment, and so is everything after
 * ` #` (a blank and a hash).  UTF-8 with or without a byte order mark, UTF-16LE with one; lines end in LF, CRLF or CR.
 *   kernel      path on the volume the loader came from; / and \ both accepted            \cairn\kernel.elf
 *   cmdline     the kernel's command line, up to the end of the line                        (empty)
 *   video       panel, largest, keep or WIDTHxHEIGHT                                        panel
 *   log         error, warn, notice, info, verbose                                          notice
 *   kaslr       on, off, or a number: the seed of a reproducible layout, which is no secret  on
 *   paging      auto, 4, 5; five levels only when asked for, so auto means 4                auto
 *   read_chunk  bytes a read of the kernel file, 4 KiB to 1 MiB, suffixes K and M allowed    1M
 * Nothing in boot.cfg or the load options can make the loader fail: what is wrong is warned about and has no effect.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/units.h"

#define CONFIG_FILE_NAME        "boot.cfg"
#define CONFIG_FILE_MAX         (64 * KIB) /* Read at most one byte more; what lies beyond is warned about and ignored. */
#define CONFIG_LINE_MAX         4096       /* Bytes of one line in UTF-8; a longer one is warned about and ignored. */
#define CONFIG_COMMAND_LINE_MAX 4096       /* Bytes, without a terminator. */
#define CONFIG_PATH_MAX         256        /* Characters, with the terminator. */
#define CONFIG_WARNINGS_MAX     16         /* Warnings one source may give; after those only their number. */
#define CONFIG_READ_CHUNK_MAX   (1 * MIB)
#define CONFIG_READ_CHUNK_MIN   (4 * KIB)

enum config_video { CONFIG_VIDEO_PANEL, CONFIG_VIDEO_LARGEST, CONFIG_VIDEO_KEEP, CONFIG_VIDEO_SIZE };
enum config_kaslr { CONFIG_KASLR_ON, CONFIG_KASLR_OFF, CONFIG_KASLR_SEED };

struct boot_config {
  uint16_t kernel[CONFIG_PATH_MAX]; /* UTF-16, absolute, backslashes, NUL-terminated: as EFI_FILE_PROTOCOL.Open wants it. */
  char kernel_name[CONFIG_PATH_MAX * 3]; /* The same in UTF-8, for messages; NUL-terminated. */
  uint32_t video;                        /* enum config_video. */
  uint32_t video_width;                  /* For CONFIG_VIDEO_SIZE; 1..65535. */
  uint32_t video_height;
  uint32_t log_level;                         /* 0 (error) .. 4 (verbose). */
  uint32_t kaslr;                             /* enum config_kaslr. */
  uint32_t levels;                            /* 4 or 5. */
  uint64_t kaslr_seed;                        /* For CONFIG_KASLR_SEED. */
  uint32_t read_chunk;                        /* Bytes, a multiple of 4 KiB. */
  uint32_t line_of[7];                        /* Line each key was set in, in the order above; 0 where the default stands. */
  uint32_t command_size;                      /* Bytes of command_line that count. */
  char command_line[CONFIG_COMMAND_LINE_MAX]; /* UTF-8, no terminator; bytes after command_size are not initialised. */
};

/* Takes one warning: a NUL-terminated sentence with file name and line, without a line end ("boot.cfg:12: ..."). */
typedef void (*config_warn_t)(void *context, const char *text);

/** Fills in the defaults; the first call on a struct boot_config.  Does not touch all of command_line (it is large). */
void config_init(struct boot_config *c);

/**
 * Reads a whole boot.cfg over what `c` says already.  Where a key comes twice the later line wins, with a warning.
 *   => pure; `bytes` may hold anything; warn must not be NULL.
 */
void config_read_file(struct boot_config *c, const void *bytes, size_t n, config_warn_t warn, void *context);

/**
 * Appends the EFI load options (EFI_LOADED_IMAGE_PROTOCOL.LoadOptions) to the command line, then lets the words `nokaslr`,
 * `kaslr` and `kaslr_seed=N` of the whole command line act: they win over boot.cfg's `kaslr`, the last of them over the
 * others.  Call it once, last, also without load options (n = 0).
 *
 * Understood are UTF-16 with or without NUL or a stray last byte, 8-bit text, and a whole EFI_LOAD_OPTION
 * (UEFI 2.10, 3.1.3), which some firmware passes in place of its OptionalData.  A first word that ends in `.efi` is the
 * image's own name, as the UEFI shell passes it, and is dropped.  Anything else is binary data: warned about and ignored.
 *   => pure; `bytes` needs no alignment; NULL counts as no load options whatever n is;
 * more than CONFIG_FILE_MAX bytes are not looked at.
 */
void config_finish(struct boot_config *c, const void *bytes, size_t n, config_warn_t warn, void *context);
