// SPDX-License-Identifier: MIT
//
// What the kernel does when there is no frame left, at each place where it may ask for one: each
// test runs once for each of its allocations, which fails then. The tables are made of the kernel's
// own frames, in address spaces that no CPU loads.
#include "arch/x86_64/layout.h"
#include "ktest.h"
#include "lib/string.h"
#include "mm/address_space.h"
#include "mm/frame.h"
#include "mm/heap_window.h"
#include "mm/kernel_stack.h"
#include "mm/mmio.h"

#define PAGE 0x123456789000
#define GIB (1ULL << 30)
#define RIGHTS (PTE_WRITABLE | PTE_NO_EXECUTE)

static struct address_space kernel;
static uint64_t taken_count; // before the body

static void make_kernel(struct ktest *test)
{
    const struct paging_features features = {true, true, 40};
    phys_addr_t top = {0};
    KTEST_ASSERT_EQ(test, frame_alloc(&top), OK);
    memset(phys_to_direct(top), 0, PAGE_SIZE);
    address_space_adopt(&kernel, top, features, (uint64_t)phys_to_direct((phys_addr_t){0}),
                        &kernel_frames);
    taken_count = frame_taken_count();
}

static void free_kernel(struct ktest *test)
{
    KTEST_EXPECT_EQ(test, frame_taken_count(), taken_count);
    frame_free(kernel.top);
}

KTEST_SUITE(out_of_memory, .init = make_kernel, .exit = free_kernel);

static enum error expected(const struct ktest *test)
{
    return ktest_allocation_failed(test) ? ENOMEM : OK;
}

static enum error map(struct address_space *space, uint64_t page, enum page_size size)
{
    return tlb_flush_ignore(page_map(space, (virt_addr_t){page}, (phys_addr_t){0}, size, RIGHTS));
}

static void unmap(struct ktest *test, struct address_space *space, uint64_t page,
                  enum page_size size)
{
    KTEST_EXPECT_EQ(test, tlb_flush_ignore(page_unmap(space, (virt_addr_t){page}, size, NULL)), OK);
}

static bool is_mapped(struct address_space *space, uint64_t page)
{
    struct page_mapping mapping;
    return page_translate(space, (virt_addr_t){page}, &mapping) == OK;
}

// --- Frames -------------------------------------------------------------------------------------

// Of all kinds one is counted after the other, and no more than one of them fails.
KTEST_ATTR(out_of_memory, frames_of_all_kinds_fail_in_turn, .fail_nth = 3, .proves = "9.4.6");
KTEST(out_of_memory, frames_of_all_kinds_fail_in_turn)
{
    const phys_addr_t untouched = {7};
    phys_addr_t single = untouched;
    phys_addr_t run = untouched;
    phys_addr_t table = untouched;

    enum error of_single = frame_alloc(&single);
    KTEST_EXPECT_EQ(test, of_single, expected(test));
    enum error of_run = frame_alloc_run(2, FRAME_ZONE_16_MIB, &run);
    enum error of_table = kernel_frames.alloc(kernel_frames.context, &table);

    int failed_count = (of_single != OK) + (of_run != OK) + (of_table != OK);
    KTEST_EXPECT_EQ(test, failed_count, ktest_allocation_failed(test));
    KTEST_EXPECT_EQ(test, single.value == untouched.value, of_single == ENOMEM);
    KTEST_EXPECT_EQ(test, run.value == untouched.value, of_run == ENOMEM);
    KTEST_EXPECT_EQ(test, table.value == untouched.value, of_table == ENOMEM);
    if (of_single == OK) {
        frame_free(single);
    }
    if (of_run == OK) {
        frame_free_run(run, 2);
    }
    if (of_table == OK) {
        kernel_frames.free(kernel_frames.context, table);
    }
}

// What is wrong in any case is no matter of memory, and is not counted.
KTEST_ATTR(out_of_memory, order_that_does_not_exist_is_an_error_of_its_own, .fail_nth = 1);
KTEST(out_of_memory, order_that_does_not_exist_is_an_error_of_its_own)
{
    phys_addr_t frame = {0};
    KTEST_EXPECT_EQ(test, frame_alloc_run(FRAME_ORDER_MAX + 1, FRAME_ZONE_REST, &frame), EINVAL);
    KTEST_EXPECT_EQ(test, frame_alloc_run(0, FRAME_ZONE_COUNT, &frame), EINVAL);
    KTEST_EXPECT_FALSE(test, ktest_allocation_failed(test));
    if (frame_alloc(&frame) == OK) {
        frame_free(frame);
    }
}

// Fixtures and what they call are not tried, nor is anything behind the failure.
static unsigned stack_count(void)
{
    struct frame_statistics statistics;
    frame_statistics_read(&statistics);
    return (unsigned)statistics.single_count;
}

static unsigned runs;

static void expect_ready_frames(void *test)
{
    phys_addr_t frame = {0};
    KTEST_EXPECT_EQ((struct ktest *)test, frame_alloc(&frame), OK);
    frame_free(frame);
    KTEST_EXPECT_GT((struct ktest *)test, stack_count(), 0);
}

KTEST_ATTR(out_of_memory, stack_of_single_frames_is_bypassed_meanwhile, .fail_nth = 1);
KTEST(out_of_memory, stack_of_single_frames_is_bypassed_meanwhile)
{
    phys_addr_t frame = {0};
    ktest_add_action(test, expect_ready_frames, test);
    bool is_first = runs++ == 0;
    if (frame_alloc(&frame) == OK) {
        frame_free(frame);
    }
    KTEST_EXPECT_EQ(test, stack_count() == 0, !is_first);
}

// --- Page tables --------------------------------------------------------------------------------

// A page needs up to three tables, one that needs less shares them with a neighbour.
KTEST_ATTR(out_of_memory, page_is_mapped_with_all_its_tables_or_not_at_all, .fail_nth = 6,
           .proves = "9.3.2 9.4.6");
KTEST(out_of_memory, page_is_mapped_with_all_its_tables_or_not_at_all)
{
    static const struct {
        uint64_t page;
        enum page_size size;
    } pages[] = {
        {PAGE, PAGE_4KIB}, {PAGE + PAGE_SIZE, PAGE_4KIB}, {PAGE + GIB, PAGE_4KIB}, {0, PAGE_1GIB}};
    bool has_failed = false;
    for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
        enum error error = map(&kernel, pages[i].page, pages[i].size);
        bool fails_now = ktest_allocation_failed(test) && !has_failed;
        has_failed |= fails_now;
        KTEST_EXPECT_EQ(test, error, fails_now ? ENOMEM : OK);
        KTEST_EXPECT_EQ(test, is_mapped(&kernel, pages[i].page), error == OK);
        if (error != OK) { // a second time there is memory
            KTEST_EXPECT_EQ(test, map(&kernel, pages[i].page, pages[i].size), OK);
        }
    }
    for (size_t i = ARRAY_SIZE(pages); i-- > 0;) {
        unmap(test, &kernel, pages[i].page, pages[i].size);
    }
}

// Two tables of each level below the top one, as it goes over the border of 512 GiB.
KTEST_ATTR(out_of_memory, range_is_mapped_in_full_or_not_at_all, .fail_nth = 6, .proves = "9.3.2");
KTEST(out_of_memory, range_is_mapped_in_full_or_not_at_all)
{
    virt_addr_t start = {512 * GIB - PAGE_SIZE};
    enum error error = tlb_flush_ignore(
        page_map_range(&kernel, start, (phys_addr_t){PAGE_SIZE}, 2 * PAGE_SIZE, RIGHTS));
    KTEST_ASSERT_EQ(test, error, expected(test));
    KTEST_EXPECT_EQ(test, is_mapped(&kernel, start.value), error == OK);
    KTEST_EXPECT_EQ(test, is_mapped(&kernel, 512 * GIB), error == OK);
    if (error == OK) {
        KTEST_EXPECT_EQ(test, tlb_flush_ignore(page_unmap_range(&kernel, start, 2 * PAGE_SIZE)),
                        OK);
    }
}

// To unmap or protect a part of a large page takes tables, too.
KTEST_ATTR(out_of_memory, large_page_stays_whole_unless_it_can_be_split, .fail_nth = 6,
           .proves = "9.3.2 9.3.3");
KTEST(out_of_memory, large_page_stays_whole_unless_it_can_be_split)
{
    const virt_addr_t part = {7 * PAGE_SIZE};
    struct page_mapping mapping;
    enum error error = map(&kernel, 0, PAGE_1GIB);
    KTEST_ASSERT_EQ(test, error, expected(test));
    if (error != OK) {
        return;
    }
    enum error protected = tlb_flush_ignore(page_protect(&kernel, part, PAGE_4KIB, PTE_NO_EXECUTE));
    KTEST_EXPECT_EQ(test, protected, expected(test));
    KTEST_ASSERT_EQ(test, page_translate(&kernel, part, &mapping), OK);
    KTEST_EXPECT_EQ(test, mapping.size, protected == OK ? PAGE_4KIB : PAGE_1GIB);
    KTEST_EXPECT_EQ(test, mapping.flags & PAGE_RIGHTS, protected == OK ? PTE_NO_EXECUTE : RIGHTS);
    KTEST_EXPECT_EQ(test, tlb_flush_ignore(page_unmap_range(&kernel, (virt_addr_t){0}, GIB)), OK);
}

KTEST_ATTR(out_of_memory, address_space_is_created_whole_or_not_at_all, .fail_nth = 8,
           .proves = "9.4.6");
KTEST(out_of_memory, address_space_is_created_whole_or_not_at_all)
{
    struct address_space space;
    enum error error = address_space_create(&kernel, &space);
    KTEST_ASSERT_EQ(test, error, expected(test));
    if (error != OK) {
        return;
    }
    enum error of_map = map(&space, PAGE, PAGE_4KIB);
    KTEST_EXPECT_EQ(test, of_map, expected(test));
    KTEST_EXPECT_EQ(test, is_mapped(&space, PAGE), of_map == OK);
    address_space_destroy(&space);
}

// A level-3 table for each of three entries of the level-4 table.
KTEST_ATTR(out_of_memory, upper_half_is_prepared_in_full_or_not_at_all, .fail_nth = 5,
           .proves = "9.4.6");
KTEST(out_of_memory, upper_half_is_prepared_in_full_or_not_at_all)
{
    const virt_addr_t start = {~0ULL << 47};
    const pte_t *table = phys_to_direct(kernel.top);
    enum error error = address_space_prepare(&kernel, start, 3 * 512 * GIB);
    KTEST_EXPECT_EQ(test, error, expected(test));
    for (unsigned i = virt_addr_p4_index(start); i < virt_addr_p4_index(start) + 3; i++) {
        KTEST_EXPECT_EQ(test, pte_is_present(table[i]), error == OK);
        if (pte_is_present(table[i])) { // for ever, but for this test
            frame_free(pte_table(table[i]));
        }
    }
}

// --- Windows of the kernel's own address space --------------------------------------------------

// A frame for each page, and the tables of the first.
KTEST_ATTR(out_of_memory, stack_is_mapped_in_full_or_not_at_all, .fail_nth = 40, .proves = "9.4.6");
KTEST(out_of_memory, stack_is_mapped_in_full_or_not_at_all)
{
    uint64_t top = 7;
    enum error error = kernel_stack_alloc(&top);
    KTEST_ASSERT_EQ(test, error, expected(test));
    if (error != OK) {
        KTEST_EXPECT_EQ(test, top, 7);
        return;
    }
    ((volatile uint8_t *)top)[-1] = 1;
    kernel_stack_free(top);
}

KTEST_ATTR(out_of_memory, heap_window_grows_by_all_or_nothing, .fail_nth = 10,
           .proves = "9.4.6 10.4");
KTEST(out_of_memory, heap_window_grows_by_all_or_nothing)
{
    const virt_addr_t end = heap_window_end();
    virt_addr_t start = {7};
    enum error error = heap_window_grow(3 * PAGE_SIZE, &start);
    KTEST_ASSERT_EQ(test, error, expected(test));
    KTEST_EXPECT_EQ(test, start.value, error == OK ? end.value : 7);
    KTEST_EXPECT_EQ(test, heap_window_end().value, end.value + (error == OK ? 3 * PAGE_SIZE : 0));
    if (error == OK) {
        memset((void *)start.value, 1, 3 * PAGE_SIZE);
        heap_window_shrink(3 * PAGE_SIZE);
    }
}

// No memory is there on any PC; nobody touches it. More than one table holds, and in small pages.
KTEST_ATTR(out_of_memory, registers_are_mapped_in_full_or_not_at_all, .fail_nth = 6,
           .proves = "9.4.6");
KTEST(out_of_memory, registers_are_mapped_in_full_or_not_at_all)
{
    volatile void *registers = NULL;
    const phys_addr_t start = {0xfd001000};
    const uint64_t size_bytes = 4 << 20;
    enum error error = mmio_map(start, size_bytes, &registers);
    KTEST_ASSERT_EQ(test, error, expected(test));
    KTEST_EXPECT_EQ(test, registers == NULL, error != OK);
    if (error == OK) {
        mmio_unmap(registers, size_bytes);
    }
}
