/* SPDX-License-Identifier: BSD-2-Clause */
/* kernel/drivers/pci/edu.h — QEMU's teaching device: it copies between RAM below 2^28 and 4 KiB of its own; a machine may
 * have several. */
#pragma once

#include "kernel/pci.h"
#include "mm/dma.h"

#define EDU_ADDRESS_BITS 28
#define EDU_ENGINES_MAX  8 /* Devices of this kind that work side by side. */
/*
 * One transfer at most, whole words of 8 bytes.  The device has 4,096 bytes, but QEMU up to 9.0 wants a transfer to end
 * below their end (edu_check_range compares with < instead of <=) and ends itself when one does not.  1 MiB takes 257
 * transfers each way whether one moves 4,088 bytes or 4,095.
 */
#define EDU_TRANSFER_MAX 4088U

/* One of the devices. */
struct edu_engine {
  const struct pci_function *function;
  volatile uint8_t *registers;
  uint32_t identity;
};

struct edu {
  struct edu_engine engines[EDU_ENGINES_MAX];
  unsigned engine_count;
  struct dma_device *dma; /* Memory that all of them may touch. */
};

/**
 * Finds the devices, claims them and makes sure that they are alive; once, then they stay ours.
 * Returns OK; ERR_NOT_FOUND (this machine has none); ERR_IO (one does not answer as it should); what pci_* and dma_* say.
 */
status_t edu_open(struct edu **out);
/**
 * Starts to copy [from, from + size) into a device, or out of it.  edu_wait says when it is done.
 * Returns OK; ERR_INVALID (size 0 or over EDU_TRANSFER_MAX, no such engine); ERR_BUSY (it still works); ERR_STATE (edu_fence
 * had to take its mastering away: it would copy nothing, and say nothing).
 */
status_t edu_start_in(struct edu *e, unsigned engine, paddr_t from, uint64_t size);
status_t edu_start_out(struct edu *e, unsigned engine, paddr_t to, uint64_t size);
/** Sleeps until all devices are idle.  ERR_TIMEOUT.  => interrupts on. */
status_t edu_wait(struct edu *e);
/** dma_fence, with the devices idle; one that never becomes idle loses its bus mastering first. */
uint64_t edu_fence(struct edu *e);
