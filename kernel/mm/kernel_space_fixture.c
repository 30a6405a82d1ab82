// SPDX-License-Identifier: MIT
#include "mm/kernel_space_fixture.h"

static const struct frame_source *frames_before;

static void lend_frames(struct ktest *test)
{
    (void)test;
    test_frames_reset();
    frames_before = kernel_space.frames;
    kernel_space.frames = &test_frames;
}

// Also what a failed test has left in the lower half.
static void unmap_all(struct ktest *test)
{
    virt_addr_t page = {0};
    struct page_mapping mapping;
    while (page_find(&kernel_space, &page, &mapping) == OK && page.value < BIT(47)) {
        KTEST_EXPECT_EQ(test, tlb_flush_now(page_unmap(&kernel_space, page, mapping.size, NULL)),
                        OK);
    }
    KTEST_EXPECT_EQ(test, test_frames_used_count(), 0);
    kernel_space.frames = frames_before;
}

KTEST_SUITE(kernel_space, .init = lend_frames, .exit = unmap_all);

uint8_t peek(uint64_t address)
{
    __asm__("" : "+r"(address));
    return *(volatile uint8_t *)address;
}

void poke(uint64_t address, uint8_t value)
{
    __asm__("" : "+r"(address));
    *(volatile uint8_t *)address = value;
}
