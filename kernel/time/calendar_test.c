// SPDX-License-Identifier: MIT
#include "time/calendar.h"

#include "ktest.h"
#include "lib/bits.h"
#include "lib/test_random.h"

static bool is_same(struct date_time left, struct date_time right)
{
    return left.year == right.year && left.month == right.month && left.day == right.day &&
           left.hour == right.hour && left.minute == right.minute && left.second == right.second;
}

KTEST(calendar, knows_dates_that_others_have_written_down)
{
    static const struct {
        struct date_time date;
        uint64_t seconds;
    } known[] = {
        {{1970, 1, 1, 0, 0, 0}, 0},
        {{1970, 1, 1, 23, 59, 59}, 86399},
        {{2000, 2, 29, 12, 0, 0}, 951825600},
        {{2001, 9, 9, 1, 46, 40}, 1000000000},
        {{2009, 2, 13, 23, 31, 30}, 1234567890},
        {{2038, 1, 19, 3, 14, 8}, 2147483648},
        {{2100, 3, 1, 0, 0, 0}, 4107542400},
        {{9999, 12, 31, 23, 59, 59}, 253402300799},
    };
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        KTEST_EXPECT_EQ(test, date_time_to_unix(&known[i].date), known[i].seconds);
        struct date_time back = date_time_from_unix(known[i].seconds);
        KTEST_EXPECT_TRUE(test, is_same(back, known[i].date));
    }
}

// Month by month, as a calendar on the wall has it.
KTEST_ATTR(calendar, counts_all_days_from_1970_to_2099, .proves = "7.9.1",
           .speed = KTEST_SPEED_SLOW);
KTEST(calendar, counts_all_days_from_1970_to_2099)
{
    static const uint8_t days_of[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    uint64_t days = 0;
    for (uint16_t year = 1970; year <= 2099; year++) {
        for (uint8_t month = 1; month <= 12; month++) {
            uint8_t end = (uint8_t)(days_of[month - 1] + (month == 2 && year % 4 == 0));
            for (uint8_t day = 1; day <= end; day++, days++) {
                struct date_time date = {year, month, day, 23, 59, 59};
                uint64_t seconds = date_time_to_unix(&date);
                struct date_time back = date_time_from_unix(seconds);
                KTEST_ASSERT_EQ(test, seconds, days * 86400 + 86399);
                KTEST_ASSERT_TRUE(test, is_same(back, date));
            }
            struct date_time behind = {year, month, (uint8_t)(end + 1), 0, 0, 0};
            KTEST_ASSERT_FALSE(test, date_time_is_valid(&behind));
        }
    }
    KTEST_EXPECT_EQ(test, days, 47482);
}

KTEST(calendar, any_second_goes_there_and_back)
{
    struct test_random random = {1};
    for (unsigned i = 0; i < 10000 * test_scale(); i++) {
        uint64_t seconds = test_random_below(&random, 253402300800);
        struct date_time date = date_time_from_unix(seconds);
        KTEST_ASSERT_TRUE(test, date_time_is_valid(&date));
        KTEST_ASSERT_EQ(test, date_time_to_unix(&date), seconds);
    }
}

KTEST_ATTR(calendar, what_is_no_date_is_refused, .speed = KTEST_SPEED_SLOW);
KTEST(calendar, what_is_no_date_is_refused)
{
    static const struct date_time wrong[] = {
        {1969, 12, 31, 0, 0, 0}, {10000, 1, 1, 0, 0, 0}, {2026, 0, 1, 0, 0, 0},
        {2026, 13, 1, 0, 0, 0},  {2026, 1, 0, 0, 0, 0},  {2026, 1, 32, 0, 0, 0},
        {2026, 2, 29, 0, 0, 0},  {2100, 2, 29, 0, 0, 0}, {2026, 4, 31, 0, 0, 0},
        {2026, 1, 1, 24, 0, 0},  {2026, 1, 1, 0, 60, 0}, {2026, 1, 1, 0, 0, 60},
    };
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        KTEST_EXPECT_FALSE(test, date_time_is_valid(&wrong[i]));
        KTEST_EXPECT_PANIC(test, "*date_time_is_valid*", (void)date_time_to_unix(&wrong[i]));
    }
    KTEST_EXPECT_PANIC(test, "*SECONDS_END*", (void)date_time_from_unix(253402300800));
}
