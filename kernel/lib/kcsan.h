// SPDX-License-Identifier: MIT
//
// The kernel's finder of data races, for builds with -Dkcsan=true: the compiler announces each
// access of the C code, and some are held up while interrupts may come (docs/sanitizers.md). In
// other builds all of this is nothing. Callable in any context.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#ifdef KCSAN

// In front of a function whose accesses are not watched, with the reason. In the older notation:
// clang 14 has no other.
#define NO_KCSAN __attribute__((no_sanitize("thread"), noinline))

// Announces a plain access that the compiler can't see.
void kcsan_check(const void *address, size_t size_bytes, bool is_write);

// Whoever was held up on this CPU is abandoned: nothing is watched any more.
void kcsan_abandon(void);

#else

#define NO_KCSAN

static inline void kcsan_check(const void *address, size_t size_bytes, bool is_write)
{
    (void)address, (void)size_bytes, (void)is_write;
}

static inline void kcsan_abandon(void)
{
}

#endif
