/* SPDX-License-Identifier: BSD-2-Clause */
/* kernel/drivers/pci/edu.h — QEMU's teaching device: it copies between RAM below 2^28 and 4 KiB of its own. */
#pragma once

#include "kernel/pci.h"
#include "mm/dma.h"

#define EDU_ADDRESS_BITS 28
/* One transfer at most: QEMU up to 9 refuses, by ending itself, one that reaches the last byte of the 4 KiB. */
#define EDU_TRANSFER_MAX 4088U

struct edu {
  const struct pci_function *function;
  volatile uint8_t *registers;
  struct dma_device *dma; /* Its memory. */
  uint32_t identity;
};

/**
 * Finds the device, claims it and makes sure that it is alive; once, then it stays ours.
 * Returns OK; ERR_NOT_FOUND (this machine has none); ERR_IO (it does not answer as it should); what pci_* and dma_* say.
 */
status_t edu_open(struct edu **out);
/**
 * Copies [from, from + size) into the device, or out of it, and waits.
 * Returns OK; ERR_INVALID (size 0 or over EDU_TRANSFER_MAX); ERR_BUSY (it still works); ERR_TIMEOUT.
 */
status_t edu_copy_in(struct edu *e, paddr_t from, uint64_t size);
status_t edu_copy_out(struct edu *e, paddr_t to, uint64_t size);
/** dma_fence, with the device idle; one that never becomes idle loses its bus mastering first. */
uint64_t edu_fence(struct edu *e);
