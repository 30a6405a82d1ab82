// SPDX-License-Identifier: MIT
//
// Pages change and go: protection, splitting, what the CPU has noted of them, and what its TLB has
// to forget.
#include "ktest.h"
#include "mm/page_table_fixture.h"

KTEST_ATTR(page_table, unmapped_page_is_not_unmapped, .proves = "9.3.3 9.2.5");
KTEST(page_table, unmapped_page_is_not_unmapped)
{
    KTEST_ASSERT_EQ(test, map(0, 0, PAGE_4KIB, 0), OK);
    KTEST_EXPECT_EQ(test, unmap(PAGE_SIZE, PAGE_4KIB), ENOENT);
    KTEST_EXPECT_EQ(test, unmap(GIB, PAGE_4KIB), ENOENT);
    KTEST_EXPECT_EQ(test, unmap(0, PAGE_2MIB), ENOENT); // there are only smaller ones
    KTEST_EXPECT_EQ(test, unmap(0, PAGE_1GIB), ENOENT);
    KTEST_EXPECT_EQ(test, unmap_range(0, 2 * PAGE_SIZE), ENOENT);
    KTEST_EXPECT_EQ(test, protect_range(0, 2 * PAGE_SIZE, RIGHTS), ENOENT);
    KTEST_EXPECT_EQ(test, tlb_flush_ignore(page_protect(&test_space, at(PAGE_SIZE), PAGE_4KIB, 0)),
                    ENOENT);
    KTEST_EXPECT_EQ(test, tlb_flush_ignore(page_clear_used(&test_space, at(PAGE_SIZE), PTE_DIRTY)),
                    ENOENT);
    expect_mapped(test, 0, 0, PAGE_4KIB, 0);
}

// --- Protection, and splitting -----------------------------------------------------------------

KTEST(page_table, protection_changes_flags_and_nothing_else)
{
    KTEST_ASSERT_EQ(test, map(0, 3 * PAGE_SIZE, PAGE_4KIB, PTE_WRITABLE | PTE_UNCACHED), OK);
    entry_of(0, 1)->value |= PTE_DIRTY | BIT(55) | PTE_KEY(3);

    KTEST_EXPECT_EQ(
        test, tlb_flush_ignore(page_protect(&test_space, at(0), PAGE_4KIB, PTE_NO_EXECUTE)), OK);

    expect_mapped(test, 0, 3 * PAGE_SIZE, PAGE_4KIB, PTE_NO_EXECUTE | PTE_DIRTY);
    KTEST_EXPECT_EQ(test, entry_of(0, 1)->value,
                    3 * PAGE_SIZE | PTE_PRESENT | PTE_NO_EXECUTE | PTE_DIRTY | BIT(55) |
                        PTE_KEY(3));
}

KTEST_ATTR(page_table, part_of_a_large_page_is_unmapped, .proves = "9.3.3");
KTEST(page_table, part_of_a_large_page_is_unmapped)
{
    uint64_t hole = GIB + 34 * MIB + 8 * PAGE_SIZE;
    KTEST_ASSERT_EQ(test, map(GIB, 2 * GIB, PAGE_1GIB, RIGHTS), OK);
    struct page_mapping mapping;

    KTEST_ASSERT_EQ(test, tlb_flush_ignore(page_unmap(&test_space, at(hole), PAGE_4KIB, &mapping)),
                    OK);

    KTEST_EXPECT_EQ(test, mapping.frame.value, hole + GIB);
    KTEST_EXPECT_EQ(test, mapping.size, PAGE_4KIB);
    expect_unmapped(test, hole);
    expect_unmapped(test, hole + PAGE_SIZE - 1);
    expect_mapped(test, hole - 1, hole + GIB - 1, PAGE_4KIB, RIGHTS);
    expect_mapped(test, hole + PAGE_SIZE, hole + GIB + PAGE_SIZE, PAGE_4KIB, RIGHTS);
    expect_mapped(test, GIB, 2 * GIB, PAGE_2MIB, RIGHTS);
    expect_mapped(test, 2 * GIB - 1, 3 * GIB - 1, PAGE_2MIB, RIGHTS);
    KTEST_EXPECT_EQ(test, test_frames_used_count(), 4);
    KTEST_EXPECT_EQ(test, unmap_range(GIB, hole - GIB), OK);
    KTEST_EXPECT_EQ(test, unmap_range(hole + PAGE_SIZE, 2 * GIB - hole - PAGE_SIZE), OK);
    expect_nothing_left(test);
}

KTEST(page_table, two_mib_of_a_gib_are_unmapped_as_one)
{
    KTEST_ASSERT_EQ(test, map(0, 0, PAGE_1GIB, RIGHTS), OK);
    KTEST_EXPECT_EQ(test, unmap(6 * MIB, PAGE_2MIB), OK);
    KTEST_EXPECT_EQ(test, test_frames_used_count(), 3);
    expect_unmapped(test, 6 * MIB);
    expect_mapped(test, 8 * MIB, 8 * MIB, PAGE_2MIB, RIGHTS);
}

// Both ends in the same large page, in the same part of it, and in different ones.
struct split_case {
    uint64_t page;
    uint64_t size_bytes;
    unsigned table_count;
};

static const struct split_case parts[] = {
    {PAGE_SIZE, PAGE_SIZE, 2},               // one table of each level
    {2 * MIB, 2 * MIB, 1},                   // one of level 2
    {2 * MIB - PAGE_SIZE, 2 * PAGE_SIZE, 3}, // two of level 1
    {4 * MIB - PAGE_SIZE, PAGE_SIZE, 2},
    {GIB - PAGE_SIZE, 2 * PAGE_SIZE, 4}, // two pages of 1 GiB
    {GIB - PAGE_SIZE, GIB + PAGE_SIZE, 2},
    {0, GIB, 0},
    {PAGE_SIZE, GIB - PAGE_SIZE, 2},
    {0, GIB - PAGE_SIZE, 2},
};

KTEST_PARAM(page_table, large_pages_split_at_both_ends_of_a_range, parts, NULL)
{
    uint64_t end = param->page + param->size_bytes;
    KTEST_ASSERT_EQ(test, map_range(0, 4 * GIB, 2 * GIB, 0), OK);
    unsigned used = test_frames_used_count();
    for (unsigned nth = 1; nth <= param->table_count; nth++) {
        test_frames_fail_at(nth);
        KTEST_EXPECT_EQ(test, protect_range(param->page, param->size_bytes, RIGHTS), ENOMEM);
        test_frames_fail_at(nth);
        KTEST_EXPECT_EQ(test, unmap_range(param->page, param->size_bytes), ENOMEM);
    }
    KTEST_EXPECT_EQ(test, test_frames_used_count(), used);
    expect_mapped(test, param->page, param->page + 4 * GIB, PAGE_1GIB, 0);
    test_frames_fail_at(param->table_count + 1);

    KTEST_ASSERT_EQ(test, protect_range(param->page, param->size_bytes, RIGHTS), OK);

    KTEST_EXPECT_EQ(test, test_frames_used_count(), used + param->table_count);
    struct page_mapping mapping;
    for (virt_addr_t page = {0}; page_find(&test_space, &page, &mapping) == OK;
         page.value += page_size_bytes(mapping.size)) {
        bool is_inside = page.value >= param->page && page.value < end;
        KTEST_ASSERT_EQ(test, mapping.flags, is_inside ? RIGHTS : 0);
        KTEST_ASSERT_EQ(test, mapping.frame.value, page.value + 4 * GIB);
    }
    KTEST_EXPECT_EQ(test, unmap_range(0, 2 * GIB), OK);
    expect_nothing_left(test);
}

// What a large page is apart from its size, its parts are too: the PAT's bit has another place.
KTEST(page_table, parts_inherit_everything)
{
    const uint64_t flags = RIGHTS | PTE_UNCACHED | PTE_SYSTEM_2;
    KTEST_ASSERT_EQ(test, map(0, GIB, PAGE_1GIB, flags), OK);
    entry_of(0, 3)->value |= PTE_LARGE_PAT | PTE_ACCESSED | PTE_DIRTY | PTE_KEY(5) | BIT(52);

    KTEST_ASSERT_EQ(test, unmap(0, PAGE_4KIB), OK);

    const uint64_t inherited = flags | PTE_PRESENT | PTE_ACCESSED | PTE_DIRTY | PTE_KEY(5) |
                               BIT(52);
    KTEST_EXPECT_EQ(test, entry_of(2 * MIB, 2)->value,
                    (GIB + 2 * MIB) | inherited | PTE_LARGE | PTE_LARGE_PAT);
    KTEST_EXPECT_EQ(test, entry_of(PAGE_SIZE, 1)->value, (GIB + PAGE_SIZE) | inherited | PTE_PAT);
}

KTEST(page_table, parts_without_pat_have_none)
{
    KTEST_ASSERT_EQ(test, map(0, GIB, PAGE_2MIB, 0), OK);
    KTEST_ASSERT_EQ(test, unmap(0, PAGE_4KIB), OK);
    KTEST_EXPECT_EQ(test, entry_of(PAGE_SIZE, 1)->value, (GIB + PAGE_SIZE) | PTE_PRESENT);
}

// --- What the CPU notes ------------------------------------------------------------------------

KTEST_ATTR(page_table, accessed_and_dirty_are_read_and_cleared, .proves = "8.13");
KTEST(page_table, accessed_and_dirty_are_read_and_cleared)
{
    KTEST_ASSERT_EQ(test, map(0, 0, PAGE_4KIB, RIGHTS), OK);
    KTEST_ASSERT_EQ(test, map(2 * MIB, 0, PAGE_2MIB, RIGHTS), OK);
    const uint64_t pages[] = {0, 2 * MIB};
    for (unsigned i = 0; i < 2; i++) {
        enum page_size size = i == 0 ? PAGE_4KIB : PAGE_2MIB;
        entry_of(pages[i], size)->value |= PTE_ACCESSED | PTE_DIRTY;
        expect_mapped(test, pages[i], 0, size, RIGHTS | PTE_ACCESSED | PTE_DIRTY);
        struct tlb_flush flush = page_clear_used(&test_space, at(pages[i] + 0x123), PTE_DIRTY);
        KTEST_EXPECT_EQ(test, test_space.stale.start.value, pages[i]);
        KTEST_EXPECT_EQ(test, test_space.stale.page_count, page_size_bytes(size) / PAGE_SIZE);
        KTEST_EXPECT_EQ(test, tlb_flush_ignore(flush), OK);
        expect_mapped(test, pages[i], 0, size, RIGHTS | PTE_ACCESSED);
        KTEST_EXPECT_EQ(
            test, tlb_flush_ignore(page_clear_used(&test_space, at(pages[i]), PTE_ACCESSED)), OK);
        expect_mapped(test, pages[i], 0, size, RIGHTS);
    }
}

KTEST(page_table, unmapping_tells_what_the_cpu_had_noted)
{
    struct page_mapping mapping;
    KTEST_ASSERT_EQ(test, map(0, 0, PAGE_4KIB, RIGHTS), OK);
    entry_of(0, 1)->value |= PTE_DIRTY;
    KTEST_ASSERT_EQ(test, tlb_flush_ignore(page_unmap(&test_space, at(0), PAGE_4KIB, &mapping)),
                    OK);
    KTEST_EXPECT_EQ(test, mapping.flags, RIGHTS | PTE_DIRTY);
}

// --- What the TLB has to forget ----------------------------------------------------------------

static void expect_stale(struct ktest *test, struct tlb_flush flush, uint64_t start,
                         uint64_t page_count)
{
    KTEST_EXPECT_EQ(test, flush.value, TLB_FLUSH_STALE);
    KTEST_EXPECT_EQ(test, test_space.stale.start.value, start);
    KTEST_EXPECT_EQ(test, test_space.stale.page_count, page_count);
    KTEST_EXPECT_EQ(test, tlb_flush_ignore(flush), OK);
    KTEST_EXPECT_EQ(test, test_space.stale.page_count, 0);
}

KTEST(page_table, flush_covers_what_has_changed)
{
    expect_stale(test, page_map_range(&test_space, at(PAGE_SIZE), frame_at(0), 3 * PAGE_SIZE, 0),
                 PAGE_SIZE, 3);
    expect_stale(test, page_protect_range(&test_space, at(2 * PAGE_SIZE), 2 * PAGE_SIZE, RIGHTS),
                 2 * PAGE_SIZE, 2);
    expect_stale(test, page_map(&test_space, at(2 * MIB), frame_at(0), PAGE_2MIB, 0), 2 * MIB, 512);
    expect_stale(test, page_unmap(&test_space, at(2 * MIB), PAGE_4KIB, NULL), 2 * MIB,
                 TLB_ALL_PAGES);

    struct tlb_flush flush = page_unmap(&test_space, at(2 * PAGE_SIZE), PAGE_4KIB, NULL);
    KTEST_EXPECT_EQ(test, flush.value, 2 * PAGE_SIZE); // just this page
    KTEST_EXPECT_EQ(test, tlb_flush_ignore(flush), OK);
    flush = page_unmap(&test_space, at(2 * PAGE_SIZE), PAGE_4KIB, NULL);
    KTEST_EXPECT_NULL(test, flush.space); // nothing at all
    KTEST_EXPECT_EQ(test, tlb_flush_ignore(flush), ENOENT);
}

// The compiler sees to it that the token is taken; whoever keeps it is found out.
KTEST(page_table, change_before_the_last_one_is_flushed_panics)
{
    struct tlb_flush first = page_map_range(&test_space, at(0), frame_at(0), 2 * PAGE_SIZE, 0);
    KTEST_EXPECT_PANIC(test, "assertion failed: space->stale.page_count == 0",
                       (void)!tlb_flush_ignore(page_unmap_range(&test_space, at(0), PAGE_SIZE)));
    KTEST_EXPECT_EQ(test, tlb_flush_ignore(first), OK);
}

// The CPU may walk through an unlinked table until its TLB is flushed: till then nobody else gets
// the frame, and what is in it is not present.
KTEST(page_table, unlinked_table_is_kept_until_the_flush)
{
    KTEST_ASSERT_EQ(test, map(0, 0, PAGE_4KIB, 0), OK);
    phys_addr_t level1 = pte_table(*entry_of(0, 2));

    struct tlb_flush flush = page_unmap(&test_space, at(0), PAGE_4KIB, NULL);

    KTEST_EXPECT_EQ(test, test_frames_used_count(), 4);
    const pte_t *entries = test_frame_memory(level1);
    for (unsigned i = 0; i < TABLE_ENTRY_COUNT; i++) {
        KTEST_ASSERT_FALSE(test, pte_is_present(entries[i]));
    }
    KTEST_EXPECT_EQ(test, tlb_flush_ignore(flush), OK);
    expect_nothing_left(test);
}
