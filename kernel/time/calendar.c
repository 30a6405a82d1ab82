// SPDX-License-Identifier: MIT
//
// Years begin in March here, so that the odd day of leap years is their last: then (153 * month +
// 2) / 5 days lie before the months, from 0 on. Everything repeats after 400 years.
// Source: H. Hinnant, chrono-Compatible Low-Level Date Algorithms (2013).
#include "time/calendar.h"

#include "lib/assert.h"

#define SECONDS_PER_DAY 86'400
#define DAYS_PER_YEAR 365
#define YEARS_PER_CYCLE 400
#define DAYS_PER_CYCLE 146'097
#define DAYS_TO_1970 719'468           // from the March in which year 0 began
#define SECONDS_END 253'402'300'800ULL // the first of the year 10000

static bool is_leap_year(unsigned year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static unsigned days_of_month(unsigned year, unsigned month)
{
    bool is_short = month == 4 || month == 6 || month == 9 || month == 11;
    return month == 2 ? 28 + is_leap_year(year) : 31 - is_short;
}

bool date_time_is_valid(const struct date_time *at)
{
    return at->year >= CALENDAR_YEAR_MIN && at->year <= CALENDAR_YEAR_MAX && at->month >= 1 &&
           at->month <= 12 && at->day >= 1 && at->day <= days_of_month(at->year, at->month) &&
           at->hour < 24 && at->minute < 60 && at->second < 60;
}

static uint64_t days_before_month(uint64_t month_from_march)
{
    return (153 * month_from_march + 2) / 5;
}

static uint64_t days_before_year(uint64_t year)
{
    return year * DAYS_PER_YEAR + year / 4 - year / 100 + year / YEARS_PER_CYCLE;
}

uint64_t date_time_to_unix(const struct date_time *at)
{
    assert(date_time_is_valid(at));
    bool is_before_march = at->month < 3;
    uint64_t days = days_before_year((uint64_t)at->year - is_before_march) +
                    days_before_month(is_before_march ? at->month + 9U : at->month - 3U) + at->day -
                    1 - DAYS_TO_1970;
    return days * SECONDS_PER_DAY + at->hour * 3600U + at->minute * 60U + at->second;
}

struct date_time date_time_from_unix(uint64_t seconds)
{
    assert(seconds < SECONDS_END);
    uint64_t days = seconds / SECONDS_PER_DAY + DAYS_TO_1970;
    uint64_t cycle = days / DAYS_PER_CYCLE;
    uint64_t day_of_cycle = days % DAYS_PER_CYCLE;
    // Without the odd days of 4, 100 and 400 years each year has 365.
    uint64_t year_of_cycle = (day_of_cycle - day_of_cycle / 1460 + day_of_cycle / 36524 -
                              day_of_cycle / (DAYS_PER_CYCLE - 1)) /
                             DAYS_PER_YEAR;
    uint64_t day_of_year = day_of_cycle - days_before_year(year_of_cycle);
    uint64_t month_from_march = (5 * day_of_year + 2) / 153;
    bool is_next_year = month_from_march >= 10;
    unsigned second = (unsigned)(seconds % SECONDS_PER_DAY);
    return (struct date_time){
        .year = (uint16_t)(cycle * YEARS_PER_CYCLE + year_of_cycle + is_next_year),
        .month = (uint8_t)(is_next_year ? month_from_march - 9 : month_from_march + 3),
        .day = (uint8_t)(day_of_year - days_before_month(month_from_march) + 1),
        .hour = (uint8_t)(second / 3600),
        .minute = (uint8_t)(second / 60 % 60),
        .second = (uint8_t)(second % 60),
    };
}
