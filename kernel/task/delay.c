// SPDX-License-Identifier: MIT
#include "task/delay.h"

#include "lib/container_of.h"

static void wake(struct timer *timer)
{
    atomic_waker_wake(&container_of(timer, struct delay, timer)->waker);
}

static void drop(struct future *future)
{
    struct delay *delay = container_of(future, struct delay, future);
    timer_cancel(&delay->timer);
    atomic_waker_clear(&delay->waker);
}

// A timer that has come behind the look may have woken nobody; then it is not queued any more, and
// is added once more, to come at once.
static enum poll poll(struct future *future, struct poll_context *context)
{
    struct delay *delay = container_of(future, struct delay, future);
    if (clock_monotonic_ns() >= delay->deadline_ns) {
        drop(future);
        return POLL_READY;
    }
    atomic_waker_register(&delay->waker, context->waker);
    if (!delay->timer.is_queued) {
        timer_add(&delay->timer, delay->deadline_ns);
    }
    return POLL_PENDING;
}

void delay_until_init(struct delay *delay, uint64_t deadline_ns)
{
    *delay = (struct delay){.deadline_ns = deadline_ns, .timer = {.function = wake}};
    future_init(&delay->future, poll, drop);
}

uint64_t deadline_after(uint64_t time_ns, uint64_t ns)
{
    uint64_t deadline_ns;
    return __builtin_add_overflow(time_ns, ns, &deadline_ns) ? UINT64_MAX : deadline_ns;
}

void delay_init(struct delay *delay, uint64_t ns)
{
    delay_until_init(delay, deadline_after(clock_monotonic_ns(), ns));
}
