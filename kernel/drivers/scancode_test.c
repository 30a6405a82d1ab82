// SPDX-License-Identifier: MIT
//
// Each key with its code in both sets, from the specification row by row: everything else is no
// key. That the two columns belong together is checked once more, by the translation that every
// keyboard controller does from set 2 to set 1.
#include "drivers/scancode.h"

#include "ktest.h"
#include "lib/bits.h"
#include "lib/test_random.h"

struct key_codes {
    enum key key;
    uint16_t set_1; // 0xe000 and the code for those with the prefix
    uint16_t set_2;
};

static const struct key_codes all_keys[] = {
    {KEY_A, 0x1e, 0x1c},
    {KEY_B, 0x30, 0x32},
    {KEY_C, 0x2e, 0x21},
    {KEY_D, 0x20, 0x23},
    {KEY_E, 0x12, 0x24},
    {KEY_F, 0x21, 0x2b},
    {KEY_G, 0x22, 0x34},
    {KEY_H, 0x23, 0x33},
    {KEY_I, 0x17, 0x43},
    {KEY_J, 0x24, 0x3b},
    {KEY_K, 0x25, 0x42},
    {KEY_L, 0x26, 0x4b},
    {KEY_M, 0x32, 0x3a},
    {KEY_N, 0x31, 0x31},
    {KEY_O, 0x18, 0x44},
    {KEY_P, 0x19, 0x4d},
    {KEY_Q, 0x10, 0x15},
    {KEY_R, 0x13, 0x2d},
    {KEY_S, 0x1f, 0x1b},
    {KEY_T, 0x14, 0x2c},
    {KEY_U, 0x16, 0x3c},
    {KEY_V, 0x2f, 0x2a},
    {KEY_W, 0x11, 0x1d},
    {KEY_X, 0x2d, 0x22},
    {KEY_Y, 0x15, 0x35},
    {KEY_Z, 0x2c, 0x1a},
    {KEY_1, 0x02, 0x16},
    {KEY_2, 0x03, 0x1e},
    {KEY_3, 0x04, 0x26},
    {KEY_4, 0x05, 0x25},
    {KEY_5, 0x06, 0x2e},
    {KEY_6, 0x07, 0x36},
    {KEY_7, 0x08, 0x3d},
    {KEY_8, 0x09, 0x3e},
    {KEY_9, 0x0a, 0x46},
    {KEY_0, 0x0b, 0x45},
    {KEY_ENTER, 0x1c, 0x5a},
    {KEY_ESCAPE, 0x01, 0x76},
    {KEY_BACKSPACE, 0x0e, 0x66},
    {KEY_TAB, 0x0f, 0x0d},
    {KEY_SPACE, 0x39, 0x29},
    {KEY_MINUS, 0x0c, 0x4e},
    {KEY_EQUAL, 0x0d, 0x55},
    {KEY_LEFT_BRACKET, 0x1a, 0x54},
    {KEY_RIGHT_BRACKET, 0x1b, 0x5b},
    {KEY_BACKSLASH, 0x2b, 0x5d},
    {KEY_SEMICOLON, 0x27, 0x4c},
    {KEY_APOSTROPHE, 0x28, 0x52},
    {KEY_GRAVE, 0x29, 0x0e},
    {KEY_COMMA, 0x33, 0x41},
    {KEY_PERIOD, 0x34, 0x49},
    {KEY_SLASH, 0x35, 0x4a},
    {KEY_CAPS_LOCK, 0x3a, 0x58},
    {KEY_F1, 0x3b, 0x05},
    {KEY_F2, 0x3c, 0x06},
    {KEY_F3, 0x3d, 0x04},
    {KEY_F4, 0x3e, 0x0c},
    {KEY_F5, 0x3f, 0x03},
    {KEY_F6, 0x40, 0x0b},
    {KEY_F7, 0x41, 0x83},
    {KEY_F8, 0x42, 0x0a},
    {KEY_F9, 0x43, 0x01},
    {KEY_F10, 0x44, 0x09},
    {KEY_F11, 0x57, 0x78},
    {KEY_F12, 0x58, 0x07},
    {KEY_PRINT_SCREEN, 0xe037, 0xe07c},
    {KEY_PRINT_SCREEN, 0x54, 0x84}, // with Alt
    {KEY_SCROLL_LOCK, 0x46, 0x7e},
    {KEY_PAUSE, 0xe046, 0xe07e}, // with Control
    {KEY_INSERT, 0xe052, 0xe070},
    {KEY_HOME, 0xe047, 0xe06c},
    {KEY_PAGE_UP, 0xe049, 0xe07d},
    {KEY_DELETE, 0xe053, 0xe071},
    {KEY_END, 0xe04f, 0xe069},
    {KEY_PAGE_DOWN, 0xe051, 0xe07a},
    {KEY_RIGHT, 0xe04d, 0xe074},
    {KEY_LEFT, 0xe04b, 0xe06b},
    {KEY_DOWN, 0xe050, 0xe072},
    {KEY_UP, 0xe048, 0xe075},
    {KEY_NUM_LOCK, 0x45, 0x77},
    {KEY_KEYPAD_DIVIDE, 0xe035, 0xe04a},
    {KEY_KEYPAD_MULTIPLY, 0x37, 0x7c},
    {KEY_KEYPAD_SUBTRACT, 0x4a, 0x7b},
    {KEY_KEYPAD_ADD, 0x4e, 0x79},
    {KEY_KEYPAD_ENTER, 0xe01c, 0xe05a},
    {KEY_KEYPAD_1, 0x4f, 0x69},
    {KEY_KEYPAD_2, 0x50, 0x72},
    {KEY_KEYPAD_3, 0x51, 0x7a},
    {KEY_KEYPAD_4, 0x4b, 0x6b},
    {KEY_KEYPAD_5, 0x4c, 0x73},
    {KEY_KEYPAD_6, 0x4d, 0x74},
    {KEY_KEYPAD_7, 0x47, 0x6c},
    {KEY_KEYPAD_8, 0x48, 0x75},
    {KEY_KEYPAD_9, 0x49, 0x7d},
    {KEY_KEYPAD_0, 0x52, 0x70},
    {KEY_KEYPAD_DECIMAL, 0x53, 0x71},
    {KEY_EXTRA, 0x56, 0x61},
    {KEY_APPLICATION, 0xe05d, 0xe02f},
    {KEY_POWER, 0xe05e, 0xe037},
    {KEY_KEYPAD_EQUAL, 0x59, 0x0f},
    {KEY_F13, 0x64, 0x08},
    {KEY_F14, 0x65, 0x10},
    {KEY_F15, 0x66, 0x18},
    {KEY_F16, 0x67, 0x20},
    {KEY_F17, 0x68, 0x28},
    {KEY_F18, 0x69, 0x30},
    {KEY_F19, 0x6a, 0x38},
    {KEY_F20, 0x6b, 0x40},
    {KEY_F21, 0x6c, 0x48},
    {KEY_F22, 0x6d, 0x50},
    {KEY_F23, 0x6e, 0x57},
    {KEY_F24, 0x76, 0x5f},
    {KEY_MUTE, 0xe020, 0xe023},
    {KEY_VOLUME_UP, 0xe030, 0xe032},
    {KEY_VOLUME_DOWN, 0xe02e, 0xe021},
    {KEY_KEYPAD_COMMA, 0x7e, 0x6d},
    {KEY_INTERNATIONAL_1, 0x73, 0x51},
    {KEY_INTERNATIONAL_2, 0x70, 0x13},
    {KEY_INTERNATIONAL_3, 0x7d, 0x6a},
    {KEY_INTERNATIONAL_4, 0x79, 0x64},
    {KEY_INTERNATIONAL_5, 0x7b, 0x67},
    {KEY_INTERNATIONAL_6, 0x5c, 0x27},
    {KEY_LANGUAGE_3, 0x78, 0x63},
    {KEY_LANGUAGE_4, 0x77, 0x62},
    {KEY_LEFT_CONTROL, 0x1d, 0x14},
    {KEY_LEFT_SHIFT, 0x2a, 0x12},
    {KEY_LEFT_ALT, 0x38, 0x11},
    {KEY_LEFT_GUI, 0xe05b, 0xe01f},
    {KEY_RIGHT_CONTROL, 0xe01d, 0xe014},
    {KEY_RIGHT_SHIFT, 0x36, 0x59},
    {KEY_RIGHT_ALT, 0xe038, 0xe011},
    {KEY_RIGHT_GUI, 0xe05c, 0xe027},
    {KEY_SLEEP, 0xe05f, 0xe03f},
    {KEY_WAKE, 0xe063, 0xe05e},
    {KEY_PREVIOUS_TRACK, 0xe010, 0xe015},
    {KEY_NEXT_TRACK, 0xe019, 0xe04d},
    {KEY_PLAY, 0xe022, 0xe034},
    {KEY_STOP, 0xe024, 0xe03b},
    {KEY_MEDIA, 0xe06d, 0xe050},
    {KEY_MAIL, 0xe06c, 0xe048},
    {KEY_CALCULATOR, 0xe021, 0xe02b},
    {KEY_COMPUTER, 0xe06b, 0xe040},
    {KEY_WEB_HOME, 0xe032, 0xe03a},
    {KEY_WEB_SEARCH, 0xe065, 0xe010},
    {KEY_WEB_FAVORITES, 0xe066, 0xe018},
    {KEY_WEB_REFRESH, 0xe067, 0xe020},
    {KEY_WEB_STOP, 0xe068, 0xe028},
    {KEY_WEB_FORWARD, 0xe069, 0xe030},
    {KEY_WEB_BACK, 0xe06a, 0xe038},
};

static const enum scancode_set sets[] = {SCANCODE_SET_1, SCANCODE_SET_2};

static void describe_set(const enum scancode_set *set, char *text_out, size_t size_bytes)
{
    if (size_bytes > 0) {
        text_out[0] = *set == SCANCODE_SET_1 ? '1' : '2';
    }
}

static uint16_t code_of(const struct key_codes *codes, enum scancode_set set)
{
    return set == SCANCODE_SET_1 ? codes->set_1 : codes->set_2;
}

// --- Sequences ----------------------------------------------------------------------------------

#define SEQUENCE_MAX 4

struct sequence {
    uint8_t bytes[SEQUENCE_MAX];
    size_t count;
};

static void append(struct sequence *sequence, uint8_t byte)
{
    sequence->bytes[sequence->count++] = byte;
}

static struct sequence sequence_of(uint16_t code, bool is_pressed, enum scancode_set set)
{
    struct sequence sequence = {};
    if (code >= 0xe000) {
        append(&sequence, 0xe0);
    }
    if (set == SCANCODE_SET_2 && !is_pressed) {
        append(&sequence, 0xf0);
    }
    bool has_bit = set == SCANCODE_SET_1 && !is_pressed;
    append(&sequence, (uint8_t)(has_bit ? code | 0x80 : code));
    return sequence;
}

// The result of the last byte; all before it have to be incomplete.
static enum error decode_sequence(struct ktest *test, struct scancode_decoder *decoder,
                                  const uint8_t *bytes, size_t count, struct key_event *event_out)
{
    for (size_t i = 0; i + 1 < count; i++) {
        KTEST_EXPECT_EQ(test, scancode_decode(decoder, bytes[i], event_out), EAGAIN);
    }
    return scancode_decode(decoder, bytes[count - 1], event_out);
}

static void expect_event(struct ktest *test, struct scancode_decoder *decoder, const uint8_t *bytes,
                         size_t count, struct key_event expected)
{
    struct key_event event = {KEY_NONE, !expected.is_pressed};
    KTEST_EXPECT_EQ(test, decode_sequence(test, decoder, bytes, count, &event), OK);
    KTEST_EXPECT_EQ(test, event.key, expected.key);
    KTEST_EXPECT_EQ(test, event.is_pressed, expected.is_pressed);
}

static bool begins_anew(const struct scancode_decoder *decoder)
{
    return decoder->prefix == 0 && !decoder->is_release && !decoder->has_control;
}

// --- All codes ----------------------------------------------------------------------------------

KTEST_ATTR(scancode, each_key_is_pressed_and_released, .proves = "7.6.3 7.6.4");
KTEST_PARAM(scancode, each_key_is_pressed_and_released, sets, describe_set)
{
    struct scancode_decoder decoder;
    scancode_decoder_init(&decoder, *param);
    for (size_t i = 0; i < ARRAY_SIZE(all_keys); i++) {
        for (int is_pressed = 1; is_pressed >= 0; is_pressed--) {
            struct sequence sequence =
                sequence_of(code_of(&all_keys[i], *param), is_pressed != 0, *param);
            expect_event(test, &decoder, sequence.bytes, sequence.count,
                         (struct key_event){all_keys[i].key, is_pressed != 0});
            KTEST_EXPECT_TRUE(test, begins_anew(&decoder));
        }
    }
}

static bool is_any_key(uint16_t code, enum scancode_set set)
{
    for (size_t i = 0; i < ARRAY_SIZE(all_keys); i++) {
        if (code_of(&all_keys[i], set) == code) {
            return true;
        }
    }
    return false;
}

// Shifts behind e0, which don't count.
static bool is_fake_shift(uint16_t code, enum scancode_set set)
{
    return set == SCANCODE_SET_1 ? code == 0xe02a || code == 0xe036
                                 : code == 0xe012 || code == 0xe059;
}

// Not a prefix and not an overrun; nor, with the bit of a release, in set 1.
static bool is_code(uint8_t byte, enum scancode_set set)
{
    if (set == SCANCODE_SET_1) {
        return byte != 0 && byte < 0x7f && byte != 0x60 && byte != 0x61;
    }
    return byte != 0 && byte != 0xff && byte != 0xe0 && byte != 0xe1 && byte != 0xf0;
}

KTEST_ATTR(scancode, all_other_codes_are_refused, .proves = "7.6.3");
KTEST_PARAM(scancode, all_other_codes_are_refused, sets, describe_set)
{
    struct scancode_decoder decoder;
    scancode_decoder_init(&decoder, *param);
    unsigned refused_count = 0;
    for (unsigned i = 0; i < 4 * 256; i++) {
        uint8_t byte = (uint8_t)i;
        uint16_t code = (uint16_t)(i & 0x100 ? 0xe000 | byte : byte);
        if (!is_code(byte, *param) || is_any_key(code, *param) || is_fake_shift(code, *param)) {
            continue;
        }
        struct sequence sequence = sequence_of(code, (i & 0x200) == 0, *param);
        struct key_event event = {KEY_F24, true};
        enum error error = decode_sequence(test, &decoder, sequence.bytes, sequence.count, &event);
        KTEST_EXPECT_EQ_MSG(test, error, EINVAL, "code 0x%x", code);
        KTEST_EXPECT_EQ(test, event.key, KEY_F24);
        KTEST_EXPECT_TRUE(test, begins_anew(&decoder));
        refused_count++;
    }
    KTEST_EXPECT_GT(test, refused_count, 150);
}

// The 8042's translation of set 2, by codes from 0x00 on. Source: IBM PS/2 Technical Reference,
// Keyboard and Auxiliary Device Controller.
static const uint8_t translation[0x85] = {
    0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29,
    0x59, 0x65, 0x38, 0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a, 0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11,
    0x03, 0x5b, 0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05, 0x04, 0x5c, 0x68, 0x39, 0x2f, 0x21, 0x14,
    0x13, 0x06, 0x5d, 0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e, 0x6a, 0x72, 0x32, 0x24,
    0x16, 0x08, 0x09, 0x5f, 0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60, 0x6c, 0x34, 0x35,
    0x26, 0x27, 0x19, 0x0c, 0x61, 0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, 0x3a, 0x36,
    0x1c, 0x1b, 0x75, 0x2b, 0x63, 0x76, 0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b, 0x7c,
    0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f, 0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45,
    0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54, 0x80, 0x81, 0x82, 0x41, 0x54,
};

KTEST(scancode, set_2_translated_is_set_1)
{
    for (size_t i = 0; i < ARRAY_SIZE(all_keys); i++) {
        const struct key_codes *codes = &all_keys[i];
        unsigned translated = (codes->set_2 & 0xff00U) | translation[codes->set_2 & 0xff];
        KTEST_EXPECT_EQ_MSG(test, translated, codes->set_1, "key 0x%x", codes->key);
    }
}

// --- Print Screen and Pause ---------------------------------------------------------------------

struct named_sequence {
    enum scancode_set set;
    enum key key;
    bool is_pressed;
    uint8_t count;
    uint8_t bytes[6];
};

static const struct named_sequence sequences[] = {
    {SCANCODE_SET_1, KEY_PAUSE, true, 3, {0xe1, 0x1d, 0x45}},
    {SCANCODE_SET_1, KEY_PAUSE, false, 3, {0xe1, 0x9d, 0xc5}},
    {SCANCODE_SET_2, KEY_PAUSE, true, 3, {0xe1, 0x14, 0x77}},
    {SCANCODE_SET_2, KEY_PAUSE, false, 5, {0xe1, 0xf0, 0x14, 0xf0, 0x77}},
    {SCANCODE_SET_1, KEY_PRINT_SCREEN, true, 4, {0xe0, 0x2a, 0xe0, 0x37}},
    {SCANCODE_SET_2, KEY_PRINT_SCREEN, true, 4, {0xe0, 0x12, 0xe0, 0x7c}},
    // With NumLock: a Shift that nobody has pressed, around Insert; with Shift, released in turn.
    {SCANCODE_SET_1, KEY_INSERT, true, 4, {0xe0, 0x2a, 0xe0, 0x52}},
    {SCANCODE_SET_1, KEY_INSERT, true, 4, {0xe0, 0xaa, 0xe0, 0x52}},
    {SCANCODE_SET_1, KEY_INSERT, true, 4, {0xe0, 0xb6, 0xe0, 0x52}},
    {SCANCODE_SET_2, KEY_INSERT, true, 5, {0xe0, 0xf0, 0x59, 0xe0, 0x70}},
};

static void describe_sequence(const struct named_sequence *sequence, char *text_out,
                              size_t size_bytes)
{
    for (size_t i = 0; i < sequence->count && 2 * i + 1 < size_bytes; i++) {
        text_out[2 * i] = "0123456789abcdef"[sequence->bytes[i] >> 4];
        text_out[2 * i + 1] = "0123456789abcdef"[sequence->bytes[i] & 0xf];
    }
}

KTEST_ATTR(scancode, sequence_is_one_event, .proves = "7.6.3");
KTEST_PARAM(scancode, sequence_is_one_event, sequences, describe_sequence)
{
    struct scancode_decoder decoder;
    scancode_decoder_init(&decoder, param->set);
    for (int i = 0; i < 2; i++) {
        expect_event(test, &decoder, param->bytes, param->count,
                     (struct key_event){param->key, param->is_pressed});
    }
}

KTEST(scancode, fake_shift_behind_a_release_is_passed_over)
{
    static const uint8_t released[] = {0xe0, 0xb7, 0xe0, 0xaa, 0x1e};
    struct scancode_decoder decoder;
    scancode_decoder_init(&decoder, SCANCODE_SET_1);
    expect_event(test, &decoder, released, 2, (struct key_event){KEY_PRINT_SCREEN, false});
    expect_event(test, &decoder, &released[2], 3, (struct key_event){KEY_A, true});
}

// --- What is broken -----------------------------------------------------------------------------

static const struct named_sequence broken_sequences[] = {
    {SCANCODE_SET_1, KEY_NONE, false, 2, {0xe1, 0x1e}},
    {SCANCODE_SET_1, KEY_NONE, false, 3, {0xe1, 0x1d, 0x1d}},
    {SCANCODE_SET_1, KEY_NONE, false, 3, {0xe1, 0x1d, 0xc5}},
    {SCANCODE_SET_1, KEY_NONE, false, 3, {0xe1, 0x9d, 0x45}},
    {SCANCODE_SET_1, KEY_NONE, false, 2, {0xe1, 0x45}},
    {SCANCODE_SET_2, KEY_NONE, false, 4, {0xe1, 0x14, 0xf0, 0x77}},
    {SCANCODE_SET_2, KEY_NONE, false, 4, {0xe1, 0xf0, 0x14, 0x77}},
    {SCANCODE_SET_2, KEY_NONE, false, 2, {0xf0, 0xf0}},
    {SCANCODE_SET_2, KEY_NONE, false, 3, {0xe0, 0xf0, 0xf0}},
    {SCANCODE_SET_2, KEY_NONE, false, 1, {0xfa}}, // an acknowledgement is no key
    {SCANCODE_SET_2, KEY_NONE, false, 1, {0xaa}},
};

KTEST_ATTR(scancode, broken_sequence_is_refused, .proves = "7.6.3");
KTEST_PARAM(scancode, broken_sequence_is_refused, broken_sequences, describe_sequence)
{
    struct scancode_decoder decoder;
    struct key_event event = {KEY_F24, true};
    scancode_decoder_init(&decoder, param->set);
    KTEST_EXPECT_EQ(test, decode_sequence(test, &decoder, param->bytes, param->count, &event),
                    EINVAL);
    KTEST_EXPECT_EQ(test, event.key, KEY_F24);
    KTEST_EXPECT_TRUE(test, begins_anew(&decoder));
}

static const struct named_sequence interrupted_sequences[] = {
    {SCANCODE_SET_1, KEY_NONE, false, 1, {0xe0}},
    {SCANCODE_SET_1, KEY_NONE, false, 1, {0xe1}},
    {SCANCODE_SET_1, KEY_NONE, false, 2, {0xe1, 0x1d}},
    {SCANCODE_SET_2, KEY_NONE, false, 1, {0xf0}},
    {SCANCODE_SET_2, KEY_NONE, false, 2, {0xe0, 0xf0}},
    {SCANCODE_SET_2, KEY_NONE, false, 4, {0xe1, 0xf0, 0x14, 0xf0}},
};

// The beginning of the next code is not lost with what was left of this one.
KTEST_PARAM(scancode, prefix_begins_anew_wherever_it_stands, interrupted_sequences,
            describe_sequence)
{
    struct scancode_decoder decoder;
    struct key_event event = {KEY_F24, true};
    scancode_decoder_init(&decoder, param->set);
    KTEST_EXPECT_EQ(test, decode_sequence(test, &decoder, param->bytes, param->count, &event),
                    EAGAIN);
    KTEST_EXPECT_EQ(test, scancode_decode(&decoder, 0xe0, &event), EINVAL);
    KTEST_EXPECT_EQ(test, event.key, KEY_F24);
    uint8_t up = param->set == SCANCODE_SET_1 ? 0x48 : 0x75;
    expect_event(test, &decoder, &up, 1, (struct key_event){KEY_UP, true});
}

KTEST_PARAM(scancode, overrun_is_reported_and_begins_anew, interrupted_sequences, describe_sequence)
{
    static const uint8_t overruns[] = {0x00, 0xff};
    struct scancode_decoder decoder;
    struct key_event event = {KEY_F24, true};
    scancode_decoder_init(&decoder, param->set);
    for (size_t i = 0; i < ARRAY_SIZE(overruns); i++) {
        (void)!decode_sequence(test, &decoder, param->bytes, param->count, &event);
        KTEST_EXPECT_EQ(test, scancode_decode(&decoder, overruns[i], &event), EIO);
        KTEST_EXPECT_TRUE(test, begins_anew(&decoder));
    }
    KTEST_EXPECT_EQ(test, event.key, KEY_F24);
}

// Whatever comes, an event is a key that there is; and then at most one code is lost.
KTEST_ATTR(scancode, random_bytes_do_no_harm, .proves = "7.6.3", .speed = KTEST_SPEED_SLOW);
KTEST_PARAM(scancode, random_bytes_do_no_harm, sets, describe_set)
{
    static const uint8_t likely[] = {0xe0, 0xe1, 0xf0, 0x1d, 0x9d, 0x14, 0x45, 0x77};
    struct test_random random = {7};
    struct scancode_decoder decoder;
    scancode_decoder_init(&decoder, *param);
    unsigned bad_count = 0;
    unsigned event_count = 0;
    for (unsigned i = 0; i < 20000 * test_scale(); i++) {
        struct key_event event = {KEY_NONE, false};
        uint64_t number = test_random_next(&random) >> 16;
        uint8_t byte = number % 4 == 0 ? likely[(number >> 8) % 8] : (uint8_t)(number >> 8);
        enum error error = scancode_decode(&decoder, byte, &event);
        bad_count += (error == OK) != (event.key != KEY_NONE);
        event_count += error == OK;
        if (number >> 16 & 1) {
            continue;
        }
        uint8_t a = *param == SCANCODE_SET_1 ? 0x1e : 0x1c;
        (void)!scancode_decode(&decoder, a, &event);
        bad_count += scancode_decode(&decoder, a, &event) != OK;
        bad_count += event.key != KEY_A || !event.is_pressed;
    }
    KTEST_EXPECT_EQ(test, bad_count, 0);
    KTEST_EXPECT_GT(test, event_count, 1000);
}
