// SPDX-License-Identifier: MIT
//
// Its tests, in the words that C and C++ have in common.
#include "kernel.h"

#include "ktest/ktest.h"

static int begun;

static void begin(struct ktest *test)
{
    begun++;
    KTEST_ASSERT_EQ(test, begun, 1);
}

static void end(struct ktest *test)
{
    (void)test;
    begun--;
}

KTEST_SUITE(count_bits, .init = begin, .exit = end);

KTEST(count_bits, of_nothing)
{
    KTEST_EXPECT_EQ(test, count_bits(0), 0);
}

KTEST_ATTR(count_bits, of_everything, .timeout_ms = 100, .proves = "all");
KTEST(count_bits, of_everything)
{
    KTEST_EXPECT_EQ(test, count_bits(~0UL), 64);
}

static const unsigned long powers[] = {1, 2, 1UL << 63};

KTEST_PARAM(count_bits, of_a_power_of_two, powers, NULL)
{
    KTEST_EXPECT_EQ_MSG(test, count_bits(*param), 1, "of 0x%lx", *param);
}
