// SPDX-License-Identifier: MIT
//
// Polls tasks that have been woken, each once for any number of wakes, and sleeps when there are
// none. A task that nobody wakes costs nothing.
//
// A task that is woken comes into the inbox, by atomic instructions: handlers may wake, and other
// CPUs could. The executor empties it at once and polls in the order of the wakes. Urgent tasks
// come first; but a priority that was passed over EXECUTOR_PATIENCE times has its turn.
//
// There may be several; each belongs to one thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/format.h"
#include "lib/ordered_map.h"
#include "task/task.h"

#define EXECUTOR_PATIENCE 16

// Tasks one behind the other, linked by `next`.
struct task_line {
    struct task *first; // NULL: empty
    struct task *last;
};

struct executor {
    const char *name;

    // For any context, atomic:
    struct task *inbox; // linked by `next`, the last one first
    uint64_t spawned_count;

    // The executor's thread's:
    struct task_line ready[TASK_PRIORITY_COUNT];
    unsigned passed_over[TASK_PRIORITY_COUNT];
    struct ordered_map tasks; // that came out of the inbox and have not ended, by id
    struct task *current;     // that is being polled; NULL: none
    uint64_t poll_count;
    uint64_t ended_count;
    uint64_t sleep_count;
};

void executor_init(struct executor *executor, const char *name);

// The task will be polled for the first time. Takes over the caller's reference. A task may be
// spawned once. In any context but NMI, #DF and #MC; by tasks too.
void executor_spawn(struct executor *executor, struct task *task);

// These are for the executor's thread, and not for a task.

// Polls the next task; false if none is ready.
bool executor_poll_next(struct executor *executor);

// Until none is ready.
void executor_run_ready(struct executor *executor);

// Until the task has ended; sleeps when none is ready, with interrupts on, and leaves them as they
// were. The caller has a reference.
void executor_run_until_ended(struct executor *executor, const struct task *task);

// For ever, with interrupts on.
[[gnu::noreturn]] void executor_run(struct executor *executor);

// Cancels all tasks that are left. Wakers that are still kept do nothing from then on.
void executor_close(struct executor *executor);

// These are for its tasks too.

// Of the tasks that have not ended the first whose id is not below this one, with a reference;
// NULL: there is none.
struct task *executor_find(struct executor *executor, uint64_t id);

// Nobody is ready. With interrupts off this stays true until they are on again.
bool executor_is_idle(const struct executor *executor);

// How many tasks there are and have been, and a line for each: what it does, how old it is, and
// where it goes on.
void executor_dump(struct executor *executor, const struct writer *writer);
