// SPDX-License-Identifier: MIT
//
// How tests end, against what they declare.
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/idt.h"
#include "arch/x86_64/port.h"
#include "arch/x86_64/stack.h"
#include "arch/x86_64/trap.h"
#include "debug/log.h"
#include "ktest.h"
#include "lib/panic.h"
#include "mm/frame.h"
#include "mm/heap/heap.h"
#include "mm/kernel_stack.h"
#include "selftest/selftest.h"

#define STACK_OVERFLOW                                                                             \
    KTEST_FAULT(DF, .error = 0, .addr = KTEST_ADDR_RANGE(boot_stacks_start, STACK_GUARD_SIZE),     \
                .ist = IST_DOUBLE_FAULT, .symbol = "recurse")

// Without a stack of its own, the double fault can't be delivered either.
KTEST_ATTR(opposite, stack_overflow_without_ist, .outcome = STACK_OVERFLOW);
KTEST(opposite, stack_overflow_without_ist)
{
    idt_current()->gates[VECTOR_DOUBLE_FAULT.number].options &= (uint16_t)~7U;
    KTEST_ARM(test);
    recurse(0);
}

KTEST_ATTR(opposite, stack_overflow_without_recursion, .outcome = STACK_OVERFLOW);
KTEST(opposite, stack_overflow_without_recursion)
{
    KTEST_ARM(test);
    recurse(UINT64_MAX);
}

KTEST_ATTR(opposite, double_fault_on_another_stack,
           .outcome = KTEST_FAULT(DF, .error = 0, .ist = IST_NMI, .symbol = "recurse"));
KTEST(opposite, double_fault_on_another_stack)
{
    KTEST_ARM(test);
    recurse(0);
}

KTEST_ATTR(opposite, panic_that_never_comes, .outcome = KTEST_PANIC("never"));
KTEST(opposite, panic_that_never_comes)
{
    KTEST_ARM(test);
}

KTEST_ATTR(opposite, panic_with_another_text, .outcome = KTEST_PANIC("one thing"));
KTEST(opposite, panic_with_another_text)
{
    KTEST_ARM(test);
    panic("another thing");
}

KTEST_ATTR(opposite, panic_instead_of_fault, .outcome = KTEST_FAULT(UD));
KTEST(opposite, panic_instead_of_fault)
{
    KTEST_ARM(test);
    panic("no fault");
}

KTEST_ATTR(opposite, fault_instead_of_panic, .outcome = KTEST_PANIC("*"));
KTEST(opposite, fault_instead_of_panic)
{
    KTEST_ARM(test);
    __asm__ volatile("ud2");
}

KTEST_ATTR(opposite, fault_with_another_vector, .outcome = KTEST_FAULT(GP, .error = 0));
KTEST(opposite, fault_with_another_vector)
{
    KTEST_ARM(test);
    peek(UNMAPPED);
}

KTEST_ATTR(opposite, fault_with_another_code,
           .outcome = KTEST_FAULT(PF, .error = 2, .addr = KTEST_ADDR(UNMAPPED), .symbol = "peek"));
KTEST(opposite, fault_with_another_code)
{
    KTEST_ARM(test);
    peek(UNMAPPED);
}

[[gnu::noinline]] static void poke(uint64_t address)
{
    *(volatile uint8_t *)address = 1;
}

KTEST_ATTR(opposite, fault_with_more_in_its_code, .outcome = KTEST_FAULT(PF, .error = 0));
KTEST(opposite, fault_with_more_in_its_code)
{
    KTEST_ARM(test);
    poke(UNMAPPED);
}

// Bit 0, a page that is present, is none of the declaration's.
KTEST_ATTR(opposite, fault_with_a_mask, .outcome = KTEST_FAULT(PF, .error = 2, .mask = 2));
KTEST(opposite, fault_with_a_mask)
{
    static const uint8_t constant = 1;
    KTEST_ARM(test);
    poke((uint64_t)&constant);
}

KTEST_ATTR(opposite, fault_at_another_address,
           .outcome = KTEST_FAULT(PF, .addr = KTEST_ADDR(UNMAPPED), .symbol = "peek"));
KTEST(opposite, fault_at_another_address)
{
    KTEST_ARM(test);
    peek(UNMAPPED + 1);
}

KTEST_ATTR(opposite, fault_in_another_function,
           .outcome = KTEST_FAULT(PF, .addr = KTEST_ADDR(UNMAPPED), .symbol = "recurse"));
KTEST(opposite, fault_in_another_function)
{
    KTEST_ARM(test);
    peek(UNMAPPED);
}

KTEST(opposite, panic_that_nobody_declared)
{
    KTEST_EXPECT_TRUE(test, true);
    panic("out of the blue");
}

KTEST(opposite, fault_that_nobody_declared)
{
    KTEST_EXPECT_TRUE(test, true);
    peek(UNMAPPED);
}

KTEST(opposite, expectation_that_fails)
{
    int three = 3;
    KTEST_EXPECT_EQ_MSG(test, three, 4, "of %d", 7);
    KTEST_EXPECT_TRUE(test, true);
}

KTEST(opposite, assertion_that_fails)
{
    KTEST_ASSERT_STREQ(test, "left", "right");
    panic("an assertion must end the test");
}

KTEST_ATTR(opposite, skip_of_a_declared_panic, .outcome = KTEST_PANIC("never"));
KTEST(opposite, skip_of_a_declared_panic)
{
    ktest_skip(test, "no %s", "device");
}

KTEST(opposite, skip_with_a_line_break)
{
    ktest_skip(test, "no\ndevice");
}

KTEST(opposite, skip_with_a_long_reason)
{
    char reason[301] = "";
    for (size_t i = 0; i < sizeof(reason) - 1; i++) {
        reason[i] = 'x';
    }
    ktest_skip(test, "%s", reason);
}

KTEST(opposite, skip_behind_a_failure)
{
    int one = 1;
    KTEST_EXPECT_EQ(test, one, 2);
    ktest_skip(test, "too late");
}

// What a failed check reports, value by value; test_stream.py reads it.
KTEST(opposite, every_kind_of_value)
{
    char longer_than_shown[2001];
    for (size_t i = 0; i < sizeof(longer_than_shown); i++) {
        longer_than_shown[i] = i % 2 != 0 ? '%' : 'x';
    }
    longer_than_shown[sizeof(longer_than_shown) - 1] = 0;
    int five = 5;
    KTEST_EXPECT_TRUE(test, five > 6);
    KTEST_EXPECT_EQ(test, -five, 4096);
    KTEST_EXPECT_LE(test, five, 4);
    KTEST_EXPECT_MEMEQ(test, "abc", "abd", 3);
    KTEST_EXPECT_STREQ(test, "a\tb%~", longer_than_shown);
}

// Alike for longer than is shown.
KTEST(opposite, strings_that_differ_far_behind)
{
    KTEST_EXPECT_STREQ(test,
                       "0123456789012345678901234567890123456789012345678901234567890123456789"
                       "abcdefghijklmnopqrstuvwxyz and so on",
                       "0123456789012345678901234567890123456789012345678901234567890123456789"
                       "abcdefghijklmNopqrstuvwxyz and so on");
}

KTEST(opposite, registers_are_told_apart)
{
    KTEST_EXPECT_TRUE(test, true);
    __asm__ volatile("movl $0xb, %%ebx\n\tmovl $0xc, %%ecx\n\tmovl $0x8, %%r8d\n\t"
                     "movl $0xe, %%r14d\n\tmovl $0xf, %%r15d\n\tud2"
                     :
                     :
                     : "rbx", "rcx", "r8", "r14", "r15");
}

KTEST(opposite, test_that_asserts_nothing)
{
    (void)test;
}

KTEST_ATTR(opposite, hang_with_interrupts_off, .timeout_ms = 500);
KTEST(opposite, hang_with_interrupts_off)
{
    (void)test;
    for (;;) {
        cpu_relax();
    }
}

KTEST(opposite, reset_by_the_keyboard_controller)
{
    (void)test;
    port_write8(0x64, 0xfe);
    cpu_halt_forever();
}

KTEST(opposite, triple_fault)
{
    static const struct idt empty;
    (void)test;
    idt_load(&empty);
    __asm__ volatile("ud2");
}

// Whatever runs behind it, the action here, may count on strings that run forwards.
static void expect_forward_strings(void *test)
{
    uint64_t rflags = cpu_read_rflags();
    KTEST_EXPECT_EQ((struct ktest *)test, rflags & RFLAGS_DF, 0);
}

KTEST(opposite, strings_left_to_run_backwards)
{
    ktest_add_action(test, expect_forward_strings, test);
    __asm__ volatile("std");
}

[[gnu::noinline]] static void take_a_frame(struct ktest *test)
{
    phys_addr_t frame;
    KTEST_EXPECT_EQ(test, frame_alloc(&frame), OK);
}

KTEST(opposite, frame_left_behind)
{
    take_a_frame(test);
}

// The frame is given back for it, so that nothing is left behind.
KTEST(opposite, frame_of_a_dead_test)
{
    take_a_frame(test);
    __asm__ volatile("ud2");
}

[[gnu::noinline]] static char *take_a_block(struct ktest *test)
{
    char *block = kmalloc(24);
    KTEST_EXPECT_NOT_NULL(test, block);
    return block;
}

KTEST(opposite, block_left_behind)
{
    take_a_block(test);
}

KTEST(opposite, block_of_a_dead_test)
{
    take_a_block(test);
    __asm__ volatile("ud2");
}

// Whom else it has hurt nobody knows: the boot ends.
KTEST(opposite, block_written_beyond)
{
    char *volatile block = take_a_block(test);
    block[24] = 1;
}

KTEST(opposite, block_written_after_kfree)
{
    char *volatile block = take_a_block(test);
    kfree(block);
    block[3] = 1;
}

[[gnu::noinline]] static void take_a_stack(struct ktest *test)
{
    uint64_t top;
    KTEST_EXPECT_EQ(test, kernel_stack_alloc(&top), OK);
}

// Nobody could find again what is mapped: the boot ends.
KTEST(opposite, stack_left_behind)
{
    take_a_stack(test);
}

KTEST(opposite, stack_of_a_dead_test)
{
    take_a_stack(test);
    __asm__ volatile("ud2");
}

KTEST_ATTR(opposite, fault_that_was_not_armed, .outcome = KTEST_FAULT(UD));
KTEST(opposite, fault_that_was_not_armed)
{
    (void)test;
    __asm__ volatile("ud2");
}

KTEST_ATTR(opposite, panic_that_was_not_armed, .outcome = KTEST_PANIC("early"));
KTEST(opposite, panic_that_was_not_armed)
{
    (void)test;
    panic("early");
}

KTEST_ATTR(opposite, triple_fault_that_was_not_armed, .outcome = KTEST_TRIPLE_FAULT);
KTEST(opposite, triple_fault_that_was_not_armed)
{
    static const struct idt empty;
    (void)test;
    idt_load(&empty);
    __asm__ volatile("ud2");
}

KTEST_ATTR(opposite, hang_that_was_not_armed, .outcome = KTEST_HANG, .timeout_ms = 50);
KTEST(opposite, hang_that_was_not_armed)
{
    (void)test;
    for (;;) {
        cpu_relax();
    }
}

KTEST_ATTR(opposite, triple_fault_that_never_comes, .outcome = KTEST_TRIPLE_FAULT);
KTEST(opposite, triple_fault_that_never_comes)
{
    KTEST_ARM(test);
}

KTEST_ATTR(opposite, triple_fault_that_is_a_reset, .outcome = KTEST_TRIPLE_FAULT);
KTEST(opposite, triple_fault_that_is_a_reset)
{
    KTEST_ARM(test);
    port_write8(0x64, 0xfe);
    cpu_halt_forever();
}

KTEST_ATTR(opposite, hang_that_never_comes, .outcome = KTEST_HANG, .timeout_ms = 50);
KTEST(opposite, hang_that_never_comes)
{
    KTEST_ARM(test);
}

KTEST_ATTR(opposite, hang_instead_of_panic, .outcome = KTEST_PANIC("never"), .timeout_ms = 50);
KTEST(opposite, hang_instead_of_panic)
{
    KTEST_ARM(test);
    for (;;) {
        cpu_relax();
    }
}

KTEST_ATTR(opposite, known_bug_that_is_gone, .known_bug = "it was once");
KTEST(opposite, known_bug_that_is_gone)
{
    KTEST_EXPECT_TRUE(test, true);
}

KTEST_ATTR(opposite, known_bug_that_asserts_nothing, .known_bug = "it is still there");
KTEST(opposite, known_bug_that_asserts_nothing)
{
    (void)test;
}

// Nothing ends this sleep, though the watchdog's NMIs come all the time.
KTEST_ATTR(opposite, halt_that_only_the_watchdog_ends, .timeout_ms = 150);
KTEST(opposite, halt_that_only_the_watchdog_ends)
{
    __asm__ volatile("cli; hlt");
    KTEST_EXPECT_TRUE(test, true);
}

// The last 8 lines are told, of at most 512 bytes.
KTEST(opposite, many_lines_are_printed)
{
    for (int i = 1; i <= 12; i++) {
        println("line %d%s", i, i == 12 ? " % of 12" : "");
    }
    print("and no more");
    KTEST_EXPECT_TRUE(test, false);
}

KTEST(opposite, one_long_line_is_printed)
{
    for (int i = 0; i < 60; i++) {
        print("0123456789");
    }
    KTEST_EXPECT_TRUE(test, false);
}
