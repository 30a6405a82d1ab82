// SPDX-License-Identifier: MIT
//
// A future that is ready at a time, by a timer of its own, whose interrupt wakes the task. Dropped,
// it leaves none behind.
//
//     delay_init(&self->delay, 20 * NS_PER_MS);
//     AWAIT(self, &self->delay.future);
#pragma once

#include <stdint.h>

#include "task/atomic_waker.h"
#include "task/future.h"
#include "time/timer.h"

struct delay {
    struct future future;
    uint64_t deadline_ns;
    struct timer timer; // from the first poll that has to wait on
    struct atomic_waker waker;
};

// Ready at `deadline_ns` of clock_monotonic_ns(), or soon after it; at once if that is over. At
// UINT64_MAX, which is as good as never, ready never.
void delay_until_init(struct delay *delay, uint64_t deadline_ns);

// `ns` from now on, whenever it is polled first. What would be beyond UINT64_MAX is that.
void delay_init(struct delay *delay, uint64_t ns);

// The sum of two times, UINT64_MAX if it is beyond that.
uint64_t deadline_after(uint64_t time_ns, uint64_t ns);
