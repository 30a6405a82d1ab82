// SPDX-License-Identifier: MIT
#include "task/task.h"

#include "lib/assert.h"
#include "task/task_state.h"

struct task *task_released;

// Before it is spawned, it is QUEUED: there is nobody yet to queue it with.
static void wake(struct waker *waker)
{
    struct task *task = container_of(waker, struct task, waker);
    uint32_t before = __atomic_fetch_or(&task->state, TASK_STATE_QUEUED, __ATOMIC_SEQ_CST);
    if ((before & TASK_STATE_QUEUED) == 0) {
        task_push(&task->executor->inbox, task);
    }
}

static void release(struct reference_count *references)
{
    struct task *task = container_of(references, struct task, waker.references);
    if (task->release != NULL) {
        task_push(&task_released, task);
    }
}

void task_free_released(void)
{
    while (task_has_released()) {
        struct task *task = task_take_all(&task_released);
        while (task != NULL) {
            struct task *next = task->next;
            task->release(task);
            task = next;
        }
    }
}

void task_init(struct task *task, const char *name, struct future *future)
{
    *task = (struct task){
        .waker = {{1, release}, wake},
        .future = future,
        .name = name,
        .priority = TASK_NORMAL,
        .state = TASK_STATE_QUEUED,
    };
    wait_queue_init(&task->ended);
}

bool task_cancel(struct task *task)
{
    uint32_t before = __atomic_fetch_or(&task->state, TASK_STATE_CANCELLED, __ATOMIC_SEQ_CST);
    waker_wake(&task->waker);
    return (before & (TASK_STATE_CANCELLED | TASK_STATE_ENDED)) == 0;
}

// --- Join ---------------------------------------------------------------------------------------

// The second look is for an end between the first and the add.
static enum poll join_poll(struct future *future, struct poll_context *context)
{
    struct task_join *join = container_of(future, struct task_join, future);
    if (!task_has_ended(join->task)) {
        wait_queue_add(&join->task->ended, &join->waiter, context->waker);
        if (!task_has_ended(join->task)) {
            return POLL_PENDING;
        }
    }
    wait_queue_remove(&join->waiter);
    join->result = join->task->result;
    task_put(join->task);
    return POLL_READY;
}

static void join_drop(struct future *future)
{
    struct task_join *join = container_of(future, struct task_join, future);
    wait_queue_remove(&join->waiter);
    task_put(join->task);
}

void task_join_init(struct task_join *join, struct task *task)
{
    *join = (struct task_join){.task = task_get(task)};
    future_init(&join->future, join_poll, join_drop);
}
