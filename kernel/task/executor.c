// SPDX-License-Identifier: MIT
#include "task/executor.h"

#include "arch/x86_64/cpu.h"
#include "lib/assert.h"
#include "sync/irq_state.h"
#include "task/task_state.h"
#include "time/clock.h"

static uint64_t last_id; // atomic

// --- Choice -------------------------------------------------------------------------------------

static void add_last(struct task_line *line, struct task *task)
{
    task->next = NULL;
    if (line->first == NULL) {
        line->first = task;
    } else {
        line->last->next = task;
    }
    line->last = task;
}

// The inbox has the last wake first.
static struct task *take_inbox(struct executor *executor)
{
    struct task *first = NULL;
    struct task *task = task_take_all(&executor->inbox);
    while (task != NULL) {
        struct task *earlier = task->next;
        task->next = first;
        first = task;
        task = earlier;
    }
    return first;
}

// By its id, from when it first comes out of the inbox until it has ended.
static void admit(struct executor *executor, struct task *task)
{
    if (!map_node_is_linked(&task->node) && !task_has_ended(task)) {
        enum error error = ordered_map_insert(&executor->tasks, &task->node);
        assert(error == OK);
    }
}

static void sort_inbox(struct executor *executor)
{
    struct task *task = take_inbox(executor);
    while (task != NULL) {
        struct task *next = task->next;
        admit(executor, task);
        add_last(&executor->ready[task->priority], task);
        task = next;
    }
}

static bool inbox_is_empty(const struct executor *executor)
{
    return __atomic_load_n(&executor->inbox, __ATOMIC_SEQ_CST) == NULL;
}

// TASK_PRIORITY_COUNT if no task is ready.
static unsigned most_urgent(const struct executor *executor)
{
    unsigned priority = 0;
    while (priority < TASK_PRIORITY_COUNT && executor->ready[priority].first == NULL) {
        priority++;
    }
    return priority;
}

// The less urgent ones with a task are passed over, but one that has lost patience.
static unsigned choose(struct executor *executor, unsigned chosen)
{
    for (unsigned i = chosen + 1; i < TASK_PRIORITY_COUNT; i++) {
        if (executor->ready[i].first != NULL && ++executor->passed_over[i] > EXECUTOR_PATIENCE) {
            chosen = i;
        }
    }
    executor->passed_over[chosen] = 0;
    return chosen;
}

static struct task *take_next(struct executor *executor)
{
    if (!inbox_is_empty(executor)) {
        sort_inbox(executor);
    }
    unsigned urgent = most_urgent(executor);
    if (urgent == TASK_PRIORITY_COUNT) {
        return NULL;
    }
    struct task_line *line = &executor->ready[choose(executor, urgent)];
    struct task *task = line->first;
    line->first = task->next;
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
    __atomic_fetch_add(&executor->spawned_count, 1, __ATOMIC_RELAXED);
    task->node.key = __atomic_add_fetch(&last_id, 1, __ATOMIC_RELAXED);
    task_push(&executor->inbox, task);
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

// From here on a wake queues it again. Cancelled behind the look it is dropped next time.
static void run(struct executor *executor, struct task *task)
{
    __atomic_fetch_and(&task->state, ~TASK_STATE_QUEUED, __ATOMIC_SEQ_CST);
    executor->current = task;
    if ((__atomic_load_n(&task->state, __ATOMIC_SEQ_CST) & TASK_STATE_CANCELLED) != 0) {
        future_drop(task->future);
        end(executor, task, TASK_CANCELLED);
    } else {
        poll(executor, task);
    }
    executor->current = NULL;
}

// --- The executor's thread ----------------------------------------------------------------------

// With these flags in its state.
static bool run_next(struct executor *executor, uint32_t flags)
{
    struct task *task = take_next(executor);
    if (task != NULL) {
        if (flags != 0) {
            __atomic_fetch_or(&task->state, flags, __ATOMIC_SEQ_CST);
        }
        if (task_has_ended(task)) {
            task_put(task);
        } else {
            run(executor, task);
        }
    }
    if (task_has_released()) {
        task_free_released();
    }
    return task != NULL;
}

bool executor_poll_next(struct executor *executor)
{
    return run_next(executor, 0);
}

void executor_run_ready(struct executor *executor)
{
    while (run_next(executor, 0)) {
    }
}

bool executor_is_idle(const struct executor *executor)
{
    return inbox_is_empty(executor) && most_urgent(executor) == TASK_PRIORITY_COUNT &&
           !task_has_released();
}

// The look is with interrupts off, and cpu_wait_for_interrupt lets none in before the CPU halts: so
// a wake that comes behind the look ends the halt.
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
    struct map_node *first;
    do {
        first = ordered_map_first(&executor->tasks);
        if (first != NULL) {
            task_cancel(container_of(first, struct task, node));
        }
    } while (run_next(executor, TASK_STATE_CANCELLED));
}

struct task *executor_find(struct executor *executor, uint64_t id)
{
    sort_inbox(executor);
    struct map_node *node = ordered_map_lower_bound(&executor->tasks, id);
    return node != NULL ? task_get(container_of(node, struct task, node)) : NULL;
}
