// SPDX-License-Identifier: MIT
#include "drivers/keyboard.h"

#include <stddef.h>

#include "boot/arguments.h"
#include "debug/log.h"
#include "drivers/ps2_keyboard.h"
#include "lib/bits.h"

#define DELETE 0x7f

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

// Layouts have characters of the Basic Multilingual Plane only: at most three bytes.
static void print_utf8(uint32_t character)
{
    if (character < 0x80) {
        print("%c", (char)character);
    } else if (character < 0x800) {
        print("%c%c", (char)(0xc0 | character >> 6), (char)(0x80 | (character & 0x3f)));
    } else {
        print("%c%c%c", (char)(0xe0 | character >> 12), (char)(0x80 | (character >> 6 & 0x3f)),
              (char)(0x80 | (character & 0x3f)));
    }
}

void keyboard_echo(uint32_t character)
{
    if (character == '\b') {
        print("\b \b"); // a terminal only steps back
    } else if (character == '\n' || character == '\t' ||
               (character >= ' ' && character != DELETE)) {
        print_utf8(character);
    }
}
