// SPDX-License-Identifier: MIT
//
// What a serial terminal or a keyboard sends, as keys of the line editor. The Control letters are
// those of Emacs and the shells: A E B F P N to move, H D W U K to remove, I to complete, C, L.
//
// A terminal sends a key such as Up as a sequence: ESC, then `[` (or `O`, in xterm's application
// mode), maybe numbers, and a final byte that says which. ESC and anything else is not looked for:
// the ESC is dropped. Whatever the bytes, at most one key comes of each.
// Sources: ECMA-48, 5.4 (control sequences); xterm, "PC-Style Function Keys".
#pragma once

#include <stdint.h>

#include "drivers/keymap.h"
#include "monitor/line_key.h"

enum terminal_state {
    TERMINAL_TEXT,
    TERMINAL_ESCAPE,   // behind ESC
    TERMINAL_SEQUENCE, // behind ESC [
    TERMINAL_SHIFT,    // behind ESC O: one byte follows
};

// Zeroed at the beginning.
struct terminal_input {
    enum terminal_state state;
    unsigned number;         // the first one of the sequence, or 0
    bool has_number;         // it is complete
    bool is_carriage_return; // this was the last byte
};

// LINE_KEY_NONE if this byte does not complete a key. Of a character that is not ASCII, in UTF-8,
// the first byte is LINE_KEY_UNKNOWN, the others are nothing.
enum line_key terminal_input_decode(struct terminal_input *input, uint8_t byte);

// LINE_KEY_NONE for releases, and keys without a meaning here. Control may be mapped or not.
enum line_key line_key_of_input(const struct key_input *input);
