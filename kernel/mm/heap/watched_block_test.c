// SPDX-License-Identifier: MIT
//
// What people do to heaps, and what they are told. The wrong accesses go through volatile pointers,
// or the compiler would see them, and refuse.
#include "ktest.h"
#include "lib/kasan.h"
#include "lib/string.h"
#include "mm/heap/heap.h"
#include "mm/heap_window.h"

#define BLOCK_BYTES 40

static uint8_t *volatile block;

[[gnu::noinline]] static void make_block(struct ktest *test)
{
    block = kmalloc(BLOCK_BYTES);
    KTEST_ASSERT_NOT_NULL(test, block);
}

[[gnu::noinline]] static void drop_block(void)
{
    kfree(block);
    __asm__ volatile("");
}

NO_KASAN static void write_at(ptrdiff_t offset)
{
    volatile uint8_t *bytes = block;
    bytes[offset] ^= 0xff;
}

NO_KASAN static uint8_t read_at(ptrdiff_t offset)
{
    const volatile uint8_t *bytes = block;
    return bytes[offset];
}

// So that the test's end finds nothing more.
static void put_back(ptrdiff_t offset)
{
    write_at(offset);
}

static const ptrdiff_t behind[] = {BLOCK_BYTES, BLOCK_BYTES + 7, BLOCK_BYTES + 15};

KTEST_ATTR(watched_block, write_behind_is_found_by_kfree, .proves = "10.13");
KTEST_PARAM(watched_block, write_behind_is_found_by_kfree, behind, NULL)
{
    char expected[200];
    make_block(test);
    write_at(*param);
    format_buffer(expected, sizeof(expected),
                  "heap: something was written behind a block of 40 bytes at %#lx, byte %td, "
                  "allocated in make_block at 0x*",
                  (uint64_t)block, *param);
    KTEST_EXPECT_PANIC(test, expected, drop_block());
}

KTEST_ATTR(watched_block, write_in_front_is_found_by_kfree, .proves = "10.13");
KTEST(watched_block, write_in_front_is_found_by_kfree)
{
    make_block(test);
    write_at(-1);
    KTEST_EXPECT_PANIC(test,
                       "heap: something was written in front of a block of 40 bytes at 0x*, byte "
                       "-8, allocated in make_block at 0x*",
                       drop_block());
    put_back(-1);
    drop_block();
}

KTEST_ATTR(watched_block, second_kfree_is_named, .proves = "10.13");
KTEST(watched_block, second_kfree_is_named)
{
    make_block(test);
    drop_block();
    KTEST_EXPECT_PANIC(test,
                       "heap: second kfree of a block of 40 bytes at 0x*, byte 0, allocated in "
                       "make_block at 0x*, freed in drop_block at 0x*",
                       drop_block());
}

// Its head stays as it was until its memory is somebody else's.
KTEST_ATTR(watched_block, second_kfree_is_named_when_it_is_forgotten, .proves = "10.13");
KTEST(watched_block, second_kfree_is_named_when_it_is_forgotten)
{
    char problem[250];
    make_block(test);
    drop_block();
    KTEST_EXPECT_TRUE(test, heap_is_sound(problem, sizeof(problem)));
    KTEST_EXPECT_PANIC(test, "heap: second kfree of a block of 40 bytes at 0x*", drop_block());
}

static const ptrdiff_t within[] = {0, BLOCK_BYTES - 1, BLOCK_BYTES + 3};

KTEST_ATTR(watched_block, write_after_kfree_is_found, .proves = "10.13");
KTEST_PARAM(watched_block, write_after_kfree_is_found, within, NULL)
{
    char expected[200];
    char problem[250] = "";
    make_block(test);
    drop_block();
    write_at(*param);
    format_buffer(expected, sizeof(expected),
                  "something was written, after kfree, to a block of 40 bytes at %#lx, byte %td, "
                  "allocated in make_block at ",
                  (uint64_t)block, *param);
    KTEST_EXPECT_FALSE(test, heap_is_sound(problem, sizeof(problem)));
    KTEST_EXPECT_EQ(test, strncmp(problem, expected, strlen(expected)), 0);
    KTEST_EXPECT_TRUE(test, heap_is_sound(problem, sizeof(problem)));
}

// Without anybody who asks: when the freed block is forgotten, 64 KiB later.
KTEST_ATTR(watched_block, write_after_kfree_is_found_sooner_or_later, .proves = "10.13");
KTEST(watched_block, write_after_kfree_is_found_sooner_or_later)
{
    static void *others[3];
    bool has_all = true;
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        others[i] = kmalloc(30 << 10);
        has_all = has_all && others[i] != NULL;
    }
    make_block(test);
    drop_block();
    kfree(others[0]);
    kfree(others[1]);
    if (has_all) {
        write_at(5);
        KTEST_EXPECT_PANIC(
            test,
            "heap: something was written, after kfree, to a block of 40 bytes at "
            "0x*, byte 5, allocated in make_block at 0x*, freed in drop_block at 0x*",
            kfree(others[2]));
    } else {
        kfree(others[2]);
    }
}

static void *not_of_the_heap(int i)
{
    static _Alignas(16) uint8_t variable[64];
    uint8_t *const no_blocks[] = {variable + 16, block + 16, block + 1, (uint8_t *)16};
    return no_blocks[i];
}

KTEST_ATTR(watched_block, kfree_of_no_block_is_refused, .proves = "10.13");
KTEST(watched_block, kfree_of_no_block_is_refused)
{
    make_block(test);
    for (int i = 0; i < 4; i++) {
        void *volatile wrong = not_of_the_heap(i);
        KTEST_EXPECT_PANIC(test, "heap: kfree of what is no block of the heap, 0x*", kfree(wrong));
    }
    drop_block();
}

KTEST_ATTR(watched_block, fresh_memory_is_not_what_it_was, .proves = "10.13");
KTEST(watched_block, fresh_memory_is_not_what_it_was)
{
    make_block(test);
    uint8_t fresh = block[7];
    block[7] = 1;
    drop_block();
    KTEST_EXPECT_EQ(test, fresh, 0xa5);
    KTEST_EXPECT_EQ(test, read_at(7), 0xdd); // nobody has it yet
}

KTEST(watched_block, freed_memory_is_not_given_out_at_once)
{
    make_block(test);
    void *first = block;
    drop_block();
    make_block(test);
    KTEST_EXPECT_TRUE(test, block != first);
    drop_block();
}

KTEST(watched_block, freed_memory_is_given_out_before_the_heap_grows)
{
    static void *blocks[64];
    uint64_t end = heap_window_end().value;
    size_t count = 0;
    if (strcmp(heap_design(), "bump") == 0) { // which takes no memory back
        KTEST_EXPECT_EQ(test, heap_window_end().value, end);
        return;
    }
    while (heap_statistics().largest_free_bytes >= 31 << 10) {
        blocks[count] = kmalloc(30 << 10);
        KTEST_ASSERT_NOT_NULL(test, blocks[count]);
        count++;
    }
    kfree(blocks[0]);
    blocks[0] = kmalloc(30 << 10);
    KTEST_EXPECT_NOT_NULL(test, blocks[0]);
    while (count > 0) {
        kfree(blocks[--count]);
    }
    KTEST_EXPECT_EQ(test, heap_window_end().value, end);
}

KTEST_ATTR(watched_block, resized_block_is_another_one, .proves = "10.13");
KTEST(watched_block, resized_block_is_another_one)
{
    make_block(test);
    void *bigger = krealloc(block, BLOCK_BYTES + 1);
    KTEST_ASSERT_NOT_NULL(test, bigger);
    KTEST_EXPECT_TRUE(test, bigger != block);
    KTEST_EXPECT_EQ(test, read_at(0), 0xdd);
    kfree(bigger);
}

KTEST(watched_block, owners_are_told_since_a_mark)
{
    struct heap_owner owner;
    uint64_t cursor = 0;
    make_block(test);
    void *before = block;
    uint64_t mark = heap_mark();
    void *own[3];
    for (size_t i = 0; i < 3; i++) {
        own[i] = kmalloc(i + 1);
        KTEST_ASSERT_NOT_NULL(test, own[i]);
    }
    kfree(own[1]);
    KTEST_ASSERT_TRUE(test, heap_next(mark, &cursor, &owner));
    KTEST_EXPECT_TRUE(test, owner.block == own[0] && owner.size_bytes == 1);
    KTEST_ASSERT_TRUE(test, heap_next(mark, &cursor, &owner));
    KTEST_EXPECT_TRUE(test, owner.block == own[2] && owner.size_bytes == 3);
    KTEST_EXPECT_FALSE(test, heap_next(mark, &cursor, &owner));
    KTEST_EXPECT_EQ(test, heap_reclaim(mark), 2);
    cursor = 0;
    KTEST_EXPECT_FALSE(test, heap_next(mark, &cursor, &owner));
    kfree(before);
}

#ifdef KASAN

[[gnu::noinline]] static uint8_t touch(ptrdiff_t offset)
{
    volatile uint8_t *bytes = block;
    bytes[offset] = 1;
    return bytes[offset];
}

KTEST_ATTR(watched_block, access_is_stopped_where_it_happens, .proves = "10.13");
KTEST(watched_block, access_is_stopped_where_it_happens)
{
    static const char red_zone[] = "KASAN: 1-byte write at 0x* in touch: *heap*";
    make_block(test);
    touch(0);
    touch(BLOCK_BYTES - 1);
    KTEST_EXPECT_PANIC(test, red_zone, touch(-1));
    KTEST_EXPECT_PANIC(test, red_zone, touch(BLOCK_BYTES));
    KTEST_EXPECT_PANIC(test, red_zone, touch(BLOCK_BYTES + 15));
    drop_block();
    KTEST_EXPECT_PANIC(test, red_zone, touch(0));
    KTEST_EXPECT_PANIC(test, red_zone, touch(BLOCK_BYTES - 1));
}

#endif
