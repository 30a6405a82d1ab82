// SPDX-License-Identifier: MIT
//
// What a death writes stands together: neither the watchdog nor the harness's NMI comes between.
#include "ktest.h"
#include "port.h"
#include "runner.h"
#include "stream.h"

// How often the clock was read while nothing held the stream. Every line reads it twice; each
// reading takes one cycle more than the one before.
static unsigned free_count;
static uint64_t clock;
static uint64_t readings;

static uint64_t look_at_stream(void)
{
    free_count += !stream_is_held();
    return clock += ++readings;
}

// When the test died, and when it had been recovered from.
static void expect_two(void *context)
{
    struct ktest *test = context;
    KTEST_EXPECT_EQ(test, free_count, 2);
    KTEST_EXPECT_EQ(test, test->recovery_cycles, 2 + 4 + 6 + 8); // 3, 5, 7: to write three lines
}

static void arm(struct ktest *test)
{
    ktest_add_action(test, expect_two, test);
    KTEST_STUB(test, ktest_port_cycles, look_at_stream);
    KTEST_ARM(test);
    free_count = 0;
    readings = 0;
}

KTEST_ATTR(event, lines_of_a_fault_stand_together, .outcome = KTEST_FAULT(UD));
KTEST(event, lines_of_a_fault_stand_together)
{
    arm(test);
    __asm__ volatile("ud2");
}

KTEST_ATTR(event, lines_of_a_hang_stand_together, .speed = KTEST_SPEED_SLOW, .outcome = KTEST_HANG,
           .timeout_ms = 20, .needs = KTEST_NEEDS_APIC);
KTEST(event, lines_of_a_hang_stand_together)
{
    arm(test);
    for (;;) {
        __asm__ volatile(""); // a pause would leave QEMU's fast loop
    }
}

// As the harness does it: the watchdog's own timer has not expired.
KTEST_ATTR(event, nmi_from_outside_ends_a_test_before_its_time, .outcome = KTEST_HANG);
KTEST(event, nmi_from_outside_ends_a_test_before_its_time)
{
    KTEST_ARM(test);
    __asm__ volatile("int $2");
}

KTEST(event, watchdog_waits_for_lines_that_belong_together)
{
    struct ktest_fault where = {.vector = KTEST_VECTOR_NMI};
    stream_hold();
    ktest_on_overdue(&where); // would end the test
    stream_release();
    KTEST_EXPECT_FALSE(test, stream_is_held());
}

static void expect_free_stream(void *context)
{
    struct ktest *test = context;
    KTEST_EXPECT_FALSE(test, stream_is_held());
}

// As a test does that dies between such lines.
KTEST(event, stream_is_free_behind_each_function)
{
    ktest_add_action(test, expect_free_stream, test);
    stream_hold();
}
