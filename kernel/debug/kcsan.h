// SPDX-License-Identifier: MIT
//
// How often the finder of data races looks (lib/kcsan.h), and what it does then: for its tests.
#pragma once

#include <stdint.h>

struct kcsan_mode {
    uint32_t interval;   // of so many accesses one is held up, about; 0: none, 1: each
    void (*stall)(void); // the time for which it is, with interrupts on
};

// Of the whole kernel. Returns the mode before.
struct kcsan_mode kcsan_set_mode(struct kcsan_mode mode);

// How many accesses have been held up.
uint64_t kcsan_watched_count(void);
