// SPDX-License-Identifier: MIT
//
// For tests: all designs, to be tested by what they have in common.
#pragma once

#include "ktest.h"
#include "mm/heap/allocator.h"

#define TEST_HEAP_BYTES (100 << 10) // as in the post: 25 pages

struct test_allocator {
    const char *name;
    struct allocator *(*make)(void *start, size_t size_bytes); // afresh: one at a time
    bool reuses;      // memory that was freed can be had again, whatever else is in use
    bool reuses_last; // bump: that of the last block at least
};

enum {
    TEST_BUMP,
    TEST_BUMP_LAST_AT_ONCE,
    TEST_LIST_FIRST_FIT,
    TEST_LIST_BEST_FIT,
    TEST_FIXED_BLOCK,
    TEST_COUNTED,
    TEST_BUDDY,
    TEST_SLAB,
    TEST_ALLOCATOR_COUNT
};
extern const struct test_allocator test_allocators[TEST_ALLOCATOR_COUNT];

// Over all of `test_heap`.
extern uint8_t test_heap[TEST_HEAP_BYTES];
struct allocator *test_allocator_make(const struct test_allocator *test_allocator);

// The allocator's data are in order.
void test_allocator_expect_sound(struct ktest *test, const struct allocator *allocator);

// As much is free, and in as large a piece, as it was in `first`, when nothing was in use.
void test_allocator_expect_like_new(struct ktest *test, struct allocator *allocator,
                                    const struct allocator_statistics *first);

// For KTEST_PARAM: the name.
void test_allocator_describe(const struct test_allocator *test_allocator, char *text_out,
                             size_t size_bytes);

// Random operations, 10,000 times test_scale(), and what is wrong after them (random_test.c).
void test_allocator_agrees_with_model(struct ktest *test,
                                      const struct test_allocator *test_allocator);

// The largest block that can be had, to within 64 bytes, found by bisection.
size_t test_allocator_largest(struct allocator *allocator);
