// SPDX-License-Identifier: MIT
//
// Between the task and its executor.
//
// A task is QUEUED from the wake until just before it is polled: so a second wake does nothing, and
// one that comes while it is polled is not lost. One that has ended stays QUEUED for ever, so that
// late wakes do nothing either.
#pragma once

#include "task/executor.h"

// Adds one to a line of tasks that any number of others may add to. Whoever takes them takes all.
static inline void task_push(struct task **last, struct task *task)
{
    task->next = __atomic_load_n(last, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(last, &task->next, task, true, __ATOMIC_RELEASE,
                                        __ATOMIC_RELAXED)) {
    }
}

static inline struct task *task_take_all(struct task **last)
{
    return __atomic_exchange_n(last, NULL, __ATOMIC_ACQUIRE);
}

// Those without references whose `release` is to be called.
extern struct task *task_released; // atomic, linked by `next`

static inline bool task_has_released(void)
{
    return __atomic_load_n(&task_released, __ATOMIC_RELAXED) != NULL;
}
