// SPDX-License-Identifier: MIT
//
// What is the buddy allocator's own: where blocks lie, that splitting and merging undo each other,
// and what it notices. What it has in common with the others is in conformance_test.c.
#include "mm/heap/buddy.h"

#include "ktest.h"
#include "lib/string.h"
#include "lib/test_random.h"

#define SMALLEST_BYTES ((size_t)BUDDY_BLOCK_BYTES_MIN)
#define LARGEST_BYTES ((size_t)64 << 10)
#define WHOLE_BYTES (LARGEST_BYTES / SMALLEST_BYTES * (SMALLEST_BYTES + 1)) // with the states

static _Alignas(2 * LARGEST_BYTES) uint8_t memory[2 * WHOLE_BYTES];
static struct buddy_allocator buddy;

// One block of LARGEST_BYTES.
static void init(struct ktest *test)
{
    (void)test;
    buddy_allocator_init(&buddy, memory, WHOLE_BYTES);
}

KTEST_SUITE(heap_buddy, .init = init);

static uint8_t *take(size_t size_bytes, size_t alignment)
{
    return allocator_allocate(&buddy.base, size_bytes, alignment);
}

static void give(void *block)
{
    allocator_free(&buddy.base, block);
}

static void expect_sound(struct ktest *test)
{
    const char *problem = allocator_check(&buddy.base);
    KTEST_ASSERT_TRUE_MSG(test, problem == NULL, "%s", problem != NULL ? problem : "");
}

static struct allocator_statistics measure(void)
{
    struct allocator_statistics statistics;
    allocator_measure(&buddy.base, &statistics);
    return statistics;
}

static void append(void *context, const char *bytes, size_t size_bytes)
{
    text_append(context, "%.*s", (int)size_bytes, bytes);
}

struct text {
    char bytes[1024];
};

// Every free block, by size and place.
static struct text dumped(void)
{
    struct text text = {};
    struct text_buffer buffer = {text.bytes, sizeof(text.bytes), 0};
    const struct writer writer = {append, &buffer};
    allocator_dump(&buddy.base, &writer);
    return text;
}

KTEST(heap_buddy, everything_is_one_block)
{
    KTEST_EXPECT_EQ(test, measure().managed_bytes, LARGEST_BYTES);
    uint8_t *whole = take(LARGEST_BYTES, LARGEST_BYTES);
    KTEST_ASSERT_PTR_EQ(test, whole, memory);
    KTEST_EXPECT_NULL(test, take(1, 1));
    KTEST_EXPECT_EQ(test, measure().free_bytes, 0);
    give(whole);
    KTEST_EXPECT_PTR_EQ(test, take(LARGEST_BYTES / 2 + 1, 1), memory);
}

KTEST_ATTR(heap_buddy, buddies_differ_in_the_bit_of_their_size, .proves = "11.15.2");
KTEST(heap_buddy, buddies_differ_in_the_bit_of_their_size)
{
    for (size_t size = SMALLEST_BYTES; size < LARGEST_BYTES; size *= 2) {
        uintptr_t one = (uintptr_t)take(size, 1);
        uintptr_t other = (uintptr_t)take(size, 1);
        KTEST_EXPECT_EQ(test, one ^ size, other);
        expect_sound(test);
        give((void *)one);
        give((void *)other);
    }
}

// In either order the buddies become what they were split from.
KTEST_ATTR(heap_buddy, merging_undoes_splitting, .proves = "11.15.2");
KTEST(heap_buddy, merging_undoes_splitting)
{
    const struct text whole = dumped();
    for (size_t size = SMALLEST_BYTES; size < LARGEST_BYTES; size *= 2) {
        for (unsigned first = 0; first < 2; first++) {
            uint8_t *blocks[] = {take(size, 1), take(size, 1)};
            give(blocks[first]);
            KTEST_EXPECT_LT(test, measure().largest_free_bytes, LARGEST_BYTES);
            expect_sound(test);
            give(blocks[1 - first]);
            KTEST_EXPECT_STREQ(test, dumped().bytes, whole.bytes);
        }
    }
}

KTEST_ATTR(heap_buddy, merging_undoes_any_sequence, .proves = "11.15.2", .speed = KTEST_SPEED_SLOW);
KTEST(heap_buddy, merging_undoes_any_sequence)
{
    enum { SLOT_COUNT = 64 };
    uint8_t *blocks[SLOT_COUNT] = {};
    struct test_random random = {71};
    const struct text whole = dumped();
    for (unsigned i = 0; i < 2000 * test_scale(); i++) {
        uint64_t slot = test_random_below(&random, SLOT_COUNT);
        size_t size = (size_t)1 << test_random_below(&random, 14);
        give(blocks[slot]);
        blocks[slot] = i % 3 != 0 ? take(size, 1) : NULL;
        KTEST_ASSERT_TRUE(test, is_aligned((uintptr_t)blocks[slot], size));
        expect_sound(test);
    }
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        give(blocks[slot]);
    }
    KTEST_EXPECT_STREQ(test, dumped().bytes, whole.bytes);
}

KTEST(heap_buddy, smallest_blocks_fill_all_of_it)
{
    size_t count = 0;
    while (take(1, 1) != NULL) {
        count++;
    }
    KTEST_EXPECT_EQ(test, count, LARGEST_BYTES / SMALLEST_BYTES);
    KTEST_EXPECT_EQ(test, measure().block_count, count);
    for (size_t i = 0; i < LARGEST_BYTES; i += 2 * SMALLEST_BYTES) {
        give(&memory[i]);
    }
    expect_sound(test);
    KTEST_EXPECT_EQ(test, measure().free_bytes, LARGEST_BYTES / 2);
    KTEST_EXPECT_EQ(test, measure().largest_free_bytes, SMALLEST_BYTES);
    KTEST_EXPECT_NULL(test, take(SMALLEST_BYTES + 1, 1));
    for (size_t i = SMALLEST_BYTES; i < LARGEST_BYTES; i += 2 * SMALLEST_BYTES) {
        give(&memory[i]);
    }
    KTEST_EXPECT_PTR_EQ(test, take(LARGEST_BYTES, 1), memory);
}

KTEST(heap_buddy, alignment_may_be_the_largest_block)
{
    uint8_t *small = take(1, 1);
    for (size_t alignment = 1; alignment < LARGEST_BYTES; alignment *= 2) {
        uint8_t *block = take(1, alignment);
        KTEST_ASSERT_NOT_NULL(test, block);
        KTEST_EXPECT_TRUE(test, is_aligned((uintptr_t)block, alignment));
        KTEST_EXPECT_GE(test, allocator_usable_bytes(&buddy.base, block), alignment);
        give(block);
    }
    KTEST_EXPECT_NULL(test, take(1, LARGEST_BYTES));
    give(small);
    KTEST_EXPECT_NOT_NULL(test, take(1, LARGEST_BYTES));
}

KTEST(heap_buddy, impossible_sizes_are_refused)
{
    KTEST_EXPECT_NULL(test, take(LARGEST_BYTES + 1, 1));
    KTEST_EXPECT_NULL(test, take(SIZE_MAX, 1));
    KTEST_EXPECT_NULL(test, take(BIT(63), 1));
    KTEST_EXPECT_NULL(test, take(1, BIT(63)));
    uint8_t *block = take(1, 1);
    KTEST_EXPECT_FALSE(test, allocator_resize(&buddy.base, block, SIZE_MAX));
    KTEST_EXPECT_FALSE(test, allocator_resize(&buddy.base, block, LARGEST_BYTES + 1));
}

// --- Ranges -------------------------------------------------------------------------------------

// Nothing outside is written, and nothing of any size is lost but what is smaller than a block.
KTEST(heap_buddy, range_may_have_any_start_and_size)
{
    struct test_random random = {72};
    for (unsigned i = 0; i < 200 * test_scale(); i++) {
        size_t start = test_random_below(&random, 1000);
        size_t size_bytes = SMALLEST_BYTES + test_random_below(&random, SMALLEST_BYTES << i % 8);
        memset(memory, 0x5a, sizeof(memory));
        buddy_allocator_init(&buddy, &memory[start], size_bytes);
        expect_sound(test);
        size_t whole = align_down(size_bytes, SMALLEST_BYTES);
        KTEST_EXPECT_GE(test, measure().managed_bytes + 3 * SMALLEST_BYTES, whole * 32 / 33);
        uint8_t *block;
        while ((block = take(1, 1)) != NULL) {
            KTEST_ASSERT_GE(test, block - memory, start);
            KTEST_ASSERT_LE(test, block + SMALLEST_BYTES - memory, start + size_bytes);
            memset(block, 1, SMALLEST_BYTES);
        }
        expect_sound(test);
        KTEST_ASSERT_TRUE(test, start == 0 || memory[start - 1] == 0x5a);
        KTEST_ASSERT_EQ(test, memory[start + size_bytes], 0x5a);
    }
}

KTEST(heap_buddy, growing_piece_by_piece_ends_as_large)
{
    buddy_allocator_init(&buddy, memory, 2 * WHOLE_BYTES);
    const struct text whole = dumped();
    struct test_random random = {73};
    size_t size_bytes = SMALLEST_BYTES; // too little for a block
    buddy_allocator_init(&buddy, memory, size_bytes);
    while (size_bytes < 2 * WHOLE_BYTES) {
        size_t more = test_random_below(&random, 5000);
        more = more < 2 * WHOLE_BYTES - size_bytes ? more : 2 * WHOLE_BYTES - size_bytes;
        KTEST_ASSERT_EQ(test, allocator_extend(&buddy.base, &memory[size_bytes], more), OK);
        expect_sound(test);
        size_bytes += more;
    }
    KTEST_EXPECT_STREQ(test, dumped().bytes, whole.bytes);
}

KTEST(heap_buddy, growing_keeps_blocks_in_use)
{
    uint8_t *block = take(LARGEST_BYTES, 1);
    memset(block, 0x77, LARGEST_BYTES);
    KTEST_ASSERT_EQ(test, allocator_extend(&buddy.base, &memory[WHOLE_BYTES], WHOLE_BYTES), OK);
    uint8_t *other = take(LARGEST_BYTES, 1);
    KTEST_ASSERT_PTR_EQ(test, other, memory + LARGEST_BYTES);
    memset(other, 0x88, LARGEST_BYTES);
    expect_sound(test);
    for (size_t i = 0; i < LARGEST_BYTES; i++) {
        KTEST_ASSERT_EQ(test, block[i], 0x77);
    }
    give(block);
    give(other);
    KTEST_EXPECT_PTR_EQ(test, take(2 * LARGEST_BYTES, 1), memory);
}

// --- Resizing -----------------------------------------------------------------------------------

KTEST(heap_buddy, block_grows_over_its_free_buddies)
{
    uint8_t *block = take(SMALLEST_BYTES, 1);
    KTEST_EXPECT_TRUE(test, allocator_resize(&buddy.base, block, LARGEST_BYTES / 2));
    KTEST_EXPECT_EQ(test, allocator_usable_bytes(&buddy.base, block), LARGEST_BYTES / 2);
    KTEST_EXPECT_EQ(test, measure().free_bytes, LARGEST_BYTES / 2);
    expect_sound(test);

    uint8_t *upper = take(SMALLEST_BYTES, 1); // in the way of the one, and with no room behind it
    KTEST_EXPECT_FALSE(test, allocator_resize(&buddy.base, block, LARGEST_BYTES));
    KTEST_EXPECT_TRUE(test, allocator_resize(&buddy.base, upper, LARGEST_BYTES / 2));
    give(block);
    KTEST_EXPECT_FALSE(test, allocator_resize(&buddy.base, upper, LARGEST_BYTES));
    expect_sound(test);
}

KTEST(heap_buddy, block_shrinks_by_its_upper_halves)
{
    const struct text whole = dumped();
    uint8_t *block = take(LARGEST_BYTES, 1);
    KTEST_EXPECT_TRUE(test, allocator_resize(&buddy.base, block, SMALLEST_BYTES + 1));
    KTEST_EXPECT_EQ(test, measure().free_bytes, LARGEST_BYTES - 2 * SMALLEST_BYTES);
    expect_sound(test);
    give(block);
    KTEST_EXPECT_STREQ(test, dumped().bytes, whole.bytes);
}

// --- Our own bugs -------------------------------------------------------------------------------

KTEST_ATTR(heap_buddy, freeing_what_is_not_in_use_panics, .speed = KTEST_SPEED_SLOW);
KTEST(heap_buddy, freeing_what_is_not_in_use_panics)
{
    uint8_t *block = take(4 * SMALLEST_BYTES, 1);
    uint8_t *other = take(4 * SMALLEST_BYTES, 1);
    KTEST_EXPECT_PANIC(test, "assertion failed: *", give(block + SMALLEST_BYTES)); // inside
    KTEST_EXPECT_PANIC(test, "assertion failed: *", give(block + 1));
    KTEST_EXPECT_PANIC(test, "assertion failed: *", give((void *)(buddy.start - SMALLEST_BYTES)));
    KTEST_EXPECT_PANIC(test, "assertion failed: *", give(memory + LARGEST_BYTES));
    KTEST_EXPECT_PANIC(test, "assertion failed: *", give(&buddy));
    give(other);
    KTEST_EXPECT_PANIC(test, "assertion failed: *", give(other)); // twice, and merged meanwhile
    give(block);
    KTEST_EXPECT_PANIC(test, "assertion failed: *", give(block));
    expect_sound(test);
}

KTEST(heap_buddy, damage_is_found)
{
    uint8_t *block = take(SMALLEST_BYTES, 1);
    uint8_t saved[SMALLEST_BYTES];
    memcpy(saved, &memory[SMALLEST_BYTES], sizeof(saved));
    memset(&memory[SMALLEST_BYTES], 0, SMALLEST_BYTES); // written behind the block
    KTEST_EXPECT_STREQ(test, allocator_check(&buddy.base),
                       "a ring leads to what is no free block of its order");
    memcpy(&memory[SMALLEST_BYTES], saved, sizeof(saved));
    expect_sound(test);

    static const struct {
        size_t at;
        uint8_t state;
        const char *problem;
    } cases[] = {
        {0, 0x00, "a block has no valid state"},
        {0, 0xc0, "a block has no valid state"},
        {0, 0x80, "two free buddies have not merged"},
        {0, 0x41, "a block begins inside of another one"},
        {1, 0x81, "a block is not where its order belongs"},
        {0, 0x7f, "a block is not where its order belongs"},
        {1, 0x40, "the counts contradict the blocks"},
        {3, 0x40, "a block begins inside of another one"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        uint8_t before = buddy.states[cases[i].at];
        buddy.states[cases[i].at] = cases[i].state;
        KTEST_EXPECT_STREQ(test, allocator_check(&buddy.base), cases[i].problem);
        buddy.states[cases[i].at] = before;
    }
    buddy.orders ^= 1;
    KTEST_EXPECT_STREQ(test, allocator_check(&buddy.base), "the orders contradict the rings");
    buddy.orders ^= 1;
    give(block);
    expect_sound(test);
}
