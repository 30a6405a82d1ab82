// SPDX-License-Identifier: MIT
#include "kernel.h"

#include "ktest/ktest.h"

KTEST(mistaken, three_has_one_bit)
{
    KTEST_ASSERT_EQ(test, count_bits(3), 1);
    KTEST_FAIL(test, "not reached");
}
