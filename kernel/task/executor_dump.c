// SPDX-License-Identifier: MIT
#include "debug/symbols.h"
#include "task/coroutine.h"
#include "task/executor.h"
#include "task/task_state.h"
#include "time/clock.h"

static const char *priority_name(enum task_priority priority)
{
    static const char *const names[TASK_PRIORITY_COUNT] = {"urgent", "normal", "background"};
    return names[priority];
}

static const char *state_name(const struct executor *executor, const struct task *task)
{
    if (task == executor->current) {
        return "runs";
    }
    return (__atomic_load_n(&task->state, __ATOMIC_RELAXED) & TASK_STATE_QUEUED) != 0 ? "ready"
                                                                                      : "waits";
}

// Of a coroutine its place, of another future its function.
static void dump_place(const struct future *future, const struct writer *writer)
{
    uint64_t offset;
    uint64_t place = coroutine_innermost_place(future);
    place = place != 0 ? place : (uint64_t)future->poll;
    const struct symbol *symbol = symbol_lookup(place, &offset);
    if (symbol != NULL) {
        format_write(writer, "%s+%#lx\n", symbol->name, offset);
    } else {
        format_write(writer, "%#lx\n", place);
    }
}

static void dump_task(const struct executor *executor, const struct task *task,
                      const struct writer *writer)
{
    format_write(writer, "%5lu %-15s %-10s %-5s %9lu %5lu s ", task_id(task), task->name,
                 priority_name(task->priority), state_name(executor, task), task->poll_count,
                 (clock_monotonic_ns() - task->spawned_ns) / NS_PER_SECOND);
    dump_place(task->future, writer);
}

// Those that the executor has not seen yet stand in the inbox only.
static void dump_new(const struct executor *executor, const struct task *first,
                     const struct writer *writer)
{
    for (const struct task *task = first; task != NULL; task = task->next) {
        if (!map_node_is_linked(&task->node) && !task_has_ended(task)) {
            dump_task(executor, task, writer);
        }
    }
}

void executor_dump(struct executor *executor, const struct writer *writer)
{
    uint64_t spawned_count = __atomic_load_n(&executor->spawned_count, __ATOMIC_RELAXED);
    format_write(writer, "executor %s: %lu tasks, %lu ended, %lu polls, %lu sleeps\n",
                 executor->name, spawned_count - executor->ended_count, executor->ended_count,
                 executor->poll_count, executor->sleep_count);
    format_write(writer, "%5s %-15s %-10s %-5s %9s %7s %s\n", "id", "name", "priority", "state",
                 "polls", "age", "goes on at");
    for (struct map_node *node = ordered_map_first(&executor->tasks); node != NULL;
         node = ordered_map_next(node)) {
        dump_task(executor, container_of(node, struct task, node), writer);
    }
    dump_new(executor, __atomic_load_n(&executor->inbox, __ATOMIC_ACQUIRE), writer);
}
