// SPDX-License-Identifier: MIT
#include "task/coroutine.h"

#include "lib/assert.h"
#include "lib/container_of.h"

// The functions may set up no more.
static void clean_up(struct coroutine *coroutine)
{
    while (coroutine->cleanups != NULL) {
        struct coroutine_cleanup *last = coroutine->cleanups;
        coroutine->cleanups = last->before;
        last->function(last->argument);
    }
}

// Whether what it waits for is ready, if it waits.
static bool can_go_on(struct coroutine *coroutine, struct poll_context *context)
{
    if (coroutine->awaited != NULL) {
        if (future_poll(coroutine->awaited, context) == POLL_PENDING) {
            return false;
        }
        coroutine->awaited = NULL;
    }
    return true;
}

static enum poll poll(struct future *future, struct poll_context *context)
{
    struct coroutine *coroutine = container_of(future, struct coroutine, future);
    while (can_go_on(coroutine, context)) {
        switch (coroutine->body(coroutine)) {
        case COROUTINE_AWAITS:
            assert(coroutine->awaited != NULL);
            break;
        case COROUTINE_YIELDS:
            waker_wake(context->waker);
            return POLL_PENDING;
        case COROUTINE_RETURNS:
            clean_up(coroutine);
            return POLL_READY;
        }
    }
    return POLL_PENDING;
}

static void drop(struct future *future)
{
    struct coroutine *coroutine = container_of(future, struct coroutine, future);
    if (coroutine->awaited != NULL) {
        future_drop(coroutine->awaited);
    }
    clean_up(coroutine);
}

void coroutine_init(struct coroutine *coroutine, coroutine_body_t *body)
{
    *coroutine = (struct coroutine){.body = body};
    future_init(&coroutine->future, poll, drop);
}

void coroutine_defer(struct coroutine *coroutine, struct coroutine_cleanup *cleanup,
                     void (*function)(void *argument), void *argument)
{
    *cleanup = (struct coroutine_cleanup){function, argument, coroutine->cleanups};
    coroutine->cleanups = cleanup;
}

uintptr_t coroutine_innermost_place(const struct future *future)
{
    uintptr_t place = 0;
    while (future != NULL && future->poll == poll) {
        const struct coroutine *coroutine = container_of(future, const struct coroutine, future);
        place = coroutine->place != 0 ? coroutine->place : (uintptr_t)coroutine->body;
        future = coroutine->awaited;
    }
    return place;
}
