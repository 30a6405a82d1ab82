// SPDX-License-Identifier: MIT
#include "mm/address_space.h"

#include "ktest.h"
#include "mm/test_frames.h"

#define GIB (1ULL << 30)
#define LOWER 0x123456789000
#define UPPER (~0ULL << 47)
#define UPPER_STEP BIT(39) // of the level-4 table's entries

static struct address_space kernel;
static struct address_space first;
static struct address_space second;

static void make_kernel(struct ktest *test)
{
    test_frames_make_space(&kernel);
    KTEST_ASSERT_EQ(test, address_space_prepare(&kernel, (virt_addr_t){UPPER}, 3 * UPPER_STEP), OK);
}

KTEST_SUITE(address_space, .init = make_kernel);

static enum error map(struct address_space *space, uint64_t page, uint64_t frame)
{
    return tlb_flush_ignore(
        page_map(space, (virt_addr_t){page}, (phys_addr_t){frame}, PAGE_4KIB, PTE_NO_EXECUTE));
}

static void expect_frame(struct ktest *test, const struct address_space *space, uint64_t page,
                         uint64_t frame)
{
    struct page_mapping mapping = {0};
    KTEST_EXPECT_EQ(test, page_translate(space, (virt_addr_t){page}, &mapping), OK);
    KTEST_EXPECT_EQ(test, mapping.frame.value, frame);
}

static void expect_unmapped(struct ktest *test, const struct address_space *space, uint64_t page)
{
    struct page_mapping mapping;
    KTEST_EXPECT_EQ(test, page_translate(space, (virt_addr_t){page}, &mapping), ENOENT);
}

KTEST(address_space, lower_halves_are_separate)
{
    KTEST_ASSERT_EQ(test, address_space_create(&kernel, &first), OK);
    KTEST_ASSERT_EQ(test, address_space_create(&kernel, &second), OK);
    KTEST_ASSERT_EQ(test, map(&first, LOWER, 0x1000), OK);
    KTEST_ASSERT_EQ(test, map(&second, LOWER, 0x2000), OK);
    expect_frame(test, &first, LOWER, 0x1000);
    expect_frame(test, &second, LOWER, 0x2000);
    expect_unmapped(test, &kernel, LOWER);
}

// Also what the kernel maps later.
KTEST(address_space, upper_half_is_the_same_in_all)
{
    KTEST_ASSERT_EQ(test, map(&kernel, UPPER, 0x1000), OK);
    KTEST_ASSERT_EQ(test, address_space_create(&kernel, &first), OK);
    KTEST_ASSERT_EQ(test, map(&kernel, UPPER + UPPER_STEP, 0x2000), OK);
    KTEST_ASSERT_EQ(test, address_space_create(&kernel, &second), OK);
    KTEST_ASSERT_EQ(test, map(&kernel, UPPER + 2 * UPPER_STEP, 0x3000), OK);
    struct address_space *const spaces[] = {&kernel, &first, &second};
    for (unsigned i = 0; i < ARRAY_SIZE(spaces); i++) {
        expect_frame(test, spaces[i], UPPER, 0x1000);
        expect_frame(test, spaces[i], UPPER + UPPER_STEP, 0x2000);
        expect_frame(test, spaces[i], UPPER + 2 * UPPER_STEP, 0x3000);
    }

    KTEST_ASSERT_EQ(
        test, tlb_flush_ignore(page_unmap(&kernel, (virt_addr_t){UPPER}, PAGE_4KIB, NULL)), OK);
    KTEST_ASSERT_EQ(test, map(&kernel, UPPER + GIB, 0x4000), OK); // in the table that has stayed
    for (unsigned i = 0; i < ARRAY_SIZE(spaces); i++) {
        expect_unmapped(test, spaces[i], UPPER);
        expect_frame(test, spaces[i], UPPER + GIB, 0x4000);
    }
}

KTEST(address_space, upper_half_changes_through_the_kernels_only)
{
    KTEST_ASSERT_EQ(test, map(&kernel, UPPER, 0x1000), OK);
    KTEST_ASSERT_EQ(test, address_space_create(&kernel, &first), OK);
    virt_addr_t page = {UPPER};
    KTEST_EXPECT_EQ(test, map(&first, UPPER + PAGE_SIZE, 0x1000), EINVAL);
    KTEST_EXPECT_EQ(test, tlb_flush_ignore(page_unmap(&first, page, PAGE_4KIB, NULL)), EINVAL);
    KTEST_EXPECT_EQ(test, tlb_flush_ignore(page_unmap_range(&first, page, PAGE_SIZE)), EINVAL);
    KTEST_EXPECT_EQ(test, tlb_flush_ignore(page_protect(&first, page, PAGE_4KIB, 0)), EINVAL);
    KTEST_EXPECT_EQ(test, tlb_flush_ignore(page_clear_used(&first, page, PTE_DIRTY)), EINVAL);
    expect_frame(test, &first, UPPER, 0x1000);
}

KTEST(address_space, destroying_gives_all_frames_back)
{
    KTEST_ASSERT_EQ(test, map(&kernel, UPPER, 0x1000), OK);
    unsigned used = test_frames_used_count();
    KTEST_ASSERT_EQ(test, address_space_create(&kernel, &first), OK);
    KTEST_ASSERT_EQ(test, address_space_create(&kernel, &second), OK);
    KTEST_ASSERT_EQ(test, map(&first, 0, 0x1000), OK);
    KTEST_ASSERT_EQ(test, map(&first, BIT(47) - PAGE_SIZE, 0x1000), OK);
    KTEST_ASSERT_EQ(
        test,
        tlb_flush_ignore(page_map_range(&first, (virt_addr_t){GIB - PAGE_SIZE},
                                        (phys_addr_t){GIB - PAGE_SIZE}, GIB + 2 * PAGE_SIZE, 0)),
        OK);

    address_space_destroy(&first);
    expect_frame(test, &second, UPPER, 0x1000);
    KTEST_EXPECT_EQ(test, test_frames_used_count(), used + 1);
    address_space_destroy(&second);
    KTEST_EXPECT_EQ(test, test_frames_used_count(), used);
    expect_frame(test, &kernel, UPPER, 0x1000);
}

KTEST(address_space, creation_without_memory_fails)
{
    test_frames_fail_at(1);
    KTEST_EXPECT_EQ(test, address_space_create(&kernel, &first), ENOMEM);
    KTEST_EXPECT_EQ(test, test_frames_used_count(), 4); // level 4, and what is prepared
}

// Once, as many as are missing, and zeroed: the frames arrive full of garbage.
KTEST(address_space, upper_half_is_prepared_where_it_is_not)
{
    const uint64_t start = UPPER + 2 * UPPER_STEP;
    KTEST_ASSERT_EQ(test, map(&kernel, start, 0x1000), OK);
    unsigned used = test_frames_used_count();
    KTEST_EXPECT_EQ(test, address_space_prepare(&kernel, (virt_addr_t){start}, PAGE_SIZE), OK);
    KTEST_EXPECT_EQ(test, test_frames_used_count(), used);
    virt_addr_t boundary = {start + UPPER_STEP - PAGE_SIZE};
    KTEST_EXPECT_EQ(test, address_space_prepare(&kernel, boundary, 2 * PAGE_SIZE), OK);
    KTEST_EXPECT_EQ(test, test_frames_used_count(), used + 1);
    virt_addr_t last = {~0ULL - PAGE_SIZE + 1};
    KTEST_EXPECT_EQ(test, address_space_prepare(&kernel, last, PAGE_SIZE), OK);
    KTEST_EXPECT_EQ(test, map(&kernel, last.value, 0x2000), OK);

    expect_frame(test, &kernel, start, 0x1000);
    virt_addr_t page = {start + PAGE_SIZE};
    struct page_mapping mapping;
    KTEST_EXPECT_EQ(test, page_find(&kernel, &page, &mapping), OK);
    KTEST_EXPECT_EQ(test, page.value, last.value); // nothing in between
}

KTEST(address_space, preparation_is_all_or_nothing)
{
    virt_addr_t start = {UPPER + 2 * UPPER_STEP};
    const pte_t *top = test_frame_memory(kernel.top);
    for (unsigned nth = 1; nth <= 2; nth++) {
        test_frames_fail_at(nth);
        KTEST_EXPECT_EQ(test, address_space_prepare(&kernel, start, 3 * UPPER_STEP), ENOMEM);
        KTEST_EXPECT_EQ(test, test_frames_used_count(), 4);
        KTEST_EXPECT_EQ(test, top[259].value, 0);
    }
    test_frames_fail_at(0);
    KTEST_ASSERT_EQ(test, address_space_create(&kernel, &first), OK);
    KTEST_EXPECT_EQ(test, address_space_prepare(&first, start, PAGE_SIZE), EINVAL);
    KTEST_EXPECT_EQ(test, address_space_prepare(&kernel, (virt_addr_t){LOWER}, PAGE_SIZE), EINVAL);
    KTEST_EXPECT_EQ(test, address_space_prepare(&kernel, start, 0), EINVAL);
    KTEST_EXPECT_EQ(test, address_space_prepare(&kernel, start, PAGE_SIZE + 1), EINVAL);
}

KTEST(address_space, kernels_is_not_destroyed)
{
    KTEST_EXPECT_PANIC(test, "assertion failed: !space->is_kernel", address_space_destroy(&kernel));
}
