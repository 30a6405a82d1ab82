// SPDX-License-Identifier: MIT
//
// How fast a counter counts, by another one whose frequency is known. Pure: the counters are
// functions.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/error.h"

struct clock_reference {
    const char *name;
    uint64_t hz;
    // From here on it counts upwards.
    void (*start)(void);
    // False if it has counted to its end: then it has to be started again. It lasts 20 ms at least.
    bool (*read)(uint64_t *ticks_out);
};

#define CALIBRATION_HZ_MIN 1'000'000ULL
#define CALIBRATION_HZ_MAX 100'000'000'000ULL

// The frequency of what `count` reads, which may not wrap meanwhile: the best of several tries of
// 10 ms each, and only if another of them says nearly the same. The machine may stop in between for
// as long as it likes; what that spoils is tried again, but not for ever.
//
// EIO if one of the two stands still; ERANGE if the frequency makes no sense; EAGAIN if no two
// tries agree. Polls, with interrupts on or off; under 1 s if the counters count at all.
enum error calibrate(uint64_t (*count)(void), const struct clock_reference *reference,
                     uint64_t *hz_out);
