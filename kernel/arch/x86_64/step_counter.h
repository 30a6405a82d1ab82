// SPDX-License-Identifier: MIT
//
// For tests: instructions, each counted by a single-step trap. Exact on every machine, whatever its
// clock; each turn of a string instruction counts. With a sanitizer it is a lower bound.
#pragma once

#include "arch/x86_64/cpu.h"
#include "lib/bits.h"

#define RFLAGS_SINGLE_STEP BIT(8)

// The other two's halves that are not counted.
void step_counter_open(void);
unsigned step_counter_close(void);

// Interrupts have to be off. What is counted must not touch the trap flag or the handler of #DB.
static inline void step_counter_start(void)
{
    step_counter_open();
    cpu_write_rflags(cpu_read_rflags() | RFLAGS_SINGLE_STEP);
}

// The instructions since, without those of the counting itself.
static inline unsigned step_counter_stop(void)
{
    cpu_write_rflags(cpu_read_rflags() & ~RFLAGS_SINGLE_STEP);
    return step_counter_close();
}
