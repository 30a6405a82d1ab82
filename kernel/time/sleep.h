// SPDX-License-Identifier: MIT
//
// Waiting without work.
#pragma once

#include <stdint.h>

// Halts the CPU until `ns` are over; what interrupts meanwhile is served, also where interrupts
// were off, and they are again behind it. Not in a handler, nor with a lock held; timer_use has
// succeeded.
void clock_sleep_ns(uint64_t ns);
