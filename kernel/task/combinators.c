// SPDX-License-Identifier: MIT
#include "task/combinators.h"

#include "lib/assert.h"
#include "lib/container_of.h"

// --- Ready --------------------------------------------------------------------------------------

static enum poll ready_poll(struct future *future, struct poll_context *context)
{
    (void)future;
    (void)context;
    return POLL_READY;
}

void ready_init(struct future *future)
{
    future_init(future, ready_poll, NULL);
}

// --- Map ----------------------------------------------------------------------------------------

static enum poll map_poll(struct future *future, struct poll_context *context)
{
    struct map *map = container_of(future, struct map, future);
    if (future_poll(map->inner, context) == POLL_PENDING) {
        return POLL_PENDING;
    }
    map->function(map);
    return POLL_READY;
}

static void map_drop(struct future *future)
{
    future_drop(container_of(future, struct map, future)->inner);
}

void map_init(struct map *map, struct future *inner, map_function_t *function)
{
    *map = (struct map){.inner = inner, .function = function};
    future_init(&map->future, map_poll, map_drop);
}

// --- Several ------------------------------------------------------------------------------------

static void drop_all(struct future *const *members, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        future_drop(members[i]);
    }
}

static enum poll join_poll(struct future *future, struct poll_context *context)
{
    struct join *join = container_of(future, struct join, future);
    enum poll poll = POLL_READY;
    for (size_t i = 0; i < join->count; i++) {
        struct future *member = join->members[i];
        if (!future_is_ready(member) && future_poll(member, context) == POLL_PENDING) {
            poll = POLL_PENDING;
        }
    }
    return poll;
}

static void join_drop(struct future *future)
{
    struct join *join = container_of(future, struct join, future);
    drop_all(join->members, join->count);
}

void join_init(struct join *join, struct future *const *members, size_t count)
{
    *join = (struct join){.members = members, .count = count};
    future_init(&join->future, join_poll, join_drop);
}

static void select_drop(struct future *future)
{
    struct select *select = container_of(future, struct select, future);
    drop_all(select->members, select->count);
}

static enum poll select_poll(struct future *future, struct poll_context *context)
{
    struct select *select = container_of(future, struct select, future);
    for (size_t i = 0; i < select->count; i++) {
        if (future_poll(select->members[i], context) == POLL_READY) {
            select->winner = i;
            select_drop(future);
            return POLL_READY;
        }
    }
    return POLL_PENDING;
}

void select_init(struct select *select, struct future *const *members, size_t count)
{
    assert(count > 0);
    *select = (struct select){.members = members, .count = count};
    future_init(&select->future, select_poll, select_drop);
}
