// SPDX-License-Identifier: MIT
#include "time/clock.h"

#include "arch/x86_64/cpu.h"
#include "ktest.h"

KTEST_ATTR(clock, never_goes_backwards, .proves = "7.3.2");
KTEST(clock, never_goes_backwards)
{
    uint64_t last = clock_monotonic_ns();
    KTEST_EXPECT_GT(test, last, 0);
    for (int i = 0; i < 100'000; i++) {
        uint64_t now = clock_monotonic_ns();
        KTEST_ASSERT_GE(test, now, last);
        last = now;
    }
}

KTEST(clock, goes_on_with_interrupts_off)
{
    cpu_disable_interrupts();
    uint64_t start = clock_monotonic_ns();
    for (int i = 0; i < 1000; i++) {
        cpu_relax();
    }
    KTEST_EXPECT_GT(test, clock_monotonic_ns(), start);
}

KTEST(clock, says_the_counter_in_nanoseconds)
{
    uint64_t ticks = cpu_read_tsc();
    uint64_t before = clock_monotonic_ns();
    while (clock_monotonic_ns() - before < 2'000'000) {
        cpu_relax();
    }
    uint64_t ns = clock_monotonic_ns() - before;
    ticks = cpu_read_tsc() - ticks; // around the other two
    KTEST_EXPECT_GE(test, ticks, ns / 1000 * (clock_hz() / 1'000'000) * 99 / 100);
}

static void start_nothing(void)
{
}

static bool read_nothing(uint64_t *ticks_out)
{
    *ticks_out = 5;
    return true;
}

// A device that does not count, or nonsense: said so, and the clock goes on as it did.
KTEST(clock, measure_that_stands_still_is_refused)
{
    static const struct clock_reference dead = {"dead", 1000, start_nothing, read_nothing};
    uint64_t hz = clock_hz();
    uint64_t before = clock_monotonic_ns();
    KTEST_EXPECT_EQ(test, clock_init(&dead), EIO);
    KTEST_EXPECT_EQ(test, clock_hz(), hz);
    KTEST_EXPECT_GE(test, clock_monotonic_ns(), before);
}

KTEST_BENCH(clock, read)
{
    uint64_t last = 0;
    while (ktest_bench_next(test)) {
        last = clock_monotonic_ns();
    }
    KTEST_EXPECT_GT(test, last, 0);
}
