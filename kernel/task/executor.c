// SPDX-License-Identifier: MIT
#include "task/executor.h"

#include "arch/x86_64/cpu.h"
#include "lib/assert.h"
#include "sync/irq_state.h"
#include "task/task_state.h"
#include "time/clock.h"

static uint64_t spawned_count; // atomic

// --- Choice -------------------------------------------------------------------------------------

// In the order of the wakes; the inbox has the last one first.
static struct task *empty_inbox(struct task **inbox)
{
    struct task *first = NULL;
    struct task *task = task_take_all(inbox);
    while (task != NULL) {
        struct task *earlier = task->next;
        task->next = first;
        first = task;
        task = earlier;
    }
    return first;
}

static bool inbox_is_empty(const struct executor *executor, unsigned priority)
{
    return __atomic_load_n(&executor->inboxes[priority], __ATOMIC_SEQ_CST) == NULL;
}

// What is in the inbox came later than what is ready.
static bool has_ready(struct executor *executor, unsigned priority)
{
    if (executor->ready[priority] == NULL && !inbox_is_empty(executor, priority)) {
        executor->ready[priority] = empty_inbox(&executor->inboxes[priority]);
    }
    return executor->ready[priority] != NULL;
}

// The most urgent priority with a task, but one that has lost patience comes before it.
static unsigned choose(struct executor *executor)
{
    unsigned chosen = TASK_PRIORITY_COUNT;
    for (unsigned i = TASK_PRIORITY_COUNT; i-- > 0;) {
        if (has_ready(executor, i)) {
            if (executor->passed_over[i] >= EXECUTOR_PATIENCE) {
                return i;
            }
            chosen = i;
        }
    }
    return chosen;
}

static struct task *take_next(struct executor *executor)
{
    unsigned chosen = choose(executor);
    if (chosen == TASK_PRIORITY_COUNT) {
        return NULL;
    }
    for (unsigned i = 0; i < TASK_PRIORITY_COUNT; i++) {
        executor->passed_over[i] += executor->ready[i] != NULL;
    }
    executor->passed_over[chosen] = 0;
    struct task *task = executor->ready[chosen];
    executor->ready[chosen] = task->next;
    return task;
}

// --- The life of a task -------------------------------------------------------------------------

void executor_init(struct executor *executor, const char *name)
{
    *executor = (struct executor){.name = name};
}

void executor_spawn(struct executor *executor, struct task *task)
{
    assert(task->executor == NULL);
    task->executor = executor;
    task->spawned_ns = clock_monotonic_ns();
    task->node.key = __atomic_add_fetch(&spawned_count, 1, __ATOMIC_RELAXED);
    task_push(&executor->inboxes[task->priority], task);
}

// If a wake has queued it meanwhile, its reference goes when it comes out of the queue.
static void end(struct executor *executor, struct task *task, enum task_result result)
{
    task->result = result;
    executor->ended_count++;
    ordered_map_remove(&executor->tasks, &task->node);
    uint32_t before =
        __atomic_exchange_n(&task->state, TASK_STATE_QUEUED | TASK_STATE_ENDED, __ATOMIC_SEQ_CST);
    wait_queue_wake_all(&task->ended);
    if ((before & TASK_STATE_QUEUED) == 0) {
        task_put(task);
    }
}

static void poll(struct executor *executor, struct task *task)
{
    struct poll_context context = {&task->waker};
    task->poll_count++;
    executor->poll_count++;
    if (future_poll(task->future, &context) == POLL_READY) {
        end(executor, task, TASK_RETURNED);
    }
}

// From here on a wake queues it again.
static void run(struct executor *executor, struct task *task)
{
    uint32_t state = __atomic_fetch_and(&task->state, ~TASK_STATE_QUEUED, __ATOMIC_SEQ_CST);
    if (!map_node_is_linked(&task->node)) {
        enum error error = ordered_map_insert(&executor->tasks, &task->node);
        assert(error == OK);
    }
    executor->current = task;
    if ((state & TASK_STATE_CANCELLED) != 0) {
        future_drop(task->future);
        end(executor, task, TASK_CANCELLED);
    } else {
        poll(executor, task);
    }
    executor->current = NULL;
}

static void run_or_forget(struct executor *executor, struct task *task)
{
    if (task_has_ended(task)) {
        task_put(task);
    } else {
        run(executor, task);
    }
}

// --- The executor's thread ----------------------------------------------------------------------

bool executor_poll_next(struct executor *executor)
{
    struct task *task = take_next(executor);
    if (task != NULL) {
        run_or_forget(executor, task);
    }
    task_free_released();
    return task != NULL;
}

void executor_run_ready(struct executor *executor)
{
    while (executor_poll_next(executor)) {
    }
}

bool executor_is_idle(const struct executor *executor)
{
    for (unsigned i = 0; i < TASK_PRIORITY_COUNT; i++) {
        if (!inbox_is_empty(executor, i) || executor->ready[i] != NULL) {
            return false;
        }
    }
    return !task_has_released();
}

// The look is with interrupts off, and cpu_wait_for_interrupt lets none in before the CPU halts: so a
// wake that comes behind the look ends the halt.
static void sleep_if_idle(struct executor *executor)
{
    cpu_disable_interrupts();
    if (executor_is_idle(executor)) {
        executor->sleep_count++;
        cpu_wait_for_interrupt();
    } else {
        cpu_enable_interrupts();
    }
}

void executor_run_until_ended(struct executor *executor, const struct task *task)
{
    irq_state_t state = irq_save();
    cpu_enable_interrupts();
    while (!task_has_ended(task)) {
        if (!executor_poll_next(executor)) {
            sleep_if_idle(executor);
        }
    }
    cpu_disable_interrupts();
    irq_restore(state);
}

void executor_run(struct executor *executor)
{
    for (;;) {
        executor_run_ready(executor);
        sleep_if_idle(executor);
    }
}

void executor_close(struct executor *executor)
{
    struct task *task;
    do {
        struct map_node *first = ordered_map_first(&executor->tasks);
        if (first != NULL) {
            task_cancel(container_of(first, struct task, node));
        }
        task = take_next(executor);
        if (task != NULL) {
            __atomic_fetch_or(&task->state, TASK_STATE_CANCELLED, __ATOMIC_SEQ_CST);
            run_or_forget(executor, task);
        }
    } while (task != NULL);
    task_free_released();
}

struct task *executor_find(struct executor *executor, uint64_t id)
{
    struct map_node *node = ordered_map_find(&executor->tasks, id);
    return node != NULL ? task_get(container_of(node, struct task, node)) : NULL;
}
