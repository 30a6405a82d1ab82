// SPDX-License-Identifier: MIT
#include "arch/x86_64/stack.h"

#include "ktest.h"
#include "lib/string.h"

KTEST(stack, tests_run_on_their_own_stack)
{
    struct stack_place place = stack_locate((uint64_t)__builtin_frame_address(0));
    KTEST_ASSERT_EQ(test, place.part, STACK_PART_BODY);
    KTEST_EXPECT_EQ(test, place.stack, BOOT_STACK_TEST);
}

KTEST_ATTR(stack, tops_are_aligned_and_within_their_own_stack, .proves = "1.9 6.5");
KTEST(stack, tops_are_aligned_and_within_their_own_stack)
{
    for (enum boot_stack stack = 0; stack < BOOT_STACK_COUNT; stack++) {
        struct stack_place place = stack_locate(stack_top(stack) - 1);
        KTEST_EXPECT_EQ(test, stack_top(stack) % 16, 0);
        KTEST_EXPECT_EQ(test, place.part, STACK_PART_BODY);
        KTEST_EXPECT_EQ(test, place.stack, stack);
        KTEST_EXPECT_EQ(test, (uint64_t)stack_get(stack) + sizeof(struct guarded_stack),
                        stack_top(stack));
    }
}

KTEST(stack, guard_is_found_with_its_distance)
{
    uint64_t body = (uint64_t)boot_stacks[BOOT_STACK_NMI].body;

    struct stack_place place = stack_locate(body - 16);

    KTEST_EXPECT_EQ(test, place.part, STACK_PART_GUARD);
    KTEST_EXPECT_EQ(test, place.stack, BOOT_STACK_NMI);
    KTEST_EXPECT_EQ(test, place.below_bytes, 16);
    KTEST_EXPECT_EQ(test, stack_locate(body).part, STACK_PART_BODY);
    KTEST_EXPECT_EQ(test, stack_locate(body - STACK_GUARD_SIZE).part, STACK_PART_GUARD);
}

KTEST(stack, other_addresses_are_in_no_stack)
{
    KTEST_EXPECT_EQ(test, stack_locate(0).part, STACK_PART_NONE);
    KTEST_EXPECT_EQ(test, stack_locate((uint64_t)boot_stacks_start - 1).part, STACK_PART_NONE);
    KTEST_EXPECT_EQ(test, stack_locate((uint64_t)boot_stacks_end).part, STACK_PART_NONE);
}

KTEST(stack, names_differ)
{
    for (enum boot_stack a = 0; a < BOOT_STACK_COUNT; a++) {
        for (enum boot_stack b = a + 1; b < BOOT_STACK_COUNT; b++) {
            KTEST_EXPECT_NE(test, strcmp(stack_name(a), stack_name(b)), 0);
        }
    }
    KTEST_EXPECT_STREQ(test, stack_name(BOOT_STACK_MAIN), "boot stack");
    KTEST_EXPECT_STREQ(test, stack_name(BOOT_STACK_DOUBLE_FAULT), "#DF stack");
}

// kernel_main's return address is the first thing on the boot stack.
KTEST_ATTR(stack, boot_starts_at_the_very_top, .proves = "1.9");
KTEST(stack, boot_starts_at_the_very_top)
{
    const uint64_t *top = (const uint64_t *)stack_top(BOOT_STACK_MAIN);
    KTEST_EXPECT_GE(test, top[-1], (uint64_t)text_start);
    KTEST_EXPECT_LT(test, top[-1], (uint64_t)text_end);
}
