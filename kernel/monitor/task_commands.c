// SPDX-License-Identifier: MIT
#include "debug/log.h"
#include "mm/heap/heap.h"
#include "monitor/commands.h"
#include "monitor/monitor.h"
#include "task/coroutine.h"

#define SPAWN_MAX 100000

void command_tasks(size_t argument_count, char *const *arguments)
{
    (void)argument_count;
    (void)arguments;
    executor_dump(monitor_executor(), &log_text_writer);
}

// --- Tasks to look at ---------------------------------------------------------------------------

struct busy_task {
    struct task task;
    struct coroutine coroutine;
};

static enum coroutine_step be_busy(struct coroutine *coroutine)
{
    struct busy_task *self = container_of(coroutine, struct busy_task, coroutine);
    COROUTINE_BEGIN(self);
    for (;;) {
        COROUTINE_YIELD(self);
    }
}

static void release(struct task *task)
{
    kfree(container_of(task, struct busy_task, task));
}

static bool spawn_one(void)
{
    struct busy_task *busy = kmalloc(sizeof(*busy));
    if (busy == NULL) {
        return false;
    }
    coroutine_init(&busy->coroutine, be_busy);
    task_init(&busy->task, "busy", &busy->coroutine.future);
    busy->task.release = release;
    executor_spawn(monitor_executor(), &busy->task);
    return true;
}

void command_spawn(size_t argument_count, char *const *arguments)
{
    (void)argument_count;
    uint64_t wanted;
    if (!command_number(arguments[0], &wanted)) {
        return;
    }
    if (wanted > SPAWN_MAX) {
        println("at most %u at once", SPAWN_MAX);
        return;
    }
    uint64_t count = 0;
    while (count < wanted && spawn_one()) {
        count++;
    }
    println("%lu tasks spawned%s", count, count < wanted ? ", then there was no memory" : "");
}

// --- Their end ----------------------------------------------------------------------------------

static uint64_t cancel(uint64_t first, uint64_t last)
{
    uint64_t count = 0;
    struct map_node *node = ordered_map_lower_bound(&monitor_executor()->tasks, first);
    for (; node != NULL && node->key <= last; node = ordered_map_next(node)) {
        struct task *task = container_of(node, struct task, node);
        if (monitor_has_task(task)) {
            println("task %lu is the prompt's: it stays", node->key);
        } else {
            count += task_cancel(task);
        }
    }
    return count;
}

void command_kill(size_t argument_count, char *const *arguments)
{
    uint64_t first;
    if (!command_number(arguments[0], &first)) {
        return;
    }
    uint64_t last = first;
    if (argument_count == 2 && !command_number(arguments[1], &last)) {
        return;
    }
    println("%lu tasks cancelled", cancel(first, last));
}
