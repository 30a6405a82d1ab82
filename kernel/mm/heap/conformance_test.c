// SPDX-License-Identifier: MIT
//
// What every design promises: mm/heap/allocator.h.
#include "ktest.h"
#include "lib/string.h"
#include "mm/heap/allocators_fixture.h"

#define COUNT_MAX 4096

static struct allocator *allocator;
static struct allocator_statistics first;
static void *blocks[COUNT_MAX];

static void make(const struct test_allocator *test_allocator)
{
    allocator = test_allocator_make(test_allocator);
    allocator_measure(allocator, &first);
}

static void *allocate(struct ktest *test, size_t size_bytes, size_t alignment)
{
    void *block = allocator_allocate(allocator, size_bytes, alignment);
    KTEST_ASSERT_NOT_NULL(test, block);
    KTEST_ASSERT_EQ(test, (uintptr_t)block % alignment, 0);
    KTEST_ASSERT_GE(test, (uintptr_t)block, (uintptr_t)test_heap);
    KTEST_ASSERT_LE(test, (uintptr_t)block + size_bytes, (uintptr_t)test_heap + TEST_HEAP_BYTES);
    KTEST_ASSERT_GE(test, allocator_usable_bytes(allocator, block), size_bytes);
    return block;
}

static bool is_filled(const uint8_t *block, uint8_t value, size_t size_bytes)
{
    for (size_t i = 0; i < size_bytes; i++) {
        if (block[i] != value) {
            return false;
        }
    }
    return true;
}

static void free_all(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        allocator_free(allocator, blocks[i]);
    }
}

KTEST_PARAM(heap, fresh_heap_is_free, test_allocators, test_allocator_describe)
{
    make(param);
    KTEST_EXPECT_LE(test, first.managed_bytes, TEST_HEAP_BYTES);
    KTEST_EXPECT_GE(test, first.managed_bytes, TEST_HEAP_BYTES * 96 / 100);
    KTEST_EXPECT_EQ(test, first.free_bytes, first.managed_bytes);
    KTEST_EXPECT_EQ(test, first.used_bytes, 0);
    KTEST_EXPECT_EQ(test, first.block_count, 0);
    test_allocator_expect_like_new(test, allocator, &first);
}

KTEST_ATTR(heap, simple_allocation, .proves = "10.8");
KTEST_PARAM(heap, simple_allocation, test_allocators, test_allocator_describe)
{
    make(param);
    int *one = allocate(test, sizeof(int), _Alignof(int));
    int *other = allocate(test, sizeof(int), _Alignof(int));
    *one = 41;
    *other = 13;
    KTEST_EXPECT_EQ(test, *one, 41);
    KTEST_EXPECT_EQ(test, *other, 13);
    allocator_free(allocator, one);
    allocator_free(allocator, other);
    test_allocator_expect_like_new(test, allocator, &first);
}

// A vector that doubles: in place where that can be, else it moves.
static uint64_t *grow(struct ktest *test, uint64_t *elements, size_t count)
{
    if (allocator_resize(allocator, elements, 2 * count * sizeof(*elements))) {
        return elements;
    }
    uint64_t *larger = allocate(test, 2 * count * sizeof(*elements), _Alignof(uint64_t));
    memcpy(larger, elements, count * sizeof(*elements));
    allocator_free(allocator, elements);
    return larger;
}

KTEST_ATTR(heap, large_vector, .proves = "10.9");
KTEST_PARAM(heap, large_vector, test_allocators, test_allocator_describe)
{
    make(param);
    const uint64_t count = 1000;
    uint64_t capacity = 4;
    uint64_t *elements = allocate(test, capacity * sizeof(*elements), _Alignof(uint64_t));
    for (uint64_t i = 0; i < count; i++) {
        if (i == capacity) {
            elements = grow(test, elements, capacity);
            capacity *= 2;
        }
        elements[i] = i;
    }
    uint64_t sum = 0;
    for (uint64_t i = 0; i < count; i++) {
        sum += elements[i];
    }
    KTEST_EXPECT_EQ(test, sum, (count - 1) * count / 2);
    allocator_free(allocator, elements);
    test_allocator_expect_like_new(test, allocator, &first);
}

// As many as the heap has bytes; blog_os: HEAP_SIZE.
static unsigned allocate_and_free_many(void)
{
    unsigned count = 0;
    for (uint64_t i = 0; i < TEST_HEAP_BYTES; i++) {
        uint64_t *block = allocator_allocate(allocator, sizeof(*block), _Alignof(uint64_t));
        if (block == NULL) {
            break;
        }
        *block = i;
        count += *block == i;
        allocator_free(allocator, block);
    }
    return count;
}

KTEST_ATTR(heap, many_boxes, .proves = "10.10", .speed = KTEST_SPEED_SLOW);
KTEST_PARAM(heap, many_boxes, test_allocators, test_allocator_describe)
{
    make(param);
    KTEST_EXPECT_EQ(test, allocate_and_free_many(), TEST_HEAP_BYTES);
    test_allocator_expect_like_new(test, allocator, &first);
}

// One block that lives on: bump, as the post has it, runs out of memory.
KTEST_ATTR(heap, many_boxes_beside_a_long_lived_one, .proves = "11.7 11.13",
           .speed = KTEST_SPEED_SLOW);
KTEST_PARAM(heap, many_boxes_beside_a_long_lived_one, test_allocators, test_allocator_describe)
{
    make(param);
    uint64_t *long_lived = allocate(test, sizeof(*long_lived), _Alignof(uint64_t));
    *long_lived = 1;
    KTEST_EXPECT_EQ(test, allocate_and_free_many() == TEST_HEAP_BYTES,
                    param->reuses || param->reuses_last);
    KTEST_EXPECT_EQ(test, *long_lived, 1);
    allocator_free(allocator, long_lived);
    test_allocator_expect_like_new(test, allocator, &first);
}

KTEST_ATTR(heap, blocks_are_aligned_and_padding_comes_back, .proves = "11.9");
KTEST_PARAM(heap, blocks_are_aligned_and_padding_comes_back, test_allocators,
            test_allocator_describe)
{
    make(param);
    static const size_t sizes[] = {1, 8, 100, 1000};
    for (size_t alignment = 1; alignment <= 4096; alignment *= 2) {
        for (unsigned i = 0; i < 8; i++) {
            blocks[i] = allocate(test, sizes[i % 4], alignment);
            memset(blocks[i], (int)i, sizes[i % 4]);
        }
        for (unsigned i = 0; i < 8; i++) {
            KTEST_EXPECT_TRUE(test, is_filled(blocks[i], (uint8_t)i, sizes[i % 4]));
            allocator_free(allocator, blocks[i]);
        }
        test_allocator_expect_like_new(test, allocator, &first);
    }
}

KTEST_PARAM(heap, sizes_that_cannot_be_are_null, test_allocators, test_allocator_describe)
{
    make(param);
    static const size_t sizes[] = {0,           TEST_HEAP_BYTES + 1, PTRDIFF_MAX - 16,
                                   PTRDIFF_MAX, SIZE_MAX / 2 + 2,    SIZE_MAX - 15,
                                   SIZE_MAX};
    for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
        KTEST_EXPECT_NULL(test, allocator_allocate(allocator, sizes[i], 1));
        KTEST_EXPECT_NULL(test, allocator_allocate(allocator, sizes[i], BIT(63)));
    }
    KTEST_EXPECT_NULL(test, allocator_allocate(allocator, 1, BIT(63)));
    KTEST_EXPECT_NULL(test, allocator_allocate(allocator, 5000, BIT(63)));
    allocator_free(allocator, NULL);
    test_allocator_expect_like_new(test, allocator, &first);
}

KTEST_ATTR(heap, alignments_are_powers_of_two, .speed = KTEST_SPEED_SLOW);
KTEST_PARAM(heap, alignments_are_powers_of_two, test_allocators, test_allocator_describe)
{
    make(param);
    static const size_t alignments[] = {0, 3, 24, SIZE_MAX};
    for (unsigned i = 0; i < ARRAY_SIZE(alignments); i++) {
        KTEST_EXPECT_PANIC(test, "assertion failed: is_power_of_two(alignment)",
                           (void)!allocator_allocate(allocator, 8, alignments[i]));
    }
}

static unsigned allocate_all(size_t size_bytes)
{
    unsigned count = 0;
    while (count < COUNT_MAX) {
        blocks[count] = allocator_allocate(allocator, size_bytes, 8);
        if (blocks[count] == NULL) {
            break;
        }
        memset(blocks[count++], 0xee, size_bytes);
    }
    return count;
}

KTEST_ATTR(heap, exhausted_heap_recovers, .proves = "10.14");
KTEST_PARAM(heap, exhausted_heap_recovers, test_allocators, test_allocator_describe)
{
    static const size_t sizes[] = {64, 200, 2000, 3000};
    for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
        make(param);
        unsigned count = allocate_all(sizes[i]);
        KTEST_EXPECT_GE(test, count * sizes[i], TEST_HEAP_BYTES / 2 - 4 * sizes[i]);
        KTEST_EXPECT_NULL(test, allocator_allocate(allocator, sizes[i], 8));
        allocator_free(allocator, blocks[count / 2]);
        blocks[count / 2] = allocator_allocate(allocator, sizes[i], 8);
        KTEST_EXPECT_EQ(test, blocks[count / 2] != NULL, param->reuses);
        free_all(count);
        test_allocator_expect_like_new(test, allocator, &first);
        KTEST_EXPECT_EQ(test, allocate_all(sizes[i]), count);
        free_all(count);
    }
}

// Whether it is possible where it is, is the design's business.
static void expect_resize(struct ktest *test, uint8_t *block, size_t from, size_t to)
{
    uint8_t *neighbour = allocator_allocate(allocator, 8, 8);
    memset(block, 0x5a, from);
    if (allocator_resize(allocator, block, to)) {
        KTEST_EXPECT_GE(test, allocator_usable_bytes(allocator, block), to);
        KTEST_EXPECT_TRUE(test, is_filled(block, 0x5a, to < from ? to : from));
        memset(block, 0xa5, to);
    } else {
        KTEST_EXPECT_GT(test, to, from);
        KTEST_EXPECT_GE(test, allocator_usable_bytes(allocator, block), from);
        KTEST_EXPECT_TRUE(test, is_filled(block, 0x5a, from));
    }
    allocator_free(allocator, neighbour);
    test_allocator_expect_sound(test, allocator);
}

KTEST_ATTR(heap, blocks_are_resized_in_place_or_left, .speed = KTEST_SPEED_SLOW);
KTEST_PARAM(heap, blocks_are_resized_in_place_or_left, test_allocators, test_allocator_describe)
{
    make(param);
    static const size_t sizes[] = {1, 8, 16, 17, 100, 2047, 2048, 2049, 5000, 50000};
    for (unsigned from = 0; from < ARRAY_SIZE(sizes); from++) {
        for (unsigned to = 0; to < ARRAY_SIZE(sizes); to++) {
            uint8_t *block = allocate(test, sizes[from], 8);
            KTEST_EXPECT_TRUE(test, allocator_resize(allocator, block, sizes[from]));
            expect_resize(test, block, sizes[from], sizes[to]);
            KTEST_EXPECT_FALSE(test, allocator_resize(allocator, block, 0));
            KTEST_EXPECT_FALSE(test, allocator_resize(allocator, block, TEST_HEAP_BYTES + 1));
            KTEST_EXPECT_FALSE(test, allocator_resize(allocator, block, SIZE_MAX));
            allocator_free(allocator, block);
            test_allocator_expect_like_new(test, allocator, &first);
        }
    }
}

KTEST_PARAM(heap, heap_grows_at_its_end, test_allocators, test_allocator_describe)
{
    const size_t half_bytes = TEST_HEAP_BYTES / 2;
    allocator = param->make(test_heap, half_bytes);
    size_t half_largest = test_allocator_largest(allocator);
    void *block = allocate(test, 24, 8);
    memset(block, 0x77, 24);
    enum error error = allocator_extend(allocator, test_heap + half_bytes, half_bytes);
    if (error == OK) {
        allocator_measure(allocator, &first);
        KTEST_EXPECT_GE(test, first.managed_bytes, TEST_HEAP_BYTES * 96 / 100);
        KTEST_EXPECT_EQ(test, first.block_count, 1);
        KTEST_EXPECT_TRUE(test, is_filled(block, 0x77, 24));
        allocator_free(allocator, block);
        allocator_trim(allocator);
        allocator_measure(allocator, &first);
        KTEST_EXPECT_EQ(test, first.largest_free_bytes, first.managed_bytes);
        KTEST_EXPECT_GE(test, test_allocator_largest(allocator), half_largest);
    } else {
        KTEST_EXPECT_EQ(test, error, ENOTSUP);
        allocator_free(allocator, block);
        KTEST_EXPECT_EQ(test, test_allocator_largest(allocator), half_largest);
    }
    test_allocator_expect_sound(test, allocator);
}

static void count_bytes(void *context, const char *bytes, size_t size_bytes)
{
    (void)bytes;
    *(size_t *)context += size_bytes;
}

KTEST_PARAM(heap, state_is_printed, test_allocators, test_allocator_describe)
{
    make(param);
    size_t printed_bytes = 0;
    const struct writer writer = {count_bytes, &printed_bytes};
    allocator_dump(allocator, &writer);
    KTEST_EXPECT_GT(test, printed_bytes, 0);
    KTEST_EXPECT_GT(test, strlen(allocator->operations->name), 0);
}
