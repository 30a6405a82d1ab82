// SPDX-License-Identifier: MIT
//
// One NMI after a while: the interval timer's channel 0, which the I/O APIC delivers as NMI, so
// that it comes with interrupts off too. For the watchdog of the tests.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define NMI_TIMER_MAX_MS 50 // the timer counts 16 bits at 1.193182 MHz

// Whether this machine has an I/O APIC where PCs have it.
bool nmi_timer_exists(void);

// Sets the timer, whatever state it and the I/O APIC are in, and takes the I/O APIC's pin of it. At
// most NMI_TIMER_MAX_MS.
void nmi_timer_start(uint32_t ms);

// No NMI comes from it after this; the I/O APIC's pin is as it was before nmi_timer_start, but
// masked.
void nmi_timer_stop(void);

// In an NMI handler: whether the timer has run out. If it has not, the NMI is somebody else's.
bool nmi_timer_has_expired(void);
