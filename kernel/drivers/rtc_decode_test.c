// SPDX-License-Identifier: MIT
#include "drivers/rtc_decode.h"

#include "ktest.h"
#include "lib/test_random.h"

#define PLAIN (RTC_B_24_HOURS | RTC_B_BINARY)

static struct rtc_registers plain(void)
{
    return (struct rtc_registers){
        .second = 59,
        .minute = 58,
        .hour = 23,
        .day = 31,
        .month = 12,
        .year = 26,
        .century = 20,
        .format = PLAIN,
        .has_century = true,
    };
}

KTEST(rtc_decode, binary_and_24_hours)
{
    struct rtc_registers registers = plain();
    struct date_time expected = {2026, 12, 31, 23, 58, 59};
    struct date_time date;
    KTEST_ASSERT_EQ(test, rtc_decode(&registers, &date), OK);
    KTEST_EXPECT_EQ(test, date_time_to_unix(&date), date_time_to_unix(&expected));
}

KTEST(rtc_decode, decimal_digits)
{
    struct rtc_registers registers = {
        .second = 0x59,
        .minute = 0x58,
        .hour = 0x23,
        .day = 0x31,
        .month = 0x12,
        .year = 0x99,
        .century = 0x19,
        .format = RTC_B_24_HOURS,
        .has_century = true,
    };
    struct date_time expected = {1999, 12, 31, 23, 58, 59};
    struct date_time date;
    KTEST_ASSERT_EQ(test, rtc_decode(&registers, &date), OK);
    KTEST_EXPECT_EQ(test, date_time_to_unix(&date), date_time_to_unix(&expected));
}

// Midnight is 12 a.m., noon 12 p.m.
KTEST_ATTR(rtc_decode, twelve_hours, .proves = "7.9.2");
KTEST(rtc_decode, twelve_hours)
{
    for (unsigned hour = 0; hour < 24; hour++) {
        unsigned shown = hour % 12 == 0 ? 12 : hour % 12;
        struct rtc_registers registers = plain();
        struct date_time date = {0};
        registers.format = RTC_B_BINARY;
        registers.hour = (uint8_t)(shown | (hour >= 12 ? 0x80 : 0));
        KTEST_ASSERT_EQ(test, rtc_decode(&registers, &date), OK);
        KTEST_EXPECT_EQ(test, date.hour, hour);
        registers.format = 0;
        registers.hour = (uint8_t)(shown / 10 << 4 | shown % 10 | (hour >= 12 ? 0x80 : 0));
        registers.second = registers.minute = 0;
        registers.day = registers.month = 1;
        registers.year = registers.century = 0x20;
        KTEST_ASSERT_EQ(test, rtc_decode(&registers, &date), OK);
        KTEST_EXPECT_EQ(test, date.hour, hour);
    }
}

KTEST(rtc_decode, century_is_guessed_without_a_register)
{
    struct rtc_registers registers = plain();
    struct date_time date;
    registers.has_century = false;
    registers.century = 0xff;
    registers.year = 69;
    KTEST_ASSERT_EQ(test, rtc_decode(&registers, &date), OK);
    KTEST_EXPECT_EQ(test, date.year, 2069);
    registers.year = 70;
    KTEST_ASSERT_EQ(test, rtc_decode(&registers, &date), OK);
    KTEST_EXPECT_EQ(test, date.year, 1970);
}

static void expect_refusal(struct ktest *test, struct rtc_registers registers)
{
    struct date_time date = {.year = 7};
    KTEST_EXPECT_EQ(test, rtc_decode(&registers, &date), EIO);
    KTEST_EXPECT_EQ(test, date.year, 7);
}

KTEST(rtc_decode, what_is_no_date_is_refused)
{
    struct rtc_registers wrong = plain();
    wrong.year = 100;
    expect_refusal(test, wrong);
    wrong = plain();
    wrong.day = 32;
    expect_refusal(test, wrong);
    wrong = plain();
    wrong.hour = 24;
    expect_refusal(test, wrong);
    wrong = plain();
    wrong.format = RTC_B_BINARY; // 12 hours
    wrong.hour = 0;
    expect_refusal(test, wrong);
    wrong.hour = 13;
    expect_refusal(test, wrong);
    wrong = plain();
    wrong.format = RTC_B_24_HOURS; // decimal digits: 59 is 0x3b
    expect_refusal(test, wrong);
    wrong = (struct rtc_registers){0};
    expect_refusal(test, wrong);
}

KTEST(rtc_decode, no_bytes_make_it_say_what_is_no_date)
{
    struct test_random random = {3};
    for (unsigned i = 0; i < 10000 * test_scale(); i++) {
        struct rtc_registers registers;
        uint8_t *bytes = (uint8_t *)&registers;
        for (size_t at = 0; at < sizeof(registers); at++) {
            uint64_t limit = test_random_below(&random, 4) == 0 ? 256 : 32;
            bytes[at] = (uint8_t)test_random_below(&random, limit);
        }
        registers.has_century = i % 2 == 0;
        struct date_time date;
        if (rtc_decode(&registers, &date) == OK) {
            KTEST_ASSERT_TRUE(test, date_time_is_valid(&date));
        }
    }
}
