// SPDX-License-Identifier: MIT
#include "task/task.h"

#include "ktest.h"
#include "lib/bits.h"
#include "mm/heap/heap.h"
#include "task/executor.h"
#include "task/task_fixture.h"
#include "task/task_state.h"

TESTS_BYPASS_GUARDS

static struct executor executor;

static void init(struct ktest *test)
{
    (void)test;
    executor_init(&executor, "test");
}

KTEST_SUITE(task, .init = init);

static void spawn(struct test_task *task, uint64_t polls_left)
{
    test_task_init(task, "task", polls_left);
    executor_spawn(&executor, &task->task);
}

// --- References ---------------------------------------------------------------------------------

struct allocated {
    struct task task;
    struct future future;
    struct waker *kept; // by the first poll
};

static unsigned freed_count;

static void free_allocated(struct task *task)
{
    kfree(container_of(task, struct allocated, task));
    freed_count++;
}

static enum poll poll_once_more(struct future *future, struct poll_context *context)
{
    struct allocated *self = container_of(future, struct allocated, future);
    (void)context;
    return self->task.poll_count < 2 ? POLL_PENDING : POLL_READY;
}

static struct allocated *allocate(struct ktest *test)
{
    struct allocated *self = kzalloc(sizeof(*self));
    KTEST_ASSERT_NOT_NULL(test, self);
    future_init(&self->future, poll_once_more, NULL);
    task_init(&self->task, "allocated", &self->future);
    self->task.release = free_allocated;
    freed_count = 0;
    return self;
}

KTEST_ATTR(task, memory_is_freed_when_it_has_returned, .proves = "12.1.9 12.4.5");
KTEST(task, memory_is_freed_when_it_has_returned)
{
    struct allocated *task = allocate(test);
    executor_spawn(&executor, &task->task);
    executor_run_ready(&executor);
    KTEST_EXPECT_EQ(test, freed_count, 0);

    waker_wake(&task->task.waker);
    executor_run_ready(&executor);

    KTEST_EXPECT_EQ(test, freed_count, 1);
}

KTEST_ATTR(task, memory_is_freed_when_it_is_cancelled, .proves = "12.1.9");
KTEST(task, memory_is_freed_when_it_is_cancelled)
{
    struct allocated *task = allocate(test);
    executor_spawn(&executor, &task->task);
    executor_run_ready(&executor);

    task_cancel(&task->task);
    executor_run_ready(&executor);

    KTEST_EXPECT_EQ(test, freed_count, 1);
}

KTEST(task, memory_is_freed_if_it_is_never_spawned)
{
    struct allocated *task = allocate(test);

    task_put(&task->task);
    KTEST_EXPECT_EQ(test, freed_count, 0);
    KTEST_EXPECT_TRUE(test, task_has_released());
    task_free_released();

    KTEST_EXPECT_EQ(test, freed_count, 1);
    KTEST_EXPECT_FALSE(test, task_has_released());
}

KTEST_ATTR(task, memory_stays_until_the_last_waker_is_put, .proves = "12.4.7");
KTEST(task, memory_stays_until_the_last_waker_is_put)
{
    struct allocated *task = allocate(test);
    struct waker *first = waker_get(&task->task.waker);
    struct waker *second = waker_get(&task->task.waker);
    executor_spawn(&executor, &task->task);
    executor_run_ready(&executor);
    waker_wake(first);
    executor_run_ready(&executor);
    KTEST_EXPECT_EQ(test, task->task.waker.references.count, 2);

    waker_put(first);
    executor_run_ready(&executor);
    KTEST_EXPECT_EQ(test, freed_count, 0);
    waker_wake(second);
    waker_put(second);
    executor_run_ready(&executor);

    KTEST_EXPECT_EQ(test, freed_count, 1);
}

static void put_in_release(struct task *task)
{
    struct test_task *self = container_of(task, struct test_task, task);
    self->release_count++;
    task_put(self->context);
}

KTEST(task, release_may_put_the_last_reference_of_another)
{
    struct test_task first, second;
    test_task_init(&second, "second", 1);
    test_task_init(&first, "first", 1);
    first.task.release = put_in_release;
    first.context = &second.task;

    task_put(&first.task);
    task_free_released();

    KTEST_EXPECT_EQ(test, first.release_count, 1);
    KTEST_EXPECT_EQ(test, second.release_count, 1);
}

KTEST(task, without_release_stays_where_it_is)
{
    struct test_task task;
    test_task_init(&task, "task", 1);
    task.task.release = NULL;
    executor_spawn(&executor, &task.task);

    executor_run_ready(&executor);

    KTEST_EXPECT_TRUE(test, task_has_ended(&task.task));
    KTEST_EXPECT_EQ(test, task.task.waker.references.count, 0);
    KTEST_EXPECT_FALSE(test, task_has_released());
}

// --- Cancel -------------------------------------------------------------------------------------

static void expect_cancelled(struct ktest *test, const struct test_task *task, uint64_t poll_count)
{
    KTEST_EXPECT_TRUE(test, task_has_ended(&task->task));
    KTEST_EXPECT_EQ(test, task->task.result, TASK_CANCELLED);
    KTEST_EXPECT_EQ(test, task->task.poll_count, poll_count);
    KTEST_EXPECT_EQ(test, task->drop_count, 1);
    KTEST_EXPECT_EQ(test, task->release_count, 1);
}

KTEST_ATTR(task, cancelled_while_it_waits_is_dropped_in_its_turn, .proves = "12.1.9");
KTEST(task, cancelled_while_it_waits_is_dropped_in_its_turn)
{
    struct test_task task;
    spawn(&task, TEST_TASK_ENDLESS);
    executor_run_ready(&executor);

    task_cancel(&task.task);
    KTEST_EXPECT_EQ(test, task.drop_count, 0);
    KTEST_EXPECT_FALSE(test, task_has_ended(&task.task));
    KTEST_EXPECT_FALSE(test, executor_is_idle(&executor));
    executor_run_ready(&executor);

    expect_cancelled(test, &task, 1);
}

KTEST(task, cancelled_while_it_is_ready_is_not_polled_again)
{
    struct test_task task;
    spawn(&task, TEST_TASK_ENDLESS);
    executor_run_ready(&executor);
    waker_wake(&task.task.waker);

    task_cancel(&task.task);
    executor_run_ready(&executor);

    expect_cancelled(test, &task, 1);
}

KTEST(task, cancelled_before_its_first_poll_is_never_polled)
{
    struct test_task task;
    spawn(&task, 1);

    task_cancel(&task.task);
    executor_run_ready(&executor);

    expect_cancelled(test, &task, 0);
}

KTEST(task, cancelled_before_it_is_spawned_is_never_polled)
{
    struct test_task task;
    test_task_init(&task, "task", 1);

    task_cancel(&task.task);
    executor_spawn(&executor, &task.task);
    executor_run_ready(&executor);

    expect_cancelled(test, &task, 0);
}

KTEST(task, cancelled_twice_is_dropped_once)
{
    struct test_task task;
    spawn(&task, TEST_TASK_ENDLESS);
    executor_run_ready(&executor);
    task_get(&task.task);

    KTEST_EXPECT_TRUE(test, task_cancel(&task.task));
    KTEST_EXPECT_FALSE(test, task_cancel(&task.task));
    executor_run_ready(&executor);
    KTEST_EXPECT_FALSE(test, task_cancel(&task.task));
    executor_run_ready(&executor);
    task_put(&task.task);
    task_free_released();

    expect_cancelled(test, &task, 1);
    KTEST_EXPECT_EQ(test, executor.ended_count, 1);
}

KTEST(task, cancelled_after_its_end_has_returned)
{
    struct test_task task;
    spawn(&task, 1);
    task_get(&task.task);
    executor_run_ready(&executor);

    task_cancel(&task.task);
    executor_run_ready(&executor);

    KTEST_EXPECT_EQ(test, task.task.result, TASK_RETURNED);
    KTEST_EXPECT_EQ(test, task.drop_count, 0);
    task_put(&task.task);
    task_free_released();
    KTEST_EXPECT_EQ(test, task.release_count, 1);
}

static void cancel_itself(struct test_task *self)
{
    task_cancel(&self->task);
}

KTEST(task, may_cancel_itself)
{
    struct test_task task;
    test_task_init(&task, "task", TEST_TASK_ENDLESS);
    task.on_poll = cancel_itself;
    executor_spawn(&executor, &task.task);

    executor_run_ready(&executor);

    expect_cancelled(test, &task, 1);
}

KTEST(task, that_cancels_itself_and_returns_has_returned)
{
    struct test_task task;
    test_task_init(&task, "task", 1);
    task.on_poll = cancel_itself;
    executor_spawn(&executor, &task.task);

    executor_run_ready(&executor);

    KTEST_EXPECT_EQ(test, task.task.result, TASK_RETURNED);
    KTEST_EXPECT_EQ(test, task.drop_count, 0);
    KTEST_EXPECT_EQ(test, task.release_count, 1);
}

// --- Join ---------------------------------------------------------------------------------------

struct joiner {
    struct task task;
    struct task_join join;
};

static void spawn_joiner(struct joiner *joiner, struct task *joined)
{
    task_join_init(&joiner->join, joined);
    task_init(&joiner->task, "joiner", &joiner->join.future);
    executor_spawn(&executor, &joiner->task);
}

KTEST_ATTR(task, join_waits_for_the_end, .proves = "12.5.6");
KTEST(task, join_waits_for_the_end)
{
    struct test_task task;
    struct joiner joiner;
    spawn(&task, 2);
    spawn_joiner(&joiner, &task.task);
    KTEST_EXPECT_EQ(test, task.task.waker.references.count, 2);
    executor_run_ready(&executor);
    KTEST_EXPECT_FALSE(test, task_has_ended(&joiner.task));

    waker_wake(&task.task.waker);
    executor_run_ready(&executor);

    KTEST_EXPECT_TRUE(test, task_has_ended(&joiner.task));
    KTEST_EXPECT_EQ(test, joiner.join.result, TASK_RETURNED);
    KTEST_EXPECT_EQ(test, joiner.task.poll_count, 2);
    KTEST_EXPECT_EQ(test, task.release_count, 1);
}

KTEST_ATTR(task, join_behind_the_end_is_ready_at_once, .proves = "12.5.6");
KTEST(task, join_behind_the_end_is_ready_at_once)
{
    struct test_task task;
    struct joiner joiner;
    spawn(&task, 1);
    task_get(&task.task);
    executor_run_ready(&executor);

    spawn_joiner(&joiner, &task.task);
    task_put(&task.task);
    executor_run_ready(&executor);

    KTEST_EXPECT_EQ(test, joiner.task.poll_count, 1);
    KTEST_EXPECT_EQ(test, joiner.join.result, TASK_RETURNED);
    KTEST_EXPECT_EQ(test, task.release_count, 1);
}

KTEST_ATTR(task, any_number_may_join, .proves = "12.5.6");
KTEST(task, any_number_may_join)
{
    struct test_task task;
    struct joiner joiners[5];
    spawn(&task, TEST_TASK_ENDLESS);
    for (size_t i = 0; i < ARRAY_SIZE(joiners); i++) {
        spawn_joiner(&joiners[i], &task.task);
    }
    executor_run_ready(&executor);

    task_cancel(&task.task);
    executor_run_ready(&executor);

    for (size_t i = 0; i < ARRAY_SIZE(joiners); i++) {
        KTEST_EXPECT_TRUE(test, task_has_ended(&joiners[i].task));
        KTEST_EXPECT_EQ(test, joiners[i].join.result, TASK_CANCELLED);
        KTEST_EXPECT_EQ(test, joiners[i].task.waker.references.count, 0);
    }
    KTEST_EXPECT_EQ(test, task.release_count, 1);
}

KTEST_ATTR(task, join_that_is_dropped_gives_its_references_back, .proves = "12.5.6");
KTEST(task, join_that_is_dropped_gives_its_references_back)
{
    struct test_task task;
    struct joiner polled, fresh;
    spawn(&task, TEST_TASK_ENDLESS);
    spawn_joiner(&polled, &task.task);
    executor_run_ready(&executor);
    spawn_joiner(&fresh, &task.task);
    KTEST_EXPECT_EQ(test, task.task.waker.references.count, 3);
    KTEST_EXPECT_EQ(test, polled.task.waker.references.count, 2);

    task_cancel(&polled.task);
    task_cancel(&fresh.task);
    executor_run_ready(&executor);

    KTEST_EXPECT_EQ(test, task.task.waker.references.count, 1);
    KTEST_EXPECT_EQ(test, polled.task.waker.references.count, 0);
    KTEST_EXPECT_TRUE(test, wait_queue_is_empty(&task.task.ended));
    KTEST_EXPECT_FALSE(test, task_has_ended(&task.task));
    executor_close(&executor);
    KTEST_EXPECT_EQ(test, task.release_count, 1);
}

// A join that is polled again for another reason keeps its place, and one reference.
KTEST(task, join_bears_spurious_wakes)
{
    struct test_task task;
    struct joiner joiner;
    spawn(&task, 2);
    spawn_joiner(&joiner, &task.task);
    for (int i = 0; i < 3; i++) {
        executor_run_ready(&executor);
        KTEST_EXPECT_EQ(test, joiner.task.waker.references.count, 2);
        waker_wake(&joiner.task.waker);
    }
    waker_wake(&task.task.waker);
    executor_run_ready(&executor);

    KTEST_EXPECT_EQ(test, joiner.join.result, TASK_RETURNED);
    KTEST_EXPECT_EQ(test, joiner.task.waker.references.count, 0);
}

static struct test_task joined;

// As if another CPU ended the task, and had woken those that waited before.
static void end_joined(struct wait_queue *queue, struct waiter *waiter, struct waker *waker)
{
    waiter->waker = waker_get(waker);
    list_add_last(&queue->waiters, &waiter->node);
    joined.task.result = TASK_CANCELLED;
    joined.task.state |= TASK_STATE_ENDED;
}

KTEST(task, join_sees_an_end_between_its_look_and_its_wait)
{
    struct task_join join;
    struct poll_context context = {&waker_dummy};
    test_task_init(&joined, "joined", 1);
    task_join_init(&join, &joined.task);
    KTEST_STUB(test, wait_queue_add, end_joined);

    KTEST_EXPECT_EQ(test, future_poll(&join.future, &context), POLL_READY);

    KTEST_EXPECT_EQ(test, join.result, TASK_CANCELLED);
    KTEST_EXPECT_EQ(test, joined.task.waker.references.count, 1);
    KTEST_EXPECT_TRUE(test, wait_queue_is_empty(&joined.task.ended));
}

static void join_in_poll(struct test_task *self)
{
    task_join_init(self->context, &self->task);
}

KTEST(task, join_of_itself_is_ready_behind_its_end)
{
    struct test_task task;
    struct task_join join;
    struct poll_context context = {&waker_dummy};
    test_task_init(&task, "task", 1);
    task.on_poll = join_in_poll;
    task.context = &join;
    executor_spawn(&executor, &task.task);
    executor_run_ready(&executor);
    KTEST_EXPECT_EQ(test, task.release_count, 0);

    KTEST_EXPECT_EQ(test, future_poll(&join.future, &context), POLL_READY);
    task_free_released();

    KTEST_EXPECT_EQ(test, task.release_count, 1);
}
