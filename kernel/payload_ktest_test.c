// SPDX-License-Identifier: MIT
//
// The tests' watchdog, with the timer in the test's hand: it waits in steps, as the timer can't
// wait longer than one, and comes again when it has come at a bad time.
#include "drivers/nmi_timer.h"
#include "ktest.h"
#include "port.h"
#include "stream.h"

static uint32_t steps[4];
static size_t step_count;

static void note_step(uint32_t ms)
{
    if (step_count < 4) {
        steps[step_count++] = ms;
    }
}

static bool always(void)
{
    return true;
}

static void expire(void)
{
    __asm__ volatile("int $2" : : : "memory");
}

KTEST_ATTR(watchdog, waits_in_steps_and_then_a_little_longer, .outcome = KTEST_HANG);
KTEST(watchdog, waits_in_steps_and_then_a_little_longer)
{
    step_count = 0;
    KTEST_STUB(test, nmi_timer_start, note_step);
    KTEST_STUB(test, nmi_timer_has_expired, always);
    ktest_port_watchdog_start(NMI_TIMER_MAX_MS + 10);
    expire();
    stream_hold();
    expire(); // its time is over, but a report is on its way
    stream_release();
    KTEST_EXPECT_EQ(test, step_count, 3);
    KTEST_EXPECT_EQ(test, steps[0], NMI_TIMER_MAX_MS);
    KTEST_EXPECT_EQ(test, steps[1], 10);
    KTEST_EXPECT_EQ(test, steps[2], 1);
    KTEST_ARM(test);
    expire();
}
