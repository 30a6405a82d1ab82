// SPDX-License-Identifier: MIT
#include "task/interval.h"

#include "drivers/nmi_timer.h"
#include "ktest.h"
#include "lib/container_of.h"
#include "task/clock_fixture.h"
#include "task/coroutine.h"
#include "task/executor.h"

static struct interval interval;

static void exit(struct ktest *test)
{
    KTEST_EXPECT_EQ(test, test_clock_timers(), 0);
}

KTEST_SUITE(interval, .exit = exit);

static enum poll poll(struct future *future)
{
    return future_poll(future, &(struct poll_context){&waker_dummy});
}

static void expect_tick_at(struct ktest *test, uint64_t ns)
{
    struct future *tick = interval_next(&interval);
    if (test_clock_ns < ns) {
        test_clock_ns = ns - 1;
        KTEST_EXPECT_EQ(test, poll(tick), POLL_PENDING);
        test_clock_ns = ns;
    }
    KTEST_EXPECT_EQ(test, poll(tick), POLL_READY);
}

KTEST_ATTR(interval, ticks_without_drift, .proves = "12.5.6.1");
KTEST(interval, ticks_without_drift)
{
    test_clock_use(test);
    interval_init(&interval, 100);
    expect_tick_at(test, 5100);
    test_clock_ns = 5203; // late
    expect_tick_at(test, 5200);
    expect_tick_at(test, 5300);
    test_clock_ns = 5499;
    expect_tick_at(test, 5400);
    expect_tick_at(test, 5500);
    KTEST_EXPECT_EQ(test, interval.missed_count, 0);
}

KTEST_ATTR(interval, skips_and_counts_what_was_missed, .proves = "12.5.6.1");
KTEST(interval, skips_and_counts_what_was_missed)
{
    test_clock_use(test);
    interval_init(&interval, 100);
    test_clock_ns = 5350;
    expect_tick_at(test, 5100); // 5200 and 5300 are skipped
    KTEST_EXPECT_EQ(test, interval.missed_count, 2);
    expect_tick_at(test, 5400);
    test_clock_ns = 5600; // a tick itself: then it is that one that is seen
    expect_tick_at(test, 5500);
    KTEST_EXPECT_EQ(test, interval.missed_count, 3);
    expect_tick_at(test, 5700);
    KTEST_EXPECT_EQ(test, interval.missed_count, 3);
}

KTEST(interval, dropped_tick_comes_once_more)
{
    test_clock_use(test);
    interval_init(&interval, 100);
    struct future *tick = interval_next(&interval);
    KTEST_EXPECT_EQ(test, poll(tick), POLL_PENDING);
    KTEST_EXPECT_EQ(test, test_clock_timers(), 1);
    future_drop(tick);
    KTEST_EXPECT_EQ(test, test_clock_timers(), 0);
    expect_tick_at(test, 5100);
}

KTEST(interval, one_tick_is_awaited_at_a_time)
{
    test_clock_use(test);
    interval_init(&interval, 100);
    struct future *tick = interval_next(&interval);
    KTEST_EXPECT_EQ(test, poll(tick), POLL_PENDING);
    KTEST_EXPECT_PANIC(test, "*!interval->delay.timer.is_queued*", interval_next(&interval));
    future_drop(tick);
    KTEST_EXPECT_PANIC(test, "*period_ns > 0*", interval_init(&interval, 0));
}

KTEST(interval, next_tick_may_be_never)
{
    test_clock_use(test);
    interval_init(&interval, UINT64_MAX - 6000);
    test_clock_ns = UINT64_MAX - 1;
    expect_tick_at(test, UINT64_MAX - 1000);
    KTEST_EXPECT_EQ(test, interval.deadline_ns, UINT64_MAX);
    KTEST_EXPECT_EQ(test, interval.missed_count, 0);
}

// --- With the machine's clock and timer ---------------------------------------------------------

struct ticker {
    struct task task;
    struct coroutine coroutine;
    struct interval interval;
    unsigned tick_count;
};

static enum coroutine_step tick_five_times(struct coroutine *coroutine)
{
    struct ticker *self = container_of(coroutine, struct ticker, coroutine);
    COROUTINE_BEGIN(self);
    interval_init(&self->interval, NS_PER_MS);
    while (self->tick_count < 5) {
        AWAIT(self, interval_next(&self->interval));
        self->tick_count++;
    }
    return COROUTINE_RETURNS;
}

KTEST_ATTR(interval, task_ticks, .proves = "12.5.6.1");
KTEST(interval, task_ticks)
{
    struct executor executor;
    struct ticker ticker = {};
    nmi_timer_stop(); // the timer's device may be the watchdog's
    executor_init(&executor, "test");
    coroutine_init(&ticker.coroutine, tick_five_times);
    task_init(&ticker.task, "ticker", &ticker.coroutine.future);
    executor_spawn(&executor, task_get(&ticker.task));

    uint64_t start_ns = clock_monotonic_ns();
    executor_run_until_ended(&executor, &ticker.task);
    uint64_t ticks = ticker.tick_count + ticker.interval.missed_count;
    KTEST_EXPECT_EQ(test, ticker.tick_count, 5);
    KTEST_EXPECT_GE(test, clock_monotonic_ns() - start_ns, ticks * NS_PER_MS);
}
