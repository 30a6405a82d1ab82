// SPDX-License-Identifier: MIT
//
// Pages come: by each size, by ranges, and where tables can't be had.
#include "ktest.h"
#include "lib/string.h"
#include "mm/page_table_fixture.h"

struct size_case {
    enum page_size size;
    unsigned table_count;
};

static const struct size_case sizes[] = {{PAGE_4KIB, 3}, {PAGE_2MIB, 2}, {PAGE_1GIB, 1}};

KTEST_ATTR(page_table, page_of_each_size_comes_and_goes, .proves = "9.2.4 9.2.5 9.3.1 9.3.3");
KTEST_PARAM(page_table, page_of_each_size_comes_and_goes, sizes, NULL)
{
    uint64_t size_bytes = page_size_bytes(param->size);
    uint64_t page = 7 * GIB;
    uint64_t frame = 5 * GIB;

    KTEST_ASSERT_EQ(test, map(page, frame, param->size, RIGHTS), OK);

    KTEST_EXPECT_EQ(test, test_frames_used_count(), 1 + param->table_count);
    expect_mapped(test, page, frame, param->size, RIGHTS);
    expect_mapped(test, page + 0x5ce, frame + 0x5ce, param->size, RIGHTS);
    expect_mapped(test, page + size_bytes - 1, frame + size_bytes - 1, param->size, RIGHTS);
    expect_unmapped(test, page - 1);
    expect_unmapped(test, page + size_bytes);

    struct page_mapping mapping = {0};
    KTEST_EXPECT_EQ(test,
                    tlb_flush_ignore(page_unmap(&test_space, at(page), param->size, &mapping)), OK);
    KTEST_EXPECT_EQ(test, mapping.frame.value, frame);
    KTEST_EXPECT_EQ(test, mapping.size, param->size);
    KTEST_EXPECT_EQ(test, mapping.flags, RIGHTS);
    expect_nothing_left(test);
}

// The four corners of the address space, and of the tables.
static const uint64_t corners[] = {
    0,
    LOWER_END - PAGE_SIZE,
    UPPER_START,
    UPPER_START + 512 * GIB - PAGE_SIZE,
    ~0ULL - PAGE_SIZE + 1,
    0x803FE7F000,
};

KTEST_PARAM(page_table, corner_can_be_mapped, corners, NULL)
{
    bool is_upper = *param >= UPPER_START;
    if (is_upper) {
        prepare(test, *param);
    }

    KTEST_ASSERT_EQ(test, map(*param, 0, PAGE_4KIB, 0), OK);

    expect_mapped(test, *param, 0, PAGE_4KIB, 0);
    expect_mapped(test, *param + PAGE_SIZE - 1, PAGE_SIZE - 1, PAGE_4KIB, 0);
    virt_addr_t first = {0};
    struct page_mapping mapping;
    KTEST_EXPECT_EQ(test, page_find(&test_space, &first, &mapping), OK);
    KTEST_EXPECT_EQ(test, first.value, *param);
    KTEST_EXPECT_EQ(test, unmap(*param, PAGE_4KIB), OK);
    expect_unmapped(test, *param);
    KTEST_EXPECT_EQ(test, test_frames_used_count(), is_upper ? 2 : 1);
}

KTEST_ATTR(page_table, tables_are_shared_and_go_with_their_last_entry, .proves = "9.3.3");
KTEST(page_table, tables_are_shared_and_go_with_their_last_entry)
{
    const uint64_t pages[] = {0, PAGE_SIZE, 2 * MIB, GIB, 512 * GIB};
    const unsigned counts[] = {4, 4, 5, 7, 10};
    for (unsigned i = 0; i < ARRAY_SIZE(pages); i++) {
        KTEST_ASSERT_EQ(test, map(pages[i], i * PAGE_SIZE, PAGE_4KIB, 0), OK);
        KTEST_EXPECT_EQ(test, test_frames_used_count(), counts[i]);
    }
    for (unsigned i = ARRAY_SIZE(pages); i-- > 0;) {
        KTEST_EXPECT_EQ(test, test_frames_used_count(), counts[i]);
        KTEST_ASSERT_EQ(test, unmap(pages[i], PAGE_4KIB), OK);
    }
    expect_nothing_left(test);
}

KTEST(page_table, full_table_is_counted_right)
{
    for (uint64_t page = 0; page < 2 * MIB; page += PAGE_SIZE) {
        KTEST_ASSERT_EQ(test, map(page, page, PAGE_4KIB, 0), OK);
    }
    KTEST_EXPECT_EQ(test, test_frames_used_count(), 4);
    KTEST_EXPECT_EQ(test, unmap(0, PAGE_2MIB), ENOENT); // they are not one page
    for (uint64_t page = 0; page < 2 * MIB; page += PAGE_SIZE) {
        KTEST_EXPECT_EQ(test, test_frames_used_count(), 4);
        KTEST_ASSERT_EQ(test, unmap(page, PAGE_4KIB), OK);
    }
    expect_nothing_left(test);
}

// Whoever walks the tables meanwhile sees nothing of what the frame held before.
KTEST_ATTR(page_table, new_tables_are_zeroed, .proves = "9.3.1");
KTEST(page_table, new_tables_are_zeroed)
{
    KTEST_ASSERT_EQ(test, map(0, 0, PAGE_4KIB, 0), OK);
    unsigned count = 0;
    struct page_mapping mapping;
    for (virt_addr_t page = {0}; page_find(&test_space, &page, &mapping) == OK;
         page.value += PAGE_SIZE) {
        count++;
    }
    KTEST_EXPECT_EQ(test, count, 1);
}

KTEST(page_table, tables_allow_what_a_page_may_want)
{
    prepare(test, UPPER_START);
    KTEST_ASSERT_EQ(test, map(0, 0, PAGE_4KIB, PTE_USER | PTE_WRITABLE), OK);
    KTEST_ASSERT_EQ(test, map(PAGE_SIZE, 0, PAGE_4KIB, 0), OK);
    KTEST_ASSERT_EQ(test, map(UPPER_START, 0, PAGE_4KIB, PTE_WRITABLE), OK);
    expect_mapped(test, 0, 0, PAGE_4KIB, PTE_USER | PTE_WRITABLE);
    expect_mapped(test, PAGE_SIZE, 0, PAGE_4KIB, 0);
    const pte_t *top = test_frame_memory(test_space.top);
    KTEST_EXPECT_EQ(test, top[0].value & PAGE_RIGHTS, PTE_USER | PTE_WRITABLE);
    KTEST_EXPECT_EQ(test, top[256].value & PAGE_RIGHTS,
                    PTE_WRITABLE); // the kernel's, not the user's
}

KTEST(page_table, flags_arrive_in_the_entry)
{
    const uint64_t flags[] = {0,
                              PTE_WRITABLE,
                              PTE_NO_EXECUTE,
                              PTE_USER,
                              PTE_UNCACHED,
                              PTE_WRITE_THROUGH,
                              PTE_SYSTEM_0,
                              PTE_SYSTEM_1,
                              PTE_SYSTEM_2};
    for (unsigned i = 0; i < ARRAY_SIZE(flags); i++) {
        KTEST_ASSERT_EQ(test, map(i * 2 * MIB, 0, PAGE_2MIB, flags[i]), OK);
        expect_mapped(test, i * 2 * MIB, 0, PAGE_2MIB, flags[i]);
    }
    prepare(test, UPPER_START);
    KTEST_ASSERT_EQ(test, map(UPPER_START, 0, PAGE_4KIB, PTE_GLOBAL), OK);
    expect_mapped(test, UPPER_START, 0, PAGE_4KIB, PTE_GLOBAL);
}

KTEST_ATTR(page_table, mapped_page_is_not_mapped_again, .proves = "9.3.2");
KTEST(page_table, mapped_page_is_not_mapped_again)
{
    KTEST_ASSERT_EQ(test, map(0, 0, PAGE_4KIB, 0), OK);
    KTEST_ASSERT_EQ(test, map(2 * MIB, 2 * MIB, PAGE_2MIB, 0), OK);
    KTEST_ASSERT_EQ(test, map(GIB, GIB, PAGE_1GIB, 0), OK);
    unsigned used = test_frames_used_count();

    KTEST_EXPECT_EQ(test, map(0, PAGE_SIZE, PAGE_4KIB, RIGHTS), EEXIST);
    KTEST_EXPECT_EQ(test, map(2 * MIB + PAGE_SIZE, 0, PAGE_4KIB, 0), EEXIST); // by a larger one
    KTEST_EXPECT_EQ(test, map(GIB + 2 * MIB, 0, PAGE_2MIB, 0), EEXIST);
    KTEST_EXPECT_EQ(test, map(GIB, 0, PAGE_4KIB, 0), EEXIST);
    KTEST_EXPECT_EQ(test, map(0, 0, PAGE_2MIB, 0), EEXIST); // by smaller ones
    KTEST_EXPECT_EQ(test, map(0, 0, PAGE_1GIB, 0), EEXIST);
    KTEST_EXPECT_EQ(test, map_range(4 * MIB, 0, 1020 * MIB + PAGE_SIZE, 0), EEXIST); // at its end

    KTEST_EXPECT_EQ(test, test_frames_used_count(), used);
    expect_mapped(test, 0, 0, PAGE_4KIB, 0);
    expect_unmapped(test, PAGE_SIZE);
    expect_unmapped(test, 4 * MIB);
}

// --- Ranges ------------------------------------------------------------------------------------

KTEST_ATTR(page_table, range_takes_the_largest_pages_that_fit, .proves = "9.3.3");
KTEST(page_table, range_takes_the_largest_pages_that_fit)
{
    uint64_t start = GIB - 2 * MIB - PAGE_SIZE;
    uint64_t size_bytes = PAGE_SIZE + 2 * MIB + GIB + 2 * MIB + PAGE_SIZE;

    KTEST_ASSERT_EQ(test, map_range(start, start + GIB, size_bytes, RIGHTS), OK);

    expect_unmapped(test, start - 1);
    expect_mapped(test, start, start + GIB, PAGE_4KIB, RIGHTS);
    expect_mapped(test, GIB - 2 * MIB, 2 * GIB - 2 * MIB, PAGE_2MIB, RIGHTS);
    expect_mapped(test, GIB + 12345, 2 * GIB + 12345, PAGE_1GIB, RIGHTS);
    expect_mapped(test, 2 * GIB, 3 * GIB, PAGE_2MIB, RIGHTS);
    expect_mapped(test, 2 * GIB + 2 * MIB, 3 * GIB + 2 * MIB, PAGE_4KIB, RIGHTS);
    expect_unmapped(test, start + size_bytes);
    KTEST_EXPECT_EQ(test, test_frames_used_count(), 1 + 1 + 2 + 2);
    KTEST_EXPECT_EQ(test, unmap_range(start, size_bytes), OK);
    expect_nothing_left(test);
}

KTEST(page_table, range_of_frames_out_of_step_takes_small_pages)
{
    KTEST_ASSERT_EQ(test, map_range(2 * MIB, PAGE_SIZE, 2 * MIB, 0), OK);
    expect_mapped(test, 4 * MIB - 1, 2 * MIB + PAGE_SIZE - 1, PAGE_4KIB, 0);
    KTEST_EXPECT_EQ(test, unmap_range(2 * MIB, 2 * MIB), OK);
    expect_nothing_left(test);
}

KTEST(page_table, range_may_end_with_its_half)
{
    const uint64_t starts[] = {LOWER_END - 4 * MIB, 0 - 4 * MIB};
    prepare(test, starts[1]);
    for (unsigned i = 0; i < ARRAY_SIZE(starts); i++) {
        KTEST_ASSERT_EQ(test, map_range(starts[i], 0, 4 * MIB, 0), OK);
        expect_mapped(test, starts[i] + 4 * MIB - 1, 4 * MIB - 1, PAGE_2MIB, 0);
        KTEST_EXPECT_EQ(test, protect_range(starts[i] + PAGE_SIZE, 4 * MIB - PAGE_SIZE, RIGHTS),
                        OK);
        expect_mapped(test, starts[i], 0, PAGE_4KIB, 0);
        expect_mapped(test, starts[i] + 4 * MIB - 1, 4 * MIB - 1, PAGE_2MIB, RIGHTS);
        KTEST_EXPECT_EQ(test, unmap_range(starts[i], 4 * MIB), OK);
        expect_unmapped(test, starts[i] + 4 * MIB - 1);
    }
    KTEST_EXPECT_EQ(test, test_frames_used_count(), 2); // with what was prepared
}

KTEST_ATTR(page_table, identity_is_its_own_translation, .proves = "9.3.3");
KTEST(page_table, identity_is_its_own_translation)
{
    KTEST_ASSERT_EQ(test,
                    tlb_flush_ignore(page_map_identity(&test_space, frame_at(0xb8000), 32 * KIB,
                                                       PTE_WRITABLE | PTE_UNCACHED)),
                    OK);
    expect_mapped(test, 0xb8000, 0xb8000, PAGE_4KIB, PTE_WRITABLE | PTE_UNCACHED);
    expect_mapped(test, 0xbffff, 0xbffff, PAGE_4KIB, PTE_WRITABLE | PTE_UNCACHED);
    expect_unmapped(test, 0xc0000);
}

// --- Failing allocations -----------------------------------------------------------------------

KTEST_ATTR(page_table, failed_mapping_leaves_nothing_behind, .proves = "9.3.2");
KTEST(page_table, failed_mapping_leaves_nothing_behind)
{
    uint64_t start = GIB - PAGE_SIZE; // tables: 1 of level 3, 2 of level 2, 2 of level 1
    unsigned nth = 1;
    for (;; nth++) {
        test_frames_fail_at(nth);
        enum error error = map_range(start, 0, 2 * PAGE_SIZE, 0);
        if (error == OK) {
            break;
        }
        KTEST_ASSERT_EQ(test, error, ENOMEM);
        expect_nothing_left(test);
    }
    KTEST_EXPECT_EQ(test, nth, 6);
    KTEST_EXPECT_EQ(test, unmap_range(start, 2 * PAGE_SIZE), OK);
    expect_nothing_left(test);
}

KTEST(page_table, upper_half_is_mapped_only_where_it_is_prepared)
{
    KTEST_EXPECT_EQ(test, map(UPPER_START, 0, PAGE_4KIB, 0), EINVAL);
    KTEST_EXPECT_EQ(test, map_range(UPPER_START, 0, 2 * MIB, 0), EINVAL);
    expect_nothing_left(test);
    prepare(test, UPPER_START);
    KTEST_EXPECT_EQ(test, map(UPPER_START + 511 * GIB, 0, PAGE_1GIB, 0), OK);
    KTEST_EXPECT_EQ(test, unmap(UPPER_START + 511 * GIB, PAGE_1GIB), OK);
    KTEST_EXPECT_EQ(test, map(UPPER_START + 512 * GIB, 0, PAGE_4KIB, 0), EINVAL);
    KTEST_EXPECT_EQ(test, map_range(UPPER_START + 512 * GIB - 2 * MIB, 0, 4 * MIB, 0), EINVAL);
    expect_unmapped(test, UPPER_START + 512 * GIB - 2 * MIB);
}

KTEST_ATTR(page_table, empty_frame_source_serves_where_tables_are, .proves = "9.3.5");
KTEST(page_table, empty_frame_source_serves_where_tables_are)
{
    KTEST_ASSERT_EQ(test, map(PAGE_SIZE, 0, PAGE_4KIB, 0), OK);
    test_space.frames = &frame_source_empty;
    KTEST_EXPECT_EQ(test, map(0, 0xb8000, PAGE_4KIB, PTE_WRITABLE), OK);
    KTEST_EXPECT_EQ(test, map(0xdeadbeaf000, 0xb8000, PAGE_4KIB, PTE_WRITABLE), ENOMEM);
    expect_mapped(test, 0, 0xb8000, PAGE_4KIB, PTE_WRITABLE);
    expect_unmapped(test, 0xdeadbeaf000);
}

KTEST(page_table, empty_frame_source_takes_nothing_back)
{
    KTEST_EXPECT_PANIC(test, "*is given 0x5000, which is not its own",
                       frame_source_empty.free(NULL, frame_at(0x5000)));
}

// --- Tables of others --------------------------------------------------------------------------

// As the boot code leaves them: not from the frame source, not counted, not to be freed.
KTEST(page_table, foreign_tables_stay)
{
    phys_addr_t tables[3];
    for (unsigned i = 0; i < 3; i++) {
        KTEST_ASSERT_EQ(test, test_frames.alloc(NULL, &tables[i]), OK);
        memset(test_frame_memory(tables[i]), 0, PAGE_SIZE);
    }
    const uint64_t all = PTE_PRESENT | PTE_WRITABLE;
    entry_of(0, 4)->value = tables[0].value | all;
    entry_of(0, 3)->value = tables[1].value | all;
    entry_of(0, 2)->value = tables[2].value | all;
    entry_of(0, 1)->value = 5 * PAGE_SIZE | all;
    entry_of(2 * MIB, 2)->value = 4 * MIB | all | PTE_LARGE;

    KTEST_EXPECT_EQ(test, unmap(0, PAGE_4KIB), OK);
    KTEST_EXPECT_EQ(test, map(PAGE_SIZE, 0, PAGE_4KIB, 0), OK);
    KTEST_EXPECT_EQ(test, unmap(PAGE_SIZE, PAGE_4KIB), OK);
    KTEST_EXPECT_EQ(test, map(0, 0, PAGE_2MIB, 0), EEXIST); // the table is in the way
    KTEST_EXPECT_EQ(test, test_frames_used_count(), 4);

    KTEST_EXPECT_EQ(test, unmap(2 * MIB, PAGE_4KIB), OK); // this one is ours
    KTEST_EXPECT_EQ(test, test_frames_used_count(), 5);
    KTEST_EXPECT_EQ(test, unmap_range(2 * MIB + PAGE_SIZE, 2 * MIB - PAGE_SIZE), OK);
    KTEST_EXPECT_EQ(test, test_frames_used_count(), 4);
    KTEST_EXPECT_EQ(test, entry_of(0, 4)->value, tables[0].value | all);
    KTEST_EXPECT_EQ(test, entry_of(0, 2)->value, tables[2].value | all);
}
