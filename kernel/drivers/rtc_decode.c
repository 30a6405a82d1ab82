// SPDX-License-Identifier: MIT
#include "drivers/rtc_decode.h"

#define HOUR_PM 0x80
#define NO_NUMBER 0xff

static unsigned number(const struct rtc_registers *registers, uint8_t value)
{
    if ((registers->format & RTC_B_BINARY) != 0) {
        return value;
    }
    unsigned tens = value >> 4;
    unsigned ones = value & 0xf;
    return tens > 9 || ones > 9 ? NO_NUMBER : tens * 10 + ones;
}

static unsigned hour_of(const struct rtc_registers *registers)
{
    if ((registers->format & RTC_B_24_HOURS) != 0) {
        return number(registers, registers->hour);
    }
    unsigned hour = number(registers, registers->hour & (uint8_t)~HOUR_PM);
    if (hour < 1 || hour > 12) {
        return NO_NUMBER;
    }
    return hour % 12 + ((registers->hour & HOUR_PM) != 0 ? 12 : 0);
}

enum error rtc_decode(const struct rtc_registers *registers, struct date_time *date_time_out)
{
    unsigned year = number(registers, registers->year);
    unsigned century = year < 70 ? 20 : 19;
    if (registers->has_century) {
        century = number(registers, registers->century);
    }
    struct date_time result = {
        .year = (uint16_t)(century * 100 + year),
        .month = (uint8_t)number(registers, registers->month),
        .day = (uint8_t)number(registers, registers->day),
        .hour = (uint8_t)hour_of(registers),
        .minute = (uint8_t)number(registers, registers->minute),
        .second = (uint8_t)number(registers, registers->second),
    };
    if (year > 99 || !date_time_is_valid(&result)) {
        return EIO;
    }
    *date_time_out = result;
    return OK;
}
