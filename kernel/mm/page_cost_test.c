// SPDX-License-Identifier: MIT
//
// What page tables cost, in instructions, each counted by a single-step trap. The limits are what
// blog_os's release build takes: its allocate_frame and map_to, mean of 256 pages, its
// translate_addr and its unmap with a flush.
#include "arch/x86_64/layout.h"
#include "arch/x86_64/step_counter.h"
#include "ktest.h"
#include "mm/kernel_space.h"
#include "mm/test_frames.h"
#include "mm/tlb.h"

#define PAGE 0x5000000000
#define PAGE_COUNT 256
#define RIGHTS (PTE_WRITABLE | PTE_NO_EXECUTE)

#ifdef __OPTIMIZE__
#define MAP_MAX (1676 / 10)
#define TRANSLATE_MAX 103
#define TRANSLATE_LARGE_MAX 94
#define UNMAP_MAX 92
#else // blog_os's dev build
#define MAP_MAX (62204 / 8)
#define TRANSLATE_MAX 2173
#define TRANSLATE_LARGE_MAX 1883
#define UNMAP_MAX 2267
#endif

static const struct frame_source *frames_before;

static void prepare(struct ktest *test)
{
    (void)test;
    test_frames_reset();
    frames_before = kernel_space.frames;
    kernel_space.frames = &test_frames;
}

static void clean_up(struct ktest *test)
{
    (void)test;
    kernel_space.frames = frames_before;
}

KTEST_SUITE(page_cost, .init = prepare, .exit = clean_up);

static virt_addr_t page_at(uint64_t index)
{
    return (virt_addr_t){PAGE + index * PAGE_SIZE};
}

static inline enum error map(uint64_t index)
{
    return tlb_flush_ignore(page_map(&kernel_space, page_at(index),
                                     (phys_addr_t){index * PAGE_SIZE}, PAGE_4KIB, RIGHTS));
}

static inline enum error unmap(uint64_t index)
{
    return tlb_flush_now(page_unmap(&kernel_space, page_at(index), PAGE_4KIB, NULL));
}

static unsigned translate_cost(struct ktest *test, virt_addr_t address)
{
    struct page_mapping mapping;
    step_counter_start();
    enum error error = page_translate(&kernel_space, address, &mapping);
    unsigned count = step_counter_stop();
    KTEST_EXPECT_EQ(test, error, OK);
    return count;
}

KTEST(page_cost, mapping_and_unmapping_are_cheap)
{
    unsigned map_count = 0;
    unsigned unmap_count = 0;
    for (uint64_t i = 0; i <= PAGE_COUNT; i++) {
        step_counter_start();
        enum error error = map(i);
        map_count += step_counter_stop();
        KTEST_ASSERT_EQ(test, error, OK);
    }
    KTEST_EXPECT_LE(test, translate_cost(test, page_at(7)), TRANSLATE_MAX);
    for (uint64_t i = 0; i < PAGE_COUNT; i++) { // the tables stay, as they do in blog_os
        step_counter_start();
        enum error error = unmap(i);
        unmap_count += step_counter_stop();
        KTEST_ASSERT_EQ(test, error, OK);
    }
    KTEST_EXPECT_LE(test, map_count / PAGE_COUNT, MAP_MAX); // with new tables, zeroed
    KTEST_EXPECT_LE(test, unmap_count / PAGE_COUNT, UNMAP_MAX);
    KTEST_EXPECT_EQ(test, unmap(PAGE_COUNT), OK);
    KTEST_EXPECT_EQ(test, test_frames_used_count(), 0);
}

KTEST(page_cost, translation_of_a_large_page_is_cheap)
{
    virt_addr_t address = virt_addr_of(phys_to_direct((phys_addr_t){0x40123456}));
    KTEST_EXPECT_LE(test, translate_cost(test, address), TRANSLATE_LARGE_MAX);
}

KTEST_BENCH(page_cost, translate)
{
    struct page_mapping mapping = {0};
    KTEST_ASSERT_EQ(test, map(0), OK);
    while (ktest_bench_next(test)) {
        (void)!page_translate(&kernel_space, page_at(0), &mapping);
    }
    KTEST_EXPECT_EQ(test, unmap(0), OK);
}

KTEST_BENCH(page_cost, translate_large)
{
    struct page_mapping mapping = {0};
    virt_addr_t address = virt_addr_of(phys_to_direct((phys_addr_t){0x40123456}));
    while (ktest_bench_next(test)) {
        (void)!page_translate(&kernel_space, address, &mapping);
    }
    KTEST_EXPECT_EQ(test, mapping.size, PAGE_2MIB);
}

// In tables that stay, as of every page but the first of a table.
KTEST_BENCH(page_cost, map_unmap_and_flush)
{
    enum error error = OK;
    KTEST_ASSERT_EQ(test, map(0), OK);
    while (ktest_bench_next(test)) {
        error = map(1);
        error = error == OK ? unmap(1) : error;
    }
    KTEST_EXPECT_EQ(test, error, OK);
    KTEST_EXPECT_EQ(test, unmap(0), OK);
}

// The only page far and wide: three tables come and go.
KTEST_BENCH(page_cost, map_and_unmap_with_tables)
{
    enum error error = OK;
    while (ktest_bench_next(test)) {
        error = map(1);
        error = error == OK ? unmap(1) : error;
    }
    KTEST_EXPECT_EQ(test, error, OK);
}
