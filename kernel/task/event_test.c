// SPDX-License-Identifier: MIT
#include "task/event.h"

#include "arch/x86_64/cpu.h"
#include "ktest.h"
#include "task/interrupt_fixture.h"
#include "task/test_waker.h"

static struct event event;

static struct {
    struct test_waker waker;
    struct event_wait wait;
} clients[3];

static void init(struct ktest *test)
{
    (void)test;
    event_init(&event);
    for (size_t i = 0; i < 3; i++) {
        clients[i].waker = test_waker_make();
        event_wait_init(&clients[i].wait, &event);
    }
}

static void exit(struct ktest *test)
{
    KTEST_EXPECT_TRUE(test, wait_queue_is_empty(&event.waiters));
    for (size_t i = 0; i < 3; i++) {
        KTEST_EXPECT_EQ(test, clients[i].waker.waker.references.count, 1);
    }
}

KTEST_SUITE(event, .init = init, .exit = exit);

static enum poll poll(unsigned client)
{
    struct poll_context context = {&clients[client].waker.waker};
    return future_poll(&clients[client].wait.future, &context);
}

static bool was_interruptible;

static void note_interrupts(struct waker *waker)
{
    (void)waker;
    was_interruptible = cpu_interrupts_enabled();
}

// Those who wait then: no handler comes between the set and the last wake.
KTEST(event, set_is_not_interrupted)
{
    was_interruptible = true;
    clients[0].waker.waker.wake = note_interrupts;
    KTEST_EXPECT_EQ(test, poll(0), POLL_PENDING);
    cpu_enable_interrupts();
    event_set(&event);
    bool is_interruptible = cpu_interrupts_enabled();
    cpu_disable_interrupts();
    KTEST_EXPECT_FALSE(test, was_interruptible);
    KTEST_EXPECT_TRUE(test, is_interruptible);
}

KTEST_ATTR(event, wakes_all_who_wait, .proves = "12.5.6.2");
KTEST(event, wakes_all_who_wait)
{
    KTEST_EXPECT_EQ(test, poll(0), POLL_PENDING);
    KTEST_EXPECT_EQ(test, poll(1), POLL_PENDING);
    KTEST_EXPECT_FALSE(test, event_is_set(&event));
    event_set(&event);
    event_set(&event);

    KTEST_EXPECT_TRUE(test, event_is_set(&event));
    for (unsigned i = 0; i < 3; i++) {
        KTEST_EXPECT_EQ(test, clients[i].waker.wake_count, i < 2);
        KTEST_EXPECT_EQ(test, poll(i), POLL_READY); // the last has never waited
    }
}

KTEST(event, cleared_lets_wait_only_who_comes_later)
{
    KTEST_EXPECT_EQ(test, poll(0), POLL_PENDING);
    event_set(&event);
    event_clear(&event);
    KTEST_EXPECT_EQ(test, poll(1), POLL_PENDING);
    KTEST_EXPECT_EQ(test, poll(0), POLL_READY);
    event_set(&event);
    KTEST_EXPECT_EQ(test, poll(1), POLL_READY);
}

KTEST(event, dropped_wait_is_not_woken)
{
    for (unsigned i = 0; i < 3; i++) {
        KTEST_EXPECT_EQ(test, poll(i), POLL_PENDING);
    }
    future_drop(&clients[1].wait.future);
    event_set(&event);
    KTEST_EXPECT_EQ(test, clients[1].waker.wake_count, 0);
    future_drop(&clients[0].wait.future); // woken, and dropped before its poll
    KTEST_EXPECT_EQ(test, poll(2), POLL_READY);
}

static void set_in_interrupt(struct timer *timer)
{
    (void)timer;
    event_set(&event);
    event_clear(&event);
}

KTEST_ATTR(event, interrupt_sets, .proves = "12.5.6.2");
KTEST(event, interrupt_sets)
{
    test_run_until_interrupt(test, &clients[0].wait.future, set_in_interrupt);
}
