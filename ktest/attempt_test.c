// SPDX-License-Identifier: MIT
//
// Statements that fault or panic, recovered from in place.
#include "ktest.h"
#include "port.h"
#include "runner.h"

static volatile uint64_t zero;

static void divide(void)
{
    __asm__ volatile("divq %0" : : "r"(zero), "a"(1ULL), "d"(0ULL));
}

__attribute__((noinline)) static uint8_t peek(uintptr_t address)
{
    return *(volatile uint8_t *)address;
}

static void undefined(void)
{
    __asm__ volatile("ud2");
}

KTEST(attempt, goes_on_behind_a_fault)
{
    volatile int steps = 0;
    KTEST_EXPECT_FAULT(test, UD, 0, steps = 1; undefined(); steps = 2);
    KTEST_EXPECT_EQ(test, steps, 1);
}

// #DE is vector 0, which must not be taken for "none".
KTEST(attempt, tells_vector_0_from_nothing)
{
    KTEST_EXPECT_FAULT(test, DE, 0, divide());
    KTEST_EXPECT_EQ(test, ktest_last_fault(test)->vector, 0);
    KTEST_EXPECT_NE(test, ktest_last_fault(test)->rip, 0);
}

KTEST(attempt, shows_the_fault_afterwards)
{
    KTEST_EXPECT_FAULT(test, PF, 0, peek(0xdead0123));
    const struct ktest_fault *fault = ktest_last_fault(test);
    KTEST_EXPECT_EQ(test, fault->vector, KTEST_VECTOR_PF);
    KTEST_EXPECT_EQ(test, fault->address, 0xdead0123);
    KTEST_EXPECT_EQ(test, fault->ist, 0);
}

KTEST_ATTR(attempt, survives_a_thousand_faults, .speed = KTEST_SPEED_SLOW);
KTEST(attempt, survives_a_thousand_faults)
{
    for (volatile int i = 0; i < 1000; i++) {
        KTEST_ASSERT_FAULT(test, UD, 0, undefined());
    }
    KTEST_EXPECT_EQ(test, test->check_count, 1000);
}

#define RFLAGS_DF (1ULL << 10)
#define RFLAGS_IF (1ULL << 9)

static uint64_t rflags(void)
{
    uint64_t value;
    __asm__ volatile("pushfq; popq %0" : "=r"(value));
    return value;
}

KTEST(attempt, restores_stack_and_flags)
{
    uint64_t rsp;
    uint64_t rsp_after;
    uint64_t before = rflags();
    __asm__ volatile("movq %%rsp, %0" : "=m"(rsp));
    KTEST_EXPECT_FAULT(test, UD, 0, __asm__ volatile("sti\n\tstd\n\tud2"));
    __asm__ volatile("movq %%rsp, %0" : "=m"(rsp_after));
    KTEST_EXPECT_EQ(test, rsp_after, rsp);
    KTEST_EXPECT_EQ(test, rflags() & (RFLAGS_DF | RFLAGS_IF), before & (RFLAGS_DF | RFLAGS_IF));
}

// The CPU's own stack for #DF is left behind as well, and is there the next time.
KTEST(attempt, recovers_from_double_faults)
{
    for (volatile int i = 0; i < 3; i++) {
        KTEST_EXPECT_FAULT(test, DF, 0,
                           __asm__ volatile("movabs $0x800000000000, %%rsp\n\tpush $0"
                                            :
                                            :
                                            : "memory"));
        KTEST_EXPECT_EQ(test, ktest_last_fault(test)->ist, 1);
    }
}

KTEST(attempt, may_hold_another)
{
    volatile int steps = 0;
    KTEST_EXPECT_FAULT(test, UD, 0, {
        KTEST_EXPECT_FAULT(test, DE, 0, divide());
        steps = steps + 1;
        KTEST_EXPECT_FAULT(test, UD, 0, undefined());
        steps = steps + 1;
        undefined();
    });
    KTEST_EXPECT_EQ(test, steps, 2);
    KTEST_EXPECT_NULL(test, test->attempt);
}

KTEST(attempt, counts_as_a_check)
{
    KTEST_EXPECT_FAULT(test, UD, 0, undefined());
    uint64_t count = test->check_count; // before this line is one itself
    KTEST_EXPECT_EQ(test, count, 1);
}

// An attempt whose statement returns leaves no trace but its failure: here on a copy of the test.
KTEST(attempt, fails_if_nothing_happens)
{
    struct ktest copy = *test;
    copy.failure_count = 1000; // beyond what is reported
    KTEST_EXPECT_FAULT(&copy, UD, 0, (void)zero);
    KTEST_EXPECT_PANIC(&copy, "*", (void)zero);
    KTEST_EXPECT_EQ(test, copy.failure_count, 1002);
    KTEST_EXPECT_NULL(test, copy.attempt);
}
