// SPDX-License-Identifier: MIT
#include "task/mutex.h"

#include "ktest.h"
#include "lib/bits.h"
#include "lib/container_of.h"
#include "task/coroutine.h"
#include "task/executor.h"
#include "task/interrupt_fixture.h"
#include "task/test_waker.h"

TESTS_BYPASS_GUARDS

static struct mutex mutex;

static struct {
    struct test_waker waker;
    struct mutex_lock lock;
} clients[3];

static void init(struct ktest *test)
{
    (void)test;
    mutex_init(&mutex);
    for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
        clients[i].waker = test_waker_make();
        mutex_lock_init(&clients[i].lock, &mutex);
    }
}

// Whatever a test did: it is not locked, nobody waits, and nobody keeps a waker.
static void exit(struct ktest *test)
{
    KTEST_EXPECT_NULL(test, mutex.owner);
    KTEST_EXPECT_EQ(test, mutex.semaphore.permits, 1);
    for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
        KTEST_EXPECT_EQ(test, clients[i].waker.waker.references.count, 1);
    }
}

KTEST_SUITE(mutex, .init = init, .exit = exit);

static enum poll poll(unsigned client)
{
    struct poll_context context = {&clients[client].waker.waker};
    return future_poll(&clients[client].lock.future, &context);
}

KTEST_ATTR(mutex, has_one_owner_and_then_the_next, .proves = "12.5.6.2");
KTEST(mutex, has_one_owner_and_then_the_next)
{
    KTEST_EXPECT_EQ(test, poll(0), POLL_READY);
    KTEST_EXPECT_EQ(test, poll(1), POLL_PENDING);
    KTEST_EXPECT_EQ(test, poll(2), POLL_PENDING);
    KTEST_EXPECT_PTR_EQ(test, mutex.owner, &clients[0].lock);

    mutex_unlock(&clients[0].lock);
    KTEST_EXPECT_EQ(test, clients[1].waker.wake_count, 1);
    KTEST_EXPECT_EQ(test, clients[2].waker.wake_count, 0);
    KTEST_EXPECT_EQ(test, poll(2), POLL_PENDING);
    KTEST_EXPECT_EQ(test, poll(1), POLL_READY);
    mutex_unlock(&clients[1].lock);
    KTEST_EXPECT_EQ(test, poll(2), POLL_READY);
    mutex_unlock(&clients[2].lock);
}

KTEST(mutex, try_lock_does_not_come_before_who_waits)
{
    KTEST_EXPECT_TRUE(test, mutex_try_lock(&clients[0].lock));
    KTEST_EXPECT_FALSE(test, mutex_try_lock(&clients[2].lock));
    KTEST_EXPECT_EQ(test, poll(1), POLL_PENDING);
    mutex_unlock(&clients[0].lock);
    KTEST_EXPECT_FALSE(test, mutex_try_lock(&clients[2].lock));

    KTEST_EXPECT_EQ(test, poll(1), POLL_READY);
    mutex_unlock(&clients[1].lock);
    KTEST_EXPECT_TRUE(test, mutex_try_lock(&clients[2].lock));
    mutex_unlock(&clients[2].lock);
}

KTEST(mutex, lock_that_was_granted_and_dropped_goes_on)
{
    KTEST_EXPECT_EQ(test, poll(0), POLL_READY);
    KTEST_EXPECT_EQ(test, poll(1), POLL_PENDING);
    KTEST_EXPECT_EQ(test, poll(2), POLL_PENDING);
    mutex_unlock(&clients[0].lock);
    future_drop(&clients[1].lock.future);
    KTEST_EXPECT_EQ(test, clients[2].waker.wake_count, 1);
    future_drop(&clients[2].lock.future);
}

KTEST(mutex, only_its_owner_unlocks_it)
{
    KTEST_EXPECT_PANIC(test, "*owner == lock*", mutex_unlock(&clients[0].lock));
    KTEST_EXPECT_EQ(test, poll(0), POLL_READY);
    KTEST_EXPECT_EQ(test, poll(1), POLL_PENDING);
    KTEST_EXPECT_PANIC(test, "*owner == lock*", mutex_unlock(&clients[1].lock));
    mutex_unlock(&clients[0].lock);
    KTEST_EXPECT_PANIC(test, "*owner == lock*", mutex_unlock(&clients[0].lock));
    KTEST_EXPECT_PANIC(test, "*owner == lock*", mutex_unlock(&clients[1].lock)); // granted only
    KTEST_EXPECT_EQ(test, poll(1), POLL_READY);
    mutex_unlock(&clients[1].lock);
}

KTEST(mutex, owner_that_would_wait_for_itself_panics)
{
    KTEST_EXPECT_TRUE(test, mutex_try_lock(&clients[0].lock));
    KTEST_EXPECT_PANIC(test, "*owner != lock*", (void)!poll(0));
    mutex_unlock(&clients[0].lock);
}

static void unlock_in_interrupt(struct timer *timer)
{
    (void)timer;
    mutex_unlock(&clients[0].lock);
}

// Handlers have no business here; but what wakes from one wakes from everywhere.
KTEST(mutex, sleeping_task_is_woken)
{
    KTEST_EXPECT_EQ(test, poll(0), POLL_READY);
    test_run_until_interrupt(test, &clients[1].lock.future, unlock_in_interrupt);
    mutex_unlock(&clients[1].lock);
}

// --- Tasks that are cancelled with it -----------------------------------------------------------

struct holder {
    struct task task;
    struct coroutine coroutine;
    struct mutex_lock lock;
    struct coroutine_cleanup cleanup;
    bool has_it;
};

static void unlock(void *lock)
{
    mutex_unlock(lock);
}

// Keeps it until it is cancelled.
static enum coroutine_step hold(struct coroutine *coroutine)
{
    struct holder *self = container_of(coroutine, struct holder, coroutine);
    COROUTINE_BEGIN(self);
    mutex_lock_init(&self->lock, &mutex);
    AWAIT(self, &self->lock.future);
    coroutine_defer(&self->coroutine, &self->cleanup, unlock, &self->lock);
    self->has_it = true;
    for (;;) {
        COROUTINE_YIELD(self);
    }
}

KTEST_ATTR(mutex, cancelled_task_leaves_it_to_the_next, .proves = "12.1.9 12.5.6.2");
KTEST(mutex, cancelled_task_leaves_it_to_the_next)
{
    struct executor executor;
    struct holder holders[3] = {};
    executor_init(&executor, "test");
    for (size_t i = 0; i < ARRAY_SIZE(holders); i++) {
        coroutine_init(&holders[i].coroutine, hold);
        task_init(&holders[i].task, "holder", &holders[i].coroutine.future);
        executor_spawn(&executor, &holders[i].task);
    }
    for (size_t i = 0; i < ARRAY_SIZE(holders); i++) {
        executor_poll_next(&executor);
    }
    KTEST_EXPECT_TRUE(test, holders[0].has_it);

    task_cancel(&holders[1].task); // that waits
    task_cancel(&holders[0].task); // that has it
    for (unsigned i = 0; i < 4; i++) {
        executor_poll_next(&executor);
    }
    KTEST_EXPECT_FALSE(test, holders[1].has_it);
    KTEST_EXPECT_TRUE(test, holders[2].has_it);
    executor_close(&executor);
}
