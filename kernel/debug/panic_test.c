// SPDX-License-Identifier: MIT
#include "debug/panic.h"

#include "arch/x86_64/cpu.h"
#include "debug/log.h"
#include "debug/log_fixture.h"
#include "ktest.h"
#include "lib/assert.h"
#include "lib/string.h"

static const struct writer *extra_console;

static void init(struct ktest *test)
{
    extra_console = NULL;
    log_fixture_start(test);
}

// A panic's output is judged here, once the test itself has been abandoned.
static void exit(struct ktest *test)
{
    if (extra_console != NULL) {
        log_remove_console(extra_console);
    }
    if (strncmp(ktest_name(test), "prints_", 7) == 0) {
        KTEST_EXPECT_TRUE(test, log_fixture_has("rip ffffffff8"));
        KTEST_EXPECT_TRUE(test, log_fixture_has("cr4 "));
        KTEST_EXPECT_TRUE(test, log_fixture_has("  #0 0xffffffff8"));
        KTEST_EXPECT_TRUE(test, log_fixture_has(" kernel_main+0x"));
    }
    if (strcmp(ktest_name(test), "prints_message_place_and_backtrace") == 0) {
        KTEST_EXPECT_TRUE(
            test, log_fixture_has("\npanicked at 6 of \"six\", kernel/debug/panic_test.c:"));
        KTEST_EXPECT_TRUE(
            test, log_fixture_has(" in ktest_run_panic__prints_message_place_and_backtrace\n"));
        KTEST_EXPECT_TRUE(
            test, log_fixture_has("ktest_run_panic__prints_message_place_and_backtrace+0x"));
    }
    if (strcmp(ktest_name(test), "prints_an_exception_in_words") == 0) {
        KTEST_EXPECT_TRUE(test, log_fixture_has("\nEXCEPTION: invalid opcode #UD, error code 0\n"));
        KTEST_EXPECT_TRUE(test, log_fixture_has("rax 0000000000004711"));
        KTEST_EXPECT_TRUE(test, log_fixture_has("cs 08  ss 10\n"));
    }
    if (strcmp(ktest_name(test), "prints_the_locks_that_are_held") == 0) {
        KTEST_EXPECT_TRUE(test, log_fixture_has("holding lock log\n"));
    }
    if (strcmp(ktest_name(test), "within_a_panic_is_said_in_one_line") == 0) {
        KTEST_EXPECT_TRUE(test, log_fixture_has("panicked again within a panic: second\n"));
    }
}

KTEST_SUITE(panic, .init = init, .exit = exit);

KTEST_ATTR(panic, expected_panic, .outcome = KTEST_PANIC("this is 1 test"),
           .proves = "1.4 4.8.2 4.8.3 4.6.1");
KTEST(panic, expected_panic)
{
    KTEST_ARM(test);
    panic("this is %d test", 1);
}

KTEST_ATTR(panic, prints_message_place_and_backtrace, .outcome = KTEST_PANIC("6 of \"six\""),
           .proves = "3.20 1.4");
KTEST(panic, prints_message_place_and_backtrace)
{
    KTEST_ARM(test);
    panic("%d of \"%s\"", 6, "six");
}

static void panic_from_handler(struct trap_frame *frame)
{
    (void)frame;
    panic("in the handler");
}

static void remove_breakpoint_handler(void *context)
{
    (void)context;
    trap_set_handler(VECTOR_BREAKPOINT, NULL);
}

KTEST_ATTR(panic, works_in_an_exception_handler, .outcome = KTEST_PANIC("in the handler"),
           .proves = "1.4");
KTEST(panic, works_in_an_exception_handler)
{
    ktest_add_action(test, remove_breakpoint_handler, NULL);
    trap_set_handler(VECTOR_BREAKPOINT, panic_from_handler);
    KTEST_ARM(test);
    cpu_breakpoint();
}

// The hook comes last; a test sets its own to see an exception's report without being ended by it.
KTEST_ATTR(panic, prints_an_exception_in_words, .outcome = KTEST_FAULT(UD));
KTEST(panic, prints_an_exception_in_words)
{
    struct trap_frame frame = {.vector = 6, .rax = 0x4711};
    uint64_t rbp = (uint64_t)__builtin_frame_address(0);
    trap_capture(&frame);
    frame.vector = 6;
    frame.rax = 0x4711;
    frame.rbp = rbp;
    panic_report_trap(log_emergency_writer(), &frame);
    KTEST_ARM(test);
    __asm__ volatile("ud2");
}

[[gnu::noinline]] static void poke(uint64_t address)
{
    *(volatile uint8_t *)address = 1;
}

// What the kernel says of a fault that nobody handles, before it halts: the text of a real one.
KTEST_ATTR(panic, page_fault_is_reported_in_words, .proves = "8.6");
KTEST(panic, page_fault_is_reported_in_words)
{
    struct trap_frame frame;
    trap_capture(&frame);
    KTEST_EXPECT_FAULT(test, PF, 2, poke(0xdeadbeaf)); // now CR2 is what it was there
    frame.vector = ktest_last_fault(test)->vector;
    frame.error = ktest_last_fault(test)->error;
    frame.rip = ktest_last_fault(test)->rip;
    log_fixture_clear();

    panic_report_trap(log_emergency_writer(), &frame);

    KTEST_EXPECT_TRUE(
        test, log_fixture_has("\nEXCEPTION: page fault #PF: write to 0xdeadbeaf, which is not "
                              "mapped, error code 0x2\n"));
    KTEST_EXPECT_TRUE(test, log_fixture_has("  cr2 00000000deadbeaf  "));
    KTEST_EXPECT_TRUE(test, log_fixture_has("  #0 0xffffffff8"));
    KTEST_EXPECT_TRUE(test, log_fixture_has(" poke+0x"));
}

static void lock_while_locked(void *context, const char *bytes, size_t size_bytes)
{
    (void)context;
    (void)bytes;
    (void)size_bytes;
    if (!panic_is_active()) {
        log_remove_console(extra_console);
    }
}

// The log's lock is held while a console is written. A panic there must neither wait for it nor
// leave it held.
KTEST_ATTR(panic, prints_the_locks_that_are_held,
           .outcome = KTEST_PANIC("lock log is taken twice by the same CPU"), .proves = "7.4.6");
KTEST(panic, prints_the_locks_that_are_held)
{
    static const struct writer console = {.write = lock_while_locked};
    extra_console = &console;
    log_add_console(&console);
    KTEST_ARM(test);
    println("x");
}

static bool has_panicked;

static void panic_in_report(void *context, const char *bytes, size_t size_bytes)
{
    (void)context;
    (void)bytes;
    (void)size_bytes;
    if (panic_is_active() && !has_panicked) {
        has_panicked = true;
        panic("second");
    }
}

// A console that breaks down during the report: the second panic says so and ends it.
KTEST_ATTR(panic, within_a_panic_is_said_in_one_line, .outcome = KTEST_PANIC("second"),
           .proves = "7.4.6");
KTEST(panic, within_a_panic_is_said_in_one_line)
{
    static const struct writer console = {.write = panic_in_report};
    extra_console = &console;
    has_panicked = false;
    log_add_console(&console);
    KTEST_ARM(test);
    panic("first");
}

KTEST_ATTR(panic, failed_assertion_names_its_condition,
           .outcome = KTEST_PANIC("assertion failed: 1 + 1 == 3"));
KTEST(panic, failed_assertion_names_its_condition)
{
    KTEST_ARM(test);
    assert(1 + 1 == 3);
}

KTEST(panic, assertion_that_holds_does_nothing)
{
    assert(1 + 1 == 2);
    KTEST_EXPECT_STREQ(test, log_fixture_text(), "");
}
