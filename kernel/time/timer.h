// SPDX-License-Identifier: MIT
//
// Functions that are called at their time, in an interrupt. Nothing ticks: the device is set for
// the first deadline, and off when there is none.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "irq/irq.h"
#include "lib/error.h"
#include "time/clock.h"
#include "time/clock_event.h"
#include "time/timer_queue.h"

// Lets this device wake the timers from here on, and gives the one before back; NULL: none does,
// and they wait for one. After clock_init and irq_init; not in a handler. With IRQ_MAY_LOCK the
// timers' functions may print. As irq_register; then there is none.
enum error timer_use(const struct clock_event *event, enum irq_kind kind);

// The one in use, or NULL.
const struct clock_event *timer_event(void);

// At `deadline_ns` of clock_monotonic_ns(), or soon after it, timer->function is called once, with
// interrupts off, as a handler of interrupts: it may add timers, itself too. A deadline that is
// over counts as now. One that is queued already is moved. In any context but NMI, #DF and #MC.
void timer_add(struct timer *timer, uint64_t deadline_ns);

// False if it was not queued. In any context but NMI, #DF and #MC.
bool timer_cancel(struct timer *timer);

struct timer_statistics {
    size_t queued_count;
    uint64_t interrupts;
    uint64_t called;    // functions
    uint64_t idle;      // of the interrupts, those that called none: steps, and false alarms
    uint64_t settings;  // of the device
    uint64_t latest_ns; // how long after its deadline a function was called, at most
};

struct timer_statistics timer_statistics_read(void);

// Forgets all that are queued, without a look at them: for a test runner, when their owner is gone.
void timer_abandon(void);

// On the console: clock, device, statistics and the first deadline.
void timer_dump(void);
