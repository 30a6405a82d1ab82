// SPDX-License-Identifier: MIT
//
// Counters of a world with a time of its own, in which each reading takes some, and the machine may
// stop for longer.
#include "time/calibration.h"

#include "ktest.h"
#include "lib/bits.h"

static struct {
    uint64_t now_ns;
    uint64_t reading_ns;  // that each takes
    uint64_t stop_ns;     // so long a break
    unsigned stop_period; // behind each so manieth reading, 0: never
    unsigned readings;
    uint64_t lag_ns; // from the reference's value to its arrival
    unsigned lags;   // that many times
    uint64_t counter_khz;
    uint64_t reference_khz;
    uint64_t reference_start_ns;
    uint64_t reference_end; // how many ticks it lasts
} world;

static void pass(void)
{
    world.now_ns += world.reading_ns;
    world.readings++;
    if (world.stop_period != 0 && world.readings % world.stop_period == 0) {
        world.now_ns += world.stop_ns;
    }
}

static uint64_t read_counter(void)
{
    pass();
    return world.now_ns * world.counter_khz / 1'000'000;
}

static void start_reference(void)
{
    world.reference_start_ns = world.now_ns;
}

static bool read_reference(uint64_t *ticks_out)
{
    pass();
    uint64_t ticks = (world.now_ns - world.reference_start_ns) * world.reference_khz / 1'000'000;
    if (ticks >= world.reference_end) {
        return false;
    }
    *ticks_out = ticks;
    if (world.lags > 0) {
        world.lags--;
        world.now_ns += world.lag_ns;
    }
    return true;
}

static struct clock_reference reference = {"test", 0, start_reference, read_reference};

static void init(struct ktest *test)
{
    (void)test;
    world = (typeof(world)){
        .now_ns = 1,
        .reading_ns = 1000,
        .counter_khz = 2'893'437,
        .reference_khz = 1193,
        .reference_end = 65536,
    };
    reference.hz = world.reference_khz * 1000;
}

KTEST_SUITE(calibration, .init = init);

static void expect_close(struct ktest *test, uint64_t hz)
{
    uint64_t right = world.counter_khz * 1000;
    KTEST_EXPECT_GT(test, hz, right - right / 500);
    KTEST_EXPECT_LT(test, hz, right + right / 500);
}

KTEST(calibration, finds_the_frequency)
{
    static const uint64_t khz[] = {1'100, 62'500, 1'000'000, 2'893'437, 99'000'000};
    for (size_t i = 0; i < ARRAY_SIZE(khz); i++) {
        uint64_t hz = 0;
        world.counter_khz = khz[i];
        KTEST_EXPECT_EQ(test, calibrate(read_counter, &reference, &hz), OK);
        expect_close(test, hz);
    }
}

KTEST_ATTR(calibration, needs_no_fast_reference_nor_a_slow_one, .speed = KTEST_SPEED_SLOW);
KTEST(calibration, needs_no_fast_reference_nor_a_slow_one)
{
    static const uint64_t khz[] = {50, 14'318, 100'000, 1'000'000};
    world.reference_end = UINT64_MAX;
    for (size_t i = 0; i < ARRAY_SIZE(khz); i++) {
        uint64_t hz = 0;
        world.reference_khz = khz[i];
        reference.hz = khz[i] * 1000;
        world.reading_ns = 20'000 / khz[i] + 100;
        KTEST_EXPECT_EQ(test, calibrate(read_counter, &reference, &hz), OK);
        expect_close(test, hz);
    }
}

// The machine is stopped for 8 ms now and then: between two readings that belong together, too.
KTEST_ATTR(calibration, stands_interruptions, .speed = KTEST_SPEED_SLOW);
KTEST(calibration, stands_interruptions)
{
    for (unsigned period = 900; period < 1100; period++) {
        uint64_t hz = 0;
        world.readings = 0;
        world.stop_period = period;
        world.stop_ns = 8'000'000;
        KTEST_ASSERT_EQ(test, calibrate(read_counter, &reference, &hz), OK);
        expect_close(test, hz);
    }
}

// The beginning of the first try is 40 us off: too little for the others to disagree with it.
KTEST(calibration, takes_the_try_that_was_read_fastest)
{
    uint64_t hz = 0;
    world.lags = 4;
    world.lag_ns = 80'000;
    KTEST_EXPECT_EQ(test, calibrate(read_counter, &reference, &hz), OK);
    expect_close(test, hz);
}

// 54 ms are over before the window is.
KTEST(calibration, tries_again_when_the_reference_has_run_out)
{
    uint64_t hz = 0;
    world.stop_period = 12'000; // one window in two is spoiled
    world.stop_ns = 70'000'000;
    KTEST_EXPECT_EQ(test, calibrate(read_counter, &reference, &hz), OK);
    expect_close(test, hz);
}

KTEST(calibration, gives_up_when_every_try_is_spoiled)
{
    uint64_t hz = 7;
    world.stop_period = 100;
    world.stop_ns = 70'000'000;
    KTEST_EXPECT_EQ(test, calibrate(read_counter, &reference, &hz), EAGAIN);
    KTEST_EXPECT_EQ(test, hz, 7);
}

KTEST(calibration, a_counter_that_stands_still_is_an_error)
{
    uint64_t hz = 7;
    world.counter_khz = 0;
    KTEST_EXPECT_EQ(test, calibrate(read_counter, &reference, &hz), EIO);
    world.counter_khz = 1'000'000;
    world.reference_khz = 0;
    world.readings = 0;
    KTEST_EXPECT_EQ(test, calibrate(read_counter, &reference, &hz), EIO);
    KTEST_EXPECT_LT(test, world.readings, 110'000); // and found soon
    KTEST_EXPECT_EQ(test, hz, 7);
}

KTEST(calibration, nonsense_is_refused)
{
    uint64_t hz = 7;
    world.counter_khz = 900;
    KTEST_EXPECT_EQ(test, calibrate(read_counter, &reference, &hz), ERANGE);
    world.counter_khz = 110'000'000;
    KTEST_EXPECT_EQ(test, calibrate(read_counter, &reference, &hz), ERANGE);
    KTEST_EXPECT_EQ(test, hz, 7);
}

static uint64_t read_backwards(void)
{
    return UINT64_MAX - read_counter();
}

static uint64_t read_another_each_time(void)
{
    static uint64_t factor = 1;
    factor = factor % 1000 + 7;
    return read_counter() * factor;
}

KTEST(calibration, a_counter_that_does_not_count_steadily_is_refused)
{
    uint64_t hz = 7;
    KTEST_EXPECT_EQ(test, calibrate(read_backwards, &reference, &hz), EAGAIN);
    KTEST_EXPECT_EQ(test, calibrate(read_another_each_time, &reference, &hz), EAGAIN);
    KTEST_EXPECT_EQ(test, hz, 7);
}
