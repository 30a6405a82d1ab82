// SPDX-License-Identifier: MIT
//
// Futures made of futures, the members, which belong to the caller and live as long. To drop a
// combinator is to drop those of its members that are not ready, and none is polled again that was.
//
// Whatever wakes the task, the members that are pending are polled, all of them: for a handful.
// Many are better off as tasks of their own, and a task_join for each.
#pragma once

#include <stddef.h>

#include "task/future.h"

// Ready at once. The value, if there is one, lies around it already:
//
//     struct number number = {.value = 42};
//     ready_init(&number.future);
void ready_init(struct future *future);

// When `inner` is ready, calls function(map) once, and is ready too. The function finds what the
// inner one has yielded around it, and makes this one's value of it:
//
//     struct string_len { struct map map; struct read_file file; size_t length; };
//
//     static void measure(struct map *map)
//     {
//         struct string_len *self = container_of(map, struct string_len, map);
//         self->length = strlen(self->file.content);
//     }
//
//     map_init(&self->map, &self->file.future, measure);
struct map;
typedef void map_function_t(struct map *map);

struct map {
    struct future future;
    struct future *inner;
    map_function_t *function;
};

void map_init(struct map *map, struct future *inner, map_function_t *function);

// Ready when all of its members are, in whatever order they become so; at once if there are none.
// If it is dropped before, what the ready ones have yielded is the caller's to clean up.
struct join {
    struct future future;
    struct future *const *members;
    size_t count;
};

void join_init(struct join *join, struct future *const *members, size_t count);

// Ready when one of its members is, and then the others are dropped. They are polled in their
// order: of two that are ready, the earlier wins. There has to be one.
struct select {
    struct future future;
    struct future *const *members;
    size_t count;
    size_t winner; // its index
};

void select_init(struct select *select, struct future *const *members, size_t count);
