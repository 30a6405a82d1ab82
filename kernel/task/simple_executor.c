// SPDX-License-Identifier: MIT
#include "task/simple_executor.h"

static void add_last(struct simple_executor *executor, struct simple_task *task)
{
    task->next = NULL;
    if (executor->first == NULL) {
        executor->first = task;
    } else {
        executor->last->next = task;
    }
    executor->last = task;
}

void simple_executor_spawn(struct simple_executor *executor, struct simple_task *task,
                           struct future *future)
{
    task->future = future;
    add_last(executor, task);
}

void simple_executor_run(struct simple_executor *executor)
{
    struct poll_context context = {&waker_dummy};
    while (executor->first != NULL) {
        struct simple_task *task = executor->first;
        executor->first = task->next;
        if (future_poll(task->future, &context) == POLL_PENDING) {
            add_last(executor, task);
        }
    }
}
