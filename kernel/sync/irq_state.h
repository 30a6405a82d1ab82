// SPDX-License-Identifier: MIT
//
// Interrupts off for a stretch of code, and back to what they were: nests.
#pragma once

#include <stdbool.h>

#include "arch/x86_64/cpu.h"
#include "sync/thread_safety.h"

// Whether interrupts were on.
typedef struct {
    bool is_enabled;
} irq_state_t;

// What is GUARDED_BY(interrupts_off) is used between irq_save and irq_restore, or by handlers of
// interrupts. There is no such object: it stands for the state of the CPU.
extern struct CAPABILITY("state") irq_guard {
    char unused;
} interrupts_off;

static inline irq_state_t irq_save(void) ACQUIRES(interrupts_off) NO_THREAD_SAFETY_ANALYSIS
{
    irq_state_t state = {cpu_interrupts_enabled()};
    cpu_disable_interrupts();
    return state;
}

static inline void irq_restore(irq_state_t state) RELEASES(interrupts_off) NO_THREAD_SAFETY_ANALYSIS
{
    if (state.is_enabled) {
        cpu_enable_interrupts();
    }
}
