// SPDX-License-Identifier: MIT
//
// The CPU's own interrupt controller: it ends interrupts, has a timer, and lets NMIs and the 8259s'
// interrupts in. By its registers in memory (xAPIC). Source: Intel SDM vol. 3, chapter 11.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/error.h"

// The CPU asks for an interrupt that is gone by then: it comes with this vector, and has no end.
#define LOCAL_APIC_SPURIOUS_VECTOR 0xff

// Turns it on: the timer masked; NMIs from outside and the 8259s' interrupts are let in, for some
// firmware has left them out. Once, after kernel_space_init. ENODEV if the CPU has none, or it is
// turned off; ENOTSUP if the firmware has put it in x2APIC mode, which has no registers in memory;
// others as mmio_map.
enum error local_apic_init(void);

// From here on the 8259s' interrupts don't reach the CPU.
void local_apic_shut_pic_out(void);

// Its number, for those who send it interrupts.
uint32_t local_apic_id(void);

// The interrupt in service is over.
void local_apic_end(void);

// How many interrupts were gone when the CPU asked for them.
uint64_t local_apic_spurious_count(void);

// The timer: counts down to 0 from `count` at the bus clock / 16, and then raises `vector` once. 0
// stops it.
void local_apic_timer_start(uint32_t count);
uint32_t local_apic_timer_count(void);
void local_apic_timer_mask(void);
void local_apic_timer_unmask(uint8_t vector);
