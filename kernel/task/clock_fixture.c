// SPDX-License-Identifier: MIT
#include "task/clock_fixture.h"

#include "debug/log.h"
#include "time/timer.h"

uint64_t test_clock_ns;

static const struct clock_event *event_before;

static uint64_t now(void)
{
    return __atomic_load_n(&test_clock_ns, __ATOMIC_RELAXED); // handlers may move it on
}

static void put_back(void *unused)
{
    (void)unused;
    timer_abandon();
    if (timer_use(event_before, IRQ_PLAIN) != OK) {
        log_error("test", "the timers' device can't be had again");
    }
}

void test_clock_use(struct ktest *test)
{
    test_clock_ns = 5000;
    event_before = timer_event();
    ktest_add_action(test, put_back, NULL);
    KTEST_ASSERT_EQ(test, timer_use(NULL, IRQ_PLAIN), OK);
    KTEST_STUB(test, clock_monotonic_ns, now);
}

size_t test_clock_timers(void)
{
    return timer_statistics_read().queued_count;
}
