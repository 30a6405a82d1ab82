// SPDX-License-Identifier: MIT
//
// Something that will be ready once: it does nothing but when it is polled, and says then whether
// it is ready or has to wait. What waits has kept the context's waker, and wakes it when polling is
// worth it again. The value, if there is one, lies in the structure around the future:
//
//     struct number { struct future future; uint64_t value; };
//
// From its first poll to its end a future may not move, as others may point into it: one that was
// moved or copied panics, and so does one that is polled again after it was ready.
//
// For one task at a time, and not for interrupt handlers.
#pragma once

#include <stddef.h>

#include "task/waker.h"

enum [[nodiscard]] poll{
    POLL_PENDING,
    POLL_READY,
};

struct poll_context {
    struct waker *waker; // of the task that is polled; who keeps it gets a reference
};

struct future;
typedef enum poll future_poll_t(struct future *future, struct poll_context *context);
typedef void future_drop_t(struct future *future);

struct future {
    future_poll_t *poll;
    future_drop_t *drop; // cleans up what is not ready yet; NULL: there is nothing to clean up
    const void *place;   // where it was polled first; NULL: never
};

static inline void future_init(struct future *future, future_poll_t *poll, future_drop_t *drop)
{
    *future = (struct future){.poll = poll, .drop = drop};
}

// What `place` points to when there is nothing left to poll.
extern const char future_ready_;
extern const char future_dropped_;

// The first poll, or a panic.
void future_pin_(struct future *future);

static inline enum poll future_poll(struct future *future, struct poll_context *context)
{
    if (future->place != future) {
        future_pin_(future);
    }
    enum poll poll = future->poll(future, context);
    if (poll == POLL_READY) {
        future->place = &future_ready_;
    }
    return poll;
}

static inline bool future_is_ready(const struct future *future)
{
    return future->place == &future_ready_;
}

// Cancels it: it is cleaned up, and may not be polled any more. Nothing if it is ready, or has been
// dropped already.
void future_drop(struct future *future);
