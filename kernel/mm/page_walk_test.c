// SPDX-License-Identifier: MIT
//
// What a walk through the tables finds, and which arguments no walk begins with.
#include "ktest.h"
#include "mm/page_table_fixture.h"

KTEST_ATTR(page_table, rights_are_what_all_levels_allow, .proves = "8.4");
KTEST(page_table, rights_are_what_all_levels_allow)
{
    const uint64_t both = PTE_WRITABLE | PTE_USER;
    KTEST_ASSERT_EQ(test, map(0, 0, PAGE_4KIB, both), OK);
    for (unsigned level = 1; level <= PTE_LEVEL_MAX; level++) {
        pte_t *entry = entry_of(0, level);
        pte_t before = *entry;
        entry->value = before.value & ~PTE_WRITABLE;
        expect_mapped(test, 0, 0, PAGE_4KIB, PTE_USER);
        entry->value = before.value & ~PTE_USER;
        expect_mapped(test, 0, 0, PAGE_4KIB, PTE_WRITABLE);
        entry->value = before.value | PTE_NO_EXECUTE;
        expect_mapped(test, 0, 0, PAGE_4KIB, both | PTE_NO_EXECUTE);
        *entry = before;
    }
    expect_mapped(test, 0, 0, PAGE_4KIB, both);
}

// Reserved bits in the entry of a page: it is not taken for a mapping.
KTEST_ATTR(page_table, malformed_entry_is_an_error, .proves = "9.2.5");
KTEST(page_table, malformed_entry_is_an_error)
{
    const struct {
        enum page_size size;
        uint64_t bits;
    } cases[] = {{PAGE_4KIB, BIT(40)},
                 {PAGE_2MIB, BIT(13)},
                 {PAGE_2MIB, BIT(51)},
                 {PAGE_1GIB, BIT(29)},
                 {PAGE_1GIB, BIT(21)}};
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        struct page_mapping mapping;
        virt_addr_t first = {0};
        KTEST_ASSERT_EQ(test, map(0, 0, cases[i].size, 0), OK);
        entry_of(0, cases[i].size)->value |= cases[i].bits;
        KTEST_EXPECT_EQ(test, page_translate(&test_space, at(0), &mapping), EFAULT);
        KTEST_EXPECT_EQ(test, page_find(&test_space, &first, &mapping), EFAULT);
        KTEST_EXPECT_EQ(test, unmap(0, cases[i].size), EFAULT);
        KTEST_EXPECT_EQ(test, unmap_range(0, PAGE_SIZE), EFAULT);
        KTEST_EXPECT_EQ(test, protect_range(0, PAGE_SIZE, 0), EFAULT);
        entry_of(0, cases[i].size)->value &= ~cases[i].bits;
        KTEST_ASSERT_EQ(test, unmap(0, cases[i].size), OK);
    }
    pte_t *top = entry_of(0, 4);
    top->value = PTE_PRESENT | PTE_LARGE;
    struct page_mapping mapping;
    KTEST_EXPECT_EQ(test, page_translate(&test_space, at(0), &mapping), EFAULT);
    KTEST_EXPECT_EQ(test, map(0, 0, PAGE_4KIB, 0), EEXIST);
    KTEST_EXPECT_EQ(test, unmap(0, PAGE_4KIB), EFAULT);
}

// --- Arguments ---------------------------------------------------------------------------------

struct range_case {
    uint64_t page;
    uint64_t frame;
    uint64_t size_bytes;
};

static const struct range_case bad_ranges[] = {
    {0, 0, 0},                                         // nothing
    {0, 0, 100},                                       // not whole pages
    {100, 0, PAGE_SIZE},                               // misaligned
    {LOWER_END, 0, PAGE_SIZE},                         // not canonical
    {UPPER_START - PAGE_SIZE, 0, PAGE_SIZE},           //
    {LOWER_END - PAGE_SIZE, 0, 2 * PAGE_SIZE},         // into the hole
    {0, 0, LOWER_END + PAGE_SIZE},                     //
    {0, 0, UPPER_START + PAGE_SIZE},                   // over the hole
    {0, 0, ~0ULL - PAGE_SIZE + 1},                     //
    {UPPER_START, 0, LOWER_END + PAGE_SIZE},           // wraps around
    {~0ULL - PAGE_SIZE + 1, 0, 2 * PAGE_SIZE},         //
    {~0ULL - PAGE_SIZE + 1, 0, ~0ULL - PAGE_SIZE + 1}, //
};

KTEST_ATTR(page_table, impossible_range_is_refused, .proves = "8.2");
KTEST_PARAM(page_table, impossible_range_is_refused, bad_ranges, NULL)
{
    KTEST_EXPECT_EQ(test, map_range(param->page, param->frame, param->size_bytes, 0), EINVAL);
    KTEST_EXPECT_EQ(test, unmap_range(param->page, param->size_bytes), EINVAL);
    KTEST_EXPECT_EQ(test, protect_range(param->page, param->size_bytes, 0), EINVAL);
    expect_nothing_left(test);
}

static const struct range_case bad_frames[] = {
    {0, 100, PAGE_SIZE},        // misaligned
    {0, 1ULL << 40, PAGE_SIZE}, // the first address that the CPU has not
    {0, (1ULL << 40) - PAGE_SIZE, 2 * PAGE_SIZE},
    {0, ~0ULL - PAGE_SIZE + 1, PAGE_SIZE},
    {0, ~0ULL - PAGE_SIZE + 1, 2 * PAGE_SIZE},
};

KTEST_PARAM(page_table, frame_that_the_cpu_has_not_is_refused, bad_frames, NULL)
{
    KTEST_EXPECT_EQ(test, map_range(0, param->frame, param->size_bytes, 0), EINVAL);
    KTEST_EXPECT_EQ(test, map(0, param->frame, PAGE_4KIB, 0),
                    param->frame == (1ULL << 40) - PAGE_SIZE ? OK : EINVAL);
}

KTEST(page_table, page_has_to_be_aligned_to_its_size)
{
    KTEST_EXPECT_EQ(test, map(PAGE_SIZE, 0, PAGE_2MIB, 0), EINVAL);
    KTEST_EXPECT_EQ(test, map(0, PAGE_SIZE, PAGE_2MIB, 0), EINVAL);
    KTEST_EXPECT_EQ(test, map(2 * MIB, 0, PAGE_1GIB, 0), EINVAL);
    KTEST_EXPECT_EQ(test, map(0, 2 * MIB, PAGE_1GIB, 0), EINVAL);
    KTEST_EXPECT_EQ(test, unmap(1, PAGE_4KIB), EINVAL);
    KTEST_EXPECT_EQ(test, unmap(PAGE_SIZE, PAGE_2MIB), EINVAL);
    KTEST_EXPECT_EQ(test, unmap(LOWER_END, PAGE_4KIB), EINVAL);
    KTEST_EXPECT_EQ(test, tlb_flush_ignore(page_protect(&test_space, at(PAGE_SIZE), PAGE_2MIB, 0)),
                    EINVAL);
    expect_nothing_left(test);
}

KTEST(page_table, flags_that_nobody_may_set_are_refused)
{
    const uint64_t lower[] = {PTE_PRESENT, PTE_LARGE, PTE_ACCESSED, PTE_DIRTY,
                              PTE_GLOBAL,  BIT(12),   BIT(52),      PTE_KEY(1)};
    KTEST_ASSERT_EQ(test, map(0, 0, PAGE_4KIB, 0), OK);
    for (unsigned i = 0; i < ARRAY_SIZE(lower); i++) {
        KTEST_EXPECT_EQ_MSG(test, map(PAGE_SIZE, 0, PAGE_4KIB, lower[i]), EINVAL, "%lx", lower[i]);
        KTEST_EXPECT_EQ_MSG(test, protect_range(0, PAGE_SIZE, lower[i]), EINVAL, "%lx", lower[i]);
    }
    KTEST_EXPECT_EQ(test, map(UPPER_START, 0, PAGE_4KIB, PTE_USER), EINVAL);
    KTEST_EXPECT_EQ(test, tlb_flush_ignore(page_clear_used(&test_space, at(0), PTE_WRITABLE)),
                    EINVAL);
    expect_mapped(test, 0, 0, PAGE_4KIB, 0);
}

KTEST(page_table, addresses_that_are_not_canonical_have_no_translation)
{
    struct page_mapping mapping;
    virt_addr_t in_the_hole = {LOWER_END};
    KTEST_EXPECT_EQ(test, page_translate(&test_space, in_the_hole, &mapping), EINVAL);
    KTEST_EXPECT_EQ(test, page_find(&test_space, &in_the_hole, &mapping), EINVAL);
    KTEST_EXPECT_EQ(test, tlb_flush_ignore(page_clear_used(&test_space, in_the_hole, PTE_DIRTY)),
                    EINVAL);
}

// What the CPU lacks is refused, not dropped; ranges get along without it.
KTEST_ATTR(page_table, what_the_cpu_lacks_is_refused, .proves = "9.3.3");
KTEST(page_table, what_the_cpu_lacks_is_refused)
{
    address_space_adopt(&test_space, test_space.top, (struct paging_features){false, false, 36},
                        test_frames_offset(), &test_frames);
    KTEST_EXPECT_EQ(test, map(0, 0, PAGE_1GIB, 0), ENOTSUP);
    KTEST_EXPECT_EQ(test, map(0, 0, PAGE_4KIB, PTE_NO_EXECUTE), ENOTSUP);
    KTEST_EXPECT_EQ(test, map(0, 1ULL << 36, PAGE_4KIB, 0), EINVAL);
    expect_nothing_left(test);

    KTEST_ASSERT_EQ(test, map_range(0, 0, GIB, 0), OK);
    expect_mapped(test, GIB - 1, GIB - 1, PAGE_2MIB, 0);
    KTEST_EXPECT_EQ(test, protect_range(0, GIB, PTE_NO_EXECUTE), ENOTSUP);
    KTEST_EXPECT_EQ(test, unmap_range(0, GIB), OK);
    expect_nothing_left(test);
}
