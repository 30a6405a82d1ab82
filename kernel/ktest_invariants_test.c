// SPDX-License-Identifier: MIT
//
// Each invariant is changed and compared, as the runner does it behind a test: it has to be named
// with both values, and to be as it was.
#include "ktest_invariants.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/gdt.h"
#include "arch/x86_64/idt.h"
#include "arch/x86_64/msr.h"
#include "arch/x86_64/stack.h"
#include "arch/x86_64/trap.h"
#include "drivers/pic_8259.h"
#include "ktest.h"
#include "lib/bits.h"
#include "lib/format.h"
#include "lib/kasan.h"
#include "lib/panic.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "mm/heap/heap.h"
#include "mm/kasan_map.h"
#include "mm/kernel_stack.h"
#include "sync/spinlock.h"
#include "time/timer.h"

TESTS_BYPASS_GUARDS

static char difference[KTEST_TEXT_MAX];

static const struct ktest_invariant *find(const char *name)
{
    const struct ktest_invariant *const *each = kernel_invariants;
    while (*each != NULL && strcmp((*each)->name, name) != 0) {
        each++;
    }
    return *each;
}

// What the invariant says of the state since the test began, in `difference`.
static enum ktest_invariant_state check(const char *name)
{
    const struct ktest_invariant *invariant = find(name);
    difference[0] = 0;
    return invariant != NULL ? invariant->check(difference, sizeof(difference)) : KTEST_INTACT;
}

// The test begins here.
static void save(const char *name)
{
    find(name)->save();
}

// --- Registers ----------------------------------------------------------------------------------

#define SEGMENT(name_)                                                                             \
    static uint64_t read_##name_(void)                                                             \
    {                                                                                              \
        uint16_t value;                                                                            \
        __asm__ volatile("mov %%" #name_ ", %0" : "=r"(value));                                    \
        return value;                                                                              \
    }                                                                                              \
    static void change_##name_(void)                                                               \
    {                                                                                              \
        uint64_t other = SELECTOR_KERNEL_DATA.value - read_##name_();                              \
        __asm__ volatile("movl %k0, %%" #name_ : : "r"(other));                                    \
    }

SEGMENT(ss)
SEGMENT(ds)
SEGMENT(es)
SEGMENT(fs)
SEGMENT(gs)

static uint64_t read_rflags(void)
{
    return cpu_read_rflags() & (BIT(8) | RFLAGS_IF | RFLAGS_DF | GENMASK(14, 12) | RFLAGS_AC);
}

#define RFLAGS_CHANGE(name_, bits_)                                                                \
    static void change_##name_(void)                                                               \
    {                                                                                              \
        cpu_write_rflags(cpu_read_rflags() ^ (bits_));                                             \
    }

RFLAGS_CHANGE(tf, BIT(8))
RFLAGS_CHANGE(if, RFLAGS_IF)
RFLAGS_CHANGE(df, RFLAGS_DF)
RFLAGS_CHANGE(iopl, BIT(12))
RFLAGS_CHANGE(nt, BIT(14))
RFLAGS_CHANGE(ac, RFLAGS_AC)

#define MSR(name_, msr_, bits_)                                                                    \
    static uint64_t read_##name_(void)                                                             \
    {                                                                                              \
        return msr_read(msr_);                                                                     \
    }                                                                                              \
    static void change_##name_(void)                                                               \
    {                                                                                              \
        msr_write(msr_, msr_read(msr_) ^ (bits_));                                                 \
    }

MSR(efer, MSR_EFER, BIT(0)) // SCE: syscall exists
MSR(fs_base, MSR_FS_BASE, 0x123000)
MSR(gs_base, MSR_GS_BASE, 0x123000)

static void change_cr0(void)
{
    cpu_write_cr0(cpu_read_cr0() ^ CR0_WP);
}

static void change_cr3(void)
{
    cpu_write_cr3(cpu_read_cr3() ^ BIT(3)); // PWT: how the table itself is cached
}

static void change_cr4(void)
{
    cpu_write_cr4(cpu_read_cr4() ^ BIT(2)); // TSD: rdtsc is the kernel's alone
}

static void change_dr7(void)
{
    cpu_write_dr7(cpu_read_dr7() ^ BIT(9)); // GE: without effect
}

struct watched {
    const char *name;
    uint64_t (*read)(void);
    void (*change)(void);
};

static const struct watched watched[] = {
    {"RFLAGS", read_rflags, change_tf},
    {"RFLAGS", read_rflags, change_if},
    {"RFLAGS", read_rflags, change_df},
    {"RFLAGS", read_rflags, change_iopl},
    {"RFLAGS", read_rflags, change_nt},
    {"RFLAGS", read_rflags, change_ac},
    {"CR0", cpu_read_cr0, change_cr0},
    {"CR3", cpu_read_cr3, change_cr3},
    {"CR4", cpu_read_cr4, change_cr4},
    {"EFER", read_efer, change_efer},
    {"DR7", cpu_read_dr7, change_dr7},
    {"SS", read_ss, change_ss},
    {"DS", read_ds, change_ds},
    {"ES", read_es, change_es},
    {"FS", read_fs, change_fs},
    {"GS", read_gs, change_gs},
    {"FS base", read_fs_base, change_fs_base},
    {"GS base", read_gs_base, change_gs_base},
};

static void describe(const struct watched *param, char *text, size_t size_bytes)
{
    format_buffer(text, size_bytes, "%s", param->name);
}

static void ignore(struct trap_frame *frame)
{
    (void)frame;
}

static void remove_handler(void *context)
{
    (void)context;
    trap_set_handler(VECTOR_DEBUG, NULL);
}

KTEST_PARAM(invariants, register_is_compared_and_put_back, watched, describe)
{
    char expected[64];
    ktest_add_action(test, remove_handler, NULL);
    trap_set_handler(VECTOR_DEBUG, ignore); // for TF: from here on each instruction traps
    uint64_t before = param->read();

    param->change();
    enum ktest_invariant_state state = check("registers");
    uint64_t after = param->read();

    format_buffer(expected, sizeof(expected), "%s is ", param->name);
    KTEST_EXPECT_EQ_MSG(test, state, KTEST_RESTORED, "%s", difference);
    KTEST_EXPECT_EQ(test, memcmp(difference, expected, strlen(expected)), 0);
    KTEST_EXPECT_EQ(test, after, before);
}

KTEST(invariants, every_register_that_changed_is_named)
{
    uint64_t base = msr_read(MSR_FS_BASE);
    uint64_t dr7 = cpu_read_dr7();
    char expected[KTEST_TEXT_MAX];
    change_dr7();
    change_fs_base();
    KTEST_EXPECT_EQ(test, check("registers"), KTEST_RESTORED);
    format_buffer(expected, sizeof(expected), "DR7 is %#lx, was %#lx, FS base is %#lx, was %#lx",
                  dr7 ^ BIT(9), dr7, base ^ 0x123000, base);
    KTEST_EXPECT_STREQ(test, difference, expected);
}

// The descriptor of the TSS a second time, in a table of the test's own.
static struct {
    uint64_t entries[GDT_CAPACITY + 2];
} larger;

static void load_task(uint16_t selector)
{
    __asm__ volatile("ltr %0" : : "r"(selector));
}

// TR can't be put back: its descriptor is busy, and loading that faults.
KTEST(invariants, task_register_can_not_be_put_back)
{
    struct table_pointer before = gdt_loaded();
    size_t task = SELECTOR_TSS.value / 8U;
    memcpy(larger.entries, gdt_current()->entries, sizeof(gdt_current()->entries));
    larger.entries[GDT_CAPACITY] = larger.entries[task] & ~BIT(41); // not busy
    larger.entries[GDT_CAPACITY + 1] = larger.entries[task + 1];
    gdt_load((struct table_pointer){sizeof(larger) - 1, (uint64_t)&larger});
    load_task(GDT_CAPACITY * 8);
    change_dr7();
    change_fs_base(); // one before TR, and one behind it

    enum ktest_invariant_state state = check("registers");

    larger.entries[task] &= ~BIT(41);
    load_task(SELECTOR_TSS.value);
    gdt_load(before);
    KTEST_EXPECT_EQ(test, state, KTEST_DAMAGED);
    KTEST_EXPECT_EQ(test, check("registers"), KTEST_INTACT); // nor is anything else changed
}

// As if a fixture had changed it.
KTEST(invariants, values_are_those_of_the_beginning_of_each_test)
{
    uint64_t before = cpu_read_dr7();
    change_dr7();
    save("registers");
    enum ktest_invariant_state state = check("registers");
    cpu_write_dr7(before);
    save("registers");
    KTEST_EXPECT_EQ(test, state, KTEST_INTACT);
    KTEST_EXPECT_EQ(test, check("registers"), KTEST_INTACT);
}

// --- Tables -------------------------------------------------------------------------------------

KTEST(invariants, changed_elements_are_counted_from_0)
{
    idt_current()->gates[6].options = 0;
    idt_current()->gates[255].options = 0;
    KTEST_EXPECT_EQ(test, check("IDT"), KTEST_RESTORED);
    KTEST_EXPECT_STREQ(test, difference, "gate 6, gate 255 changed");
    gdt_tss()->ist[6] = 0x1000; // at 0x54
    KTEST_EXPECT_EQ(test, check("TSS"), KTEST_RESTORED);
    KTEST_EXPECT_STREQ(test, difference, "32-bit word 21 changed");
    gdt_current()->entries[5] ^= 1;
    KTEST_EXPECT_EQ(test, check("GDT"), KTEST_RESTORED);
    KTEST_EXPECT_STREQ(test, difference, "descriptor 5 changed");
    trap_set_handler(VECTOR_OVERFLOW, ignore);
    KTEST_EXPECT_EQ(test, check("trap handlers"), KTEST_RESTORED);
    KTEST_EXPECT_STREQ(test, difference, "handler 4 changed");
    KTEST_EXPECT_NULL(test, (void *)trap_handlers()->plain[VECTOR_OVERFLOW.number]);
}

KTEST(invariants, another_table_is_noticed)
{
    static struct idt idt;
    struct table_pointer before = gdt_loaded();
    memcpy(larger.entries, gdt_current()->entries, sizeof(gdt_current()->entries));
    gdt_load((struct table_pointer){before.limit, (uint64_t)&larger});
    KTEST_EXPECT_EQ(test, check("GDT"), KTEST_RESTORED);
    KTEST_EXPECT_EQ(test, gdt_loaded().base, before.base);
    gdt_load((struct table_pointer){(uint16_t)(before.limit - 8), before.base});
    KTEST_EXPECT_EQ(test, check("GDT"), KTEST_RESTORED);
    KTEST_EXPECT_EQ(test, gdt_loaded().limit, before.limit);

    idt = *idt_current();
    idt_load(&idt);
    KTEST_EXPECT_EQ(test, check("IDT"), KTEST_RESTORED);
    KTEST_EXPECT_PTR_EQ(test, idt_loaded(), idt_current());
}

// What counts is what was loaded when the test began: here, if a fixture had done it.
KTEST(invariants, table_of_a_fixture_is_none_of_the_tests)
{
    static struct idt idt;
    idt = *idt_current();
    idt_load(&idt);
    save("IDT");
    enum ktest_invariant_state state = check("IDT");
    idt_load(idt_current());
    enum ktest_invariant_state state_after = check("IDT");
    idt_load(idt_current());
    save("IDT");
    KTEST_EXPECT_EQ(test, state, KTEST_INTACT);
    KTEST_EXPECT_EQ(test, state_after, KTEST_RESTORED);
}

// --- Interrupt lines and locks ------------------------------------------------------------------

KTEST(invariants, lines_of_both_controllers_are_compared)
{
    pic_write_masks(0xff7f);
    KTEST_EXPECT_EQ(test, check("interrupt lines"), KTEST_RESTORED);
    KTEST_EXPECT_STREQ(test, difference, "masks are 0xff7f, were 0xffff");
    pic_write_masks(0x7fff);
    KTEST_EXPECT_EQ(test, check("interrupt lines"), KTEST_RESTORED);
    KTEST_EXPECT_EQ(test, pic_read_masks(), 0xffff);
}

static void do_nothing(struct timer *timer)
{
    (void)timer;
}

KTEST(invariants, queued_timer_is_noticed_and_forgotten)
{
    struct timer timer = {.function = do_nothing};
    timer_add(&timer, UINT64_MAX);
    KTEST_EXPECT_EQ(test, check("timers"), KTEST_RESTORED);
    KTEST_EXPECT_STREQ(test, difference, "1 queued, were 0");
    KTEST_EXPECT_EQ(test, check("timers"), KTEST_INTACT);
    KTEST_EXPECT_EQ(test, check("interrupt lines"), KTEST_INTACT);

    timer = (struct timer){.function = do_nothing};
    timer_add(&timer, UINT64_MAX);
    save("timers");
    KTEST_EXPECT_TRUE(test, timer_cancel(&timer));
    KTEST_EXPECT_EQ(test, check("timers"), KTEST_DAMAGED); // the kernel's own is missing
    save("timers");
}

KTEST_ATTR(invariants, locks_are_released_and_named, .proves = "3.17");
KTEST(invariants, locks_are_released_and_named)
{
    static struct spinlock lock = SPINLOCK("left", LOCK_RANK_TEST);
    (void)spinlock_lock(&lock);
    KTEST_EXPECT_EQ(test, check("locks"), KTEST_RESTORED);
    char expected[sizeof(difference)];
    format_buffer(expected, sizeof(expected), "1 held, were 0: left, taken in %s at %#lx",
                  "ktest_run_invariants__locks_are_released_and_named", lock.taken_at);
    KTEST_EXPECT_STREQ(test, difference, expected);
    KTEST_EXPECT_EQ(test, spinlock_held_count(), 0);
}

// Nobody can say what the lock's data are like by now.
KTEST(invariants, lock_that_is_gone_can_not_be_put_back)
{
    static struct spinlock lock = SPINLOCK("gone", LOCK_RANK_TEST);
    irq_state_t state = spinlock_lock(&lock);
    save("locks");
    spinlock_unlock(&lock, state);
    enum ktest_invariant_state after = check("locks");
    save("locks");
    KTEST_EXPECT_EQ(test, after, KTEST_DAMAGED);
    KTEST_EXPECT_STREQ(test, difference, "0 held, were 1:");
}

// --- The heap -----------------------------------------------------------------------------------

[[gnu::noinline]] static char *leak_block(struct ktest *test)
{
    char *block = kmalloc(24);
    KTEST_ASSERT_NOT_NULL(test, block);
    return block;
}

KTEST(invariants, leaked_blocks_are_named_and_taken_back)
{
    char expected[sizeof(difference)];
    uint64_t mark = heap_mark();
    uint64_t cursor = 0;
    struct heap_owner owner;
    if (mark == 0) { // blocks are not watched
        KTEST_EXPECT_EQ(test, check("heap"), KTEST_INTACT);
        return;
    }
    char *first = leak_block(test);
    for (int i = 0; i < 2; i++) {
        KTEST_EXPECT_NOT_NULL(test, leak_block(test));
    }
    enum ktest_invariant_state state = check("heap");
    KTEST_EXPECT_EQ(test, state, KTEST_RESTORED);
    format_buffer(expected, sizeof(expected),
                  "3 times a block of 24 bytes at %#lx, taken in leak_block at 0x",
                  (uint64_t)first);
    KTEST_EXPECT_EQ(test, strncmp(difference, expected, strlen(expected)), 0);
    KTEST_EXPECT_FALSE(test, heap_next(mark, &cursor, &owner));
    KTEST_EXPECT_EQ(test, check("heap"), KTEST_INTACT);
}

NO_KASAN static void change(char *volatile byte)
{
    *byte ^= 1;
}

KTEST(invariants, overwritten_block_can_not_be_put_back)
{
    if (heap_mark() == 0) {
        KTEST_EXPECT_EQ(test, check("heap"), KTEST_INTACT);
        return;
    }
    char *block = leak_block(test);
    change(block + 24);
    enum ktest_invariant_state state = check("heap");
    change(block + 24);
    kfree(block);
    KTEST_EXPECT_EQ(test, state, KTEST_DAMAGED);
    KTEST_EXPECT_EQ(test, strncmp(difference, "something was written behind a block", 36), 0);
}

// --- Frames -------------------------------------------------------------------------------------

static uint64_t free_frames(void)
{
    struct frame_statistics statistics;
    frame_statistics_read(&statistics);
    return statistics.free_count;
}

[[gnu::noinline]] static phys_addr_t leak(struct ktest *test, unsigned order)
{
    phys_addr_t frame = {0};
    KTEST_ASSERT_EQ(test, frame_alloc_run(order, FRAME_ZONE_REST, &frame), OK);
    return frame;
}

KTEST_ATTR(invariants, leaked_frames_are_named_and_taken_back, .proves = "9.4.3");
KTEST(invariants, leaked_frames_are_named_and_taken_back)
{
    uint64_t free_before = free_frames();
    uint32_t mark = frame_mark();
    phys_addr_t frame = leak(test, 3);
    uint32_t cursor = 0;
    struct frame_owner owner = {};
    KTEST_ASSERT_TRUE(test, frame_next(mark, &cursor, &owner));
    KTEST_EXPECT_EQ(test, check("frames"), KTEST_RESTORED);
    char expected[sizeof(difference)];
    format_buffer(expected, sizeof(expected), "frame %#lx (order 3), taken in leak at %#lx",
                  frame.value, owner.site);
    KTEST_EXPECT_STREQ(test, difference, expected);
    KTEST_EXPECT_EQ(test, free_frames(), free_before);
    KTEST_EXPECT_EQ(test, check("frames"), KTEST_INTACT);
}

#define PAGES_PER_STACK (STACK_SIZE / PAGE_SIZE + KASAN_PAGE_COUNT(STACK_SIZE))

[[gnu::noinline]] static uint64_t leak_stack(struct ktest *test)
{
    uint64_t top = 0;
    KTEST_ASSERT_EQ(test, kernel_stack_alloc(&top), OK);
    return top;
}

KTEST(invariants, leaked_mappings_are_named_and_not_taken_back)
{
    uint64_t top = leak_stack(test);
    uint64_t free_before = free_frames();
    enum ktest_invariant_state state = check("frames");
    KTEST_EXPECT_EQ(test, free_frames(), free_before);
    kernel_stack_free(top);

    KTEST_EXPECT_EQ(test, state, KTEST_DAMAGED);
    char start[64];
    format_buffer(start, sizeof(start), "%lu pages more mapped: %lu times frame 0x",
                  PAGES_PER_STACK, PAGES_PER_STACK);
    const char *end = " (order 0), taken in leak_stack at 0x";
    size_t length = strlen(start);
    KTEST_EXPECT_EQ_MSG(test, strncmp(difference, start, length), 0, "%s", difference);
    while (difference[length] != ' ' && difference[length] != 0) {
        length++;
    }
    KTEST_EXPECT_EQ_MSG(test, strncmp(difference + length, end, strlen(end)), 0, "%s", difference);
    KTEST_EXPECT_EQ(test, check("frames"), KTEST_INTACT);
}

KTEST(invariants, mappings_of_others_are_missed)
{
    uint64_t top = leak_stack(test);
    save("frames");
    kernel_stack_free(top);
    enum ktest_invariant_state state = check("frames");
    save("frames");
    KTEST_EXPECT_EQ(test, state, KTEST_DAMAGED);
    char start[64];
    size_t length =
        format_buffer(start, sizeof(start), "%lu pages fewer mapped: ", PAGES_PER_STACK);
    KTEST_EXPECT_EQ_MSG(test, strncmp(difference, start, length), 0, "%s", difference);
}

[[gnu::noinline]] static phys_addr_t leak_elsewhere(struct ktest *test)
{
    phys_addr_t frame = {0};
    KTEST_ASSERT_EQ(test, frame_alloc(&frame), OK);
    return frame;
}

// By the place in the code that took them, the one that took most first.
KTEST(invariants, many_frames_of_one_site_are_counted)
{
    uint32_t mark = frame_mark();
    uint32_t cursor = 0;
    struct frame_owner owners[4] = {};
    (void)leak_elsewhere(test);
    for (unsigned i = 0; i < 3; i++) {
        (void)leak(test, 1);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(owners); i++) {
        KTEST_ASSERT_TRUE(test, frame_next(mark, &cursor, &owners[i]));
    }
    const struct frame_owner *most = &owners[owners[0].order == 0 ? 1 : 0];
    const struct frame_owner *one = owners;
    while (one < owners + ARRAY_SIZE(owners) - 1 && one->order != 0) {
        one++;
    }
    KTEST_ASSERT_EQ(test, one->order, 0);

    enum ktest_invariant_state state = check("frames");

    char expected[sizeof(difference)];
    format_buffer(expected, sizeof(expected),
                  "3 times frame %#lx (order 1), taken in leak at %#lx, frame %#lx (order 0), "
                  "taken in leak_elsewhere at %#lx",
                  most->frame.value, most->site, one->frame.value, one->site);
    KTEST_EXPECT_EQ(test, state, KTEST_RESTORED);
    KTEST_EXPECT_STREQ(test, difference, expected);
}

static void save_frames_again(void *unused)
{
    (void)unused;
    save("frames");
}

// Somebody else may use them still.
KTEST(invariants, frames_of_others_can_not_be_put_back)
{
    phys_addr_t frame = leak(test, 1);
    ktest_add_action(test, save_frames_again, NULL);
    save("frames");
    frame_free_run(frame, 1);
    (void)leak(test, 0);
    enum ktest_invariant_state state = check("frames");
    save("frames");
    KTEST_EXPECT_EQ(test, state, KTEST_DAMAGED);
    const char *end = ", 2 frames were freed that the test had not taken";
    KTEST_EXPECT_STREQ(test, difference + strlen(difference) - strlen(end), end);
}

static void leak_and_die(struct ktest *test)
{
    (void)leak(test, 2);
    panic("on purpose");
}

KTEST(ktest_port, frames_of_abandoned_code_are_taken_back)
{
    phys_addr_t kept = leak(test, 0);
    uint64_t free_before = free_frames();
    KTEST_EXPECT_PANIC(test, "on purpose", leak_and_die(test));
    KTEST_EXPECT_EQ(test, free_frames(), free_before);
    frame_free(kept);
    KTEST_EXPECT_EQ(test, free_frames(), free_before + 1);
}

// What it has mapped nobody can find any more, so the boot has to end.
KTEST(ktest_port, mappings_of_abandoned_code_are_distrusted)
{
    struct ktest_mark mark;
    struct ktest_recovery recovery = {.released = ""};
    ktest_port_mark(&mark);
    uint64_t top = leak_stack(test);
    uint64_t free_before = free_frames();

    ktest_port_recover(&mark, &recovery);

    KTEST_EXPECT_EQ(test, free_frames(), free_before);
    KTEST_EXPECT_STREQ(test, recovery.distrust, "pages that a dead test has mapped are left");
    kernel_stack_free(top);
    struct ktest_recovery clean = {.released = ""};
    ktest_port_recover(&mark, &clean);
    KTEST_EXPECT_NULL(test, clean.distrust);
}
