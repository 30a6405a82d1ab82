// SPDX-License-Identifier: MIT
#include "mm/heap/allocators_fixture.h"

#include "mm/heap/buddy.h"
#include "mm/heap/bump.h"
#include "mm/heap/counting.h"
#include "mm/heap/fixed_block.h"
#include "mm/heap/linked_list.h"
#include "mm/heap/slab_allocator.h"

_Alignas(64 << 10) uint8_t test_heap[TEST_HEAP_BYTES]; // buddy: one block has 64 KiB

static struct allocator *make_bump(void *start, size_t size_bytes, enum bump_reuse reuse)
{
    static struct bump_allocator bump;
    bump_allocator_init(&bump, start, size_bytes, reuse);
    return &bump.base;
}

static struct allocator *make_plain_bump(void *start, size_t size_bytes)
{
    return make_bump(start, size_bytes, BUMP_WHEN_ALL_IS_FREE);
}

static struct allocator *make_better_bump(void *start, size_t size_bytes)
{
    return make_bump(start, size_bytes, BUMP_LAST_AT_ONCE);
}

static struct allocator *make_list(void *start, size_t size_bytes, enum fit fit)
{
    static struct list_allocator list;
    list_allocator_init(&list, start, size_bytes, fit);
    return &list.base;
}

static struct allocator *make_first_fit(void *start, size_t size_bytes)
{
    return make_list(start, size_bytes, FIRST_FIT);
}

static struct allocator *make_best_fit(void *start, size_t size_bytes)
{
    return make_list(start, size_bytes, BEST_FIT);
}

static struct allocator *make_fixed_block(void *start, size_t size_bytes)
{
    static struct fixed_block_allocator fixed_block;
    fixed_block_allocator_init(&fixed_block, start, size_bytes);
    return &fixed_block.base;
}

static struct allocator *make_counted(void *start, size_t size_bytes)
{
    static struct counting_allocator counting;
    counting_allocator_init(&counting, make_first_fit(start, size_bytes));
    return &counting.base;
}

static struct allocator *make_buddy(void *start, size_t size_bytes)
{
    static struct buddy_allocator buddy;
    buddy_allocator_init(&buddy, start, size_bytes);
    return &buddy.base;
}

static struct allocator *make_slab(void *start, size_t size_bytes)
{
    static struct slab_allocator slab;
    slab_allocator_init(&slab, make_buddy(start, size_bytes));
    return &slab.base;
}

const struct test_allocator test_allocators[TEST_ALLOCATOR_COUNT] = {
    [TEST_BUMP] = {"bump", make_plain_bump, .reuses = false},
    [TEST_BUMP_LAST_AT_ONCE] = {"bump, last block at once", make_better_bump, .reuses_last = true},
    [TEST_LIST_FIRST_FIT] = {"linked list, first fit", make_first_fit, .reuses = true},
    [TEST_LIST_BEST_FIT] = {"linked list, best fit", make_best_fit, .reuses = true},
    [TEST_FIXED_BLOCK] = {"fixed block", make_fixed_block, .reuses = true},
    [TEST_COUNTED] = {"linked list, counted", make_counted, .reuses = true},
    [TEST_BUDDY] = {"buddy", make_buddy, .reuses = true},
    [TEST_SLAB] = {"slab over buddy", make_slab, .reuses = true},
};

struct allocator *test_allocator_make(const struct test_allocator *test_allocator)
{
    return test_allocator->make(test_heap, sizeof(test_heap));
}

void test_allocator_expect_sound(struct ktest *test, const struct allocator *allocator)
{
    const char *problem = allocator_check(allocator);
    KTEST_ASSERT_TRUE_MSG(test, problem == NULL, "%s", problem != NULL ? problem : "");
}

void test_allocator_expect_like_new(struct ktest *test, struct allocator *allocator,
                                    const struct allocator_statistics *first)
{
    test_allocator_expect_sound(test, allocator);
    allocator_trim(allocator);
    test_allocator_expect_sound(test, allocator);
    struct allocator_statistics now;
    allocator_measure(allocator, &now);
    KTEST_EXPECT_EQ(test, now.block_count, first->block_count);
    KTEST_EXPECT_EQ(test, now.requested_bytes, first->requested_bytes);
    KTEST_EXPECT_EQ(test, now.used_bytes, first->used_bytes);
    KTEST_EXPECT_EQ(test, now.free_bytes, first->free_bytes);
    KTEST_EXPECT_EQ(test, now.managed_bytes, first->managed_bytes);
    KTEST_EXPECT_EQ(test, now.largest_free_bytes, first->largest_free_bytes);
}

void test_allocator_describe(const struct test_allocator *test_allocator, char *text_out,
                             size_t size_bytes)
{
    format_buffer(text_out, size_bytes, "%s", test_allocator->name);
}

size_t test_allocator_largest(struct allocator *allocator)
{
    size_t possible = 0;
    size_t impossible = TEST_HEAP_BYTES + 64;
    while (impossible - possible > 64) {
        size_t size_bytes = (possible + impossible) / 2;
        void *block = allocator_allocate(allocator, size_bytes, 8);
        allocator_free(allocator, block);
        if (block != NULL) {
            possible = size_bytes;
        } else {
            impossible = size_bytes;
        }
    }
    return possible;
}
