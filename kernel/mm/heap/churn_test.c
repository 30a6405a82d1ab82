// SPDX-License-Identifier: MIT
//
// What the churn leaves behind. blog_os: its list refuses 11,203 allocations and has at most 50
// bytes of 102,400 in one piece at the end; its fixed-size blocks refuse none, and have 37,850.
#include "mm/heap/test_churn.h"

#include "ktest.h"
#include "mm/heap/allocators_fixture.h"

KTEST_ATTR(heap, churn_fails_nothing_and_leaves_one_piece, .proves = "11.8 11.14",
           .speed = KTEST_SPEED_SLOW);
KTEST_PARAM(heap, churn_fails_nothing_and_leaves_one_piece, test_allocators,
            test_allocator_describe)
{
    struct allocator *allocator = test_allocator_make(param);
    size_t largest_bytes = test_allocator_largest(allocator);
    struct allocator_statistics first;
    allocator_measure(allocator, &first);
    static struct churn churn;
    churn = (struct churn){.random = 42};
    for (unsigned i = 0; i < CHURN_OPERATIONS; i++) {
        churn_do(&churn, allocator, churn_next(&churn));
    }
    KTEST_EXPECT_EQ(test, churn.failure_count == 0, param->reuses);
    for (unsigned i = 0; i < CHURN_SLOTS; i++) {
        allocator_free(allocator, churn.slots[i]);
    }
    KTEST_EXPECT_EQ(test, test_allocator_largest(allocator), largest_bytes); // no one has trimmed
    test_allocator_expect_like_new(test, allocator, &first);
}
