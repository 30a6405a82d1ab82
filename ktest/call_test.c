// SPDX-License-Identifier: MIT
//
// What surrounds each function of a test: its timeout, and its stack, whose use is measured to the
// word.
#include "port.h"
#include "runner.h"

static uint64_t noted_ms;

static void note_timeout(uint64_t timeout_ms)
{
    noted_ms = timeout_ms;
}

static void expect_timeout(void *context)
{
    struct ktest *test = context;
    KTEST_EXPECT_EQ(test, noted_ms, 1234);
}

static unsigned stop_count;

static void note_stop(void)
{
    stop_count++;
}

static void expect_stops(void *context)
{
    struct ktest *test = context;
    KTEST_EXPECT_EQ(test, stop_count, 1); // behind the body; the suite has no exit fixture
}

KTEST(call, watchdog_is_stopped_behind_each_function)
{
    stop_count = 0;
    KTEST_STUB(test, ktest_port_watchdog_stop, note_stop);
    ktest_add_action(test, expect_stops, test);
}

KTEST_ATTR(call, each_function_has_the_timeout_of_its_test, .timeout_ms = 1234);
KTEST(call, each_function_has_the_timeout_of_its_test)
{
    noted_ms = 0;
    KTEST_STUB(test, ktest_port_watchdog_start, note_timeout);
    ktest_add_action(test, expect_timeout, test);
}

// Each lies deeper than what the actions below use, and by one word less deep than the one before.
static const size_t depths[] = {16384, 16376, 16368, 16360, 16352, 16344, 16336, 16328, 8192};

static size_t expected_bytes;

static void expect_bytes(void *context)
{
    struct ktest *test = context;
    KTEST_EXPECT_EQ(test, test->stack_bytes, expected_bytes);
}

// A second look: the first action has used less, and nothing is left of the body.
KTEST_PARAM(call, use_of_the_stack_is_measured_to_the_word, depths, NULL)
{
    void *start;
    size_t size_bytes = ktest_port_stack(&start);
    volatile uint8_t *end = (uint8_t *)start + size_bytes;
    expected_bytes = *param;
    end[-(ptrdiff_t)*param] = 1;
    KTEST_EXPECT_GT(test, size_bytes, *param);
    ktest_add_action(test, expect_bytes, test);
    ktest_add_action(test, expect_bytes, test);
}
