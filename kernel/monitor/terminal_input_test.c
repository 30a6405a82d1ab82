// SPDX-License-Identifier: MIT
#include "monitor/terminal_input.h"

#include "ktest.h"
#include "lib/bits.h"
#include "lib/string.h"
#include "lib/test_random.h"

#define KEYS_MAX 8

// The keys that come of the bytes; returns how many.
static size_t decode(const char *bytes, size_t size_bytes, enum line_key *keys_out)
{
    struct terminal_input input = {};
    size_t count = 0;
    for (size_t i = 0; i < size_bytes; i++) {
        enum line_key key = terminal_input_decode(&input, (uint8_t)bytes[i]);
        if (key != LINE_KEY_NONE && count < KEYS_MAX) {
            keys_out[count++] = key;
        }
    }
    return count;
}

struct sequence {
    const char *bytes;
    enum line_key keys[KEYS_MAX]; // up to the first LINE_KEY_NONE
};

#define LETTER(letter_) (enum line_key)(letter_)

static const struct sequence sequences[] = {
    {"aZ ~", {LETTER('a'), LETTER('Z'), LETTER(' '), LETTER('~')}},
    {"\r", {LINE_KEY_ENTER}},
    {"\n", {LINE_KEY_ENTER}},
    {"\r\n", {LINE_KEY_ENTER}},
    {"\r\n\n", {LINE_KEY_ENTER, LINE_KEY_ENTER}},
    {"\n\r", {LINE_KEY_ENTER, LINE_KEY_ENTER}},
    {"\ra\n", {LINE_KEY_ENTER, LETTER('a'), LINE_KEY_ENTER}},
    {"\b", {LINE_KEY_BACKSPACE}},
    {"\x7f", {LINE_KEY_BACKSPACE}},
    {"\t", {LINE_KEY_COMPLETE}},
    {"\x01\x02\x05\x06", {LINE_KEY_HOME, LINE_KEY_LEFT, LINE_KEY_END, LINE_KEY_RIGHT}},
    {"\x10\x0e", {LINE_KEY_UP, LINE_KEY_DOWN}},
    {"\x04\x17\x15\x0b",
     {LINE_KEY_DELETE, LINE_KEY_KILL_WORD, LINE_KEY_KILL_TO_START, LINE_KEY_KILL_TO_END}},
    {"\x03\x0c", {LINE_KEY_CANCEL, LINE_KEY_REDRAW}},
    {"\x07\x1a\x1f", {LINE_KEY_UNKNOWN, LINE_KEY_UNKNOWN, LINE_KEY_UNKNOWN}},
    {"\x1b[A\x1b[B\x1b[C\x1b[D", {LINE_KEY_UP, LINE_KEY_DOWN, LINE_KEY_RIGHT, LINE_KEY_LEFT}},
    {"\x1bOA\x1bOB\x1bOC\x1bOD", {LINE_KEY_UP, LINE_KEY_DOWN, LINE_KEY_RIGHT, LINE_KEY_LEFT}},
    {"\x1b[H\x1b[F\x1bOH\x1bOF\x1bOM",
     {LINE_KEY_HOME, LINE_KEY_END, LINE_KEY_HOME, LINE_KEY_END, LINE_KEY_ENTER}},
    {"\x1b[1~\x1b[7~\x1b[4~\x1b[8~\x1b[3~",
     {LINE_KEY_HOME, LINE_KEY_HOME, LINE_KEY_END, LINE_KEY_END, LINE_KEY_DELETE}},
    {"\x1b[5~\x1b[200~\x1bOP", {LINE_KEY_UNKNOWN, LINE_KEY_UNKNOWN, LINE_KEY_UNKNOWN}},
    {"\x1b[1;5D\x1b[3;2~", {LINE_KEY_LEFT, LINE_KEY_DELETE}}, // with Control, with Shift
    {"\x1b[@x\x1bOAy", {LINE_KEY_UNKNOWN, LETTER('x'), LINE_KEY_UP, LETTER('y')}},
    {"\x1b[ Ax", {LINE_KEY_UP, LETTER('x')}}, // a space is part of a sequence
    {"\x1b[?25hx", {LINE_KEY_UNKNOWN, LETTER('x')}},
    {"\x1b[4294967299~a", {LINE_KEY_UNKNOWN, LETTER('a')}}, // 3 in 32 bits
    {"\x1b[30;3~", {LINE_KEY_UNKNOWN}},
    {"\x1b"
     "a",
     {LETTER('a')}},
    {"\x1b\x1b[A", {LINE_KEY_UP}},
    {"\x1b\r", {LINE_KEY_ENTER}},
    {"\x1b[\r", {LINE_KEY_ENTER}},
    {"\x1b[3\x1b[A", {LINE_KEY_UP}},
    {"\x1bO\x1b[A", {LINE_KEY_UP}},
    {"\x1bO\x03", {LINE_KEY_CANCEL}},
    {"\x1b[\x7f\x1bO\x7f", {LINE_KEY_BACKSPACE, LINE_KEY_BACKSPACE}},
    {"\xc3\xa4"
     "b",
     {LINE_KEY_UNKNOWN, LETTER('b')}},
    {"\xe2\x82\xac\xf0\x9f\x98\x80", {LINE_KEY_UNKNOWN, LINE_KEY_UNKNOWN}},
    {"\x80\xbf"
     "c",
     {LETTER('c')}},
    {"\x1b[\xc3\xa4", {LINE_KEY_UNKNOWN}},
};

KTEST_PARAM(terminal_input, keys_come_of_what_terminals_send, sequences, NULL)
{
    enum line_key keys[KEYS_MAX] = {};
    size_t count = decode(param->bytes, strlen(param->bytes), keys);
    for (size_t i = 0; i < KEYS_MAX; i++) {
        KTEST_EXPECT_EQ_MSG(test, keys[i], param->keys[i], "key %zu of %zu", i, count);
    }
}

KTEST(terminal_input, nul_is_nothing_and_breaks_no_text)
{
    enum line_key keys[KEYS_MAX] = {};
    KTEST_ASSERT_EQ(test, decode("\0a\0\r\0\n", 6, keys), 3);
    KTEST_EXPECT_EQ(test, keys[0], LETTER('a'));
    KTEST_EXPECT_EQ(test, keys[1], LINE_KEY_ENTER);
}

// Nothing but keys comes of it, and behind any of it a text arrives.
KTEST(terminal_input, any_bytes_are_survived)
{
    static const char likely[] = "\x1b\x1b[[OO;3~AM\r\n";
    struct test_random random = {7};
    struct terminal_input input = {};
    for (unsigned round = 0; round < 20000 * test_scale(); round++) {
        uint64_t choice = test_random_below(&random, 2 * sizeof(likely));
        uint8_t byte = choice < sizeof(likely) - 1 ? (uint8_t)likely[choice]
                                                   : (uint8_t)test_random_below(&random, 256);
        enum line_key key = terminal_input_decode(&input, byte);
        bool is_letter = key >= ' ' && key <= '~';
        bool is_named = key >= LINE_KEY_ENTER && key < LINE_KEY_END_OF_KEYS;
        KTEST_ASSERT_TRUE(test, key == LINE_KEY_NONE || is_letter || is_named);
        if (byte == '\r') {
            KTEST_ASSERT_EQ(test, key, LINE_KEY_ENTER);
            KTEST_ASSERT_EQ(test, terminal_input_decode(&input, 'x'), LETTER('x'));
        }
    }
}

// --- Keyboards ----------------------------------------------------------------------------------

struct pressed {
    struct key_input input;
    enum line_key key;
};

#define PRESSED(key_, meaning_, modifiers_, character_)                                            \
    {                                                                                              \
        .event = {key_, true}, .meaning = (meaning_), .modifiers = (uint8_t)(modifiers_),          \
        .character = (character_)                                                                  \
    }

static const struct pressed presses[] = {
    {PRESSED(KEY_A, KEY_A, 0, 'a'), LETTER('a')},
    {PRESSED(KEY_A, KEY_A, KEYMAP_SHIFT, 'A'), LETTER('A')},
    {PRESSED(KEY_SPACE, KEY_SPACE, 0, ' '), LETTER(' ')},
    {PRESSED(KEY_ENTER, KEY_ENTER, 0, '\n'), LINE_KEY_ENTER},
    {PRESSED(KEY_KEYPAD_ENTER, KEY_KEYPAD_ENTER, 0, '\n'), LINE_KEY_ENTER},
    {PRESSED(KEY_BACKSPACE, KEY_BACKSPACE, 0, '\b'), LINE_KEY_BACKSPACE},
    {PRESSED(KEY_TAB, KEY_TAB, 0, '\t'), LINE_KEY_COMPLETE},
    {PRESSED(KEY_ESCAPE, KEY_ESCAPE, 0, 0x1b), LINE_KEY_NONE},
    {PRESSED(KEY_DELETE, KEY_DELETE, 0, 0x7f), LINE_KEY_DELETE},
    {PRESSED(KEY_BACKSPACE, KEY_BACKSPACE, 0, 0x7f), LINE_KEY_UNKNOWN}, // of some layout
    {PRESSED(KEY_UP, KEY_UP, 0, 0), LINE_KEY_UP},
    {PRESSED(KEY_DOWN, KEY_DOWN, 0, 0), LINE_KEY_DOWN},
    {PRESSED(KEY_LEFT, KEY_LEFT, 0, 0), LINE_KEY_LEFT},
    {PRESSED(KEY_RIGHT, KEY_RIGHT, 0, 0), LINE_KEY_RIGHT},
    {PRESSED(KEY_HOME, KEY_HOME, 0, 0), LINE_KEY_HOME},
    {PRESSED(KEY_END, KEY_END, 0, 0), LINE_KEY_END},
    {PRESSED(KEY_KEYPAD_8, KEY_UP, 0, 0), LINE_KEY_UP},
    {PRESSED(KEY_KEYPAD_8, KEY_KEYPAD_8, 0, '8'), LETTER('8')},
    {PRESSED(KEY_A, KEY_A, BIT(0), 'a'), LINE_KEY_HOME},
    {PRESSED(KEY_E, KEY_E, BIT(4), 'e'), LINE_KEY_END}, // the right one
    {PRESSED(KEY_C, KEY_C, BIT(0) | BIT(1), 'C'), LINE_KEY_CANCEL},
    {PRESSED(KEY_W, KEY_W, BIT(0), 0x17), LINE_KEY_KILL_WORD}, // mapped already
    {PRESSED(KEY_Z, KEY_Z, BIT(0), 'z'), LINE_KEY_UNKNOWN},
    {PRESSED(KEY_2, KEY_2, BIT(0), '2'), LETTER('2')},
    {PRESSED(KEY_7, KEY_7, BIT(0) | KEYMAP_ALT_GR, '{'), LETTER('{')}, // not Control-[
    {PRESSED(KEY_Q, KEY_Q, KEYMAP_ALT_GR, '@'), LETTER('@')},
    {PRESSED(KEY_E, KEY_E, KEYMAP_ALT_GR, 0x20ac), LINE_KEY_UNKNOWN}, // a euro sign
    {PRESSED(KEY_APOSTROPHE, KEY_APOSTROPHE, 0, 0xe4), LINE_KEY_UNKNOWN},
    {PRESSED(KEY_LEFT_SHIFT, KEY_LEFT_SHIFT, KEYMAP_SHIFT, 0), LINE_KEY_NONE},
    {PRESSED(KEY_F1, KEY_F1, 0, 0), LINE_KEY_NONE},
    {{.event = {KEY_A, false}, .meaning = KEY_A}, LINE_KEY_NONE},
    {{.event = {KEY_UP, false}, .meaning = KEY_UP}, LINE_KEY_NONE},
};

KTEST_PARAM(terminal_input, keyboard_has_the_same_keys, presses, NULL)
{
    KTEST_EXPECT_EQ(test, line_key_of_input(&param->input), param->key);
}
