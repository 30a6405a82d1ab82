// SPDX-License-Identifier: MIT
#include "task/timeout.h"

#include "drivers/nmi_timer.h"
#include "ktest.h"
#include "task/clock_fixture.h"
#include "task/event.h"
#include "task/executor.h"
#include "task/semaphore.h"

static struct event event;
static struct event_wait wait;
static struct timeout timeout;

static void init(struct ktest *test)
{
    (void)test;
    event_init(&event);
    event_wait_init(&wait, &event);
}

// Whatever a test did: neither of the two is left behind.
static void exit(struct ktest *test)
{
    KTEST_EXPECT_EQ(test, test_clock_timers(), 0);
    KTEST_EXPECT_TRUE(test, wait_queue_is_empty(&event.waiters));
}

KTEST_SUITE(timeout, .init = init, .exit = exit);

static void start(struct ktest *test)
{
    test_clock_use(test);
    timeout_init(&timeout, &wait.future, 100);
}

static enum poll poll(void)
{
    return future_poll(&timeout.future, &(struct poll_context){&waker_dummy});
}

KTEST_ATTR(timeout, future_may_be_in_time, .proves = "12.5.6.1");
KTEST(timeout, future_may_be_in_time)
{
    start(test);
    KTEST_EXPECT_EQ(test, poll(), POLL_PENDING);
    KTEST_EXPECT_EQ(test, test_clock_timers(), 1);
    event_set(&event);
    KTEST_EXPECT_EQ(test, poll(), POLL_READY);
    KTEST_EXPECT_EQ(test, timeout.result, OK);
}

KTEST_ATTR(timeout, future_may_be_late, .proves = "12.5.6.1");
KTEST(timeout, future_may_be_late)
{
    start(test);
    test_clock_ns = 5099;
    KTEST_EXPECT_EQ(test, poll(), POLL_PENDING);
    test_clock_ns = 5100;
    KTEST_EXPECT_EQ(test, poll(), POLL_READY);
    KTEST_EXPECT_EQ(test, timeout.result, ETIMEDOUT);
}

KTEST(timeout, ready_at_the_deadline_is_in_time)
{
    start(test);
    KTEST_EXPECT_EQ(test, poll(), POLL_PENDING);
    test_clock_ns = 5100;
    event_set(&event);
    KTEST_EXPECT_EQ(test, poll(), POLL_READY);
    KTEST_EXPECT_EQ(test, timeout.result, OK);
}

KTEST(timeout, dropped_it_drops_both)
{
    start(test);
    KTEST_EXPECT_EQ(test, poll(), POLL_PENDING);
    future_drop(&timeout.future);
}

// --- With the machine's clock and timer ---------------------------------------------------------

KTEST(timeout, ends_a_wait_and_loses_no_permit)
{
    struct executor executor;
    struct task task;
    struct semaphore semaphore;
    struct semaphore_acquire acquire;
    nmi_timer_stop(); // the timer's device may be the watchdog's
    semaphore_init(&semaphore, 0);
    semaphore_acquire_init(&acquire, &semaphore);
    timeout_init(&timeout, &acquire.future, NS_PER_MS);
    executor_init(&executor, "test");
    task_init(&task, "test", &timeout.future);
    executor_spawn(&executor, task_get(&task));

    executor_run_until_ended(&executor, &task);
    KTEST_EXPECT_EQ(test, timeout.result, ETIMEDOUT);
    semaphore_release(&semaphore);
    KTEST_EXPECT_TRUE(test, semaphore_try_acquire(&semaphore));
}
