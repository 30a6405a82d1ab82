// SPDX-License-Identifier: MIT
//
// The simplest executor there is, to learn from and to compare with: it polls all its tasks in turn
// until none is left, and its waker wakes nobody. It needs none, as it asks all the time: a task
// that waits costs as much as one that works, and the CPU is never idle. What it takes to do better
// is executor.h.
#pragma once

#include "task/future.h"

// Belongs to its creator, as the future does.
struct simple_task {
    struct future *future;
    struct simple_task *next;
};

// Zeroed it is empty.
struct simple_executor {
    struct simple_task *first; // the next one to be polled
    struct simple_task *last;
};

// At the end. By tasks too.
void simple_executor_spawn(struct simple_executor *executor, struct simple_task *task,
                           struct future *future);

// Returns when all tasks have ended. Not for its tasks.
void simple_executor_run(struct simple_executor *executor);
