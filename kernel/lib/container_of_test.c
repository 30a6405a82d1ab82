// SPDX-License-Identifier: MIT
#include "lib/container_of.h"

#include "ktest.h"

struct pair {
    uint64_t first;
    uint32_t second;
};

KTEST(container_of, is_the_structure_around_the_member)
{
    static struct pair pairs[2];
    KTEST_EXPECT_PTR_EQ(test, container_of(&pairs[1].first, struct pair, first), &pairs[1]);
    KTEST_EXPECT_PTR_EQ(test, container_of(&pairs[1].second, struct pair, second), &pairs[1]);
    uint32_t *second = &pairs[0].second;
    KTEST_EXPECT_PTR_EQ(test, container_of(second++, struct pair, second), &pairs[0]);
    KTEST_EXPECT_PTR_EQ(test, second, &pairs[0].second + 1);
}
