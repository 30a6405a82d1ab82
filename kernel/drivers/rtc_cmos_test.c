// SPDX-License-Identifier: MIT
#include "drivers/rtc_cmos.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/port.h"
#include "debug/log.h"
#include "drivers/nmi_timer.h"
#include "ktest.h"
#include "lib/test_random.h"
#include "time/clock.h"
#include "time/sleep.h"

#define CENTURY 0x32 // where PCs have it
#define REGISTER_B 0x0b

static uint8_t read(uint8_t index)
{
    port_write8(0x70, index);
    return port_read8(0x71);
}

static void write(uint8_t index, uint8_t value)
{
    port_write8(0x70, index);
    port_write8(0x71, value);
}

static uint64_t now(struct ktest *test, uint8_t century_index)
{
    struct date_time date = {0};
    KTEST_ASSERT_EQ(test, rtc_read(century_index, &date), OK);
    return date_time_to_unix(&date);
}

KTEST_ATTR(rtc, says_the_date, .proves = "7.9.2");
KTEST(rtc, says_the_date)
{
    uint64_t without = now(test, 0);
    uint64_t with = now(test, CENTURY);
    KTEST_EXPECT_GT(test, with, 1'700'000'000); // 2023
    KTEST_EXPECT_GE(test, with, without);
    KTEST_EXPECT_LE(test, with, without + 60);
}

KTEST(rtc, says_the_same_in_every_format)
{
    uint8_t before = read(REGISTER_B);
    uint64_t start = now(test, CENTURY);
    for (uint8_t format = 0; format < 4; format++) {
        write(REGISTER_B, (uint8_t)((before & ~6) | format << 1));
        struct date_time date = {0};
        enum error error = rtc_read(CENTURY, &date);
        write(REGISTER_B, before);
        KTEST_ASSERT_EQ(test, error, OK);
        uint64_t seconds = date_time_to_unix(&date);
        KTEST_EXPECT_GE(test, seconds, start);
        KTEST_EXPECT_LE(test, seconds, start + 60);
    }
}

KTEST(rtc, leaves_the_non_maskable_interrupt_alone)
{
    struct date_time date;
    KTEST_EXPECT_EQ(test, rtc_read(0, &date), OK);
    KTEST_EXPECT_EQ(test, read(0x0a | 0x80), read(0x0a)); // the bit is no part of the index
}

// The moment in which it goes on to the next second, to 0.1 ms.
static uint64_t wait_for_edge(struct ktest *test, uint64_t *seconds_out)
{
    uint64_t start = now(test, 0);
    do {
        clock_sleep_ns(NS_PER_MS / 10);
        *seconds_out = now(test, 0);
    } while (*seconds_out == start);
    return clock_monotonic_ns();
}

// A second, or as many as test.scale says. The host may follow another time than the guest, as
// it does under -icount without -rtc clock=vm: so the host's test judges what is printed.
KTEST_ATTR(rtc, goes_as_fast_as_the_clock, .speed = KTEST_SPEED_VERY_SLOW, .timeout_ms = 60'000);
KTEST(rtc, goes_as_fast_as_the_clock)
{
    uint64_t start;
    uint64_t end;
    nmi_timer_stop(); // the tests' watchdog may have the sleeper's device
    uint64_t start_ns = wait_for_edge(test, &start);
    clock_sleep_ns((test_scale() - 1) * NS_PER_SECOND);
    uint64_t end_ns = wait_for_edge(test, &end);
    println("clock: %lu ns in %lu s of the RTC", end_ns - start_ns, end - start);
    KTEST_EXPECT_GT(test, end_ns, start_ns);
}
