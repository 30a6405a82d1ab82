// SPDX-License-Identifier: MIT
//
// The two ports of the 8042, the controller of PS/2 keyboards and mice. Source: IBM PS/2 Technical
// Reference, Keyboard and Auxiliary Device Controller.
#pragma once

#include <stdint.h>

#include "lib/bits.h"

#define PS2_STATUS_OUTPUT_FULL BIT(0)        // the data port holds a byte for us
#define PS2_STATUS_INPUT_FULL BIT(1)         // our last byte has not been taken yet
#define PS2_STATUS_MOUSE BIT(5)              // the byte for us is the mouse's
#define PS2_STATUS_DAMAGED (BIT(6) | BIT(7)) // it came too late, or with wrong parity
#define PS2_STATUS_NO_DEVICE 0xff            // nothing answers at this port

uint8_t ps2_read_status(void);
uint8_t ps2_read_data(void);             // only while the output is full
void ps2_write_command(uint8_t command); // these two only while the input is not full
void ps2_write_data(uint8_t byte);

// A microsecond or more, between two looks at the status.
void ps2_pause(void);
