/* SPDX-License-Identifier: BSD-2-Clause */
/* arch/port.h — device registers in the I/O port space; on machines without one these read all ones and write nothing. */
#pragma once

#include <stdint.h>

uint8_t arch_port_read8(uint16_t port);
uint16_t arch_port_read16(uint16_t port);
uint32_t arch_port_read32(uint16_t port);
void arch_port_write8(uint16_t port, uint8_t value);
void arch_port_write16(uint16_t port, uint16_t value);
void arch_port_write32(uint16_t port, uint32_t value);
