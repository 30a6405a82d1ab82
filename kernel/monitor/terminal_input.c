// SPDX-License-Identifier: MIT
#include "monitor/terminal_input.h"

#include <stddef.h>

#include "lib/bits.h"

#define ESC 0x1b
#define DEL 0x7f
#define CONTROL(letter_) ((letter_)-0x40)
#define NUMBER_MAX 255

static const enum line_key control_keys[' '] = {
    [CONTROL('A')] = LINE_KEY_HOME,          [CONTROL('B')] = LINE_KEY_LEFT,
    [CONTROL('C')] = LINE_KEY_CANCEL,        [CONTROL('D')] = LINE_KEY_DELETE,
    [CONTROL('E')] = LINE_KEY_END,           [CONTROL('F')] = LINE_KEY_RIGHT,
    [CONTROL('H')] = LINE_KEY_BACKSPACE,     [CONTROL('I')] = LINE_KEY_COMPLETE,
    [CONTROL('J')] = LINE_KEY_ENTER,         [CONTROL('K')] = LINE_KEY_KILL_TO_END,
    [CONTROL('L')] = LINE_KEY_REDRAW,        [CONTROL('M')] = LINE_KEY_ENTER,
    [CONTROL('N')] = LINE_KEY_DOWN,          [CONTROL('P')] = LINE_KEY_UP,
    [CONTROL('U')] = LINE_KEY_KILL_TO_START, [CONTROL('W')] = LINE_KEY_KILL_WORD,
};

// NUL and ESC are nothing: the one is what an idle line looks like, the other begins what is not
// known here.
static enum line_key key_of_character(uint32_t character)
{
    if (character == 0 || character == ESC) {
        return LINE_KEY_NONE;
    }
    if (character < ' ') {
        enum line_key key = control_keys[character];
        return key != LINE_KEY_NONE ? key : LINE_KEY_UNKNOWN;
    }
    return character < DEL ? (enum line_key)character : LINE_KEY_UNKNOWN;
}

// --- Terminals ----------------------------------------------------------------------------------

// By the sequence's final byte.
static enum line_key key_of_letter(uint8_t letter)
{
    switch (letter) {
    case 'A':
        return LINE_KEY_UP;
    case 'B':
        return LINE_KEY_DOWN;
    case 'C':
        return LINE_KEY_RIGHT;
    case 'D':
        return LINE_KEY_LEFT;
    case 'F':
        return LINE_KEY_END;
    case 'H':
        return LINE_KEY_HOME;
    case 'M': // of the keypad
        return LINE_KEY_ENTER;
    default:
        return LINE_KEY_UNKNOWN;
    }
}

// By the number in front of '~'.
static enum line_key key_of_number(unsigned number)
{
    switch (number) {
    case 1:
    case 7:
        return LINE_KEY_HOME;
    case 3:
        return LINE_KEY_DELETE;
    case 4:
    case 8:
        return LINE_KEY_END;
    default:
        return LINE_KEY_UNKNOWN;
    }
}

static enum line_key decode_text(struct terminal_input *input, uint8_t byte)
{
    bool was_carriage_return = input->is_carriage_return;
    input->state = byte == ESC ? TERMINAL_ESCAPE : TERMINAL_TEXT;
    input->is_carriage_return = byte == '\r';
    if (byte == '\n' && was_carriage_return) {
        return LINE_KEY_NONE;
    }
    if (byte == DEL) {
        return LINE_KEY_BACKSPACE; // what the key above Enter sends
    }
    bool continues_character = byte >= 0x80 && byte < 0xc0;
    return continues_character ? LINE_KEY_NONE : key_of_character(byte);
}

static enum line_key decode_escape(struct terminal_input *input, uint8_t byte)
{
    if (byte == '[') {
        *input = (struct terminal_input){.state = TERMINAL_SEQUENCE};
        return LINE_KEY_NONE;
    }
    if (byte == 'O') {
        *input = (struct terminal_input){.state = TERMINAL_SHIFT};
        return LINE_KEY_NONE;
    }
    return decode_text(input, byte);
}

// Up to the final byte, from '@' to '~'; what can't be part of a sequence ends it, too.
static enum line_key decode_sequence(struct terminal_input *input, uint8_t byte)
{
    if (byte < ' ' || byte >= DEL) {
        return decode_text(input, byte);
    }
    if (byte >= '0' && byte <= '9' && !input->has_number) {
        unsigned number = input->number * 10 + byte - '0';
        input->number = number < NUMBER_MAX ? number : NUMBER_MAX;
        return LINE_KEY_NONE;
    }
    input->has_number = true;
    if (byte < '@') {
        return LINE_KEY_NONE;
    }
    input->state = TERMINAL_TEXT;
    return byte == '~' ? key_of_number(input->number) : key_of_letter(byte);
}

enum line_key terminal_input_decode(struct terminal_input *input, uint8_t byte)
{
    switch (input->state) {
    case TERMINAL_ESCAPE:
        return decode_escape(input, byte);
    case TERMINAL_SEQUENCE:
        return decode_sequence(input, byte);
    case TERMINAL_SHIFT:
        input->state = TERMINAL_TEXT;
        return byte < '@' || byte >= DEL ? decode_text(input, byte) : key_of_letter(byte);
    case TERMINAL_TEXT:
        break;
    }
    return decode_text(input, byte);
}

// --- Keyboards ----------------------------------------------------------------------------------

static const struct {
    enum key key;
    enum line_key line_key;
} cursor_keys[] = {
    {KEY_UP, LINE_KEY_UP},         {KEY_DOWN, LINE_KEY_DOWN}, {KEY_LEFT, LINE_KEY_LEFT},
    {KEY_RIGHT, LINE_KEY_RIGHT},   {KEY_HOME, LINE_KEY_HOME}, {KEY_END, LINE_KEY_END},
    {KEY_DELETE, LINE_KEY_DELETE},
};

enum line_key line_key_of_input(const struct key_input *input)
{
    if (!input->event.is_pressed) {
        return LINE_KEY_NONE;
    }
    for (size_t i = 0; i < ARRAY_SIZE(cursor_keys); i++) {
        if (cursor_keys[i].key == input->meaning) {
            return cursor_keys[i].line_key;
        }
    }
    uint32_t letter = input->character & ~(uint32_t)('a' ^ 'A');
    bool is_control = (input->modifiers & KEYMAP_CONTROL) != 0 && letter >= 'A' && letter <= 'Z';
    return key_of_character(is_control ? CONTROL(letter) : input->character);
}
