// SPDX-License-Identifier: MIT
//
// A future that is polled until it is ready, by an executor. It belongs to its creator's structure:
// nothing is allocated for it, be it spawned, woken or ended.
//
//     struct greeter { struct task task; struct greet greet; };
//     task_init(&greeter->task, "greeter", &greeter->greet.coroutine.future);
//     executor_spawn(&executor, &greeter->task);
//
// A task has references: whoever has spawned it has none, as the executor takes over the one that
// it was initialised with; each waker that is kept is one. When the last goes, maybe in an
// interrupt, the next executor that runs calls `release`.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/bits.h"
#include "lib/ordered_map.h"
#include "task/future.h"
#include "task/wait_queue.h"

enum task_priority {
    TASK_URGENT, // answers to people and devices
    TASK_NORMAL,
    TASK_BACKGROUND,
    TASK_PRIORITY_COUNT,
};

enum task_result {
    TASK_RUNS,
    TASK_RETURNED,
    TASK_CANCELLED,
};

struct executor;

// Of `state`; what a task is QUEUED for is said in task_state.h.
#define TASK_STATE_QUEUED ((uint32_t)BIT(0))
#define TASK_STATE_CANCELLED ((uint32_t)BIT(1)) // is to be dropped
#define TASK_STATE_ENDED ((uint32_t)BIT(2))

struct task {
    struct waker waker; // its references are the task's
    struct future *future;
    const char *name;
    enum task_priority priority;        // may be changed by the creator until it is spawned,
    void (*release)(struct task *task); // as may this: frees its memory; NULL: it stays
    uint64_t poll_count;

    // The executor's:
    struct executor *executor; // NULL: not spawned
    uint64_t spawned_ns;       // by clock_monotonic_ns
    uint32_t state;            // atomic
    enum task_result result;
    struct task *next;    // in a queue
    struct map_node node; // in the executor's tasks, by id
    struct wait_queue ended;
};

// A task of normal priority that polls `future`. The name has to live as long. The same memory may
// become another task when the last reference is gone: one that has ended may still be in a queue.
void task_init(struct task *task, const char *name, struct future *future);

// Unique for ever, from 1 on; 0 if it was never spawned. In any context.
static inline uint64_t task_id(const struct task *task)
{
    return task->node.key;
}

// Whether it has ended, by returning or by being cancelled. In any context.
static inline bool task_has_ended(const struct task *task)
{
    return (__atomic_load_n(&task->state, __ATOMIC_ACQUIRE) & TASK_STATE_ENDED) != 0;
}

// Its future is dropped instead of polled, as soon as its turn comes. False, and nothing happens,
// if it has ended or is cancelled already. In any context but NMI, #DF and #MC, but only with a
// reference or before it can have ended.
bool task_cancel(struct task *task);

// One more reference, and one fewer. In any context but NMI, #DF and #MC.
static inline struct task *task_get(struct task *task)
{
    waker_get(&task->waker);
    return task;
}

static inline void task_put(struct task *task)
{
    waker_put(&task->waker);
}

// Calls `release` for the tasks whose last reference is gone. Executors do so; not for handlers.
void task_free_released(void);

// A future that is ready when the task has ended, and tells how. Holds a reference until then, or
// until it is dropped.
struct task_join {
    struct future future;
    struct waiter waiter;
    struct task *task;
    enum task_result result;
};

void task_join_init(struct task_join *join, struct task *task);
