// SPDX-License-Identifier: MIT
#include "task/delay.h"

#include "drivers/nmi_timer.h"
#include "ktest.h"
#include "lib/bits.h"
#include "task/clock_fixture.h"
#include "task/executor.h"
#include "task/test_waker.h"

static struct test_waker waker;
static struct delay delay;

static void init(struct ktest *test)
{
    (void)test;
    waker = test_waker_make();
}

// Whatever a test did: no timer is left, and nobody keeps the waker.
static void exit(struct ktest *test)
{
    KTEST_EXPECT_EQ(test, test_clock_timers(), 0);
    KTEST_EXPECT_EQ(test, waker.waker.references.count, 1);
}

KTEST_SUITE(delay, .init = init, .exit = exit);

static enum poll poll(void)
{
    return future_poll(&delay.future, &(struct poll_context){&waker.waker});
}

KTEST_ATTR(delay, is_ready_at_its_time, .proves = "12.5.6.1");
KTEST(delay, is_ready_at_its_time)
{
    test_clock_use(test);
    delay_init(&delay, 100);
    KTEST_EXPECT_EQ(test, test_clock_timers(), 0);

    KTEST_EXPECT_EQ(test, poll(), POLL_PENDING);
    KTEST_EXPECT_EQ(test, test_clock_timers(), 1);
    KTEST_EXPECT_EQ(test, delay.timer.deadline_ns, 5100);
    test_clock_ns = 5099;
    KTEST_EXPECT_EQ(test, poll(), POLL_PENDING);
    test_clock_ns = 5100;
    KTEST_EXPECT_EQ(test, poll(), POLL_READY);
}

KTEST(delay, counts_from_its_beginning)
{
    test_clock_use(test);
    delay_init(&delay, 100);
    test_clock_ns = 5100;
    KTEST_EXPECT_EQ(test, poll(), POLL_READY);
}

KTEST(delay, of_nothing_is_ready_at_once)
{
    test_clock_use(test);
    delay_init(&delay, 0);
    KTEST_EXPECT_EQ(test, poll(), POLL_READY);
    delay_until_init(&delay, 4999);
    KTEST_EXPECT_EQ(test, poll(), POLL_READY);
}

KTEST(delay, beyond_the_end_of_time_is_never)
{
    test_clock_use(test);
    delay_init(&delay, UINT64_MAX - 4999);
    KTEST_EXPECT_EQ(test, delay.deadline_ns, UINT64_MAX);
    KTEST_EXPECT_EQ(test, poll(), POLL_PENDING);
    future_drop(&delay.future);

    delay_init(&delay, UINT64_MAX - 5001);
    KTEST_EXPECT_EQ(test, delay.deadline_ns, UINT64_MAX - 1);
}

KTEST_ATTR(delay, dropped_it_leaves_nothing_behind, .proves = "12.1.9");
KTEST(delay, dropped_it_leaves_nothing_behind)
{
    test_clock_use(test);
    delay_init(&delay, 100);
    future_drop(&delay.future);
    delay_init(&delay, 100);
    KTEST_EXPECT_EQ(test, poll(), POLL_PENDING);
    KTEST_EXPECT_EQ(test, waker.waker.references.count, 2);
    future_drop(&delay.future);
    KTEST_EXPECT_EQ(test, test_clock_timers(), 0);
}

KTEST(delay, poll_without_need_changes_the_waker_only)
{
    struct test_waker other = test_waker_make();
    test_clock_use(test);
    delay_init(&delay, 100);
    KTEST_EXPECT_EQ(test, poll(), POLL_PENDING);
    uint64_t order = delay.timer.order;
    KTEST_EXPECT_EQ(test, future_poll(&delay.future, &(struct poll_context){&other.waker}),
                    POLL_PENDING);
    KTEST_EXPECT_EQ(test, delay.timer.order, order);
    KTEST_EXPECT_EQ(test, waker.waker.references.count, 1);
    KTEST_EXPECT_EQ(test, other.waker.references.count, 2);
    future_drop(&delay.future);
}

// --- With the machine's clock and timer ---------------------------------------------------------

struct sleeper {
    struct task task;
    struct delay delay;
    uint64_t ns;
};

static struct executor executor;

static void spawn(struct sleeper *sleeper, uint64_t ns)
{
    sleeper->ns = ns;
    delay_init(&sleeper->delay, ns);
    task_init(&sleeper->task, "sleeper", &sleeper->delay.future);
    executor_spawn(&executor, &sleeper->task);
}

KTEST_ATTR(delay, wakes_tasks_at_their_times, .proves = "12.5.6.1");
KTEST(delay, wakes_tasks_at_their_times)
{
    struct sleeper sleepers[3];
    nmi_timer_stop(); // the timer's device may be the watchdog's
    executor_init(&executor, "test");
    uint64_t start_ns = clock_monotonic_ns();
    spawn(&sleepers[0], 3 * NS_PER_MS);
    spawn(&sleepers[1], 1 * NS_PER_MS);
    spawn(&sleepers[2], 2 * NS_PER_MS);

    // A machine that stands still between two polls may let the longest be the first of them.
    for (size_t i = 0; i < ARRAY_SIZE(sleepers); i++) {
        task_get(&sleepers[i].task);
    }
    for (size_t i = 0; i < ARRAY_SIZE(sleepers); i++) {
        executor_run_until_ended(&executor, &sleepers[i].task);
        KTEST_EXPECT_GE(test, clock_monotonic_ns() - start_ns, sleepers[i].ns);
        KTEST_EXPECT_LE(test, sleepers[i].task.poll_count, 2);
    }
}

KTEST_ATTR(delay, cancelled_task_leaves_no_timer, .proves = "12.1.9");
KTEST(delay, cancelled_task_leaves_no_timer)
{
    struct sleeper sleeper;
    executor_init(&executor, "test");
    spawn(&sleeper, NS_PER_SECOND);
    executor_run_ready(&executor);
    KTEST_EXPECT_EQ(test, test_clock_timers(), 1);
    task_cancel(&sleeper.task);
    executor_run_ready(&executor);
    KTEST_EXPECT_TRUE(test, task_has_ended(&sleeper.task));
}
