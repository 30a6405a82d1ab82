// SPDX-License-Identifier: MIT
//
// Page tables that no CPU walks: entries and tables, seen by translate and by hand.
#include "mm/page_table.h"

#include "ktest.h"
#include "lib/string.h"
#include "mm/address_space.h"
#include "mm/test_frames.h"

#define KIB 1024ULL
#define MIB (KIB << 10)
#define GIB (MIB << 10)

#define LOWER_END BIT(47)
#define UPPER_START (~0ULL << 47)
#define RIGHTS (PTE_WRITABLE | PTE_NO_EXECUTE)

static const struct paging_features all_features = {true, true, 40};
static struct address_space space;

// A space that is its own kernel's; the level-4 table is one frame.
static void make_space(struct ktest *test)
{
    phys_addr_t top;
    test_frames_reset();
    KTEST_ASSERT_EQ(test, test_frames.alloc(NULL, &top), OK);
    memset(test_frame_memory(top), 0, PAGE_SIZE);
    address_space_adopt(&space, top, all_features, test_frames_offset(), &test_frames);
}

KTEST_SUITE(page_table, .init = make_space);

static virt_addr_t at(uint64_t address)
{
    return (virt_addr_t){address};
}

// So that this page of the upper half can be mapped. Takes one frame for ever.
static void prepare(struct ktest *test, uint64_t page)
{
    KTEST_ASSERT_EQ(test, address_space_prepare(&space, at(page), PAGE_SIZE), OK);
}

static phys_addr_t frame_at(uint64_t address)
{
    return (phys_addr_t){address};
}

static enum error map(uint64_t page, uint64_t frame, enum page_size size, uint64_t flags)
{
    return tlb_flush_ignore(page_map(&space, at(page), frame_at(frame), size, flags));
}

static enum error map_range(uint64_t page, uint64_t frame, uint64_t size_bytes, uint64_t flags)
{
    return tlb_flush_ignore(page_map_range(&space, at(page), frame_at(frame), size_bytes, flags));
}

static enum error unmap(uint64_t page, enum page_size size)
{
    return tlb_flush_ignore(page_unmap(&space, at(page), size, NULL));
}

static enum error unmap_range(uint64_t page, uint64_t size_bytes)
{
    return tlb_flush_ignore(page_unmap_range(&space, at(page), size_bytes));
}

static enum error protect_range(uint64_t page, uint64_t size_bytes, uint64_t flags)
{
    return tlb_flush_ignore(page_protect_range(&space, at(page), size_bytes, flags));
}

static void expect_unmapped(struct ktest *test, uint64_t address)
{
    struct page_mapping mapping;
    KTEST_EXPECT_EQ_MSG(test, page_translate(&space, at(address), &mapping), ENOENT, "%lx",
                        address);
}

static void expect_mapped(struct ktest *test, uint64_t address, uint64_t physical,
                          enum page_size size, uint64_t flags)
{
    struct page_mapping mapping = {0};
    KTEST_ASSERT_EQ_MSG(test, page_translate(&space, at(address), &mapping), OK, "%lx", address);
    KTEST_EXPECT_EQ_MSG(test, mapping.frame.value + mapping.offset, physical, "%lx", address);
    KTEST_EXPECT_EQ_MSG(test, mapping.offset, address & (page_size_bytes(size) - 1), "%lx",
                        address);
    KTEST_EXPECT_EQ_MSG(test, mapping.size, size, "%lx", address);
    KTEST_EXPECT_EQ_MSG(test, mapping.flags, flags, "%lx", address);
}

// Nothing but the level-4 table is in use.
static void expect_nothing_left(struct ktest *test)
{
    virt_addr_t first = {0};
    struct page_mapping mapping;
    KTEST_EXPECT_EQ(test, page_find(&space, &first, &mapping), ENOENT);
    KTEST_EXPECT_EQ(test, test_frames_used_count(), 1);
}

// --- Map, unmap, translate ---------------------------------------------------------------------

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
    KTEST_EXPECT_EQ(test, tlb_flush_ignore(page_unmap(&space, at(page), param->size, &mapping)),
                    OK);
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
    KTEST_EXPECT_EQ(test, page_find(&space, &first, &mapping), OK);
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
    for (virt_addr_t page = {0}; page_find(&space, &page, &mapping) == OK;
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
    const pte_t *top = test_frame_memory(space.top);
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

// --- Effective rights --------------------------------------------------------------------------

// The entry of an address at a level, in tables that are there.
static pte_t *entry_of(uint64_t address, unsigned level)
{
    phys_addr_t table = space.top;
    for (unsigned above = PTE_LEVEL_MAX;; above--) {
        pte_t *entries = test_frame_memory(table);
        pte_t *entry = &entries[address >> pte_shift(above) & (TABLE_ENTRY_COUNT - 1)];
        if (above == level) {
            return entry;
        }
        table = pte_table(*entry);
    }
}

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

// --- Errors ------------------------------------------------------------------------------------

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
    KTEST_EXPECT_EQ(test, tlb_flush_ignore(page_protect(&space, at(PAGE_SIZE), PAGE_4KIB, 0)),
                    ENOENT);
    KTEST_EXPECT_EQ(test, tlb_flush_ignore(page_clear_used(&space, at(PAGE_SIZE), PTE_DIRTY)),
                    ENOENT);
    expect_mapped(test, 0, 0, PAGE_4KIB, 0);
}

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
    KTEST_EXPECT_EQ(test, tlb_flush_ignore(page_protect(&space, at(PAGE_SIZE), PAGE_2MIB, 0)),
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
    KTEST_EXPECT_EQ(test, tlb_flush_ignore(page_clear_used(&space, at(0), PTE_WRITABLE)), EINVAL);
    expect_mapped(test, 0, 0, PAGE_4KIB, 0);
}

KTEST(page_table, addresses_that_are_not_canonical_have_no_translation)
{
    struct page_mapping mapping;
    virt_addr_t in_the_hole = {LOWER_END};
    KTEST_EXPECT_EQ(test, page_translate(&space, in_the_hole, &mapping), EINVAL);
    KTEST_EXPECT_EQ(test, page_find(&space, &in_the_hole, &mapping), EINVAL);
    KTEST_EXPECT_EQ(test, tlb_flush_ignore(page_clear_used(&space, in_the_hole, PTE_DIRTY)),
                    EINVAL);
}

// What the CPU lacks is refused, not dropped; ranges get along without it.
KTEST_ATTR(page_table, what_the_cpu_lacks_is_refused, .proves = "9.3.3");
KTEST(page_table, what_the_cpu_lacks_is_refused)
{
    address_space_adopt(&space, space.top, (struct paging_features){false, false, 36},
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
        KTEST_EXPECT_EQ(test, page_translate(&space, at(0), &mapping), EFAULT);
        KTEST_EXPECT_EQ(test, page_find(&space, &first, &mapping), EFAULT);
        KTEST_EXPECT_EQ(test, unmap(0, cases[i].size), EFAULT);
        KTEST_EXPECT_EQ(test, unmap_range(0, PAGE_SIZE), EFAULT);
        KTEST_EXPECT_EQ(test, protect_range(0, PAGE_SIZE, 0), EFAULT);
        entry_of(0, cases[i].size)->value &= ~cases[i].bits;
        KTEST_ASSERT_EQ(test, unmap(0, cases[i].size), OK);
    }
    pte_t *top = entry_of(0, 4);
    top->value = PTE_PRESENT | PTE_LARGE;
    struct page_mapping mapping;
    KTEST_EXPECT_EQ(test, page_translate(&space, at(0), &mapping), EFAULT);
    KTEST_EXPECT_EQ(test, map(0, 0, PAGE_4KIB, 0), EEXIST);
    KTEST_EXPECT_EQ(test, unmap(0, PAGE_4KIB), EFAULT);
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
                    tlb_flush_ignore(page_map_identity(&space, frame_at(0xb8000), 32 * KIB,
                                                       PTE_WRITABLE | PTE_UNCACHED)),
                    OK);
    expect_mapped(test, 0xb8000, 0xb8000, PAGE_4KIB, PTE_WRITABLE | PTE_UNCACHED);
    expect_mapped(test, 0xbffff, 0xbffff, PAGE_4KIB, PTE_WRITABLE | PTE_UNCACHED);
    expect_unmapped(test, 0xc0000);
}

// --- Protection, and splitting -----------------------------------------------------------------

KTEST(page_table, protection_changes_flags_and_nothing_else)
{
    KTEST_ASSERT_EQ(test, map(0, 3 * PAGE_SIZE, PAGE_4KIB, PTE_WRITABLE | PTE_UNCACHED), OK);
    entry_of(0, 1)->value |= PTE_DIRTY | BIT(55) | PTE_KEY(3);

    KTEST_EXPECT_EQ(test, tlb_flush_ignore(page_protect(&space, at(0), PAGE_4KIB, PTE_NO_EXECUTE)),
                    OK);

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

    KTEST_ASSERT_EQ(test, tlb_flush_ignore(page_unmap(&space, at(hole), PAGE_4KIB, &mapping)), OK);

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
    for (virt_addr_t page = {0}; page_find(&space, &page, &mapping) == OK;
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
    space.frames = &frame_source_empty;
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
        struct tlb_flush flush = page_clear_used(&space, at(pages[i] + 0x123), PTE_DIRTY);
        KTEST_EXPECT_EQ(test, space.stale.start.value, pages[i]);
        KTEST_EXPECT_EQ(test, space.stale.page_count, page_size_bytes(size) / PAGE_SIZE);
        KTEST_EXPECT_EQ(test, tlb_flush_ignore(flush), OK);
        expect_mapped(test, pages[i], 0, size, RIGHTS | PTE_ACCESSED);
        KTEST_EXPECT_EQ(test, tlb_flush_ignore(page_clear_used(&space, at(pages[i]), PTE_ACCESSED)),
                        OK);
        expect_mapped(test, pages[i], 0, size, RIGHTS);
    }
}

KTEST(page_table, unmapping_tells_what_the_cpu_had_noted)
{
    struct page_mapping mapping;
    KTEST_ASSERT_EQ(test, map(0, 0, PAGE_4KIB, RIGHTS), OK);
    entry_of(0, 1)->value |= PTE_DIRTY;
    KTEST_ASSERT_EQ(test, tlb_flush_ignore(page_unmap(&space, at(0), PAGE_4KIB, &mapping)), OK);
    KTEST_EXPECT_EQ(test, mapping.flags, RIGHTS | PTE_DIRTY);
}

// --- What the TLB has to forget ----------------------------------------------------------------

static void expect_stale(struct ktest *test, struct tlb_flush flush, uint64_t start,
                         uint64_t page_count)
{
    KTEST_EXPECT_EQ(test, flush.value, TLB_FLUSH_STALE);
    KTEST_EXPECT_EQ(test, space.stale.start.value, start);
    KTEST_EXPECT_EQ(test, space.stale.page_count, page_count);
    KTEST_EXPECT_EQ(test, tlb_flush_ignore(flush), OK);
    KTEST_EXPECT_EQ(test, space.stale.page_count, 0);
}

KTEST(page_table, flush_covers_what_has_changed)
{
    expect_stale(test, page_map_range(&space, at(PAGE_SIZE), frame_at(0), 3 * PAGE_SIZE, 0),
                 PAGE_SIZE, 3);
    expect_stale(test, page_protect_range(&space, at(2 * PAGE_SIZE), 2 * PAGE_SIZE, RIGHTS),
                 2 * PAGE_SIZE, 2);
    expect_stale(test, page_map(&space, at(2 * MIB), frame_at(0), PAGE_2MIB, 0), 2 * MIB, 512);
    expect_stale(test, page_unmap(&space, at(2 * MIB), PAGE_4KIB, NULL), 2 * MIB, TLB_ALL_PAGES);

    struct tlb_flush flush = page_unmap(&space, at(2 * PAGE_SIZE), PAGE_4KIB, NULL);
    KTEST_EXPECT_EQ(test, flush.value, 2 * PAGE_SIZE); // just this page
    KTEST_EXPECT_EQ(test, tlb_flush_ignore(flush), OK);
    flush = page_unmap(&space, at(2 * PAGE_SIZE), PAGE_4KIB, NULL);
    KTEST_EXPECT_NULL(test, flush.space); // nothing at all
    KTEST_EXPECT_EQ(test, tlb_flush_ignore(flush), ENOENT);
}

// The compiler sees to it that the token is taken; whoever keeps it is found out.
KTEST(page_table, change_before_the_last_one_is_flushed_panics)
{
    struct tlb_flush first = page_map_range(&space, at(0), frame_at(0), 2 * PAGE_SIZE, 0);
    KTEST_EXPECT_PANIC(test, "assertion failed: space->stale.page_count == 0",
                       (void)!tlb_flush_ignore(page_unmap_range(&space, at(0), PAGE_SIZE)));
    KTEST_EXPECT_EQ(test, tlb_flush_ignore(first), OK);
}

// The CPU may walk through an unlinked table until its TLB is flushed: till then nobody else gets
// the frame, and what is in it is not present.
KTEST(page_table, unlinked_table_is_kept_until_the_flush)
{
    KTEST_ASSERT_EQ(test, map(0, 0, PAGE_4KIB, 0), OK);
    phys_addr_t level1 = pte_table(*entry_of(0, 2));

    struct tlb_flush flush = page_unmap(&space, at(0), PAGE_4KIB, NULL);

    KTEST_EXPECT_EQ(test, test_frames_used_count(), 4);
    const pte_t *entries = test_frame_memory(level1);
    for (unsigned i = 0; i < TABLE_ENTRY_COUNT; i++) {
        KTEST_ASSERT_FALSE(test, pte_is_present(entries[i]));
    }
    KTEST_EXPECT_EQ(test, tlb_flush_ignore(flush), OK);
    expect_nothing_left(test);
}
