// SPDX-License-Identifier: MIT
#include "task/semaphore.h"

#include "ktest.h"
#include "lib/bits.h"
#include "task/interrupt_fixture.h"
#include "task/test_waker.h"

TESTS_BYPASS_GUARDS

static struct semaphore semaphore;

static struct {
    struct test_waker waker;
    struct semaphore_acquire acquire;
} clients[4];

static void init(struct ktest *test)
{
    (void)test;
    semaphore_init(&semaphore, 0);
    for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
        clients[i].waker = test_waker_make();
        semaphore_acquire_init(&clients[i].acquire, &semaphore);
    }
}

// Whatever a test did: nobody waits, and nobody keeps a waker.
static void exit(struct ktest *test)
{
    KTEST_EXPECT_TRUE(test, wait_queue_is_empty(&semaphore.waiters));
    for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
        KTEST_EXPECT_EQ(test, clients[i].waker.waker.references.count, 1);
    }
}

KTEST_SUITE(semaphore, .init = init, .exit = exit);

static enum poll poll(unsigned client)
{
    struct poll_context context = {&clients[client].waker.waker};
    return future_poll(&clients[client].acquire.future, &context);
}

static void drop(unsigned client)
{
    future_drop(&clients[client].acquire.future);
}

// The first `count` of them, in this order.
static void let_wait(struct ktest *test, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        KTEST_ASSERT_EQ(test, poll(i), POLL_PENDING);
    }
}

static void expect_wakes(struct ktest *test, unsigned first, unsigned second, unsigned third)
{
    KTEST_EXPECT_EQ(test, clients[0].waker.wake_count, first);
    KTEST_EXPECT_EQ(test, clients[1].waker.wake_count, second);
    KTEST_EXPECT_EQ(test, clients[2].waker.wake_count, third);
}

static void expect_acquired(struct ktest *test, unsigned client)
{
    KTEST_EXPECT_EQ(test, poll(client), POLL_READY);
    KTEST_EXPECT_EQ(test, clients[client].acquire.result, OK);
}

KTEST_ATTR(semaphore, gives_as_many_permits_as_it_has, .proves = "12.5.6.2");
KTEST(semaphore, gives_as_many_permits_as_it_has)
{
    semaphore_init(&semaphore, 2);
    KTEST_EXPECT_TRUE(test, semaphore_try_acquire(&semaphore));
    expect_acquired(test, 0);
    KTEST_EXPECT_FALSE(test, semaphore_try_acquire(&semaphore));
    KTEST_EXPECT_EQ(test, poll(1), POLL_PENDING);

    semaphore_release(&semaphore);
    expect_acquired(test, 1);
    KTEST_EXPECT_FALSE(test, semaphore_try_acquire(&semaphore));
    semaphore_release(&semaphore);
    KTEST_EXPECT_TRUE(test, semaphore_try_acquire(&semaphore));
}

KTEST(semaphore, wakes_one_a_release_in_the_order_of_their_coming)
{
    let_wait(test, 3);
    expect_wakes(test, 0, 0, 0);
    semaphore_release(&semaphore);
    expect_wakes(test, 1, 0, 0);
    semaphore_release(&semaphore);
    expect_wakes(test, 1, 1, 0);
    semaphore_release(&semaphore);
    expect_wakes(test, 1, 1, 1);

    expect_acquired(test, 2); // each has its own, whoever is polled first
    expect_acquired(test, 0);
    expect_acquired(test, 1);
}

// Between the release and the poll of who was woken.
KTEST(semaphore, permit_of_who_waited_is_for_nobody_else)
{
    let_wait(test, 1);
    semaphore_release(&semaphore);
    KTEST_EXPECT_FALSE(test, semaphore_try_acquire(&semaphore));
    KTEST_EXPECT_EQ(test, poll(1), POLL_PENDING);

    expect_acquired(test, 0);
    drop(1);
}

KTEST(semaphore, poll_without_need_keeps_the_place)
{
    let_wait(test, 2);
    KTEST_EXPECT_EQ(test, poll(0), POLL_PENDING);
    semaphore_release(&semaphore);
    expect_wakes(test, 1, 0, 0);
    KTEST_EXPECT_EQ(test, poll(1), POLL_PENDING);
    drop(0);
    drop(1);
}

KTEST(semaphore, last_waker_is_woken)
{
    struct poll_context other = {&clients[1].waker.waker};
    let_wait(test, 1);
    KTEST_EXPECT_EQ(test, future_poll(&clients[0].acquire.future, &other), POLL_PENDING);
    KTEST_EXPECT_EQ(test, clients[0].waker.waker.references.count, 1);
    semaphore_release(&semaphore);
    expect_wakes(test, 0, 1, 0);
    expect_acquired(test, 0);
}

KTEST_ATTR(semaphore, permit_of_a_woken_one_that_is_dropped_goes_on, .proves = "12.1.9");
KTEST(semaphore, permit_of_a_woken_one_that_is_dropped_goes_on)
{
    let_wait(test, 2);
    semaphore_release(&semaphore);
    drop(0);
    expect_wakes(test, 1, 1, 0);
    drop(1); // there is nobody any more: it is free
    expect_wakes(test, 1, 1, 0);
    KTEST_EXPECT_TRUE(test, semaphore_try_acquire(&semaphore));
    KTEST_EXPECT_FALSE(test, semaphore_try_acquire(&semaphore));
}

KTEST(semaphore, one_in_the_middle_can_be_dropped)
{
    let_wait(test, 3);
    drop(1);
    semaphore_release(&semaphore);
    semaphore_release(&semaphore);
    semaphore_release(&semaphore);
    expect_wakes(test, 1, 0, 1);
    expect_acquired(test, 0);
    expect_acquired(test, 2);
    KTEST_EXPECT_EQ(test, semaphore.permits, 1);
}

KTEST(semaphore, dropped_before_or_behind_its_poll_gives_nothing_back)
{
    semaphore_init(&semaphore, 1);
    drop(0);
    KTEST_EXPECT_EQ(test, semaphore.permits, 1);
    expect_acquired(test, 1);
    drop(1);
    KTEST_EXPECT_EQ(test, semaphore.permits, 0);
}

KTEST(semaphore, close_ends_all_waiting)
{
    let_wait(test, 2);
    semaphore_close(&semaphore);
    expect_wakes(test, 1, 1, 0);
    for (unsigned i = 0; i < 3; i++) {
        KTEST_EXPECT_EQ(test, poll(i), POLL_READY);
        KTEST_EXPECT_EQ(test, clients[i].acquire.result, EPIPE);
    }
}

KTEST(semaphore, permits_outlive_the_close)
{
    let_wait(test, 1);
    semaphore_release(&semaphore);
    semaphore_close(&semaphore);
    semaphore_release(&semaphore);
    expect_acquired(test, 0);
    expect_acquired(test, 1);
    KTEST_EXPECT_FALSE(test, semaphore_try_acquire(&semaphore));
}

KTEST(semaphore, permit_too_many_panics)
{
    semaphore_init(&semaphore, SEMAPHORE_PERMITS_MAX - 1);
    semaphore_release(&semaphore);
    KTEST_EXPECT_PANIC(test, "*SEMAPHORE_PERMITS_MAX*", semaphore_release(&semaphore));
    KTEST_EXPECT_EQ(test, semaphore.permits, SEMAPHORE_PERMITS_MAX);
}

static void release_in_interrupt(struct timer *timer)
{
    (void)timer;
    semaphore_release(&semaphore);
}

KTEST_ATTR(semaphore, interrupt_releases, .proves = "12.5.6.2");
KTEST(semaphore, interrupt_releases)
{
    test_run_until_interrupt(test, &clients[0].acquire.future, release_in_interrupt);
    KTEST_EXPECT_EQ(test, clients[0].acquire.result, OK);
}
