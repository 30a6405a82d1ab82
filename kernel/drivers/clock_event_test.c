// SPDX-License-Identifier: MIT
//
// The devices themselves. Those on line 0 share it with the tests' watchdog, which is stopped
// first: then the harness alone ends a test that hangs.
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/trap.h"
#include "debug/log.h"
#include "drivers/apic_timer.h"
#include "drivers/hpet.h"
#include "drivers/local_apic.h"
#include "drivers/nmi_timer.h"
#include "drivers/pit_8254.h"
#include "ktest.h"
#include "lib/bits.h"
#include "lib/test_random.h"
#include "time/sleep.h"
#include "time/timer.h"

#define HPET_PHYS ((phys_addr_t){0xfed00000}) // where chipsets have it
#define WAIT_MAX 50'000'000

static const struct clock_event *event_before;

static void put_back(void *unused)
{
    (void)unused;
    timer_abandon();
    if (timer_use(event_before, IRQ_PLAIN) != OK) {
        log_error("test", "the timers' device can't be had again");
    }
}

static void use(struct ktest *test, const struct clock_event *event)
{
    if (event->line == IRQ_TIMER) {
        nmi_timer_stop();
    }
    event_before = timer_event();
    ktest_add_action(test, put_back, NULL);
    KTEST_ASSERT_EQ(test, timer_use(event, IRQ_PLAIN), OK);
}

// None may come early, and all have to come; how late is the host's business.
static void expect_sleeps(struct ktest *test, const struct clock_event *event)
{
    static const uint64_t lengths_ns[] = {0,       1,         1000,       10'000,
                                          123'456, 1'000'000, 20'000'000, 120'000'000};
    use(test, event);
    for (size_t i = 0; i < ARRAY_SIZE(lengths_ns); i++) {
        uint64_t idle = timer_statistics_read().idle;
        uint64_t start = clock_monotonic_ns();
        clock_sleep_ns(lengths_ns[i]);
        KTEST_EXPECT_GE(test, clock_monotonic_ns() - start, lengths_ns[i]);
        // An old one, one that is early by what its frequency was measured wrong, and steps.
        uint64_t idle_max = 2 + lengths_ns[i] / event->max_ns;
        KTEST_EXPECT_LE(test, timer_statistics_read().idle - idle, idle_max);
        KTEST_EXPECT_FALSE(test, cpu_interrupts_enabled());
    }
    KTEST_EXPECT_EQ(test, timer_statistics_read().queued_count, 0);
}

// A wake-up that comes between the look and the halt would be lost, and the test would hang.
static void expect_no_lost_wakeup(struct ktest *test, const struct clock_event *event)
{
    struct test_random random = {11};
    use(test, event);
    uint64_t called = timer_statistics_read().called;
    for (int i = 0; i < 300; i++) {
        clock_sleep_ns(test_random_below(&random, 20'000));
    }
    KTEST_EXPECT_EQ(test, timer_statistics_read().called, called + 300);
}

// --- The one that the kernel has ----------------------------------------------------------------

KTEST_ATTR(clock_event, of_the_kernel_wakes_sleepers, .speed = KTEST_SPEED_SLOW,
           .proves = "7.3.2 7.8.3");
KTEST(clock_event, of_the_kernel_wakes_sleepers)
{
    KTEST_ASSERT_NOT_NULL(test, timer_event());
    expect_sleeps(test, timer_event());
}

KTEST_ATTR(clock_event, of_the_kernel_loses_no_wakeup, .proves = "7.8.4");
KTEST(clock_event, of_the_kernel_loses_no_wakeup)
{
    KTEST_ASSERT_NOT_NULL(test, timer_event());
    expect_no_lost_wakeup(test, timer_event());
}

KTEST(clock_event, sleeper_has_interrupts_as_before)
{
    use(test, timer_event());
    cpu_enable_interrupts();
    clock_sleep_ns(1000);
    bool are_on = cpu_interrupts_enabled();
    cpu_disable_interrupts();
    KTEST_EXPECT_TRUE(test, are_on);
}

// --- Interval timer -----------------------------------------------------------------------------

KTEST_ATTR(clock_event, pit_wakes_sleepers, .speed = KTEST_SPEED_SLOW, .needs = KTEST_NEEDS_PC);
KTEST(clock_event, pit_wakes_sleepers)
{
    expect_sleeps(test, &pit_event);
}

KTEST_ATTR(clock_event, pit_loses_no_wakeup, .needs = KTEST_NEEDS_PC);
KTEST(clock_event, pit_loses_no_wakeup)
{
    expect_no_lost_wakeup(test, &pit_event);
}

KTEST_ATTR(clock_event, pit_says_when_the_count_is_over, .speed = KTEST_SPEED_SLOW);
KTEST(clock_event, pit_says_when_the_count_is_over)
{
    nmi_timer_stop();
    uint64_t start = clock_monotonic_ns();
    pit_start_once(PIT_TICKS_MAX);
    bool is_up_at_first = pit_line_is_up();
    for (int i = 0; i < WAIT_MAX && !pit_line_is_up(); i++) {
        cpu_relax();
    }
    uint64_t ns = clock_monotonic_ns() - start;
    KTEST_EXPECT_TRUE(test, pit_line_is_up());
    KTEST_EXPECT_TRUE(test, !is_up_at_first || ns > 54'000'000);
    KTEST_EXPECT_GE(test, ns, 54'000'000);
}

KTEST(clock_event, pit_takes_no_count_that_it_has_not)
{
    KTEST_EXPECT_PANIC(test, "*ticks >= 1*", pit_start_once(0));
    KTEST_EXPECT_PANIC(test, "*ticks >= 1*", pit_start_once(PIT_TICKS_MAX + 1));
    KTEST_EXPECT_PANIC(test, "*PIT_RATE_TICKS_MIN*", pit_start_rate(1));
    KTEST_EXPECT_PANIC(test, "*PIT_RATE_TICKS_MIN*", pit_start_rate(PIT_TICKS_MAX + 1));
}

// Another channel of the same device, while the first counts.
KTEST_ATTR(clock_event, pit_measures_the_clock, .speed = KTEST_SPEED_SLOW);
KTEST(clock_event, pit_measures_the_clock)
{
    uint64_t hz = 0;
    KTEST_ASSERT_EQ(test, calibrate(cpu_read_tsc, &pit_reference, &hz), OK);
    uint64_t distance = hz > clock_hz() ? hz - clock_hz() : clock_hz() - hz;
    KTEST_EXPECT_LT(test, distance, clock_hz() / 100);
}

static volatile uint64_t ticks;
static uint64_t first_ns;
static uint64_t last_ns;

static void count_tick(void *unused)
{
    (void)unused;
    last_ns = clock_monotonic_ns();
    first_ns = ticks == 0 ? last_ns : first_ns;
    ticks++;
}

static void give_line_back(void *unused)
{
    (void)unused;
    irq_unregister(IRQ_TIMER);
}

static void take_line(struct ktest *test)
{
    nmi_timer_stop();
    event_before = timer_event();
    ktest_add_action(test, put_back, NULL);
    KTEST_ASSERT_EQ(test, timer_use(NULL, IRQ_PLAIN), OK);
    KTEST_ASSERT_EQ(test, irq_register(IRQ_TIMER, "test", IRQ_PLAIN, count_tick, NULL), OK);
    ktest_add_action(test, give_line_back, NULL);
    ticks = 0;
}

static void wait_for_ticks(uint64_t count)
{
    while (ticks < count) {
        cpu_wait_for_interrupt();
        cpu_disable_interrupts();
    }
}

// A busy host lets ticks come late or not at all, so the best of several measurements counts.
KTEST_ATTR(clock_event, pit_rate_is_what_it_was_set_to, .speed = KTEST_SPEED_SLOW,
           .needs = KTEST_NEEDS_PC, .proves = "7.3.2");
KTEST(clock_event, pit_rate_is_what_it_was_set_to)
{
    static const uint32_t rates[] = {5966, 1193, 597}; // 200, 1,000 and 2,000 Hz
    take_line(test);
    for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
        uint64_t expected_ns = rates[i] * 10 * NS_PER_SECOND / PIT_HZ;
        bool is_right = false;
        for (int tries = 0; tries < 20 && !is_right; tries++) {
            ticks = 0;
            pit_start_rate(rates[i]);
            irq_unmask(IRQ_TIMER);
            wait_for_ticks(1); // a late one from before may be the first
            ticks = 0;
            wait_for_ticks(11);
            irq_mask(IRQ_TIMER);
            uint64_t ns = last_ns - first_ns;
            is_right = ns > expected_ns * 99 / 100 && ns < expected_ns * 101 / 100;
        }
        KTEST_EXPECT_TRUE(test, is_right);
    }
}

// --- HPET ---------------------------------------------------------------------------------------

static void release_hpet(void *unused)
{
    (void)unused;
    hpet_release();
}

static void init_hpet(struct ktest *test)
{
    KTEST_ASSERT_EQ(test, hpet_init(HPET_PHYS), OK);
    ktest_add_action(test, release_hpet, NULL);
}

KTEST_SUITE(hpet, .init = init_hpet);

// The leanest machine has none; one with a VGA has.
KTEST_ATTR(hpet, wakes_sleepers, .speed = KTEST_SPEED_SLOW, .needs = KTEST_NEEDS_VGA,
           .proves = "7.8.3");
KTEST(hpet, wakes_sleepers)
{
    expect_sleeps(test, hpet_event);
}

KTEST_ATTR(hpet, loses_no_wakeup, .needs = KTEST_NEEDS_VGA);
KTEST(hpet, loses_no_wakeup)
{
    expect_no_lost_wakeup(test, hpet_event);
}

KTEST_ATTR(hpet, measures_the_clock, .speed = KTEST_SPEED_SLOW, .needs = KTEST_NEEDS_VGA);
KTEST(hpet, measures_the_clock)
{
    uint64_t hz = 0;
    KTEST_ASSERT_EQ(test, calibrate(cpu_read_tsc, hpet_reference, &hz), OK);
    uint64_t distance = hz > clock_hz() ? hz - clock_hz() : clock_hz() - hz;
    KTEST_EXPECT_LT(test, distance, clock_hz() / 100);
}

// The interval timer's own interrupt comes again when it is stopped.
KTEST_ATTR(hpet, gives_line_0_back, .needs = KTEST_NEEDS_VGA);
KTEST(hpet, gives_line_0_back)
{
    take_line(test);
    irq_unmask(IRQ_TIMER); // first: an edge that comes while the line is masked is lost
    hpet_event->set(1'000'000);
    wait_for_ticks(1);
    hpet_event->stop();
    ticks = 0;
    pit_start_rate(1193);
    wait_for_ticks(3);
    KTEST_EXPECT_GE(test, ticks, 3);
}

KTEST(clock_event, hpet_is_not_where_nothing_answers)
{
    KTEST_EXPECT_EQ(test, hpet_init((phys_addr_t){0xfe000000}), ENODEV);
    KTEST_EXPECT_EQ(test, hpet_init((phys_addr_t){0x200000}), EINVAL); // memory
}

// --- Local APIC's timer -------------------------------------------------------------------------

static volatile uint64_t apic_ticks;

static void count_apic_tick(struct trap_frame *frame)
{
    (void)frame;
    apic_ticks++;
    local_apic_end();
}

// QEMU may have one more of an earlier timer.
static void take_pending_interrupts(void)
{
    uint64_t start = clock_monotonic_ns();
    cpu_enable_interrupts();
    while (clock_monotonic_ns() - start < 200 * NS_PER_US) {
        cpu_relax();
    }
    cpu_disable_interrupts();
}

// By its vector, as it may have no line: where the 8259s are in use.
KTEST_ATTR(clock_event, apic_timer_comes_in_time, .speed = KTEST_SPEED_SLOW,
           .needs = KTEST_NEEDS_APIC, .proves = "7.8.3");
KTEST(clock_event, apic_timer_comes_in_time)
{
    static const uint64_t lengths_ns[] = {2000, 1'000'000, 20'000'000};
    struct plain_vector vector = {IRQ_FIRST_VECTOR + IRQ_LOCAL_TIMER};
    KTEST_ASSERT_EQ(test, apic_timer_init(), OK);
    KTEST_EXPECT_GT(test, apic_timer_event->max_ns, NS_PER_SECOND);
    trap_handler_t *before = trap_set_handler(vector, count_apic_tick);
    local_apic_timer_unmask(vector.number);
    for (size_t i = 0; i < ARRAY_SIZE(lengths_ns); i++) {
        take_pending_interrupts();
        apic_ticks = 0;
        uint64_t start = clock_monotonic_ns();
        apic_timer_event->set(lengths_ns[i]);
        while (apic_ticks == 0) {
            cpu_wait_for_interrupt();
            cpu_disable_interrupts();
        }
        // 1 %: its frequency was measured
        KTEST_EXPECT_GE(test, clock_monotonic_ns() - start, lengths_ns[i] * 99 / 100);
    }
    take_pending_interrupts();
    apic_ticks = 0;
    apic_timer_event->set(1'000'000);
    apic_timer_event->stop();
    uint32_t left = local_apic_timer_count();
    local_apic_timer_mask();
    trap_set_handler(vector, before);
    KTEST_EXPECT_EQ(test, apic_ticks, 0);
    KTEST_EXPECT_EQ(test, left, 0);
}
