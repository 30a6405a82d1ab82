// SPDX-License-Identifier: MIT
//
// Ticks of one counter as ticks of another, nanoseconds for example: one multiplication, and no
// division. For any context.
#pragma once

#include <stdint.h>

#include "lib/assert.h"

#define NS_PER_SECOND ((uint64_t)1'000'000'000)
#define NS_PER_MS ((uint64_t)1'000'000)
#define NS_PER_US ((uint64_t)1'000)

#define SCALE_SHIFT 32

// A fraction with 32 bits behind the point.
struct scale {
    uint64_t multiplier;
};

// Both frequencies in Hz; `to` fits into 32 bits. The error is below from/to * 2^-32 of a result.
static inline struct scale scale_make(uint64_t from, uint64_t to)
{
    assert(from != 0 && to <= UINT32_MAX);
    return (struct scale){(to << SCALE_SHIFT) / from};
}

// Rounds down; wraps where the result exceeds 64 bits, for nanoseconds after 584 years.
static inline uint64_t scale_apply(struct scale scale, uint64_t ticks)
{
    return (uint64_t)((unsigned __int128)ticks * scale.multiplier >> SCALE_SHIFT);
}
