// SPDX-License-Identifier: MIT
#include "drivers/keyboard.h"

#include <stddef.h>

#include "boot/arguments.h"
#include "debug/log.h"
#include "drivers/ps2_keyboard.h"
#include "lib/bits.h"

static struct ps2_keyboard keyboard;

static const struct key_layout *chosen_layout(void)
{
    const char *name = argument("keyboard");
    if (name == NULL) {
        return &key_layout_us104;
    }
    const struct key_layout *layout = key_layout_lookup(name);
    if (layout == NULL) {
        log_warn("keyboard", "keyboard=%s: no such layout, it is us104 then", name);
        return &key_layout_us104;
    }
    return layout;
}

enum error keyboard_start(void)
{
    enum error error = ps2_keyboard_init(&keyboard, SCANCODE_SET_1, chosen_layout());
    return error == OK ? ps2_keyboard_start(&keyboard) : error;
}

void keyboard_stop(void)
{
    ps2_keyboard_stop(&keyboard);
}

struct ps2_keyboard *keyboard_device(void)
{
    return &keyboard;
}
