// SPDX-License-Identifier: MIT
#include "task/executor.h"

#include "arch/x86_64/cpu.h"
#include "lib/assert.h"
#include "sync/irq_state.h"
#include "task/task_state.h"

static uint64_t spawned_count; // atomic

// --- Lines of ready tasks -----------------------------------------------------------------------

// Behind the others of the line; `first` to `last` are linked already.
static void append(struct task_line *line, struct task *first, struct task *last)
{
    if (line->first == NULL) {
        line->first = first;
    } else {
        line->last->next = first;
    }
    line->last = last;
}

// The inbox has the last wake first.
static void empty_inbox(struct executor *executor, unsigned priority)
{
    struct task *first = NULL;
    struct task *last = task_take_all(&executor->inboxes[priority]);
    for (struct task *task = last; task != NULL;) {
        struct task *earlier = task->next;
        task->next = first;
        first = task;
        task = earlier;
    }
    if (first != NULL) {
        append(&executor->ready[priority], first, last);
    }
}

static struct task *take_first(struct task_line *line)
{
    struct task *task = line->first;
    line->first = task->next;
    return task;
}

// --- Choice -------------------------------------------------------------------------------------

// The most urgent priority with a task, but one that has lost patience comes before it.
static unsigned choose(const struct executor *executor)
{
    unsigned chosen = TASK_PRIORITY_COUNT;
    for (unsigned i = TASK_PRIORITY_COUNT; i-- > 0;) {
        if (executor->ready[i].first != NULL) {
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
    for (unsigned i = 0; i < TASK_PRIORITY_COUNT; i++) {
        if (executor->inboxes[i] != NULL) {
            empty_inbox(executor, i);
        }
    }
    unsigned chosen = choose(executor);
    if (chosen == TASK_PRIORITY_COUNT) {
        return NULL;
    }
    for (unsigned i = chosen + 1; i < TASK_PRIORITY_COUNT; i++) {
        executor->passed_over[i] += executor->ready[i].first != NULL;
    }
    executor->passed_over[chosen] = 0;
    return take_first(&executor->ready[chosen]);
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
        if (__atomic_load_n(&executor->inboxes[i], __ATOMIC_SEQ_CST) != NULL ||
            executor->ready[i].first != NULL) {
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
