// SPDX-License-Identifier: MIT
#include "mm/page_table_fixture.h"

struct address_space test_space;

static void make_space(struct ktest *test)
{
    (void)test;
    test_frames_make_space(&test_space);
}

KTEST_SUITE(page_table, .init = make_space);

void expect_unmapped(struct ktest *test, uint64_t address)
{
    struct page_mapping mapping;
    KTEST_EXPECT_EQ_MSG(test, page_translate(&test_space, at(address), &mapping), ENOENT, "%lx",
                        address);
}

void expect_mapped(struct ktest *test, uint64_t address, uint64_t physical, enum page_size size,
                   uint64_t flags)
{
    struct page_mapping mapping = {0};
    KTEST_ASSERT_EQ_MSG(test, page_translate(&test_space, at(address), &mapping), OK, "%lx",
                        address);
    KTEST_EXPECT_EQ_MSG(test, mapping.frame.value + mapping.offset, physical, "%lx", address);
    KTEST_EXPECT_EQ_MSG(test, mapping.offset, address & (page_size_bytes(size) - 1), "%lx",
                        address);
    KTEST_EXPECT_EQ_MSG(test, mapping.size, size, "%lx", address);
    KTEST_EXPECT_EQ_MSG(test, mapping.flags, flags, "%lx", address);
}

void expect_nothing_left(struct ktest *test)
{
    virt_addr_t first = {0};
    struct page_mapping mapping;
    KTEST_EXPECT_EQ(test, page_find(&test_space, &first, &mapping), ENOENT);
    KTEST_EXPECT_EQ(test, test_frames_used_count(), 1);
}

pte_t *entry_of(uint64_t address, unsigned level)
{
    phys_addr_t table = test_space.top;
    for (unsigned above = PTE_LEVEL_MAX;; above--) {
        pte_t *entries = test_frame_memory(table);
        pte_t *entry = &entries[address >> pte_shift(above) & (TABLE_ENTRY_COUNT - 1)];
        if (above == level) {
            return entry;
        }
        table = pte_table(*entry);
    }
}
