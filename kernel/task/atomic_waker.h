// SPDX-License-Identifier: MIT
//
// A place for one waker, between one task that waits and anybody who has news for it, without a
// lock. Nothing is lost if both keep to this order:
//
//     the task:    look for news; if there is none, register, and look again before it is pending
//     the others:  put the news where the task looks, then wake
//
// Zeroed it is empty. Whoever owns it takes what is left out in the end (atomic_waker_clear).
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "task/future.h"

struct atomic_waker {
    struct waker *waker; // atomic, with a reference; NULL: nobody waits
};

static inline struct waker *atomic_waker_exchange_(struct atomic_waker *place, struct waker *waker)
{
    return __atomic_exchange_n(&place->waker, waker, __ATOMIC_SEQ_CST);
}

// The task: from now on it is this one that is woken, and not the one before.
static inline void atomic_waker_register(struct atomic_waker *place, struct waker *waker)
{
    waker_put(atomic_waker_exchange_(place, waker_get(waker)));
}

// The task does not wait any more. Nothing if nobody does.
static inline void atomic_waker_clear(struct atomic_waker *place)
{
    waker_put(atomic_waker_exchange_(place, NULL));
}

// Wakes whoever is registered, once. As waker_wake.
static inline void atomic_waker_wake(struct atomic_waker *place)
{
    struct waker *waker = atomic_waker_exchange_(place, NULL);
    if (waker != NULL) {
        waker_wake(waker);
        waker_put(waker);
    }
}

// The task's order, for a future's poll: ready as soon as look(object) says that there is news, and
// takes it. Pending only with a waker that is registered.
static inline enum poll atomic_waker_poll(struct atomic_waker *place, struct poll_context *context,
                                          bool (*look)(void *object), void *object)
{
    if (look(object)) {
        return POLL_READY;
    }
    atomic_waker_register(place, context->waker);
    if (!look(object)) {
        return POLL_PENDING;
    }
    atomic_waker_clear(place);
    return POLL_READY;
}
