// SPDX-License-Identifier: MIT
//
// An array that is written beyond its end is noticed when its function returns: in builds with the
// stack protector.
#include <stddef.h>
#include <stdint.h>

#include "ktest.h"
#include "lib/kasan.h"

#define ARRAY_BYTES 32
#define GUARD_BYTES 8

extern uint64_t __stack_chk_guard;

// The address sanitizer would find it first.
[[gnu::noinline]] NO_KASAN static void fill(size_t size_bytes)
{
    char array[ARRAY_BYTES];
    char *start = array;
    __asm__("" : "+r"(start)); // the compiler must not know that it is too much
    for (size_t i = 0; i < size_bytes; i++) {
        *(volatile char *)(start + i) = 'x';
    }
}

KTEST_ATTR(stack_protector, overflow_panics_with_the_function,
           .outcome = KTEST_PANIC("stack smashed in fill"));
KTEST(stack_protector, overflow_panics_with_the_function)
{
    KTEST_ARM(test);
    fill(ARRAY_BYTES + GUARD_BYTES);
}

KTEST(stack_protector, array_may_be_filled)
{
    fill(ARRAY_BYTES);
    KTEST_EXPECT_PANIC(test, "stack smashed in fill", fill(ARRAY_BYTES + GUARD_BYTES));
}

KTEST(stack_protector, guard_is_random_and_ends_strings)
{
    KTEST_EXPECT_EQ(test, __stack_chk_guard & 0xff, 0);
    KTEST_EXPECT_NE(test, __stack_chk_guard >> 32, 0);
}
