# Cairn: the only makefile.  Three products, one shape of rule: SRC.<product>, CFLAGS.<product>, objects in build/<product>/.
#
#   loader   the EFI application (PE), kernel   the kernel (ELF, static PIE), host   the same C under sanitizers.
#
# `make help` lists the targets; V=1 shows the commands; config.mk, when there is one, overrides.

-include config.mk
BUILD ?= build
LLVM  ?= 19
CC      := clang-$(LLVM)
LD      := ld.lld-$(LLVM)
LDLINK  := lld-link-$(LLVM)
AR      := llvm-ar-$(LLVM)
FORMAT  := clang-format-$(LLVM)
TIDY    := clang-tidy-$(LLVM)
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' '$(1)' '$(2)')

.DELETE_ON_ERROR:
.SUFFIXES:
.DEFAULT_GOAL := all

# --- flags -----------------------------------------------------------------------------------------------------------
WARN := -Wall -Wextra -Wshadow -Wconversion -Wthread-safety -Wstrict-prototypes -Wmissing-prototypes -Wvla -Werror
BASE := -std=c23 -g $(WARN) -I. -Iinclude -I$(BUILD)/gen -ffile-prefix-map=$(CURDIR)/=

CFLAGS.loader := $(BASE) -Os --target=x86_64-unknown-windows -ffreestanding -fshort-wchar -mno-red-zone -mgeneral-regs-only \
  -mno-stack-arg-probe -fno-stack-protector -DCAIRN_LOADER -DGNU_EFI_USE_MS_ABI -isystem /usr/include/efi \
  -isystem /usr/include/efi/x86_64
LDFLAGS.loader := /subsystem:efi_application /entry:efi_main /nodefaultlib /dynamicbase /nxcompat /align:4096 /filealign:512 \
  /Brepro /debug:none /opt:ref

CFLAGS.kernel := $(BASE) -O2 --target=x86_64-linux-gnu -ffreestanding -fpie -fvisibility=hidden -mcmodel=small -mno-red-zone \
  -mgeneral-regs-only -fno-omit-frame-pointer -fno-asynchronous-unwind-tables -fno-common -DCAIRN_KERNEL \
  -fstack-protector-strong -mstack-protector-guard=tls -mstack-protector-guard-reg=gs -mstack-protector-guard-offset=40
LDFLAGS.kernel := -pie --no-dynamic-linker -z text -z noexecstack -z separate-code -z relro --pack-dyn-relocs=relr \
  --build-id=sha1 --gc-sections -z max-page-size=4096

SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
CFLAGS.host := $(BASE) -O1 -DCAIRN_HOSTED -DCAIRN_DEBUG -Itests/harness -Itests/fake $(SANITIZE)

# --- sources ---------------------------------------------------------------------------------------------------------
# PURE: no hardware; part of a product and of the host tests.
PURE.loader := $(wildcard $(addprefix loader/,config.c image.c placement.c entropy.c x86_64/paging.c))
PURE.kernel := $(wildcard kernel/options.c)
MM   := $(wildcard mm/*/*.c)
LIB  := $(wildcard lib/*.c)
SRC.loader := $(wildcard loader/*.c loader/x86_64/*.c loader/x86_64/*.S efi/*.c) $(LIB)
SRC.kernel := $(wildcard kernel/*.c kernel/*/*.c kernel/*/*/*.c kernel/*/*/*.S tests/kernel/*.c) $(MM) $(LIB)
SRC.host   := $(LIB) $(MM) $(PURE.loader) $(PURE.kernel) $(wildcard tests/harness/*.c tests/fake/*.c)
TESTS      := $(wildcard tests/unit/*_test.c tests/unit/*/*_test.c tests/unit/*/*/*_test.c)

objects = $(patsubst %,$(BUILD)/$(1)/%.o,$(basename $(SRC.$(1))))

# --- rules -----------------------------------------------------------------------------------------------------------
define product
$(BUILD)/$(1)/%.o: %.c
	$$(call say,CC,$$< ($(1)))
	$$(Q)mkdir -p $$(@D)
	$$(Q)$$(CC) $$(CFLAGS.$(1)) -MMD -MP -c $$< -o $$@
$(BUILD)/$(1)/%.o: %.S
	$$(call say,AS,$$< ($(1)))
	$$(Q)mkdir -p $$(@D)
	$$(Q)$$(CC) $$(CFLAGS.$(1)) -MMD -MP -c $$< -o $$@
-include $$(patsubst %.o,%.d,$$(call objects,$(1)))
endef
$(foreach p,loader kernel host,$(eval $(call product,$(p))))

all: loader kernel
loader: $(BUILD)/BOOTX64.EFI
kernel: $(BUILD)/kernel.elf

$(BUILD)/BOOTX64.EFI: $(call objects,loader)
	$(call say,LD,$@)
	$(Q)$(LDLINK) $(LDFLAGS.loader) /out:$@ $(call objects,loader)

$(BUILD)/kernel.elf: $(call objects,kernel) kernel/arch/x86_64/kernel.ld
	$(call say,LD,$@)
	$(Q)$(LD) $(LDFLAGS.kernel) -T kernel/arch/x86_64/kernel.ld -o $@ $(call objects,kernel)

$(BUILD)/host/libcairn.a: $(call objects,host)
	$(call say,AR,$@)
	$(Q)rm -f $@; $(AR) rcs $@ $^

$(BUILD)/host/%_test: $(BUILD)/host/%_test.o $(BUILD)/host/libcairn.a
	$(call say,LD,$@)
	$(Q)$(CC) $(SANITIZE) $< -Wl,--start-group $(BUILD)/host/libcairn.a -Wl,--end-group -lcmocka -lm -o $@

host-tests: $(patsubst %.c,$(BUILD)/host/%,$(TESTS))

# One host test by name: make unit T=lib/memmap
unit: $(BUILD)/host/tests/unit/$(T)_test
	$(Q)$<

check: check-format check-tidy
C_FILES := $(shell git ls-files -co --exclude-standard '*.c' '*.h')
check-format:
	$(Q)$(FORMAT) --dry-run -Werror $(C_FILES)
check-tidy: $(patsubst %.c,$(BUILD)/tidy/%.ok,$(sort $(filter %.c,$(SRC.loader) $(SRC.kernel) $(SRC.host) $(TESTS))))
tidy_product = $(if $(filter $(1),$(SRC.loader)),loader,$(if $(filter $(1),$(SRC.kernel)),kernel,host))
$(BUILD)/tidy/%.ok: %.c .clang-tidy
	$(call say,TIDY,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(TIDY) --quiet $< -- $(CFLAGS.$(call tidy_product,$<)) 2>$(@:.ok=.err) || { cat $(@:.ok=.err); exit 1; }
	$(Q)touch $@
format:
	$(Q)$(FORMAT) -i $(C_FILES)
clean:
	rm -rf $(BUILD)
.PHONY: all loader kernel host-tests unit check check-format check-tidy format clean
