// SPDX-License-Identifier: MIT
#include "task/timeout.h"

#include "lib/container_of.h"

static enum poll poll(struct future *future, struct poll_context *context)
{
    struct timeout *timeout = container_of(future, struct timeout, future);
    if (future_poll(timeout->inner, context) == POLL_READY) {
        timeout->result = OK;
        future_drop(&timeout->delay.future);
        return POLL_READY;
    }
    if (future_poll(&timeout->delay.future, context) == POLL_READY) {
        timeout->result = ETIMEDOUT;
        future_drop(timeout->inner);
        return POLL_READY;
    }
    return POLL_PENDING;
}

static void drop(struct future *future)
{
    struct timeout *timeout = container_of(future, struct timeout, future);
    future_drop(timeout->inner);
    future_drop(&timeout->delay.future);
}

void timeout_init(struct timeout *timeout, struct future *inner, uint64_t ns)
{
    *timeout = (struct timeout){.inner = inner};
    delay_init(&timeout->delay, ns);
    future_init(&timeout->future, poll, drop);
}
