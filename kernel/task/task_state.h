// SPDX-License-Identifier: MIT
//
// Between the task and its executor.
//
// A task is QUEUED from the wake until just before it is polled: so a second wake does nothing, and
// one that comes while it is polled is not lost. One that has ended stays QUEUED for ever, so that
// late wakes do nothing either.
#pragma once

#include "lib/bits.h"
#include "task/executor.h"

#define TASK_STATE_QUEUED ((uint32_t)BIT(0))
#define TASK_STATE_CANCELLED ((uint32_t)BIT(1)) // is to be dropped
#define TASK_STATE_ENDED ((uint32_t)BIT(2))

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
