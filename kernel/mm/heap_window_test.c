// SPDX-License-Identifier: MIT
#include "mm/heap_window.h"

#include "arch/x86_64/layout.h"
#include "ktest.h"
#include "lib/string.h"
#include "mm/kernel_space.h"

static virt_addr_t end_before;

static void note_end(struct ktest *test)
{
    (void)test;
    end_before = heap_window_end();
}

// What a failed check has left.
static void shrink_back(struct ktest *test)
{
    (void)test;
    heap_window_shrink(heap_window_end().value - end_before.value);
}

KTEST_SUITE(heap_window, .init = note_end, .exit = shrink_back);

static virt_addr_t grow(struct ktest *test, uint64_t size_bytes)
{
    virt_addr_t start = {0};
    KTEST_ASSERT_EQ(test, heap_window_grow(size_bytes, &start), OK);
    return start;
}

KTEST(heap_window, grows_at_its_end_and_shrinks)
{
    virt_addr_t end = heap_window_end();
    virt_addr_t first = grow(test, 3 * PAGE_SIZE);
    KTEST_EXPECT_EQ(test, first.value, end.value);
    memset((void *)first.value, 0x11, 3 * PAGE_SIZE);
    virt_addr_t second = {0};
    enum error error = heap_window_grow(PAGE_SIZE, &second);
    KTEST_EXPECT_EQ(test, error, OK);
    if (error != OK) {
        return; // and what there is goes back
    }
    KTEST_EXPECT_EQ(test, second.value, first.value + 3 * PAGE_SIZE);
    KTEST_EXPECT_EQ(test, heap_window_end().value, end.value + 4 * PAGE_SIZE);
    *(volatile uint8_t *)second.value = 0x22;

    heap_window_shrink(2 * PAGE_SIZE);

    volatile uint8_t *last = (volatile uint8_t *)(first.value + 2 * PAGE_SIZE - 1);
    KTEST_EXPECT_EQ(test, *last, 0x11);
    KTEST_EXPECT_EQ(test, heap_window_end().value, end.value + 2 * PAGE_SIZE);
    KTEST_EXPECT_FAULT(test, PF, 2, *(volatile uint8_t *)second.value = 1);
    KTEST_EXPECT_FAULT(test, PF, 0, (void)last[1]);
    heap_window_shrink(2 * PAGE_SIZE);
    KTEST_EXPECT_EQ(test, heap_window_end().value, end.value);
}

KTEST_ATTR(heap_window, lies_in_the_upper_half_and_is_data, .proves = "10.4");
KTEST(heap_window, lies_in_the_upper_half_and_is_data)
{
    virt_addr_t start = grow(test, PAGE_SIZE);
    struct page_mapping mapping = {0};
    KTEST_EXPECT_EQ(test, kernel_translate(start, &mapping), OK);
    KTEST_EXPECT_EQ(test, mapping.flags & PAGE_RIGHTS, PTE_WRITABLE | PTE_NO_EXECUTE);
    KTEST_EXPECT_GE(test, start.value, HEAP_VMA);
    KTEST_EXPECT_LT(test, start.value, HEAP_VMA + HEAP_SIZE_MAX);
    heap_window_shrink(PAGE_SIZE);
}

KTEST(heap_window, refuses_what_it_can_not_give)
{
    virt_addr_t end = heap_window_end();
    virt_addr_t start = {7};
    KTEST_EXPECT_EQ(test, heap_window_grow(0, &start), EINVAL);
    KTEST_EXPECT_EQ(test, heap_window_grow(PAGE_SIZE + 1, &start), EINVAL);
    KTEST_EXPECT_EQ(test, heap_window_grow(HEAP_SIZE_MAX + PAGE_SIZE, &start), ENOMEM);
    KTEST_EXPECT_EQ(test, heap_window_grow(~0ULL - PAGE_SIZE + 1, &start), ENOMEM);
    KTEST_EXPECT_EQ(test, start.value, 7);
    KTEST_EXPECT_EQ(test, heap_window_end().value, end.value);
}

KTEST(heap_window, gives_back_no_more_than_it_has)
{
    (void)grow(test, PAGE_SIZE);
    uint64_t used_bytes = heap_window_end().value - HEAP_VMA;
    KTEST_EXPECT_PANIC(test, "the heap window can't shrink by *",
                       heap_window_shrink(used_bytes + PAGE_SIZE));
    KTEST_EXPECT_PANIC(test, "the heap window can't shrink by *", heap_window_shrink(1));
    KTEST_EXPECT_EQ(test, heap_window_end().value, HEAP_VMA + used_bytes);
    heap_window_shrink(PAGE_SIZE);
}
