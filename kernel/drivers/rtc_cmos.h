// SPDX-License-Identifier: MIT
//
// The clock that goes on when the machine is off: date and time of the day, to the second, in
// whatever zone its owner has set it to; UTC by custom. Source: Motorola MC146818A data sheet.
#pragma once

#include <stdint.h>

#include "lib/error.h"
#include "time/calendar.h"

// `century_index` is the century's register, 0 if there is none (ACPI's FADT has it: CENTURY).
// Takes up to 3 ms, for the clock can't be read while it counts on. ENODEV if there is no clock;
// EIO if its battery is empty or it has no valid date; ETIMEDOUT if it does not come to rest.
//
// In any context but NMI, #DF and #MC.
enum error rtc_read(uint8_t century_index, struct date_time *date_time_out);
