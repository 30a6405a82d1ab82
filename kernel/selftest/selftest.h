// SPDX-License-Identifier: MIT
//
// Tests that must fail: each breaks one promise that a good test elsewhere relies on, and is named
// after what has to be said of it. They are linked into a kernel of their own, which only the host
// tests run: test_opposites.py, test_stream.py, test_mixed.py, test_backstop.py.
#pragma once

#include <stdint.h>

#define UNMAPPED 0xffffffffc0000000

// Functions with names, to be found in a backtrace.
[[gnu::noinline, maybe_unused]] static uint8_t peek(uint64_t address)
{
    return *(volatile uint8_t *)address;
}

[[gnu::noinline, maybe_unused]] static uint64_t recurse(uint64_t depth)
{
    volatile uint64_t local = depth;
    if (depth == UINT64_MAX) {
        return 0;
    }
    return recurse(depth + 1) + local;
}
