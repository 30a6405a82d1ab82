// SPDX-License-Identifier: MIT
//
// Says to whoever runs a task that it is worth polling again. A waker lies in the object that it
// wakes, and its references are that object's: who keeps one keeps the object.
//
// Waking, getting and putting back are for any context but NMI, #DF and #MC, any number of times;
// they neither wait nor allocate, and can't fail.
#pragma once

#include <stddef.h>

#include "lib/reference_count.h"

struct waker {
    struct reference_count references;
    void (*wake)(struct waker *waker);
};

static inline void waker_wake(struct waker *waker)
{
    waker->wake(waker);
}

// One more reference, for someone who keeps it. Returns `waker`.
static inline struct waker *waker_get(struct waker *waker)
{
    reference_get(&waker->references);
    return waker;
}

// Gives one back; NULL is none.
static inline void waker_put(struct waker *waker)
{
    if (waker != NULL) {
        reference_put(&waker->references);
    }
}

// Wakes nobody, and is always there.
extern struct waker waker_dummy;
