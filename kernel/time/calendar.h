// SPDX-License-Identifier: MIT
//
// Dates of the Gregorian calendar, and the seconds since 1970-01-01 00:00:00 UTC as Unix counts
// them: days have 86,400. Pure.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define CALENDAR_YEAR_MIN 1970
#define CALENDAR_YEAR_MAX 9999

struct date_time {
    uint16_t year;
    uint8_t month; // 1 to 12
    uint8_t day;   // 1 to 31
    uint8_t hour;  // 0 to 23
    uint8_t minute;
    uint8_t second;
};

// Whether there is such a day and time, in the years above.
bool date_time_is_valid(const struct date_time *date_time);

// Panics unless it is valid.
uint64_t date_time_to_unix(const struct date_time *date_time);

// Panics beyond CALENDAR_YEAR_MAX.
struct date_time date_time_from_unix(uint64_t seconds);
