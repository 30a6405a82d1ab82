// SPDX-License-Identifier: MIT
//
// Each set has two tables, without and with e0, and all else is the same but for how a release is
// told. A code that stands in no row is KEY_NONE.
#include "drivers/scancode.h"

#include <stddef.h>

#include "lib/bits.h"

#define PREFIX_EXTENDED 0xe0
#define PREFIX_PAUSE 0xe1
#define PREFIX_SET_2_RELEASE 0xf0
#define SET_1_RELEASE BIT(7)
#define OVERRUN_TOO 0xff

#define CODES_MAX 0x85

struct scancode_table {
    uint8_t plain[CODES_MAX];
    uint8_t extended[CODES_MAX];
    uint8_t control; // the codes that Pause, and the shifts that don't count, consist of
    uint8_t num_lock;
    uint8_t left_shift;
    uint8_t right_shift;
};

// A row of keys stands in one line.
// clang-format off
static const struct scancode_table set_1 = {
    .plain = {
        [0x01] = KEY_ESCAPE,
        [0x02] = KEY_1, KEY_2, KEY_3, KEY_4, KEY_5, KEY_6, KEY_7, KEY_8, KEY_9, KEY_0,
        [0x0c] = KEY_MINUS, KEY_EQUAL, KEY_BACKSPACE,
        [0x0f] = KEY_TAB,
        [0x10] = KEY_Q, KEY_W, KEY_E, KEY_R, KEY_T, KEY_Y, KEY_U, KEY_I, KEY_O, KEY_P,
        [0x1a] = KEY_LEFT_BRACKET, KEY_RIGHT_BRACKET, KEY_ENTER,
        [0x1d] = KEY_LEFT_CONTROL,
        [0x1e] = KEY_A, KEY_S, KEY_D, KEY_F, KEY_G, KEY_H, KEY_J, KEY_K, KEY_L,
        [0x27] = KEY_SEMICOLON, KEY_APOSTROPHE, KEY_GRAVE,
        [0x2a] = KEY_LEFT_SHIFT, KEY_BACKSLASH,
        [0x2c] = KEY_Z, KEY_X, KEY_C, KEY_V, KEY_B, KEY_N, KEY_M,
        [0x33] = KEY_COMMA, KEY_PERIOD, KEY_SLASH, KEY_RIGHT_SHIFT,
        [0x37] = KEY_KEYPAD_MULTIPLY, KEY_LEFT_ALT, KEY_SPACE, KEY_CAPS_LOCK,
        [0x3b] = KEY_F1, KEY_F2, KEY_F3, KEY_F4, KEY_F5, KEY_F6, KEY_F7, KEY_F8, KEY_F9,
        [0x44] = KEY_F10, KEY_NUM_LOCK, KEY_SCROLL_LOCK,
        [0x47] = KEY_KEYPAD_7, KEY_KEYPAD_8, KEY_KEYPAD_9, KEY_KEYPAD_SUBTRACT,
        [0x4b] = KEY_KEYPAD_4, KEY_KEYPAD_5, KEY_KEYPAD_6, KEY_KEYPAD_ADD,
        [0x4f] = KEY_KEYPAD_1, KEY_KEYPAD_2, KEY_KEYPAD_3, KEY_KEYPAD_0, KEY_KEYPAD_DECIMAL,
        [0x54] = KEY_PRINT_SCREEN, // with Alt
        [0x56] = KEY_EXTRA, KEY_F11, KEY_F12, KEY_KEYPAD_EQUAL,
        [0x5c] = KEY_INTERNATIONAL_6,
        [0x64] = KEY_F13, KEY_F14, KEY_F15, KEY_F16, KEY_F17, KEY_F18, KEY_F19, KEY_F20,
        [0x6c] = KEY_F21, KEY_F22, KEY_F23,
        [0x70] = KEY_INTERNATIONAL_2,
        [0x73] = KEY_INTERNATIONAL_1,
        [0x76] = KEY_F24, KEY_LANGUAGE_4, KEY_LANGUAGE_3, KEY_INTERNATIONAL_4,
        [0x7b] = KEY_INTERNATIONAL_5,
        [0x7d] = KEY_INTERNATIONAL_3, KEY_KEYPAD_COMMA,
    },
    .extended = {
        [0x10] = KEY_PREVIOUS_TRACK,
        [0x19] = KEY_NEXT_TRACK,
        [0x1c] = KEY_KEYPAD_ENTER, KEY_RIGHT_CONTROL,
        [0x20] = KEY_MUTE, KEY_CALCULATOR, KEY_PLAY,
        [0x24] = KEY_STOP,
        [0x2e] = KEY_VOLUME_DOWN,
        [0x30] = KEY_VOLUME_UP,
        [0x32] = KEY_WEB_HOME,
        [0x35] = KEY_KEYPAD_DIVIDE,
        [0x37] = KEY_PRINT_SCREEN, KEY_RIGHT_ALT,
        [0x46] = KEY_PAUSE, // with Control
        [0x47] = KEY_HOME, KEY_UP, KEY_PAGE_UP,
        [0x4b] = KEY_LEFT,
        [0x4d] = KEY_RIGHT,
        [0x4f] = KEY_END, KEY_DOWN, KEY_PAGE_DOWN, KEY_INSERT, KEY_DELETE,
        [0x5b] = KEY_LEFT_GUI, KEY_RIGHT_GUI, KEY_APPLICATION, KEY_POWER, KEY_SLEEP,
        [0x63] = KEY_WAKE,
        [0x65] = KEY_WEB_SEARCH, KEY_WEB_FAVORITES, KEY_WEB_REFRESH, KEY_WEB_STOP,
        [0x69] = KEY_WEB_FORWARD, KEY_WEB_BACK, KEY_COMPUTER, KEY_MAIL, KEY_MEDIA,
    },
    .control = 0x1d,
    .num_lock = 0x45,
    .left_shift = 0x2a,
    .right_shift = 0x36,
};

static const struct scancode_table set_2 = {
    .plain = {
        [0x01] = KEY_F9,
        [0x03] = KEY_F5, KEY_F3, KEY_F1, KEY_F2, KEY_F12, KEY_F13, KEY_F10, KEY_F8, KEY_F6,
        [0x0c] = KEY_F4, KEY_TAB, KEY_GRAVE, KEY_KEYPAD_EQUAL,
        [0x10] = KEY_F14, KEY_LEFT_ALT, KEY_LEFT_SHIFT, KEY_INTERNATIONAL_2, KEY_LEFT_CONTROL,
        [0x15] = KEY_Q, KEY_1,
        [0x18] = KEY_F15,
        [0x1a] = KEY_Z, KEY_S, KEY_A, KEY_W, KEY_2,
        [0x20] = KEY_F16, KEY_C, KEY_X, KEY_D, KEY_E, KEY_4, KEY_3, KEY_INTERNATIONAL_6,
        [0x28] = KEY_F17, KEY_SPACE, KEY_V, KEY_F, KEY_T, KEY_R, KEY_5,
        [0x30] = KEY_F18, KEY_N, KEY_B, KEY_H, KEY_G, KEY_Y, KEY_6,
        [0x38] = KEY_F19,
        [0x3a] = KEY_M, KEY_J, KEY_U, KEY_7, KEY_8,
        [0x40] = KEY_F20, KEY_COMMA, KEY_K, KEY_I, KEY_O, KEY_0, KEY_9,
        [0x48] = KEY_F21, KEY_PERIOD, KEY_SLASH, KEY_L, KEY_SEMICOLON, KEY_P, KEY_MINUS,
        [0x50] = KEY_F22, KEY_INTERNATIONAL_1, KEY_APOSTROPHE,
        [0x54] = KEY_LEFT_BRACKET, KEY_EQUAL,
        [0x57] = KEY_F23, KEY_CAPS_LOCK, KEY_RIGHT_SHIFT, KEY_ENTER, KEY_RIGHT_BRACKET,
        [0x5d] = KEY_BACKSLASH,
        [0x5f] = KEY_F24,
        [0x61] = KEY_EXTRA, KEY_LANGUAGE_4, KEY_LANGUAGE_3, KEY_INTERNATIONAL_4,
        [0x66] = KEY_BACKSPACE, KEY_INTERNATIONAL_5,
        [0x69] = KEY_KEYPAD_1, KEY_INTERNATIONAL_3, KEY_KEYPAD_4, KEY_KEYPAD_7,
        [0x6d] = KEY_KEYPAD_COMMA,
        [0x70] = KEY_KEYPAD_0, KEY_KEYPAD_DECIMAL, KEY_KEYPAD_2, KEY_KEYPAD_5, KEY_KEYPAD_6,
        [0x75] = KEY_KEYPAD_8, KEY_ESCAPE, KEY_NUM_LOCK, KEY_F11, KEY_KEYPAD_ADD,
        [0x7a] = KEY_KEYPAD_3, KEY_KEYPAD_SUBTRACT, KEY_KEYPAD_MULTIPLY, KEY_KEYPAD_9,
        [0x7e] = KEY_SCROLL_LOCK,
        [0x83] = KEY_F7, KEY_PRINT_SCREEN, // with Alt
    },
    .extended = {
        [0x10] = KEY_WEB_SEARCH, KEY_RIGHT_ALT,
        [0x14] = KEY_RIGHT_CONTROL, KEY_PREVIOUS_TRACK,
        [0x18] = KEY_WEB_FAVORITES,
        [0x1f] = KEY_LEFT_GUI, KEY_WEB_REFRESH, KEY_VOLUME_DOWN,
        [0x23] = KEY_MUTE,
        [0x27] = KEY_RIGHT_GUI, KEY_WEB_STOP,
        [0x2b] = KEY_CALCULATOR,
        [0x2f] = KEY_APPLICATION, KEY_WEB_FORWARD,
        [0x32] = KEY_VOLUME_UP,
        [0x34] = KEY_PLAY,
        [0x37] = KEY_POWER, KEY_WEB_BACK,
        [0x3a] = KEY_WEB_HOME, KEY_STOP,
        [0x3f] = KEY_SLEEP, KEY_COMPUTER,
        [0x48] = KEY_MAIL,
        [0x4a] = KEY_KEYPAD_DIVIDE,
        [0x4d] = KEY_NEXT_TRACK,
        [0x50] = KEY_MEDIA,
        [0x5a] = KEY_KEYPAD_ENTER,
        [0x5e] = KEY_WAKE,
        [0x69] = KEY_END,
        [0x6b] = KEY_LEFT, KEY_HOME,
        [0x70] = KEY_INSERT, KEY_DELETE, KEY_DOWN,
        [0x74] = KEY_RIGHT, KEY_UP,
        [0x7a] = KEY_PAGE_DOWN,
        [0x7c] = KEY_PRINT_SCREEN, KEY_PAGE_UP, KEY_PAUSE, // Pause with Control
    },
    .control = 0x14,
    .num_lock = 0x77,
    .left_shift = 0x12,
    .right_shift = 0x59,
};
// clang-format on

void scancode_decoder_init(struct scancode_decoder *decoder, enum scancode_set set)
{
    *decoder = (struct scancode_decoder){.set = set};
}

static void begin_anew(struct scancode_decoder *decoder)
{
    scancode_decoder_init(decoder, decoder->set);
}

static enum error begin_with_prefix(struct scancode_decoder *decoder, uint8_t prefix)
{
    bool is_expected = decoder->prefix == 0 && !decoder->is_release;
    begin_anew(decoder);
    decoder->prefix = prefix;
    return is_expected ? EAGAIN : EINVAL;
}

static enum error finish(struct scancode_decoder *decoder, enum key key, bool is_released,
                         struct key_event *event_out)
{
    begin_anew(decoder);
    if (key == KEY_NONE) {
        return EINVAL;
    }
    *event_out = (struct key_event){.key = key, .is_pressed = !is_released};
    return OK;
}

// Behind e1: Control, then NumLock.
static enum error decode_pause(struct scancode_decoder *decoder, const struct scancode_table *table,
                               uint8_t code, bool is_released, struct key_event *event_out)
{
    if (!decoder->has_control && code == table->control) {
        decoder->has_control = true;
        decoder->is_control_released = is_released;
        decoder->is_release = false;
        return EAGAIN;
    }
    bool is_pause = decoder->has_control && code == table->num_lock &&
                    decoder->is_control_released == is_released;
    return finish(decoder, is_pause ? KEY_PAUSE : KEY_NONE, is_released, event_out);
}

static enum error decode_code(struct scancode_decoder *decoder, uint8_t code, bool is_released,
                              struct key_event *event_out)
{
    const struct scancode_table *table = decoder->set == SCANCODE_SET_1 ? &set_1 : &set_2;
    if (decoder->prefix == PREFIX_PAUSE) {
        return decode_pause(decoder, table, code, is_released, event_out);
    }
    bool is_extended = decoder->prefix == PREFIX_EXTENDED;
    if (is_extended && (code == table->left_shift || code == table->right_shift)) {
        begin_anew(decoder);
        return EAGAIN;
    }
    const uint8_t *keys = is_extended ? table->extended : table->plain;
    enum key key = code < CODES_MAX ? (enum key)keys[code] : KEY_NONE;
    return finish(decoder, key, is_released, event_out);
}

enum error scancode_decode(struct scancode_decoder *decoder, uint8_t byte,
                           struct key_event *event_out)
{
    if (byte == SCANCODE_OVERRUN || byte == OVERRUN_TOO) {
        begin_anew(decoder);
        return EIO;
    }
    if (byte == PREFIX_EXTENDED || byte == PREFIX_PAUSE) {
        return begin_with_prefix(decoder, byte);
    }
    if (decoder->set == SCANCODE_SET_1) {
        return decode_code(decoder, (uint8_t)(byte & ~SET_1_RELEASE), (byte & SET_1_RELEASE) != 0,
                           event_out);
    }
    if (byte == PREFIX_SET_2_RELEASE && !decoder->is_release) {
        decoder->is_release = true;
        return EAGAIN;
    }
    return decode_code(decoder, byte, decoder->is_release, event_out);
}
