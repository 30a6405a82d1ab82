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

static bool cancel_one(struct task *task)
{
    if (monitor_has_task(task)) {
        println("task %lu is the prompt's: it stays", task_id(task));
        return false;
    }
    return task_cancel(task);
}

static uint64_t cancel(uint64_t first, uint64_t last)
{
    uint64_t count = 0;
    struct task *task = executor_find(monitor_executor(), first);
    while (task != NULL && task_id(task) <= last) {
        uint64_t next = task_id(task) + 1;
        count += cancel_one(task);
        task_put(task);
        task = executor_find(monitor_executor(), next);
    }
    if (task != NULL) {
        task_put(task);
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
