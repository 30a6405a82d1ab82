// SPDX-License-Identifier: MIT
#include "mm/kernel_stack.h"

#include "arch/x86_64/exception.h"
#include "arch/x86_64/layout.h"
#include "arch/x86_64/stack.h"
#include "arch/x86_64/trap.h"
#include "debug/backtrace.h"
#include "ktest.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "mm/kasan_map.h"
#include "mm/kernel_space.h"

#define PAGES_PER_STACK (STACK_SIZE / PAGE_SIZE + KASAN_PAGE_COUNT(STACK_SIZE))
#define WORD_COUNT ARRAY_SIZE(kernel_stack_slots)

static uint64_t slots_before[WORD_COUNT];

static void note_slots(struct ktest *test)
{
    (void)test;
    memcpy(slots_before, kernel_stack_slots, sizeof(slots_before));
}

// What a failed check has left.
static void free_stacks(struct ktest *test)
{
    (void)test;
    for (unsigned slot = 0; slot < STACK_SLOT_COUNT; slot++) {
        uint64_t is_new = kernel_stack_slots[slot / 64] & ~slots_before[slot / 64];
        if ((is_new & BIT(slot % 64)) != 0) {
            kernel_stack_free(kernel_stack_top(slot));
        }
    }
}

KTEST_SUITE(kernel_stack, .init = note_slots, .exit = free_stacks);

static uint64_t stack_alloc(struct ktest *test)
{
    uint64_t top = 0;
    KTEST_ASSERT_EQ(test, kernel_stack_alloc(&top), OK);
    return top;
}

static enum error find(uint64_t address)
{
    struct page_mapping mapping;
    return kernel_translate((virt_addr_t){address}, &mapping);
}

// --- Made and used ------------------------------------------------------------------------------

struct visit {
    struct stack_place place;
    size_t caller_count;
};

static void look_around(void *argument)
{
    struct visit *visit = argument;
    struct trap_frame frame = {
        .rip = (uint64_t)look_around + 1,
        .rbp = (uint64_t)__builtin_frame_address(0),
    };
    uint64_t callers[BACKTRACE_MAX];
    visit->place = stack_locate((uint64_t)&frame);
    visit->caller_count = backtrace_walk(&frame, callers, BACKTRACE_MAX);
}

KTEST(kernel_stack, functions_run_on_it)
{
    uint64_t top = stack_alloc(test);
    struct visit visit = {0};
    KTEST_EXPECT_EQ(test, top % 16, 0);

    ktest_context_call((void *)top, look_around, &visit);

    KTEST_EXPECT_EQ(test, visit.place.part, STACK_PART_BODY);
    KTEST_EXPECT_EQ(test, visit.place.stack, KERNEL_STACK);
    KTEST_EXPECT_EQ(test, visit.place.top, top);
    KTEST_EXPECT_GT(test, visit.caller_count, 2); // the walk has read this stack
    kernel_stack_free(top);
}

KTEST(kernel_stack, all_of_it_is_memory_and_nothing_around_it)
{
    uint64_t top = stack_alloc(test);
    uint64_t bottom = top - STACK_SIZE;
    memset((void *)bottom, 0x5a, STACK_SIZE);
    for (uint64_t page = bottom; page < top; page += PAGE_SIZE) {
        struct page_mapping mapping = {0};
        KTEST_ASSERT_EQ(test, kernel_translate((virt_addr_t){page}, &mapping), OK);
        KTEST_EXPECT_EQ(test, mapping.flags & PAGE_RIGHTS, PTE_WRITABLE | PTE_NO_EXECUTE);
    }
    for (uint64_t page = top - STACK_SLOT_SIZE; page < bottom; page += PAGE_SIZE) {
        KTEST_EXPECT_EQ(test, find(page), ENOENT);
    }
    KTEST_EXPECT_EQ(test, find(top), ENOENT);
    KTEST_EXPECT_FAULT(test, PF, 2, *(volatile uint8_t *)(bottom - 1) = 1);
    KTEST_EXPECT_FAULT(test, PF, 2, *(volatile uint8_t *)top = 1);
    kernel_stack_free(top);
}

KTEST(kernel_stack, freed_one_is_unmapped_and_gives_all_back)
{
    struct frame_statistics before;
    struct frame_statistics after;
    uint64_t page_count = kernel_space_page_count();
    frame_statistics_read(&before);
    uint64_t top = stack_alloc(test);
    *(volatile uint64_t *)(top - 8) = 1; // now it is in the TLB
    KTEST_EXPECT_EQ(test, kernel_space_page_count(), page_count + PAGES_PER_STACK);

    kernel_stack_free(top);

    KTEST_EXPECT_FAULT(test, PF, 2, *(volatile uint64_t *)(top - 8) = 2);
    frame_statistics_read(&after);
    KTEST_EXPECT_EQ(test, after.free_count, before.free_count);
    KTEST_EXPECT_EQ(test, kernel_space_page_count(), page_count);
}

KTEST(kernel_stack, several_have_slots_of_their_own)
{
    uint64_t tops[5];
    for (unsigned i = 0; i < ARRAY_SIZE(tops); i++) {
        enum error error = kernel_stack_alloc(&tops[i]);
        KTEST_EXPECT_EQ(test, error, OK);
        if (error != OK) {
            return; // and the others are freed
        }
        *(uint64_t *)(tops[i] - 8) = i;
        *(uint64_t *)(tops[i] - STACK_SIZE) = i;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(tops); i++) {
        KTEST_EXPECT_EQ(test, *(uint64_t *)(tops[i] - 8), i);
        KTEST_EXPECT_EQ(test, *(uint64_t *)(tops[i] - STACK_SIZE), i);
        KTEST_EXPECT_EQ(test, stack_locate(tops[i] - 1).top, tops[i]);
        kernel_stack_free(tops[i]);
    }
}

KTEST(kernel_stack, freed_slot_is_the_last_to_be_used_again)
{
    uint64_t first = stack_alloc(test);
    kernel_stack_free(first);
    uint64_t second = stack_alloc(test);
    kernel_stack_free(second);
    KTEST_EXPECT_NE(test, first, second);
    KTEST_EXPECT_EQ(test, stack_locate(first - 1).part, STACK_PART_FREE);
}

// --- Overflow -----------------------------------------------------------------------------------

[[gnu::noinline]] static uint64_t recurse(uint64_t depth)
{
    volatile uint64_t local = depth;
    if (depth == UINT64_MAX) {
        return 0;
    }
    return recurse(depth + 1) + local;
}

static void overflow(void *argument)
{
    *(volatile uint64_t *)argument = recurse(0);
}

KTEST_ATTR(kernel_stack, overflow_is_a_double_fault_that_names_it, .proves = "6.6 6.11");
KTEST(kernel_stack, overflow_is_a_double_fault_that_names_it)
{
    uint64_t top = stack_alloc(test);
    uint64_t ignored = 0;

    KTEST_EXPECT_FAULT(test, DF, 0, ktest_context_call((void *)top, overflow, &ignored));

    const struct ktest_fault *fault = ktest_last_fault(test);
    char text[160];
    char expected[160];
    uint64_t below = top - STACK_SIZE - fault->address;
    KTEST_EXPECT_LE(test, below, 512);
    format_buffer(expected, sizeof(expected),
                  "double fault #DF: stack overflow into the guard page %lu bytes below the kernel "
                  "stack %u (%#lx)",
                  below, stack_locate(top - 1).slot, fault->address);
    exception_describe(text, sizeof(text), VECTOR_DOUBLE_FAULT.number, 0, fault->address);
    KTEST_EXPECT_STREQ(test, text, expected);
    kernel_stack_free(top);
}

KTEST(kernel_stack, use_after_free_is_named)
{
    uint64_t top = stack_alloc(test);
    kernel_stack_free(top);
    char text[160];
    char expected[160];
    format_buffer(expected, sizeof(expected),
                  "page fault #PF: write to the unused kernel stack %u (%#lx), which is not mapped",
                  stack_locate(top - 1).slot, top - 8);
    exception_describe(text, sizeof(text), VECTOR_PAGE_FAULT.number, PF_WRITE, top - 8);
    KTEST_EXPECT_STREQ(test, text, expected);
}

// --- Limits and errors --------------------------------------------------------------------------

// From wherever the search begins, all slots are found, and when there is none it ends.
KTEST(kernel_stack, slots_run_out)
{
    uint64_t saved[WORD_COUNT];
    memcpy(saved, kernel_stack_slots, sizeof(saved));
    memset(kernel_stack_slots, 0xff, sizeof(kernel_stack_slots));
    uint64_t top = 7;
    uint64_t only = 7;

    enum error full = kernel_stack_alloc(&top);
    kernel_stack_slots[WORD_COUNT - 1] &= ~BIT(63);
    enum error last = kernel_stack_alloc(&only);
    uint64_t none = 7;
    enum error full_again = kernel_stack_alloc(&none);
    if (last == OK) {
        kernel_stack_free(only);
    }
    if (full_again == OK) {
        kernel_stack_free(none);
    }
    kernel_stack_slots[0] &= ~BIT(0);
    uint64_t first = 0;
    enum error around = kernel_stack_alloc(&first);
    if (around == OK) {
        kernel_stack_free(first);
    }
    kernel_stack_slots[WORD_COUNT - 1] |= BIT(63);
    uint64_t again = 0; // the slot before the one that the search begins with
    enum error all_around = kernel_stack_alloc(&again);
    if (all_around == OK) {
        kernel_stack_free(again);
    }
    memcpy(kernel_stack_slots, saved, sizeof(saved));

    KTEST_EXPECT_EQ(test, full, ENOSPC);
    KTEST_EXPECT_EQ(test, top, 7);
    KTEST_EXPECT_EQ(test, last, OK);
    KTEST_EXPECT_EQ(test, only, STACKS_VMA + STACKS_SIZE);
    KTEST_EXPECT_EQ(test, full_again, ENOSPC);
    KTEST_EXPECT_EQ(test, around, OK);
    KTEST_EXPECT_EQ(test, first, STACKS_VMA + STACK_SLOT_SIZE);
    KTEST_EXPECT_EQ(test, all_around, OK);
    KTEST_EXPECT_EQ(test, again, first);
}

KTEST(kernel_stack, only_a_stack_is_freed)
{
    uint64_t top = stack_alloc(test);
    KTEST_EXPECT_PANIC(test, "there is no kernel stack with its top at *",
                       kernel_stack_free(top - 16));
    KTEST_EXPECT_PANIC(test, "there is no kernel stack with its top at *", kernel_stack_free(0));
    KTEST_EXPECT_PANIC(test, "there is no kernel stack with its top at *",
                       kernel_stack_free(stack_top(BOOT_STACK_NMI)));
    kernel_stack_free(top);
    KTEST_EXPECT_PANIC(test, "there is no kernel stack with its top at *", kernel_stack_free(top));
}
