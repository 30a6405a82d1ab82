// SPDX-License-Identifier: MIT
//
// What the real-time clock's registers mean. Pure. Source: Motorola MC146818A data sheet.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/error.h"
#include "time/calendar.h"

#define RTC_B_24_HOURS 0x02
#define RTC_B_BINARY 0x04 // not BCD

// As they are read.
struct rtc_registers {
    uint8_t second;
    uint8_t minute;
    uint8_t hour;
    uint8_t day;
    uint8_t month;
    uint8_t year; // of the century
    uint8_t century;
    uint8_t format; // register B
    bool has_century;
};

// Without a century, years below 70 are after 2000. EIO if that is no date.
enum error rtc_decode(const struct rtc_registers *registers, struct date_time *date_time_out);
