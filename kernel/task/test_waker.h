// SPDX-License-Identifier: MIT
//
// For tests: a waker that counts.
#pragma once

#include "lib/container_of.h"
#include "task/waker.h"

struct test_waker {
    struct waker waker;
    unsigned wake_count;
    unsigned release_count;
};

static inline void test_waker_wake_(struct waker *waker)
{
    container_of(waker, struct test_waker, waker)->wake_count++;
}

// From here on it can't be woken: its memory would be gone.
static inline void test_waker_release_(struct reference_count *references)
{
    struct test_waker *self = container_of(references, struct test_waker, waker.references);
    self->waker.wake = NULL;
    self->release_count++;
}

// With one reference.
static inline struct test_waker test_waker_make(void)
{
    return (struct test_waker){{{1, test_waker_release_}, test_waker_wake_}, 0, 0};
}
