// SPDX-License-Identifier: MIT
//
// For tests: a clock that stands until it is told to go on, and no device that wakes timers. What
// was there before is back when the test is over, and its timers are gone.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "ktest.h"

extern uint64_t test_clock_ns;

void test_clock_use(struct ktest *test);

// Timers that are queued.
size_t test_clock_timers(void);
