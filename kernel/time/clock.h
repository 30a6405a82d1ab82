// SPDX-License-Identifier: MIT
//
// What time it is since the clock was started: by the CPU's time-stamp counter, which no device is
// asked for. It never goes backwards, and sleeps with nobody; that it counts at one rate for ever
// is what the CPU has to promise (clock_is_steady), and what the older ones don't.
// Source: Intel SDM vol. 3, 18.17.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/error.h"
#include "time/calibration.h"
#include "time/scale.h"

// Measures the counter's frequency. Once; takes about 30 ms. ENODEV if the CPU has no such counter;
// others as calibrate(). Then the clock stands at 0.
enum error clock_init(const struct clock_reference *reference);

// In any context; 0 before clock_init.
uint64_t clock_monotonic_ns(void);

// Ticks per second of the counter, 0 before clock_init.
uint64_t clock_hz(void);

// Whether the counter's rate depends on nothing, so says the CPU.
bool clock_is_steady(void);

// The clock as the measure of another counter.
extern const struct clock_reference clock_reference;
