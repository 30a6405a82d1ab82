// SPDX-License-Identifier: MIT
//
// Tests with parameters: each is one of its own.
#include "format.h"
#include "ktest.h"

struct sum {
    int left;
    int right;
    int expected;
};

static const struct sum sums[] = {{1, 2, 3}, {-1, 1, 0}, {0, 0, 0}};

static void describe_sum(const struct sum *param, char *text, size_t size_bytes)
{
    ktest_format(text, size_bytes, "%d + %d", param->left, param->right);
}

KTEST_PARAM(param, sum_is_right, sums, describe_sum)
{
    size_t index = ktest_param_index(test);
    KTEST_ASSERT_LT(test, index, 3);
    KTEST_EXPECT_PTR_EQ(test, param, &sums[index]);
    KTEST_EXPECT_EQ(test, param->left + param->right, param->expected);
    KTEST_EXPECT_STREQ(test, ktest_name(test), "sum_is_right");
}

static const char *const words[] = {"one", "three"};

KTEST_PARAM(param, needs_no_description, words, NULL)
{
    KTEST_EXPECT_EQ(test, (*param)[1] == 'n', ktest_param_index(test) == 0);
}

// An outcome holds for all of them.
static const uint64_t nowhere[] = {0x0000800000000000, 0xffff7fffffffffff};

KTEST_ATTR(param, each_has_the_declared_end, .outcome = KTEST_FAULT(GP, .error = 0));
KTEST_PARAM(param, each_has_the_declared_end, nowhere, NULL)
{
    KTEST_ARM(test);
    (void)*(volatile const uint8_t *)*param;
}
