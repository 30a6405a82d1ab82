// SPDX-License-Identifier: MIT
//
// This kernel's half of ktest. The watchdog has the timer in the test's hand: it waits in steps, as
// the timer can't wait longer than one, and comes again when it has come at a bad time.
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/trap.h"
#include "debug/log.h"
#include "drivers/nmi_timer.h"
#include "ktest.h"
#include "lib/format.h"
#include "lib/panic.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "port.h"
#include "select.h"
#include "stream.h"
#include "sync/spinlock.h"

static uint32_t steps[4];
static size_t step_count;

static void note_step(uint32_t ms)
{
    if (step_count < 4) {
        steps[step_count++] = ms;
    }
}

static bool always(void)
{
    return true;
}

static void expire(void)
{
    __asm__ volatile("int $2" : : : "memory");
}

KTEST_ATTR(watchdog, waits_in_steps_and_then_a_little_longer, .outcome = KTEST_HANG);
KTEST(watchdog, waits_in_steps_and_then_a_little_longer)
{
    step_count = 0;
    nmi_timer_stop(); // its NMI would meet ours, which as interrupts block none
    KTEST_STUB(test, nmi_timer_start, note_step);
    KTEST_STUB(test, nmi_timer_has_expired, always);
    ktest_port_watchdog_start(NMI_TIMER_MAX_MS + 10);
    expire();
    stream_hold();
    expire(); // its time is over, but a report is on its way
    stream_release();
    KTEST_EXPECT_EQ(test, step_count, 3);
    KTEST_EXPECT_EQ(test, steps[0], NMI_TIMER_MAX_MS);
    KTEST_EXPECT_EQ(test, steps[1], 10);
    KTEST_EXPECT_EQ(test, steps[2], 1);
    KTEST_ARM(test);
    expire();
}

// `mov %rsi, %r12` ends with the byte of `hlt`. A halt in its middle would last until the time is
// up.
KTEST_ATTR(watchdog, takes_no_end_of_an_instruction_for_a_halt, .speed = KTEST_SPEED_SLOW,
           .timeout_ms = 1000);
KTEST(watchdog, takes_no_end_of_an_instruction_for_a_halt)
{
    cpu_disable_interrupts();
    for (int tick = 0; tick < 5; tick++) {
        uint64_t count = 1'000'000;
        nmi_timer_start(1); // the watchdog goes on from there
        __asm__ volatile("jmp 2f; 1: mov %%rsi, %%r12; 2: dec %0; jnz 2b"
                         : "+r"(count)
                         :
                         : "r12", "cc");
    }
    KTEST_EXPECT_FALSE(test, cpu_interrupts_enabled());
}

static uint64_t no_cycles(void)
{
    return 0;
}

// A stub may be put in place in any state: only the code changes.
KTEST(ktest_port, writing_code_changes_neither_interrupts_nor_write_protection)
{
    cpu_enable_interrupts();
    KTEST_STUB(test, ktest_port_cycles, no_cycles);
    bool is_enabled = cpu_interrupts_enabled();
    cpu_disable_interrupts();
    KTEST_STUB(test, ktest_port_cycles, no_cycles);
    KTEST_EXPECT_TRUE(test, is_enabled);
    KTEST_EXPECT_FALSE(test, cpu_interrupts_enabled());
    KTEST_EXPECT_EQ(test, cpu_read_cr0() & CR0_WP, CR0_WP);
    KTEST_EXPECT_EQ(test, ktest_port_cycles(), 0);
}

// --- The console --------------------------------------------------------------------------------

static char heard[600];

static const char *take_console(size_t size_bytes)
{
    size_t count = ktest_port_console(heard, size_bytes);
    heard[count] = 0;
    return heard;
}

KTEST(console, text_is_taken_once)
{
    (void)take_console(0);
    println("one");
    print("%d", 2);
    KTEST_EXPECT_STREQ(test, take_console(512), "one\n2");
    KTEST_EXPECT_STREQ(test, take_console(512), "");
}

KTEST(console, end_of_a_long_text_is_kept)
{
    println("this comes first");
    for (int i = 0; i < 512; i++) {
        print("%d", i % 10);
    }
    print("x");
    take_console(512);
    KTEST_EXPECT_EQ(test, strlen(heard), 512);
    KTEST_EXPECT_MEMEQ(test, heard, "123456789012", 12);
    KTEST_EXPECT_STREQ(test, &heard[508], "901x");
}

KTEST(console, no_more_is_taken_than_there_is_room_for)
{
    (void)take_console(0);
    print("12345");
    KTEST_EXPECT_STREQ(test, take_console(3), "345");
}

// What a panic prints is in its own report.
KTEST(console, panic_is_left_out)
{
    (void)take_console(0);
    println("before");
    KTEST_EXPECT_PANIC(test, "as planned", panic("as planned"));
    print("behind");
    KTEST_EXPECT_STREQ(test, take_console(512), "before\nbehind");
}

// --- What a hang waits for ----------------------------------------------------------------------

static struct spinlock contended = SPINLOCK("contended", LOCK_RANK_TEST);
static char awaited[KTEST_TEXT_MAX];

// Comes in the middle of the wait, and gives the lock back as another CPU would. On a busy host the
// time is up before the wait begins: then it comes again.
static void give_back(struct trap_frame *frame)
{
    (void)frame;
    if (!ktest_port_awaits(awaited, sizeof(awaited))) {
        nmi_timer_start(1);
        return;
    }
    __atomic_store_n(&contended.is_locked, false, __ATOMIC_RELEASE);
}

KTEST_ATTR(watchdog, lock_that_is_waited_for_has_a_name, .needs = KTEST_NEEDS_APIC);
KTEST(watchdog, lock_that_is_waited_for_has_a_name)
{
    KTEST_EXPECT_FALSE(test, ktest_port_awaits(awaited, sizeof(awaited)));
    spinlock_unlock(&contended, spinlock_lock(&contended));
    contended.is_locked = true;
    char expected[KTEST_TEXT_MAX];
    format_buffer(expected, sizeof(expected), "lock contended, taken in %s at %#lx",
                  "ktest_run_watchdog__lock_that_is_waited_for_has_a_name", contended.taken_at);
    trap_handler_t *before = trap_set_handler(VECTOR_NMI, give_back);
    nmi_timer_start(1);
    irq_state_t state = spinlock_lock(&contended);
    trap_set_handler(VECTOR_NMI, before);
    spinlock_unlock(&contended, state);
    KTEST_EXPECT_STREQ(test, awaited, expected);
    KTEST_EXPECT_FALSE(test, ktest_port_awaits(awaited, sizeof(awaited)));
}

// --- Allocations that fail ----------------------------------------------------------------------

// Which function ran: Suite_init, init, body, exit, action.
static char calls[64];
static phys_addr_t frame_of_init;

static void note_call(char c)
{
    size_t used = strlen(calls);
    if (used < sizeof(calls) - 1) {
        calls[used] = c;
        calls[used + 1] = 0;
    }
}

static void note_suite_init(struct ktest *test)
{
    KTEST_EXPECT_EQ(test, calls[0], 0);
    note_call('S');
}

// The nth allocation is the body's: this one never fails.
static void take_frame(struct ktest *test)
{
    KTEST_EXPECT_FALSE(test, ktest_allocation_failed(test));
    KTEST_ASSERT_EQ(test, frame_alloc(&frame_of_init), OK);
    note_call('i');
}

static void give_frame(struct ktest *test)
{
    (void)test;
    frame_free(frame_of_init);
    note_call('e');
}

KTEST_SUITE(allocations, .suite_init = note_suite_init, .init = take_frame, .exit = give_frame);

static void note_action(void *test)
{
    phys_addr_t frame;
    KTEST_ASSERT_EQ((struct ktest *)test, frame_alloc(&frame), OK);
    frame_free(frame);
    note_call('a');
}

static bool has_first_failed;
static bool has_second_failed;

KTEST_ATTR(allocations, a_all_but_the_suite_s_functions_run_again, .fail_nth = 2);
KTEST(allocations, a_all_but_the_suite_s_functions_run_again)
{
    phys_addr_t frame;
    note_call('b');
    ktest_add_action(test, note_action, test);
    KTEST_EXPECT_FALSE(test, ktest_allocation_failed(test));
    if (frame_alloc(&frame) != OK) {
        KTEST_EXPECT_TRUE(test, ktest_allocation_failed(test));
        has_first_failed = true;
        return;
    }
    frame_free(frame);
    if (frame_alloc(&frame) != OK) {
        has_second_failed = true;
        return;
    }
    frame_free(frame);
}

// Or two, if only one allocation was to fail.
KTEST(allocations, b_three_runs_are_behind_it)
{
    bool is_all = ktest_glob_matches("Sibeaibeaibeaibeai*", 19, calls);
    bool is_one = ktest_glob_matches("Sibeaibeai*", 11, calls);
    bool is_to_come = ktest_glob_matches("Si", 2, calls); // the tests are shuffled
    KTEST_EXPECT_TRUE_MSG(test, is_all || is_one || is_to_come, "%s", calls);
    KTEST_EXPECT_TRUE(test, !is_all || (has_first_failed && has_second_failed));
}
