// SPDX-License-Identifier: MIT
//
// The upper bit of the index port shuts NMIs out, and can't be read. This kernel never shuts them
// out, so the bit is always written as 0.
//
// For 244 us before it counts on the clock warns; somebody who was stopped longer than that between
// two registers has half of the old time. So it is read until it says the same twice.
#include "drivers/rtc_cmos.h"

#include "arch/x86_64/port.h"
#include "drivers/rtc_decode.h"
#include "lib/string.h"
#include "sync/irq_state.h"

#define INDEX_PORT 0x70
#define DATA_PORT 0x71
#define INDEX_MASK 0x7f

enum rtc_register {
    RTC_SECOND = 0x00,
    RTC_MINUTE = 0x02,
    RTC_HOUR = 0x04,
    RTC_DAY = 0x07,
    RTC_MONTH = 0x08,
    RTC_YEAR = 0x09,
    RTC_A = 0x0a,
    RTC_B = 0x0b,
    RTC_D = 0x0d,
};

#define A_COUNTING 0x80
#define D_ALWAYS_0 0x40
#define D_VALID 0x80

#define LOOKS_MAX 1'000'000 // for 2.2 ms at most it counts
#define READINGS_MAX 10

static uint8_t read(uint8_t index)
{
    irq_state_t state = irq_save();
    port_write8(INDEX_PORT, index & INDEX_MASK);
    uint8_t value = port_read8(DATA_PORT);
    irq_restore(state);
    return value;
}

static enum error read_all(uint8_t century_index, struct rtc_registers *registers_out)
{
    unsigned looks = 0;
    while ((read(RTC_A) & A_COUNTING) != 0) {
        if (++looks == LOOKS_MAX) {
            return ETIMEDOUT;
        }
    }
    memset(registers_out, 0, sizeof(*registers_out)); // they are compared as bytes
    registers_out->second = read(RTC_SECOND);
    registers_out->minute = read(RTC_MINUTE);
    registers_out->hour = read(RTC_HOUR);
    registers_out->day = read(RTC_DAY);
    registers_out->month = read(RTC_MONTH);
    registers_out->year = read(RTC_YEAR);
    registers_out->century = century_index != 0 ? read(century_index) : 0;
    registers_out->has_century = century_index != 0;
    registers_out->format = read(RTC_B);
    return OK;
}

enum error rtc_read(uint8_t century_index, struct date_time *date_time_out)
{
    uint8_t health = read(RTC_D);
    if ((health & D_ALWAYS_0) != 0) {
        return ENODEV;
    }
    if ((health & D_VALID) == 0) {
        return EIO;
    }
    struct rtc_registers last;
    enum error error = read_all(century_index, &last);
    for (int i = 0; i < READINGS_MAX && error == OK; i++) {
        struct rtc_registers now;
        error = read_all(century_index, &now);
        if (error == OK && memcmp(&now, &last, sizeof(now)) == 0) {
            return rtc_decode(&now, date_time_out);
        }
        last = now;
    }
    return error != OK ? error : ETIMEDOUT;
}
