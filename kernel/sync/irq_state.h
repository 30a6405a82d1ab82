// SPDX-License-Identifier: MIT
//
// Interrupts off for a stretch of code, and back to what they were: nests.
#pragma once

#include <stdbool.h>

#include "arch/x86_64/cpu.h"

// Whether interrupts were on.
typedef struct {
    bool is_enabled;
} irq_state_t;

static inline irq_state_t irq_save(void)
{
    irq_state_t state = {cpu_interrupts_enabled()};
    cpu_disable_interrupts();
    return state;
}

static inline void irq_restore(irq_state_t state)
{
    if (state.is_enabled) {
        cpu_enable_interrupts();
    }
}
