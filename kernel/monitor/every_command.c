// SPDX-License-Identifier: MIT
//
// A command that is run again and again, by a task of its own, until it is killed.
#include "debug/log.h"
#include "lib/string.h"
#include "lib/string_builder.h"
#include "mm/heap/heap.h"
#include "monitor/commands.h"
#include "monitor/monitor.h"
#include "task/coroutine.h"
#include "task/interval.h"

#define SECONDS_MAX 86400

struct repetition {
    struct task task;
    struct coroutine coroutine;
    struct interval interval;
    struct string_builder line;
};

// The command cuts its line into pieces.
static void run_once(const struct repetition *self)
{
    char line[LINE_BYTES_MAX];
    memcpy(line, string_text(&self->line), self->line.vector.count + 1);
    command_run(line);
}

static enum coroutine_step repeat(struct coroutine *coroutine)
{
    struct repetition *self = container_of(coroutine, struct repetition, coroutine);
    COROUTINE_BEGIN(self);
    for (;;) {
        run_once(self);
        AWAIT(self, interval_next(&self->interval));
    }
}

static void release(struct task *task)
{
    struct repetition *self = container_of(task, struct repetition, task);
    vector_free(&self->line);
    kfree(self);
}

// The words are a line again; none of them holds a quote.
static enum error join(struct string_builder *line, size_t word_count, char *const *words)
{
    enum error error = OK;
    for (size_t i = 0; i < word_count && error == OK; i++) {
        error = string_append(line, "%s\"%s\"", i > 0 ? " " : "", words[i]);
    }
    return error == OK && line->vector.count >= LINE_BYTES_MAX ? ENOSPC : error;
}

static enum error start(uint64_t seconds, size_t word_count, char *const *words)
{
    struct repetition *self = kzalloc(sizeof(*self));
    if (self == NULL) {
        return ENOMEM;
    }
    self->line.vector.memory = &heap_memory;
    enum error error = join(&self->line, word_count, words);
    if (error != OK) {
        vector_free(&self->line);
        kfree(self);
        return error;
    }
    interval_init(&self->interval, seconds * NS_PER_SECOND);
    coroutine_init(&self->coroutine, repeat);
    task_init(&self->task, "every", &self->coroutine.future);
    self->task.release = release;
    executor_spawn(monitor_executor(), &self->task);
    println("task %lu, until it is killed", task_id(&self->task));
    return OK;
}

void command_every(size_t argument_count, char *const *arguments)
{
    uint64_t seconds;
    if (!command_number(arguments[0], &seconds)) {
        return;
    }
    if (seconds == 0 || seconds > SECONDS_MAX) {
        println("1 to %u seconds", SECONDS_MAX);
    } else if (command_lookup(arguments[1]) == NULL) {
        println("unknown command: %s", arguments[1]);
    } else if (strcmp(arguments[1], "every") == 0) {
        println("every %lu seconds one more: no", seconds);
    } else {
        enum error error = start(seconds, argument_count - 1, arguments + 1);
        if (error != OK) {
            println("it is not repeated: %s", error_name(error));
        }
    }
}
