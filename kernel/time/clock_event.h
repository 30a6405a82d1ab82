// SPDX-License-Identifier: MIT
//
// A device that interrupts once, after a while.
#pragma once

#include <stdint.h>

struct clock_event {
    const char *name;
    unsigned line; // of interrupts: enum irq_line
    uint64_t min_ns;
    uint64_t max_ns;
    // One interrupt, not before `ns` are over; what was set before is off. min_ns to max_ns. With
    // interrupts off; in handlers too.
    void (*set)(uint64_t ns);
    // The device is given back. An interrupt may still come; one that is too much does no harm.
    void (*stop)(void);
};
