// SPDX-License-Identifier: MIT
//
// Whatever a heap does may be interrupted anywhere: random operations on each design, while a timer
// of 1 kHz ticks. A million each with test.scale=100.
#include "arch/x86_64/cpu.h"
#include "drivers/nmi_timer.h"
#include "ktest.h"
#include "mm/heap/allocators_fixture.h"
#include "time/timer.h"

static volatile uint64_t ticks;

static void tick(struct timer *timer)
{
    ticks++;
    timer_add(timer, clock_monotonic_ns() + NS_PER_MS);
}

KTEST_ATTR(heap_under_timer, agrees_with_every_design, .timeout_ms = 120000, .proves = "11.1",
           .speed = KTEST_SPEED_SLOW);
KTEST_PARAM(heap_under_timer, agrees_with_every_design, test_allocators, test_allocator_describe)
{
    struct timer timer = {.function = tick};
    ticks = 0;
    nmi_timer_stop(); // the timer's device may be the watchdog's
    timer_add(&timer, clock_monotonic_ns() + NS_PER_MS);
    cpu_enable_interrupts();
    do { // a tick may be late, on a busy host
        test_allocator_agrees_with_model(test, param);
    } while (ticks == 0);
    cpu_disable_interrupts();
    KTEST_EXPECT_TRUE(test, timer_cancel(&timer));
    KTEST_EXPECT_GT(test, ticks, 0);
}
