// SPDX-License-Identifier: MIT
//
// What lib/ promises of panic and assert; that debug/ prints and halts is tested there.
#include "lib/panic.h"

#include "ktest.h"

#include "lib/assert.h"

KTEST(panic, message_is_formatted)
{
    KTEST_ARM(test);
    panic("vector %d of %s", 13, "cpu 0");
}
KTEST_ATTR(panic, message_is_formatted, .outcome = KTEST_PANIC("vector 13 of cpu 0"),
           .proves = "1.4");

KTEST(panic, message_needs_no_arguments)
{
    KTEST_ARM(test);
    panic("no memory map");
}
KTEST_ATTR(panic, message_needs_no_arguments, .outcome = KTEST_PANIC("no memory map"),
           .proves = "1.4");

KTEST(assert, failure_panics_with_the_condition)
{
    int value = 3;

    KTEST_ARM(test);
    assert(value % 2 == 0);
}
KTEST_ATTR(assert, failure_panics_with_the_condition,
           .outcome = KTEST_PANIC("assertion failed: value % 2 == 0"), .proves = "1.4");

KTEST(assert, condition_is_evaluated_once)
{
    int count = 0;

    assert(++count > 0);
    KTEST_EXPECT_EQ(test, count, 1);
}

// A comma inside braces would end the argument of an ordinary macro.
KTEST(assert, condition_may_hold_commas)
{
    const int *numbers = (const int[]){1, 2};

    assert(((const int[]){1, 2})[1] == numbers[1]);
    KTEST_EXPECT_EQ(test, numbers[1], 2);
}
