// SPDX-License-Identifier: MIT
//
// An array that is written beyond its end is noticed when its function returns: in builds with the
// stack protector.
#include <stdint.h>

#include "ktest.h"
#include "lib/kasan.h"

#define ARRAY_BYTES 32

extern uint64_t __stack_chk_guard;

enum extent {
    ARRAY,
    FRAME, // on to the saved RBP, wherever the compiler has put the guard
};

// The address sanitizer would find it first.
[[gnu::noinline]] NO_KASAN static void fill(enum extent extent)
{
    char array[ARRAY_BYTES];
    char *next = array;
    __asm__("" : "+r"(next)); // the compiler must not know that it is too much
    char *end = extent == ARRAY ? next + ARRAY_BYTES : (char *)__builtin_frame_address(0);
    for (; next < end; next++) {
        *(volatile char *)next = 'x';
    }
}

KTEST_ATTR(stack_protector, overflow_panics_with_the_function,
           .outcome = KTEST_PANIC("stack smashed in fill"));
KTEST(stack_protector, overflow_panics_with_the_function)
{
    KTEST_ARM(test);
    fill(FRAME);
}

KTEST(stack_protector, array_may_be_filled)
{
    fill(ARRAY);
    KTEST_EXPECT_PANIC(test, "stack smashed in fill", fill(FRAME));
}

KTEST(stack_protector, guard_is_random_and_ends_strings)
{
    KTEST_EXPECT_EQ(test, __stack_chk_guard & 0xff, 0);
    KTEST_EXPECT_NE(test, __stack_chk_guard >> 32, 0);
}
