// SPDX-License-Identifier: MIT
//
// The machine's keyboard. For one thread; not for handlers.
#pragma once

#include "lib/error.h"

struct ps2_keyboard;

// From now on, what is typed is kept. The layout is that of the boot argument `keyboard`, as in
// keyboard=de105, or us104. ENODEV: the machine has none; others as ps2_keyboard_init and
// ps2_keyboard_start.
enum error keyboard_start(void);

// The opposite.
void keyboard_stop(void);

// What has been started, for whoever reads it.
struct ps2_keyboard *keyboard_device(void);
