// SPDX-License-Identifier: MIT
//
// For tests: numbers that look random and are the same in each run, and how many rounds to go.
#pragma once

#include <stdint.h>

// Tests by chance go that many times as far. On the host, which is faster, 10; in the kernel 1, or
// what the boot argument test.scale says.
unsigned test_scale(void);

struct test_random {
    uint64_t state; // the seed: any number but 0
};

// xorshift64*. Source: S. Vigna, An experimental exploration of Marsaglia's xorshift generators,
// scrambled (2016).
static inline uint64_t test_random_next(struct test_random *random)
{
    random->state ^= random->state >> 12;
    random->state ^= random->state << 25;
    random->state ^= random->state >> 27;
    return random->state * 0x2545f4914f6cdd1d;
}

// 0 to limit - 1.
static inline uint64_t test_random_below(struct test_random *random, uint64_t limit)
{
    return (test_random_next(random) >> 11) % limit;
}
