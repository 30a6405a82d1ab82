// SPDX-License-Identifier: MIT
//
// Changes reach the TLB of this CPU, and the other CPUs hear of them.
#include "mm/tlb.h"

#include "arch/x86_64/cpu.h"
#include "ktest.h"
#include "mm/kernel_space_fixture.h"
#include "sync/spinlock.h"

#define MANY (TLB_FLUSH_PAGES_MAX + 1)

static _Alignas(PAGE_SIZE) uint8_t mapped[PAGE_SIZE];

struct count_case {
    uint64_t page_count;
};

static const struct count_case counts[] = {{1}, {2}, {TLB_FLUSH_PAGES_MAX}, {MANY}};

// One by one, and all at once: no page of a range is forgotten.
KTEST_ATTR(kernel_space, every_page_of_a_range_is_flushed, .proves = "8.11");
KTEST_PARAM(kernel_space, every_page_of_a_range_is_flushed, counts, NULL)
{
    virt_addr_t start = {PAGE};
    uint64_t size_bytes = param->page_count * PAGE_SIZE;
    KTEST_ASSERT_EQ(
        test,
        tlb_flush_now(page_map_range(&kernel_space, start, test_frame(0), size_bytes, RIGHTS)), OK);
    for (uint64_t i = 0; i < param->page_count; i++) {
        peek(PAGE + i * PAGE_SIZE);
    }
    KTEST_ASSERT_EQ(test, tlb_flush_now(page_unmap_range(&kernel_space, start, size_bytes)), OK);
    for (uint64_t i = 0; i < param->page_count; i++) {
        KTEST_EXPECT_FAULT(test, PF, 0, peek(PAGE + i * PAGE_SIZE));
    }
}

// In the upper half, and so in all address spaces; this CPU's global entries go, too.
KTEST(kernel_space, global_pages_are_flushed)
{
    const uint64_t upper = 0xffffffffc0000000; // behind the kernel, in a table that is there
    for (uint64_t count = 1; count <= MANY; count += MANY - 1) {
        KTEST_ASSERT_EQ(
            test,
            tlb_flush_now(page_map_range(&kernel_space, (virt_addr_t){upper}, test_frame(0),
                                         count * PAGE_SIZE, RIGHTS | PTE_GLOBAL)),
            OK);
        peek(upper);
        KTEST_ASSERT_EQ(
            test,
            tlb_flush_now(page_unmap_range(&kernel_space, (virt_addr_t){upper}, count * PAGE_SIZE)),
            OK);
        KTEST_EXPECT_FAULT(test, PF, 0, peek(upper));
    }
    KTEST_EXPECT_EQ(test, (cpu_read_cr4() & CR4_PGE) != 0, (cpuid(1, 0).edx >> 13 & 1) != 0);
}

static struct {
    unsigned count;
    const struct address_space *space;
    uint64_t start;
    uint64_t page_count;
    unsigned frames_used;
} shot;

static void note_shot(const struct address_space *space, virt_addr_t start, uint64_t page_count)
{
    shot.count++;
    shot.space = space;
    shot.start = start.value;
    shot.page_count = page_count;
    shot.frames_used = test_frames_used_count();
}

static void forget_shootdown(void *unused)
{
    (void)unused;
    tlb_shootdown = NULL;
}

// The other CPUs hear of each change before its tables are anybody else's.
KTEST(kernel_space, other_cpus_are_told_of_single_pages)
{
    KTEST_ASSERT_EQ(test, map(PAGE, mapped, RIGHTS), OK);
    KTEST_ASSERT_EQ(test, map(PAGE + PAGE_SIZE, mapped, RIGHTS), OK);
    tlb_shootdown = note_shot;
    ktest_add_action(test, forget_shootdown, NULL);
    shot.count = 0;

    KTEST_ASSERT_EQ(test, unmap(PAGE), OK);

    KTEST_EXPECT_EQ(test, shot.count, 1);
    KTEST_EXPECT_EQ(test, shot.start, PAGE);
    KTEST_EXPECT_EQ(test, shot.page_count, 1);
}

KTEST(kernel_space, other_cpus_are_told_before_tables_are_freed)
{
    tlb_shootdown = note_shot;
    ktest_add_action(test, forget_shootdown, NULL);
    KTEST_ASSERT_EQ(test, map(PAGE, mapped, RIGHTS), OK);
    shot.count = 0;

    KTEST_ASSERT_EQ(test, unmap(PAGE), OK);

    KTEST_EXPECT_EQ(test, shot.count, 1);
    KTEST_EXPECT_PTR_EQ(test, shot.space, &kernel_space);
    KTEST_EXPECT_EQ(test, shot.start, PAGE);
    KTEST_EXPECT_EQ(test, shot.page_count, 1);
    KTEST_EXPECT_EQ(test, shot.frames_used, 3);
    KTEST_EXPECT_EQ(test, test_frames_used_count(), 0);
    KTEST_EXPECT_EQ(test, unmap(PAGE), ENOENT); // nothing has changed: nobody is told
    KTEST_EXPECT_EQ(test, shot.count, 1);
}

static const char *lock_held_in_shootdown;

static void note_lock(const struct address_space *space, virt_addr_t start, uint64_t page_count)
{
    (void)space, (void)start, (void)page_count;
    const struct spinlock *lock = spinlock_held(0);
    lock_held_in_shootdown = lock != NULL ? lock->name : "none";
}

KTEST(kernel_space, calls_hold_its_lock)
{
    tlb_shootdown = note_lock;
    ktest_add_action(test, forget_shootdown, NULL);
    lock_held_in_shootdown = "no call";
    KTEST_EXPECT_EQ(test, kernel_map((virt_addr_t){SPARE}, test_frame(0), PAGE_SIZE, RIGHTS), OK);
    KTEST_EXPECT_STREQ(test, lock_held_in_shootdown, "kernel address space");
    lock_held_in_shootdown = "no call";
    KTEST_EXPECT_EQ(test, kernel_unmap((virt_addr_t){SPARE}, PAGE_SIZE), OK);
    KTEST_EXPECT_STREQ(test, lock_held_in_shootdown, "kernel address space");
}
