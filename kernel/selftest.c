// SPDX-License-Identifier: MIT
//
// Tests that must fail: each breaks one promise that a good test elsewhere relies on, and is named
// after what has to be said of it. They are linked into a kernel of their own, which only
// host_tests/test_opposites.py runs.
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/idt.h"
#include "arch/x86_64/port.h"
#include "arch/x86_64/stack.h"
#include "arch/x86_64/trap.h"
#include "debug/log.h"
#include "drivers/nmi_timer.h"
#include "drivers/uart_16550.h"
#include "ktest.h"
#include "lib/panic.h"
#include "port.h"
#include "registry.h"
#include "runner.h"
#include "stream.h"
#include "sync/spinlock.h"

#define UNMAPPED 0xffffffffc0000000

[[gnu::noinline]] static uint8_t peek(uint64_t address)
{
    return *(volatile uint8_t *)address;
}

[[gnu::noinline]] static uint64_t recurse(uint64_t depth)
{
    volatile uint64_t local = depth;
    if (depth == UINT64_MAX) {
        return 0;
    }
    return recurse(depth + 1) + local;
}

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
    char reason[151] = "";
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

KTEST(opposite, registers_are_told_apart)
{
    KTEST_EXPECT_TRUE(test, true);
    __asm__ volatile("movl $0xb, %%ebx\n\tmovl $0xc, %%ecx\n\tmovl $0x8, %%r8d\n\t"
                     "movl $0xe, %%r14d\n\tmovl $0xf, %%r15d\n\tud2"
                     :
                     :
                     : "rbx", "rcx", "r8", "r14", "r15");
}

static void fault(struct ktest *test)
{
    (void)test;
    __asm__ volatile("ud2");
}

KTEST_SUITE(opposite_exit, .exit = fault);

KTEST_ATTR(opposite_exit, fault_in_exit_is_not_the_declared_one, .outcome = KTEST_FAULT(UD));
KTEST(opposite_exit, fault_in_exit_is_not_the_declared_one)
{
    KTEST_ARM(test);
    fault(test);
}

static void fail_an_assertion(struct ktest *test)
{
    KTEST_ASSERT_TRUE(test, false);
}

KTEST_SUITE(opposite_failed_init, .init = fail_an_assertion);

KTEST(opposite_failed_init, body_behind_an_init_that_fails)
{
    (void)test;
    panic("it must not run");
}

KTEST_SUITE(opposite_init, .suite_init = fail_an_assertion);

KTEST(opposite_init, a_suite_init_that_fails)
{
    KTEST_EXPECT_TRUE(test, true);
}

KTEST(opposite_init, b_runs_no_test_behind_it)
{
    KTEST_EXPECT_TRUE(test, true);
}

KTEST_SUITE(opposite_dead_init, .suite_init = fault);

KTEST(opposite_dead_init, a_suite_init_that_faults)
{
    KTEST_EXPECT_TRUE(test, true);
}

KTEST(opposite_dead_init, b_does_not_run_either)
{
    KTEST_EXPECT_TRUE(test, true);
}

KTEST_SUITE(opposite_suite_exit, .suite_exit = fault);

KTEST(opposite_suite_exit, suite_exit_that_faults)
{
    KTEST_EXPECT_TRUE(test, true);
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

// --- Declarations that do not hold -------------------------------------------------------------

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

// --- Statements that do not end as they should -------------------------------------------------

KTEST(opposite, attempt_with_another_vector)
{
    KTEST_EXPECT_FAULT(test, GP, 0, __asm__ volatile("ud2"));
    KTEST_EXPECT_TRUE(test, true);
}

KTEST(opposite, attempt_with_another_code)
{
    KTEST_EXPECT_FAULT(test, PF, 2, peek(UNMAPPED));
}

KTEST(opposite, attempt_where_nothing_happens)
{
    KTEST_EXPECT_FAULT(test, PF, 0, cpu_relax());
}

KTEST(opposite, attempt_with_another_panic)
{
    KTEST_EXPECT_PANIC(test, "one thing", panic("another thing"));
}

KTEST(opposite, attempt_with_a_panic_for_a_fault)
{
    KTEST_EXPECT_FAULT(test, UD, 0, panic("no fault"));
}

KTEST(opposite, attempt_that_is_asserted)
{
    KTEST_ASSERT_FAULT(test, UD, 0, cpu_relax());
    panic("an assertion must end the test");
}

KTEST(opposite, fault_behind_an_attempt)
{
    KTEST_EXPECT_FAULT(test, UD, 0, __asm__ volatile("ud2"));
    __asm__ volatile("ud2");
}

// More of everything than is written: test_stream.py counts the lines.
KTEST(opposite, more_failures_and_notes_than_are_written)
{
    for (int i = 0; i < 25; i++) {
        KTEST_EXPECT_EQ(test, i, -1);
        ktest_note(test, "note %d", i);
    }
}

static void fail_to_panic(struct ktest *test)
{
    KTEST_EXPECT_PANIC(test, "one thing", panic("another thing"));
}

static void fail_to_fault(struct ktest *test)
{
    KTEST_EXPECT_FAULT(test, PF, 2, peek(UNMAPPED));
}

static void fail_to_be_equal(struct ktest *test)
{
    int one = 1;
    KTEST_EXPECT_EQ(test, one, 2);
}

// Lines that belong together came before; the watchdog still has its turn.
static void (*const failures[])(struct ktest *) = {fail_to_panic, fail_to_fault, fail_to_be_equal};

KTEST_ATTR(opposite_hang, hang_behind_a_failure, .timeout_ms = 50);
KTEST_PARAM(opposite_hang, hang_behind_a_failure, failures, NULL)
{
    (*param)(test);
    for (;;) {
        cpu_relax();
    }
}

static void panic_in_exit(struct ktest *test)
{
    (void)test;
    panic("in exit");
}

KTEST_SUITE(opposite_panic, .exit = panic_in_exit);

KTEST(opposite_panic, panic_of_exit_behind_a_fault)
{
    KTEST_EXPECT_TRUE(test, true);
    peek(UNMAPPED);
}

// The suite's fixtures run around those of its tests that the machine has everything for.
static unsigned suite_inits;

static void count_suite_init(struct ktest *test)
{
    (void)test;
    suite_inits++;
}

static void fail_in_suite_exit(struct ktest *test)
{
    KTEST_FAIL(test, "suite_exit, behind %u suite_init", suite_inits);
}

KTEST_SUITE(opposite_middle, .suite_init = count_suite_init, .suite_exit = fail_in_suite_exit);

static const struct ktest_quirk nowhere = {.accel = KTEST_ACCEL_TCG, .skip = "not here"};

KTEST_ATTR(opposite_middle, a_skipped, .quirk_count = 1, .quirks = &nowhere);
KTEST(opposite_middle, a_skipped)
{
    KTEST_EXPECT_TRUE(test, true);
}

KTEST(opposite_middle, b_runs_between_both)
{
    KTEST_EXPECT_TRUE(test, true);
}

KTEST_ATTR(opposite_middle, c_skipped, .quirk_count = 1, .quirks = &nowhere);
KTEST(opposite_middle, c_skipped)
{
    KTEST_EXPECT_TRUE(test, true);
}

KTEST(opposite, line_longer_than_the_longest)
{
    KTEST_EXPECT_TRUE(test, true);
    stream_begin("    # ");
    for (int i = 0; i < 2000; i++) {
        stream_text("x");
    }
    stream_end();
}

// Vector 0 and error code 0 are also what an expected panic has in these fields.
KTEST(opposite, attempt_with_a_fault_for_a_panic)
{
    KTEST_EXPECT_PANIC(test, "*",
                       __asm__ volatile("xorl %%ecx, %%ecx\n\tdivl %%ecx"
                                        :
                                        :
                                        : "eax", "ecx", "edx"));
}

static void hang_in_writer(void *context, const char *bytes, size_t size_bytes)
{
    (void)context;
    (void)bytes;
    (void)size_bytes;
    for (;;) {
        cpu_relax();
    }
}

static const struct writer hanging = {.write = hang_in_writer, .context = NULL};

static void remove_hanging(void *context)
{
    (void)context;
    log_remove_console(&hanging);
}

// The watchdog ends the panic, but what has killed the test is the fault.
KTEST_ATTR(opposite, fault_whose_panic_hangs, .timeout_ms = 50);
KTEST(opposite, fault_whose_panic_hangs)
{
    KTEST_EXPECT_TRUE(test, true);
    ktest_add_action(test, remove_hanging, NULL);
    log_add_console(&hanging);
    peek(UNMAPPED);
}

static uint64_t now;

static uint64_t stopped_clock(void)
{
    return now;
}

static void take_time(void *context, const char *bytes, size_t size_bytes)
{
    (void)context;
    (void)bytes;
    (void)size_bytes;
    now = 1001;
}

static const struct writer slow = {.write = take_time, .context = NULL};

static void remove_slow(void *context)
{
    (void)context;
    log_remove_console(&slow);
}

// The panic that follows from the fault belongs to the recovery.
KTEST(opposite, fault_whose_panic_takes_1000_cycles)
{
    KTEST_EXPECT_TRUE(test, true);
    KTEST_STUB(test, ktest_port_cycles, stopped_clock);
    ktest_add_action(test, remove_slow, NULL);
    log_add_console(&slow);
    now = 1;
    peek(UNMAPPED);
}

static unsigned pieces_until_fault;

static void fault_in_write(const char *bytes, size_t size_bytes)
{
    if (--pieces_until_fault == 0) {
        __asm__ volatile("ud2");
    }
    for (size_t i = 0; i < size_bytes; i++) {
        while ((port_read8(UART_COM2 + 5) & 0x20) == 0) { // it can't send
            cpu_relax();
        }
        port_write8(UART_COM2, (uint8_t)bytes[i]);
    }
}

// What is left of the line comes first, and the fault behind it.
KTEST(opposite, fault_while_a_line_is_sent)
{
    KTEST_EXPECT_TRUE(test, true);
    pieces_until_fault = 3;
    KTEST_STUB(test, ktest_port_write, fault_in_write);
    ktest_note(test, "of more than three times sixteen bytes, so that it comes in pieces");
}

static void skip_in_exit(struct ktest *test)
{
    ktest_skip(test, "too late");
}

KTEST_SUITE(opposite_skip, .exit = skip_in_exit);

KTEST(opposite_skip, skip_in_exit_is_none)
{
    KTEST_EXPECT_TRUE(test, true);
}

// Orders that nobody has given: '|' is where the kernel has read all that there is. Its buffer
// holds 63 bytes. test_stream.py runs the suite.
static const char *orders =
    "unkn|own\n0123456789012345678901234567890123456789012345678901234567890123456789\n"
    "stopped\nstop|\n";

static bool read_order(char *byte_out)
{
    if (*orders == 0) {
        return false;
    }
    *byte_out = *orders++;
    return *byte_out != '|';
}

static void order(struct ktest *test)
{
    KTEST_STUB(test, ktest_port_try_read, read_order);
}

KTEST_SUITE(orders, .suite_init = order);

KTEST(orders, a_comes_before_them)
{
    KTEST_EXPECT_TRUE(test, true);
}

KTEST(orders, b_comes_before_the_first_is_complete)
{
    KTEST_EXPECT_TRUE(test, true);
}

// The order counts more than that the kernel can't be relied on.
KTEST(orders, c_comes_before_stop_is_complete)
{
    static struct spinlock lock = SPINLOCK("state", LOCK_RANK_TEST_STATE);
    (void)spinlock_lock(&lock);
    KTEST_ASSERT_TRUE(test, false);
}

KTEST(orders, d_comes_too_late)
{
    KTEST_EXPECT_TRUE(test, true);
}

// In a suite of its own, as it lasts as long as the run allows; test_stream.py runs it.
KTEST(unlimited, halt_without_a_timeout)
{
    (void)test;
    cpu_halt_forever();
}

// Two that get on with everybody but each other: the order decides. harness/run.py --bisect-order
// has to name them.
static const int bystanders[10];

KTEST_PARAM(clash, bystander, bystanders, NULL)
{
    KTEST_EXPECT_EQ(test, *param, 0);
}

static bool is_marked;

KTEST(clash, leaves_a_mark)
{
    is_marked = true;
    KTEST_EXPECT_TRUE(test, is_marked);
}

KTEST(clash, minds_the_mark)
{
    KTEST_EXPECT_FALSE(test, is_marked);
}

// Behind this test the runner itself faults, on the record of the next one.
KTEST(runner, a_takes_the_next_test_away)
{
    const struct ktest_record **next = ktest_records_start;
    while ((*next)->name != ktest_name(test)) {
        next++;
    }
    next[1] = (const struct ktest_record *)UNMAPPED;
    KTEST_EXPECT_TRUE(test, next + 1 < ktest_records_end);
}

KTEST(runner, b_comes_behind_in_another_boot)
{
    KTEST_EXPECT_TRUE(test, true);
}

// Without the kernel's own watchdog it is the harness that ends a test, by an NMI from outside.
KTEST_ATTR(backstop, hang_without_the_watchdog, .timeout_ms = 100);
KTEST(backstop, hang_without_the_watchdog)
{
    nmi_timer_stop();
    KTEST_EXPECT_TRUE(test, true);
    cpu_halt_forever();
}

static void hang_in_handler(struct trap_frame *frame)
{
    (void)frame;
    for (;;) {
        __asm__ volatile("hlt");
    }
}

// Within an NMI no other one comes: nothing is left but another boot.
KTEST_ATTR(backstop, hang_within_an_nmi, .timeout_ms = 100);
KTEST(backstop, hang_within_an_nmi)
{
    KTEST_EXPECT_TRUE(test, true);
    trap_set_handler(VECTOR_NMI, hang_in_handler);
    cpu_halt_forever();
}

KTEST(backstop, last_of_all)
{
    KTEST_EXPECT_TRUE(test, true);
}

// What comes behind the statement, in the test itself and in the framework, is left out.
KTEST(opposite, attempt_that_is_left)
{
    KTEST_EXPECT_TRUE(test, true);
    KTEST_EXPECT_PANIC(test, "never", return );
}

// --- Other ways to be wrong --------------------------------------------------------------------

KTEST(opposite, assumption_that_fails)
{
    int one = 1;
    KTEST_ASSUME_EQ_MSG(test, one, 2, "of %d", 3);
    panic("a failed assumption must end the test");
}

static void describe_and_die(const int *param, char *text, size_t size_bytes)
{
    (void)param;
    (void)text;
    (void)size_bytes;
    __asm__ volatile("ud2");
}

static const int one_number[] = {1};

KTEST_PARAM(opposite, description_that_faults, one_number, describe_and_die)
{
    KTEST_EXPECT_EQ(test, *param, 1);
}

static void describe_and_panic(const int *param, char *text, size_t size_bytes)
{
    (void)text;
    (void)size_bytes;
    panic("%d can't be described", *param);
}

KTEST_PARAM(opposite, description_that_panics, one_number, describe_and_panic)
{
    KTEST_EXPECT_EQ(test, *param, 1);
}

static void describe_and_hang(const int *param, char *text, size_t size_bytes)
{
    (void)param;
    (void)text;
    (void)size_bytes;
    for (;;) {
        cpu_relax();
    }
}

KTEST_ATTR(opposite, description_that_hangs, .timeout_ms = 50);
KTEST_PARAM(opposite, description_that_hangs, one_number, describe_and_hang)
{
    KTEST_EXPECT_EQ(test, *param, 1);
}

static void hang_in_action(void *context)
{
    (void)context;
    for (;;) {
        cpu_relax();
    }
}

KTEST_ATTR(opposite, action_that_hangs, .timeout_ms = 50);
KTEST(opposite, action_that_hangs)
{
    KTEST_EXPECT_TRUE(test, true);
    ktest_add_action(test, hang_in_action, NULL);
}

KTEST_ATTR(opposite, quirk_that_skips,
           .quirks = KTEST_QUIRKS({.accel = KTEST_ACCEL_TCG, .skip = "there is no such fault"}));
KTEST(opposite, quirk_that_skips)
{
    (void)test;
    panic("it must not run");
}

KTEST_ATTR(opposite, quirk_with_another_outcome, .outcome = KTEST_FAULT(GP, .error = 0),
           .quirks = KTEST_QUIRKS({.accel = KTEST_ACCEL_TCG, .outcome = KTEST_FAULT(UD)}));
KTEST(opposite, quirk_with_another_outcome)
{
    KTEST_ARM(test);
    __asm__ volatile("ud2");
}

KTEST_BENCH(opposite, bench_without_a_loop)
{
    KTEST_EXPECT_TRUE(test, true);
}

static uint64_t read_now(void)
{
    return now;
}

KTEST_BENCH(opposite, bench_of_ten_cycles)
{
    KTEST_STUB(test, ktest_port_cycles, read_now);
    while (ktest_bench_next(test)) {
        now += 10;
    }
}

KTEST_BENCH(opposite, bench_that_faults)
{
    while (ktest_bench_next(test)) {
        peek(UNMAPPED);
    }
}

KTEST_BENCH(opposite, bench_that_leaves_its_loop)
{
    while (ktest_bench_next(test)) {
        break;
    }
}

// The harness leaves out the exit device: the kernel is done, and QEMU stays.
KTEST(opposite, nothing_wrong)
{
    KTEST_EXPECT_TRUE(test, true);
}
