// SPDX-License-Identifier: MIT
//
// Bringing up the 8042 for a keyboard. The mouse's port is shut and stays so.
// Source: IBM PS/2 Technical Reference, Keyboard and Auxiliary Device Controller.
//
// With translation the controller turns what the keyboard sends in set 2 into set 1. That is how
// firmware leaves it, and some laptops know no other way, so it is what ps2_keyboard_init takes.
#pragma once

#include <stdint.h>

#include "lib/error.h"

enum ps2_translation {
    PS2_TRANSLATED,
    PS2_UNTRANSLATED,
};

struct ps2_controller {
    uint8_t configuration; // as it was last written
};

// Tests controller and port, and opens the keyboard's port with interrupts off; whatever firmware
// left in the controller is thrown away. Every wait is bounded: some tenths of a second in all.
// ENODEV: the machine has none. ETIMEDOUT: it does not answer. EIO: it fails one of its tests, or
// does not keep its configuration. With its interrupt line masked.
enum error ps2_controller_init(struct ps2_controller *controller, enum ps2_translation translation);

enum ps2_interrupt {
    PS2_INTERRUPT_OFF,
    PS2_INTERRUPT_ON,
};

// Whether a byte from the keyboard raises IRQ_KEYBOARD. ETIMEDOUT: the controller takes nothing.
enum error ps2_controller_set_interrupt(struct ps2_controller *controller,
                                        enum ps2_interrupt interrupt);
