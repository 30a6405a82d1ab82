// SPDX-License-Identifier: MIT
//
// Every design against a model, by chance: which blocks there are, where they lie and what they
// hold. A NULL is no mistake here; what else may not happen is looked for at every step.
#include "ktest.h"
#include "lib/string.h"
#include "lib/test_random.h"
#include "mm/heap/allocators_fixture.h"

#define ROUNDS 10000
#define ROUNDS_BETWEEN_LOOKS 100
#define BLOCKS_MAX 200

struct model_block {
    uint8_t *start;
    size_t size_bytes;
    uint8_t value; // all of its bytes
};

static struct model_block model[BLOCKS_MAX];
static unsigned count;
static struct allocator *allocator;
static struct test_random random;

static uint64_t chance(uint64_t limit)
{
    return test_random_below(&random, limit);
}

// Most are small; of each order as many.
static size_t any_size(void)
{
    return 1 + chance(BIT(3 + chance(12)));
}

static size_t any_alignment(void)
{
    return chance(4) != 0 ? 8 : BIT(chance(13));
}

static void expect_content(struct ktest *test, const struct model_block *block, size_t size_bytes)
{
    for (size_t i = 0; i < size_bytes; i++) {
        if (block->start[i] != block->value) {
            KTEST_ASSERT_EQ(test, block->start[i], block->value);
        }
    }
}

// The block is the allocator's to give, and overlaps no other. It is filled anew.
static void model_add(struct ktest *test, struct model_block block)
{
    uintptr_t start = (uintptr_t)block.start;
    KTEST_ASSERT_GE(test, start, (uintptr_t)test_heap);
    KTEST_ASSERT_LE(test, start + block.size_bytes, (uintptr_t)test_heap + TEST_HEAP_BYTES);
    KTEST_ASSERT_GE(test, allocator_usable_bytes(allocator, block.start), block.size_bytes);
    for (unsigned i = 0; i < count; i++) {
        const struct model_block *other = &model[i];
        bool overlaps = start < (uintptr_t)other->start + other->size_bytes &&
                        (uintptr_t)other->start < start + block.size_bytes;
        KTEST_ASSERT_FALSE(test, overlaps);
    }
    block.value = (uint8_t)chance(256);
    memset(block.start, block.value, block.size_bytes);
    model[count++] = block;
}

static struct model_block model_remove(struct ktest *test, unsigned index)
{
    struct model_block block = model[index];
    expect_content(test, &block, block.size_bytes);
    model[index] = model[--count];
    return block;
}

static void try_allocate(struct ktest *test)
{
    size_t alignment = any_alignment();
    struct model_block block = {.size_bytes = any_size()};
    block.start = allocator_allocate(allocator, block.size_bytes, alignment);
    if (block.start != NULL) {
        KTEST_ASSERT_EQ(test, (uintptr_t)block.start % alignment, 0);
        model_add(test, block);
    }
}

static void try_resize(struct ktest *test)
{
    struct model_block block = model_remove(test, (unsigned)chance(count));
    size_t size_bytes = any_size();
    if (allocator_resize(allocator, block.start, size_bytes)) {
        expect_content(test, &block, size_bytes < block.size_bytes ? size_bytes : block.size_bytes);
        block.size_bytes = size_bytes;
    }
    model_add(test, block);
}

static void look(struct ktest *test)
{
    struct allocator_statistics now;
    size_t size_bytes = 0;
    for (unsigned i = 0; i < count; i++) {
        expect_content(test, &model[i], model[i].size_bytes);
        size_bytes += model[i].size_bytes;
    }
    test_allocator_expect_sound(test, allocator);
    allocator_measure(allocator, &now);
    KTEST_ASSERT_EQ(test, now.block_count, count);
    KTEST_ASSERT_GE(test, now.used_bytes, size_bytes);
    KTEST_ASSERT_EQ(test, now.used_bytes + now.free_bytes, now.managed_bytes);
    KTEST_ASSERT_LE(test, now.largest_free_bytes, now.free_bytes);
}

static void free_all(struct ktest *test)
{
    while (count > 0) {
        allocator_free(allocator, model_remove(test, (unsigned)chance(count)).start);
    }
}

void test_allocator_agrees_with_model(struct ktest *test,
                                      const struct test_allocator *test_allocator)
{
    struct allocator_statistics first;
    allocator = test_allocator_make(test_allocator);
    allocator_measure(allocator, &first);
    random = (struct test_random){41};
    count = 0;
    const unsigned round_count = ROUNDS * test_scale();
    for (unsigned round = 0; round < round_count; round++) {
        unsigned wish = (unsigned)chance(16);
        if (wish < 8 && count < BLOCKS_MAX) {
            try_allocate(test);
        } else if (wish < 14 && count > 0) {
            allocator_free(allocator, model_remove(test, (unsigned)chance(count)).start);
        } else if (count > 0) {
            try_resize(test);
        }
        if (round % ROUNDS_BETWEEN_LOOKS == 0) {
            look(test);
        }
        if (round % (ROUNDS / 4) == 0) {
            free_all(test);
            test_allocator_expect_like_new(test, allocator, &first);
        }
    }
    free_all(test);
    test_allocator_expect_like_new(test, allocator, &first);
}

KTEST_ATTR(heap_model, agrees_with_every_design, .proves = "10.5 11.1", .speed = KTEST_SPEED_SLOW);
KTEST_PARAM(heap_model, agrees_with_every_design, test_allocators, test_allocator_describe)
{
    test_allocator_agrees_with_model(test, param);
}
