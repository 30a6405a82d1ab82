// SPDX-License-Identifier: MIT
//
// Fixtures that fail or die, and suites of which only some tests run.
#include "ktest.h"
#include "lib/panic.h"
#include "selftest/selftest.h"

static void fault(struct ktest *test)
{
    (void)test;
    __asm__ volatile("ud2");
}

KTEST_SUITE(opposite_exit, .exit = fault);

KTEST_ATTR(opposite_exit, fault_in_exit_is_not_the_declared_one, .outcome = KTEST_FAULT(UD));
KTEST(opposite_exit, fault_in_exit_is_not_the_declared_one)
{
    KTEST_ARM(test);
    fault(test);
}

static void fail_an_assertion(struct ktest *test)
{
    KTEST_ASSERT_TRUE(test, false);
}

KTEST_SUITE(opposite_failed_init, .init = fail_an_assertion);

KTEST(opposite_failed_init, body_behind_an_init_that_fails)
{
    (void)test;
    panic("it must not run");
}

KTEST_SUITE(opposite_init, .suite_init = fail_an_assertion);

KTEST(opposite_init, a_suite_init_that_fails)
{
    KTEST_EXPECT_TRUE(test, true);
}

KTEST(opposite_init, b_runs_no_test_behind_it)
{
    KTEST_EXPECT_TRUE(test, true);
}

KTEST_SUITE(opposite_dead_init, .suite_init = fault);

KTEST(opposite_dead_init, a_suite_init_that_faults)
{
    KTEST_EXPECT_TRUE(test, true);
}

KTEST(opposite_dead_init, b_does_not_run_either)
{
    KTEST_EXPECT_TRUE(test, true);
}

static void skip(struct ktest *test)
{
    ktest_skip(test, "there is no such %s", "device");
}

KTEST_SUITE(opposite_skipped_init, .suite_init = skip);

KTEST(opposite_skipped_init, a_suite_init_that_skips)
{
    KTEST_EXPECT_TRUE(test, true);
}

KTEST(opposite_skipped_init, b_is_not_skipped)
{
    KTEST_EXPECT_TRUE(test, true);
}

KTEST_SUITE(opposite_suite_exit, .suite_exit = fault);

KTEST(opposite_suite_exit, suite_exit_that_faults)
{
    KTEST_EXPECT_TRUE(test, true);
}

static void panic_in_exit(struct ktest *test)
{
    (void)test;
    panic("in exit");
}

KTEST_SUITE(opposite_panic, .exit = panic_in_exit);

KTEST(opposite_panic, panic_of_exit_behind_a_fault)
{
    KTEST_EXPECT_TRUE(test, true);
    peek(UNMAPPED);
}

// The suite's fixtures run around those of its tests that the machine has everything for.
static unsigned suite_inits;

static void count_suite_init(struct ktest *test)
{
    (void)test;
    suite_inits++;
}

static void fail_in_suite_exit(struct ktest *test)
{
    KTEST_FAIL(test, "suite_exit, behind %u suite_init", suite_inits);
}

static const struct ktest_quirk nowhere = {.accel = KTEST_ACCEL_TCG, .skip = "not here"};

KTEST_SUITE(opposite_middle, .suite_init = count_suite_init, .suite_exit = fail_in_suite_exit);

KTEST_ATTR(opposite_middle, a_skipped, .quirk_count = 1, .quirks = &nowhere);
KTEST(opposite_middle, a_skipped)
{
    KTEST_EXPECT_TRUE(test, true);
}

KTEST(opposite_middle, b_runs_between_both)
{
    KTEST_EXPECT_TRUE(test, true);
}

KTEST_ATTR(opposite_middle, c_skipped, .quirk_count = 1, .quirks = &nowhere);
KTEST(opposite_middle, c_skipped)
{
    KTEST_EXPECT_TRUE(test, true);
}

static void skip_in_exit(struct ktest *test)
{
    ktest_skip(test, "too late");
}

KTEST_SUITE(opposite_skip, .exit = skip_in_exit);

KTEST(opposite_skip, skip_in_exit_is_none)
{
    KTEST_EXPECT_TRUE(test, true);
}
