// SPDX-License-Identifier: MIT
//
// The first way to say something, from the first C statement on and in every panic: the serial
// port as the firmware left it or as a reset did, and the VGA text screen. Static state only, no
// lock: the log above serializes, and a panic may cut in.
#pragma once

#include "lib/format.h"
#include "lib/text_screen.h"

// Sets up both halves and says hello.
void early_console_init(void);

// The two halves as writers: COM1 (with "\r\n" for "\n") and the screen.
extern const struct writer early_serial_writer;
extern const struct writer early_screen_writer;

// The screen itself, with what it shows: a driver puts its own device under it, or takes over what
// is there.
struct text_screen *early_screen(void);
