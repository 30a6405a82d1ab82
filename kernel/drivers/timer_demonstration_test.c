// SPDX-License-Identifier: MIT
//
// What goes wrong with timers in kernels that are learned on, shown to go right: handlers that
// print, ends of interrupts that are forgotten, more interrupts than the CPU can serve.
#include "arch/x86_64/cpu.h"
#include "boot/arguments.h"
#include "debug/log.h"
#include "drivers/nmi_timer.h"
#include "drivers/pit_8254.h"
#include "drivers/ps2_keyboard.h"
#include "ktest.h"
#include "lib/string.h"
#include "lib/test_random.h"
#include "time/sleep.h"
#include "time/timer.h"

static struct {
    uint64_t dots;
    uint64_t dashes;
    const char *line; // that is looked for in what is printed
    size_t matched;
    uint64_t lines;
} printed;

// Whoever waits for it reads it while a handler prints.
static void count(uint64_t *counter)
{
    __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

static void listen(void *context, const char *bytes, size_t size_bytes)
{
    (void)context;
    for (size_t i = 0; i < size_bytes; i++) {
        if (bytes[i] == '.' || bytes[i] == '-') {
            count(bytes[i] == '.' ? &printed.dots : &printed.dashes);
        }
        if (printed.line == NULL) {
            continue;
        }
        printed.matched = bytes[i] == printed.line[printed.matched] ? printed.matched + 1
                                                                    : bytes[i] == printed.line[0];
        if (printed.line[printed.matched] == 0) {
            count(&printed.lines);
            printed.matched = 0;
        }
    }
}

static const struct writer listener = {.write = listen};

static const struct clock_event *event_before;

static void put_back(void *unused)
{
    (void)unused;
    log_remove_console(&listener);
    timer_abandon();
    if (timer_use(event_before, IRQ_PLAIN) != OK) {
        log_error("test", "the timers' device can't be had again");
    }
}

// The kernel's device, by whatever controller, with functions that may print.
static void init(struct ktest *test)
{
    const struct clock_event *event = timer_event();
    KTEST_ASSERT_NOT_NULL(test, event);
    printed = (typeof(printed)){0};
    event_before = event;
    ktest_add_action(test, put_back, NULL);
    log_add_console(&listener);
    KTEST_ASSERT_EQ(test, timer_use(event, IRQ_MAY_LOCK), OK);
}

KTEST_SUITE(timer_demonstration, .init = init);

static uint64_t period_ns;

// The tests' watchdog may have the same device, and is set anew for each test's body.
static void stop_watchdog(void)
{
    if (timer_event()->line == IRQ_TIMER) {
        nmi_timer_stop();
    }
}

static void print_dot(struct timer *timer)
{
    print(".");
    timer_add(timer, timer->deadline_ns + period_ns);
}

static uint64_t count_of(const uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

static void wait_for_dots(uint64_t count)
{
    while (count_of(&printed.dots) < count) {
        cpu_wait_for_interrupt();
        cpu_disable_interrupts();
    }
}

KTEST_ATTR(timer_demonstration, prints_a_dot_for_each_tick, .proves = "7.3.1",
           .speed = KTEST_SPEED_SLOW);
KTEST(timer_demonstration, prints_a_dot_for_each_tick)
{
    struct timer timer = {.function = print_dot};
    stop_watchdog();
    uint64_t start = clock_monotonic_ns();
    uint64_t called = timer_statistics_read().called;
    period_ns = 5 * NS_PER_MS;
    timer_add(&timer, start + period_ns);
    wait_for_dots(20);
    KTEST_EXPECT_TRUE(test, timer_cancel(&timer));
    print("\n");
    KTEST_EXPECT_GE(test, clock_monotonic_ns() - start, 20 * period_ns);
    KTEST_EXPECT_EQ(test, printed.dots, timer_statistics_read().called - called);
}

static unsigned forgotten;

static void forget_the_end(unsigned line)
{
    (void)line;
    forgotten++;
}

// Behind the stub.
static void end_at_last(void *line)
{
    irq_chip()->end((unsigned)(uintptr_t)line);
}

// The controller waits for the end of the first, and lets no other through.
KTEST_ATTR(timer_demonstration, forgotten_end_of_interrupt_lets_one_dot_through,
           .speed = KTEST_SPEED_SLOW, .proves = "7.3.1");
KTEST(timer_demonstration, forgotten_end_of_interrupt_lets_one_dot_through)
{
    struct timer timer = {.function = print_dot};
    stop_watchdog();
    period_ns = NS_PER_MS;
    forgotten = 0;
    timer_add(&timer, clock_monotonic_ns() + period_ns);
    wait_for_dots(1); // an interrupt from before may have been left
    printed.dots = 0;
    ktest_add_action(test, end_at_last, (void *)(uintptr_t)timer_event()->line);
    ktest_stub(test, (uintptr_t)irq_chip()->end, (uintptr_t)forget_the_end);
    cpu_enable_interrupts();
    uint64_t start = clock_monotonic_ns();
    while (clock_monotonic_ns() - start < 20 * period_ns) {
        cpu_relax();
    }
    cpu_disable_interrupts();
    uint64_t dots = printed.dots;
    print("\n");
    KTEST_EXPECT_EQ(test, dots, 1);
    KTEST_EXPECT_EQ(test, forgotten, 1);
    KTEST_EXPECT_TRUE(test, timer_cancel(&timer));
}

// The interrupted code may hold the console's lock: with interrupts on in between, the handler
// would wait for it for ever.
KTEST_ATTR(timer_demonstration, both_print_and_both_go_on, .speed = KTEST_SPEED_SLOW,
           .proves = "7.4.1");
KTEST(timer_demonstration, both_print_and_both_go_on)
{
    struct timer timer = {.function = print_dot};
    stop_watchdog();
    period_ns = 100 * NS_PER_US;
    timer_add(&timer, clock_monotonic_ns() + period_ns);
    cpu_enable_interrupts();
    while (count_of(&printed.dots) < 100 || count_of(&printed.dashes) < 100) {
        print("-");
    }
    cpu_disable_interrupts();
    KTEST_EXPECT_TRUE(test, timer_cancel(&timer));
    print("\n");
}

// Each line comes in one piece, whatever the handler prints meanwhile.
KTEST_ATTR(timer_demonstration, thousand_lines_under_a_timer_of_1_khz, .proves = "7.4.3 7.4.4",
           .speed = KTEST_SPEED_SLOW);
KTEST(timer_demonstration, thousand_lines_under_a_timer_of_1_khz)
{
    struct timer timer = {.function = print_dot};
    stop_watchdog();
    unsigned rounds = 0;
    printed.line = "Some test string that fits on a single line\n";
    period_ns = NS_PER_MS;
    timer_add(&timer, clock_monotonic_ns() + period_ns);
    cpu_enable_interrupts();
    for (; rounds < 1000 || count_of(&printed.dots) < 20; rounds++) {
        println("Some test string that %s on a single %s", "fits", "line");
    }
    cpu_disable_interrupts();
    KTEST_EXPECT_TRUE(test, timer_cancel(&timer));
    KTEST_EXPECT_EQ(test, printed.lines, rounds);
}

// --- A storm ------------------------------------------------------------------------------------

static struct {
    uint64_t ticks;
    uint64_t end_ns;
} storm;

// Where serving takes longer than the next one to come, nobody but the handler ever has the CPU.
static void count_tick(void *unused)
{
    (void)unused;
    storm.ticks++;
    if (clock_monotonic_ns() >= storm.end_ns) {
        irq_mask(IRQ_TIMER);
    }
}

// With somebody outside who types all the while (test.typist): the presses are counted.
static struct ps2_keyboard keyboard;

static void count_keys(uint64_t *presses)
{
    struct key_input input;
    while (ps2_keyboard_read(&keyboard, &input)) {
        *presses += input.event.is_pressed;
    }
}

static void stop_keyboard(void *unused)
{
    (void)unused;
    ps2_keyboard_stop(&keyboard);
}

static void start_keyboard(struct ktest *test)
{
    KTEST_ASSERT_EQ(test, ps2_keyboard_init(&keyboard, SCANCODE_SET_1, &key_layout_us104), OK);
    KTEST_ASSERT_EQ(test, ps2_keyboard_start(&keyboard), OK);
    ktest_add_action(test, stop_keyboard, NULL);
}

static bool storm_goes_on(void)
{
    uint64_t now = clock_monotonic_ns();
    return now < storm.end_ns || (storm.ticks == 0 && now < storm.end_ns + NS_PER_SECOND);
}

static void give_line_back(void *unused)
{
    (void)unused;
    irq_unregister(IRQ_TIMER);
}

static struct irq_statistics line_statistics(void)
{
    struct irq_statistics result = {0};
    (void)!irq_statistics_read(IRQ_TIMER, &result);
    return result;
}

// 596,591 interrupts a second. The controller keeps one while another is served, and what comes
// then it drops: that is counted. Whatever reached the CPU reached the handler. 20 ms, or
// test.scale times that; and up to a second more for the first one, for a host may leave QEMU's
// timers that long.
KTEST_ATTR(timer_demonstration, storm_is_served_and_what_is_dropped_is_counted,
           .speed = KTEST_SPEED_SLOW, .needs = KTEST_NEEDS_PC, .timeout_ms = 120'000,
           .proves = "7.8.5");
KTEST(timer_demonstration, storm_is_served_and_what_is_dropped_is_counted)
{
    uint64_t length_ns = 20 * NS_PER_MS * test_scale();
    bool has_typist = argument("test.typist") != NULL;
    uint64_t presses = 0;
    if (has_typist) {
        start_keyboard(test);
    }
    nmi_timer_stop();
    KTEST_ASSERT_EQ(test, timer_use(NULL, IRQ_PLAIN), OK);
    KTEST_ASSERT_EQ(test, irq_register(IRQ_TIMER, "storm", IRQ_PLAIN, count_tick, NULL), OK);
    ktest_add_action(test, give_line_back, NULL);
    struct irq_statistics before = line_statistics();
    uint64_t start = clock_monotonic_ns();
    storm = (typeof(storm)){.end_ns = start + length_ns};
    pit_start_rate(PIT_RATE_TICKS_MIN);
    irq_unmask(IRQ_TIMER);
    cpu_enable_interrupts();
    while (storm_goes_on()) {
        if (has_typist) {
            count_keys(&presses);
        }
        cpu_relax();
    }
    cpu_disable_interrupts();
    irq_mask(IRQ_TIMER);
    uint64_t sent = (clock_monotonic_ns() - start) * PIT_HZ / NS_PER_SECOND / PIT_RATE_TICKS_MIN;
    pit_start_once(PIT_TICKS_MAX);
    struct irq_statistics after = line_statistics();
    println("storm: %lu of %lu interrupts in %lu us, %lu dropped", storm.ticks, sent,
            length_ns / NS_PER_US, sent > storm.ticks ? sent - storm.ticks : 0);
    if (has_typist) {
        println("keys: %lu, %lu bytes lost in the kernel, %lu of no key", presses,
                keyboard.dropped_bytes + keyboard.overruns, keyboard.unknown_codes);
    }
    KTEST_EXPECT_GT(test, storm.ticks, 0);
    KTEST_EXPECT_LE(test, storm.ticks, sent + sent / 10 + 2); // the clock was measured
    KTEST_EXPECT_EQ(test, after.count - before.count, storm.ticks);
    KTEST_EXPECT_EQ(test, after.unclaimed, before.unclaimed);
    KTEST_EXPECT_EQ(test, after.spurious_count, before.spurious_count);
}
