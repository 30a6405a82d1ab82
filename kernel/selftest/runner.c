// SPDX-License-Identifier: MIT
//
// The runner itself: orders, parameters, benchmarks, actions, quirks, lines, and what kills it.
#include "runner.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/port.h"
#include "arch/x86_64/trap.h"
#include "debug/log.h"
#include "drivers/nmi_timer.h"
#include "drivers/uart_16550.h"
#include "ktest.h"
#include "lib/panic.h"
#include "port.h"
#include "registry.h"
#include "selftest/selftest.h"
#include "stream.h"
#include "sync/spinlock.h"

TESTS_BYPASS_GUARDS

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

KTEST(opposite, line_longer_than_the_longest)
{
    KTEST_EXPECT_TRUE(test, true);
    stream_begin("    # ");
    for (int i = 0; i < 2000; i++) {
        stream_text("x");
    }
    stream_end();
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
