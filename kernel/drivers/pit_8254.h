// SPDX-License-Identifier: MIT
//
// The interval timer: channel 0 pulls interrupt line 0, channel 2 belongs to the speaker, and is
// read here to measure others by. Source: Intel 8254 data sheet.
//
// Interrupts off, or nobody else at the same channel.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "time/calibration.h"
#include "time/clock_event.h"

#define PIT_HZ 1'193'182
#define PIT_TICKS_MAX 65536 // 54.9 ms
#define PIT_RATE_TICKS_MIN 2

// Ends the ticking that firmware has left on channel 0, which costs a virtual machine's host work,
// too, though nobody hears it.
void pit_init(void);

// Channel 0, one interrupt: its line goes up when the count is over, and stays so until the channel
// is set again. 1 to PIT_TICKS_MAX.
void pit_start_once(uint32_t ticks);

// Channel 0, an interrupt every so many ticks. PIT_RATE_TICKS_MIN to PIT_TICKS_MAX.
void pit_start_rate(uint32_t ticks);

// Whether channel 0's line is up: behind pit_start_once, whether the count is over.
bool pit_line_is_up(void);

// Channel 0.
extern const struct clock_event pit_event;

// Channel 2.
extern const struct clock_reference pit_reference;
