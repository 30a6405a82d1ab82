// SPDX-License-Identifier: MIT
#include "task/interval.h"

#include "lib/assert.h"
#include "lib/container_of.h"

static enum poll poll(struct future *future, struct poll_context *context)
{
    struct interval *interval = container_of(future, struct interval, future);
    if (future_poll(&interval->delay.future, context) == POLL_PENDING) {
        return POLL_PENDING;
    }
    uint64_t late_ns = clock_monotonic_ns() - interval->deadline_ns;
    interval->missed_count += late_ns / interval->period_ns;
    interval->deadline_ns += late_ns - late_ns % interval->period_ns;
    interval->deadline_ns = deadline_after(interval->deadline_ns, interval->period_ns);
    return POLL_READY;
}

static void drop(struct future *future)
{
    future_drop(&container_of(future, struct interval, future)->delay.future);
}

void interval_init(struct interval *interval, uint64_t period_ns)
{
    assert(period_ns > 0);
    *interval = (struct interval){
        .period_ns = period_ns,
        .deadline_ns = deadline_after(clock_monotonic_ns(), period_ns),
    };
}

struct future *interval_next(struct interval *interval)
{
    assert(!interval->delay.timer.is_queued);
    delay_until_init(&interval->delay, interval->deadline_ns);
    future_init(&interval->future, poll, drop);
    return &interval->future;
}
