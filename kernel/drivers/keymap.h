// SPDX-License-Identifier: MIT
//
// From keys to characters: modifiers, locks and a layout. Pure; one instance a keyboard.
//
// A character comes with the press of its key, and again with each repetition, never with the
// release. Modifiers, locks and keys such as F1 or the arrows have none. All events have to pass
// through here, releases too: otherwise a Shift would be held for ever.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "drivers/key.h"
#include "drivers/key_layout.h"
#include "lib/bits.h"

// Which are held, a bit for each of USB's keys from KEY_LEFT_CONTROL on.
#define KEYMAP_CONTROL (BIT(0) | BIT(4))
#define KEYMAP_SHIFT (BIT(1) | BIT(5))
#define KEYMAP_ALT (BIT(2) | BIT(6))
#define KEYMAP_ALT_GR BIT(6) // in layouts that have it
#define KEYMAP_GUI (BIT(3) | BIT(7))

// Locks that are on; the bits are those of a PS/2 keyboard's lights.
#define KEYMAP_SCROLL_LOCK BIT(0)
#define KEYMAP_NUM_LOCK BIT(1)
#define KEYMAP_CAPS_LOCK BIT(2)

// What Control does to the letters a to z.
enum keymap_control {
    KEYMAP_CONTROL_IGNORED, // nothing
    KEYMAP_CONTROL_MAPPED,  // U+0001 to U+001A in their place
};

struct keymap {
    const struct key_layout *layout; // may be changed at any time
    enum keymap_control control;     // so may this
    uint8_t modifiers;
    uint8_t locks;
    uint64_t held[KEY_COUNT / 64]; // a bit for each key
};

struct key_input {
    struct key_event event;
    enum key meaning; // the event's key, but KEY_UP and the like where the keypad moves the cursor
    bool is_repetition; // the key was held already
    uint8_t modifiers;  // as they are behind the event
    uint32_t character; // a Unicode code point; 0: none
};

// No key is held, all locks are off, Control is ignored.
void keymap_init(struct keymap *keymap, const struct key_layout *layout);

struct key_input keymap_process(struct keymap *keymap, struct key_event event);

// No key is held, for all that is known: for when events were lost. Locks stay.
void keymap_release_all(struct keymap *keymap);
