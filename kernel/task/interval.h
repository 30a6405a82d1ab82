// SPDX-License-Identifier: MIT
//
// Ticks at a fixed period, without drift: the n-th is n periods after the start, however late those
// before it were seen. Those that come while an earlier one has not been seen are skipped and
// counted: who was away for long sees one tick at once, and then those to come.
//
//     interval_init(&self->interval, NS_PER_SECOND);
//     for (;;) {
//         AWAIT(self, interval_next(&self->interval));
//
// What others call it: Skip, in tokio's MissedTickBehavior; the overrun of POSIX's timers.
#pragma once

#include <stdint.h>

#include "task/delay.h"

struct interval {
    struct future future;
    struct delay delay;
    uint64_t period_ns;
    uint64_t deadline_ns;  // of the next tick
    uint64_t missed_count; // ticks that were skipped so far
};

// Starts now: the first tick is one period from here. The period is not 0.
void interval_init(struct interval *interval, uint64_t period_ns);

// A future that is ready at the next tick. The one before is ready, or has been dropped; then it is
// the same tick once more.
struct future *interval_next(struct interval *interval);
