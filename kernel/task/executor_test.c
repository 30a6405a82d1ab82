// SPDX-License-Identifier: MIT
#include "ktest.h"
#include "task/executor.h"

struct counted {
    struct task task;
    struct future future;
    unsigned polls_left;
};

static enum poll count_down(struct future *future, struct poll_context *context)
{
    struct counted *self = container_of(future, struct counted, future);
    (void)context;
    return --self->polls_left == 0 ? POLL_READY : POLL_PENDING;
}

KTEST(executor, pending_task_that_nobody_wakes_is_polled_once)
{
    struct executor executor;
    struct counted counted = {.polls_left = 2};
    executor_init(&executor, "test");
    future_init(&counted.future, count_down, NULL);
    task_init(&counted.task, "counted", &counted.future);
    executor_spawn(&executor, &counted.task);

    executor_run_ready(&executor);
    executor_run_ready(&executor);
    KTEST_EXPECT_EQ(test, counted.polls_left, 1);
    KTEST_EXPECT_FALSE(test, task_has_ended(&counted.task));

    waker_wake(&counted.task.waker);
    waker_wake(&counted.task.waker);
    executor_run_ready(&executor);
    KTEST_EXPECT_TRUE(test, task_has_ended(&counted.task));
}
