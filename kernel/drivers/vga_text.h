// SPDX-License-Identifier: MIT
//
// The VGA in text mode: the screen of the early console, from here on with a cursor and with 16
// background colours. Before, the highest bit of a cell's colour is as the firmware left it: set,
// it makes the character blink, and there are 8 backgrounds.
// Source: IBM VGA; the registers are described by the FreeVGA project, "CRT Controller Registers"
// and "Attribute Controller Registers".
#pragma once

#include "lib/error.h"
#include "lib/text_screen.h"

// Takes the screen over, which has VGA_ROWS and VGA_COLUMNS. ENODEV, with nothing changed, if there
// is no VGA or it is not in text mode.
enum error vga_text_init(struct text_screen *screen);
