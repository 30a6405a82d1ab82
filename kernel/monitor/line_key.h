// SPDX-License-Identifier: MIT
//
// The keys of the line editor, whoever they come from. Printable ASCII, from ' ' to '~', is itself.
#pragma once

enum line_key {
    LINE_KEY_NONE = 0,

    LINE_KEY_ENTER = 0x100,
    LINE_KEY_BACKSPACE,     // the character left of the cursor goes
    LINE_KEY_DELETE,        // the one under it goes
    LINE_KEY_LEFT,          // the cursor moves
    LINE_KEY_RIGHT,         //
    LINE_KEY_HOME,          // to the first character
    LINE_KEY_END,           // behind the last one
    LINE_KEY_UP,            // to the line that was entered before
    LINE_KEY_DOWN,          // to the one behind it
    LINE_KEY_KILL_WORD,     // the word left of the cursor goes
    LINE_KEY_KILL_TO_START, // all that is left of the cursor goes
    LINE_KEY_KILL_TO_END,   // all the rest goes
    LINE_KEY_COMPLETE,      // what can this word become?
    LINE_KEY_CANCEL,        // another line, please
    LINE_KEY_REDRAW,        // this line once more, on the next line of the screen
    LINE_KEY_UNKNOWN,       // means nothing to the editor: it rings the bell
    LINE_KEY_END_OF_KEYS,
};
