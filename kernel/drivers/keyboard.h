// SPDX-License-Identifier: MIT
//
// The machine's keyboard, and what is typed at it on the console. For one thread; not for handlers.
#pragma once

#include <stdint.h>

#include "lib/error.h"

struct ps2_keyboard;

// From now on, what is typed is kept. The layout is that of the boot argument `keyboard`, as in
// keyboard=de105, or us104. ENODEV: the machine has none; others as ps2_keyboard_init and
// ps2_keyboard_start.
enum error keyboard_start(void);

// The opposite.
void keyboard_stop(void);

// What has been started, for who reads it by himself.
struct ps2_keyboard *keyboard_device(void);

// Shows a typed character on the console, in UTF-8; backspace takes back what is in front of the
// cursor. Nothing is shown for 0, and for control characters other than that, tab and newline.
void keyboard_echo(uint32_t character);
