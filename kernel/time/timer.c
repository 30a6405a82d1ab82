// SPDX-License-Identifier: MIT
//
// The queue and the device that wakes it. Between calls the device is set if and only if a timer is
// queued, and not later than for the first; its line is open only then.
#include "time/timer.h"

#include "debug/log.h"
#include "lib/assert.h"
#include "sync/irq_state.h"

static const struct clock_event *event; // NULL: none; changed with interrupts off
static struct timer_queue queue GUARDED_BY(interrupts_off);
static bool is_set GUARDED_BY(interrupts_off);
static uint64_t set_deadline_ns
    GUARDED_BY(interrupts_off); // of the first timer when it was set; 0 when that is over
static struct timer_statistics statistics GUARDED_BY(interrupts_off);

static void stop(void) REQUIRES(interrupts_off)
{
    if (is_set) {
        irq_mask(event->line);
        event->stop();
        is_set = false;
    }
}

static uint64_t clamp(uint64_t value, uint64_t min, uint64_t max)
{
    return value < min ? min : value > max ? max : value;
}

// The line is opened first: an interrupt at a closed one may be lost.
static void set(uint64_t deadline_ns) REQUIRES(interrupts_off)
{
    if (!is_set) {
        irq_unmask(event->line);
    }
    uint64_t now = clock_monotonic_ns();
    uint64_t left_ns = deadline_ns > now ? deadline_ns - now : 0;
    event->set(clamp(left_ns, event->min_ns, event->max_ns));
    statistics.settings++;
    is_set = true;
    set_deadline_ns = deadline_ns;
}

static void adjust(void) REQUIRES(interrupts_off)
{
    if (event == NULL) {
        return;
    }
    if (queue.first == NULL) {
        stop();
    } else if (!is_set || set_deadline_ns != queue.first->deadline_ns) {
        set(queue.first->deadline_ns);
    }
}

static void call(struct timer *timer, uint64_t now) REQUIRES(interrupts_off)
{
    uint64_t late_ns = now - timer->deadline_ns;
    if (late_ns > statistics.latest_ns) {
        statistics.latest_ns = late_ns;
    }
    statistics.called++;
    timer_queue_remove(&queue, timer);
    timer->function(timer);
}

// What a function adds has to wait for the next round, and is behind all that is due in this one,
// for it is due now at the earliest: nobody waits for ever.
static void on_interrupt(void *unused) REQUIRES(interrupts_off)
{
    (void)unused;
    uint64_t now = clock_monotonic_ns();
    uint64_t called_before = statistics.called;
    uint64_t end = queue.order;
    statistics.interrupts++;
    set_deadline_ns = 0;
    while (queue.first != NULL && queue.first->deadline_ns <= now && queue.first->order < end) {
        call(queue.first, now);
    }
    statistics.idle += statistics.called == called_before;
    adjust();
}

enum error timer_use(const struct clock_event *new_event, enum irq_kind kind)
{
    irq_state_t state = irq_save();
    enum error error = OK;
    if (event != NULL) {
        stop();
        irq_unregister(event->line);
        event = NULL;
    }
    if (new_event != NULL) {
        error = irq_register(new_event->line, new_event->name, kind, on_interrupt, NULL);
    }
    if (error == OK) {
        event = new_event;
        adjust();
    }
    irq_restore(state);
    return error;
}

const struct clock_event *timer_event(void)
{
    return event;
}

void timer_add(struct timer *timer, uint64_t deadline_ns)
{
    assert(timer->function != NULL);
    irq_state_t state = irq_save();
    uint64_t now = clock_monotonic_ns();
    if (timer->is_queued) {
        timer_queue_remove(&queue, timer);
    }
    timer_queue_add(&queue, timer, deadline_ns > now ? deadline_ns : now);
    adjust();
    irq_restore(state);
}

bool timer_cancel(struct timer *timer)
{
    irq_state_t state = irq_save();
    bool was_queued = timer->is_queued;
    if (was_queued) {
        timer_queue_remove(&queue, timer);
        adjust();
    }
    irq_restore(state);
    return was_queued;
}

struct timer_statistics timer_statistics_read(void)
{
    irq_state_t state = irq_save();
    struct timer_statistics result = statistics;
    result.queued_count = queue.count;
    irq_restore(state);
    return result;
}

void timer_abandon(void)
{
    irq_state_t state = irq_save();
    queue.first = NULL;
    queue.count = 0;
    adjust();
    irq_restore(state);
}

void timer_dump(void)
{
    irq_state_t state = irq_save();
    struct timer_statistics now = timer_statistics_read();
    uint64_t now_ns = clock_monotonic_ns();
    uint64_t deadline_ns = queue.first != NULL ? queue.first->deadline_ns : 0;
    irq_restore(state);
    println("clock at %lu ns, by a counter of %lu Hz; timers by %s", now_ns, clock_hz(),
            event != NULL ? event->name : "nobody");
    println("  %zu queued, the first for %lu ns", now.queued_count, deadline_ns);
    println("  %lu interrupts, %lu for nothing; %lu called, at most %lu ns late; set %lu times",
            now.interrupts, now.idle, now.called, now.latest_ns, now.settings);
}
