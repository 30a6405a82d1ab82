// SPDX-License-Identifier: MIT
#include "drivers/keymap.h"

#include "ktest.h"
#include "lib/string.h"
#include "lib/test_random.h"

// --- A typist -----------------------------------------------------------------------------------

static struct keymap keymap;

static void make_us_keymap(struct ktest *test)
{
    (void)test;
    keymap_init(&keymap, &key_layout_us104);
}

KTEST_SUITE(keymap, .init = make_us_keymap);

static struct key_input press(enum key key)
{
    return keymap_process(&keymap, (struct key_event){key, true});
}

static struct key_input release(enum key key)
{
    return keymap_process(&keymap, (struct key_event){key, false});
}

static uint32_t tap(enum key key)
{
    uint32_t character = press(key).character;
    release(key);
    return character;
}

static uint32_t tap_with(enum key modifier, enum key key)
{
    press(modifier);
    uint32_t character = tap(key);
    release(modifier);
    return character;
}

// --- Characters ---------------------------------------------------------------------------------

// Releases have to come through, or the second letter would be a capital as well.
KTEST_ATTR(keymap, shift_ends_with_its_release, .proves = "7.6.4 7.6.6 7.6.7");
KTEST(keymap, shift_ends_with_its_release)
{
    static const struct key_event events[] = {
        {KEY_LEFT_SHIFT, true},  {KEY_A, true}, {KEY_A, false},
        {KEY_LEFT_SHIFT, false}, {KEY_A, true}, {KEY_A, false},
    };
    char typed[8] = "";
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
        uint32_t character = keymap_process(&keymap, events[i]).character;
        if (character != 0) {
            typed[count++] = (char)character;
        }
    }
    KTEST_EXPECT_STREQ(test, typed, "Aa");
}

KTEST_ATTR(keymap, release_has_no_character, .proves = "7.6.4");
KTEST(keymap, release_has_no_character)
{
    for (unsigned key = 0; key < KEY_COUNT; key++) {
        press((enum key)key);
        struct key_input input = release((enum key)key);
        KTEST_EXPECT_EQ(test, input.character, 0);
        KTEST_EXPECT_FALSE(test, input.event.is_pressed);
    }
}

static const enum key without_character[] = {
    KEY_LEFT_SHIFT, KEY_RIGHT_SHIFT, KEY_LEFT_CONTROL, KEY_RIGHT_CONTROL, KEY_LEFT_ALT,
    KEY_RIGHT_ALT,  KEY_LEFT_GUI,    KEY_RIGHT_GUI,    KEY_CAPS_LOCK,     KEY_NUM_LOCK,
    KEY_F1,         KEY_F24,         KEY_UP,           KEY_PRINT_SCREEN,  KEY_PAUSE,
    KEY_HOME,       KEY_INSERT,      KEY_SCROLL_LOCK,  KEY_APPLICATION,   KEY_WEB_BACK,
};

KTEST_ATTR(keymap, other_keys_are_keys_without_a_character, .proves = "7.6.4 7.6.7");
KTEST(keymap, other_keys_are_keys_without_a_character)
{
    for (size_t i = 0; i < ARRAY_SIZE(without_character); i++) {
        struct key_input input = press(without_character[i]);
        KTEST_EXPECT_EQ_MSG(test, input.character, 0, "key 0x%x", input.event.key);
        KTEST_EXPECT_EQ(test, input.event.key, without_character[i]);
        KTEST_EXPECT_EQ(test, input.meaning, without_character[i]);
        KTEST_EXPECT_TRUE(test, input.event.is_pressed);
    }
}

struct same_everywhere {
    enum key key;
    uint32_t character;
};
static const struct same_everywhere same_keys[] = {
    {KEY_ENTER, '\n'},          {KEY_KEYPAD_ENTER, '\n'}, {KEY_TAB, '\t'},
    {KEY_BACKSPACE, '\b'},      {KEY_ESCAPE, 0x1b},       {KEY_DELETE, 0x7f},
    {KEY_SPACE, ' '},           {KEY_KEYPAD_DIVIDE, '/'}, {KEY_KEYPAD_MULTIPLY, '*'},
    {KEY_KEYPAD_SUBTRACT, '-'}, {KEY_KEYPAD_ADD, '+'},    {KEY_KEYPAD_EQUAL, '='},
    {KEY_KEYPAD_COMMA, ','},
};

KTEST(keymap, some_keys_type_the_same_whatever_is_held)
{
    for (size_t i = 0; i < ARRAY_SIZE(same_keys); i++) {
        enum key key = same_keys[i].key;
        KTEST_EXPECT_EQ_MSG(test, tap(key), same_keys[i].character, "key 0x%x", key);
        KTEST_EXPECT_EQ(test, tap_with(KEY_LEFT_SHIFT, key), same_keys[i].character);
        KTEST_EXPECT_EQ(test, tap_with(KEY_CAPS_LOCK, key), same_keys[i].character);
    }
}

// The keyboard repeats a key by pressing it again.
KTEST_ATTR(keymap, character_comes_once_a_press, .proves = "7.6.4");
KTEST(keymap, character_comes_once_a_press)
{
    struct key_input first = press(KEY_A);
    struct key_input second = press(KEY_A);
    struct key_input last = release(KEY_A);
    struct key_input again = press(KEY_A);
    KTEST_EXPECT_EQ(test, first.character, 'a');
    KTEST_EXPECT_FALSE(test, first.is_repetition);
    KTEST_EXPECT_EQ(test, second.character, 'a');
    KTEST_EXPECT_TRUE(test, second.is_repetition);
    KTEST_EXPECT_EQ(test, last.character, 0);
    KTEST_EXPECT_FALSE(test, last.is_repetition);
    KTEST_EXPECT_FALSE(test, again.is_repetition);
}

// --- Modifiers and locks ------------------------------------------------------------------------

KTEST_ATTR(keymap, either_shift_is_shift, .proves = "7.6.5");
KTEST(keymap, either_shift_is_shift)
{
    KTEST_EXPECT_EQ(test, tap_with(KEY_LEFT_SHIFT, KEY_1), '!');
    KTEST_EXPECT_EQ(test, tap_with(KEY_RIGHT_SHIFT, KEY_1), '!');
    press(KEY_LEFT_SHIFT);
    press(KEY_RIGHT_SHIFT);
    release(KEY_LEFT_SHIFT);
    KTEST_EXPECT_EQ(test, tap(KEY_1), '!');
    release(KEY_RIGHT_SHIFT);
    KTEST_EXPECT_EQ(test, tap(KEY_1), '1');
}

KTEST_ATTR(keymap, modifiers_are_told_apart, .proves = "7.6.5");
KTEST(keymap, modifiers_are_told_apart)
{
    for (unsigned i = 0; i < 8; i++) {
        enum key key = (enum key)(KEY_LEFT_CONTROL + i);
        KTEST_EXPECT_EQ(test, press(key).modifiers, 1 << i);
        KTEST_EXPECT_EQ(test, press(KEY_F1).modifiers, 1 << i);
        KTEST_EXPECT_EQ(test, release(key).modifiers, 0);
    }
}

KTEST_ATTR(keymap, caps_lock_is_for_letters_and_shift_takes_it_back, .proves = "7.6.5");
KTEST(keymap, caps_lock_is_for_letters_and_shift_takes_it_back)
{
    tap(KEY_CAPS_LOCK);
    KTEST_EXPECT_EQ(test, keymap.locks, KEYMAP_CAPS_LOCK);
    KTEST_EXPECT_EQ(test, tap(KEY_A), 'A');
    KTEST_EXPECT_EQ(test, tap(KEY_1), '1');
    KTEST_EXPECT_EQ(test, tap(KEY_SEMICOLON), ';');
    KTEST_EXPECT_EQ(test, tap_with(KEY_LEFT_SHIFT, KEY_A), 'a');
    KTEST_EXPECT_EQ(test, tap_with(KEY_LEFT_SHIFT, KEY_1), '!');
    tap(KEY_CAPS_LOCK);
    KTEST_EXPECT_EQ(test, keymap.locks, 0);
    KTEST_EXPECT_EQ(test, tap(KEY_A), 'a');
}

KTEST(keymap, caps_lock_knows_letters_with_accents)
{
    keymap.layout = &key_layout_de105;
    tap(KEY_CAPS_LOCK);
    KTEST_EXPECT_EQ(test, tap(KEY_SEMICOLON), 0xd6); // Ö
    KTEST_EXPECT_EQ(test, tap_with(KEY_LEFT_SHIFT, KEY_SEMICOLON), 0xf6);
    KTEST_EXPECT_EQ(test, tap(KEY_MINUS), 0xdf);                 // ß has none on this keyboard
    KTEST_EXPECT_EQ(test, tap_with(KEY_RIGHT_ALT, KEY_M), 0xb5); // nor has µ
    keymap.layout = &key_layout_uk105;
    KTEST_EXPECT_EQ(test, tap_with(KEY_RIGHT_ALT, KEY_E), 0xc9); // É
}

struct lock_case {
    enum key key;
    uint8_t lock;
};
static const struct lock_case lock_cases[] = {
    {KEY_SCROLL_LOCK, KEYMAP_SCROLL_LOCK},
    {KEY_NUM_LOCK, KEYMAP_NUM_LOCK},
    {KEY_CAPS_LOCK, KEYMAP_CAPS_LOCK},
};

// A held lock key is repeated by the keyboard, and must not flicker.
KTEST_ATTR(keymap, lock_changes_with_the_first_press_only, .proves = "7.6.5");
KTEST(keymap, lock_changes_with_the_first_press_only)
{
    for (size_t i = 0; i < ARRAY_SIZE(lock_cases); i++) {
        const struct lock_case *each = &lock_cases[i];
        press(each->key);
        KTEST_EXPECT_EQ(test, keymap.locks, each->lock);
        press(each->key);
        release(each->key);
        KTEST_EXPECT_EQ(test, keymap.locks, each->lock);
        tap(each->key);
        KTEST_EXPECT_EQ(test, keymap.locks, 0);
    }
}

KTEST(keymap, release_of_all_leaves_the_locks)
{
    press(KEY_LEFT_SHIFT);
    press(KEY_A);
    tap(KEY_CAPS_LOCK);
    keymap_release_all(&keymap);
    KTEST_EXPECT_EQ(test, keymap.modifiers, 0);
    KTEST_EXPECT_EQ(test, keymap.locks, KEYMAP_CAPS_LOCK);
    struct key_input input = press(KEY_A);
    KTEST_EXPECT_EQ(test, input.character, 'A');
    KTEST_EXPECT_FALSE(test, input.is_repetition);
}

// --- The keypad ---------------------------------------------------------------------------------

struct keypad_case {
    enum key key;
    char digit;
    enum key move;
    uint32_t move_character;
};
static const struct keypad_case keypad_cases[] = {
    {KEY_KEYPAD_0, '0', KEY_INSERT, 0},
    {KEY_KEYPAD_1, '1', KEY_END, 0},
    {KEY_KEYPAD_2, '2', KEY_DOWN, 0},
    {KEY_KEYPAD_3, '3', KEY_PAGE_DOWN, 0},
    {KEY_KEYPAD_4, '4', KEY_LEFT, 0},
    {KEY_KEYPAD_5, '5', KEY_NONE, 0},
    {KEY_KEYPAD_6, '6', KEY_RIGHT, 0},
    {KEY_KEYPAD_7, '7', KEY_HOME, 0},
    {KEY_KEYPAD_8, '8', KEY_UP, 0},
    {KEY_KEYPAD_9, '9', KEY_PAGE_UP, 0},
    {KEY_KEYPAD_DECIMAL, '.', KEY_DELETE, 0x7f},
};

static void expect_moves(struct ktest *test, const struct keypad_case *each)
{
    struct key_input input = press(each->key);
    KTEST_EXPECT_EQ(test, input.event.key, each->key);
    KTEST_EXPECT_EQ_MSG(test, input.meaning, each->move, "key %c", each->digit);
    KTEST_EXPECT_EQ(test, input.character, each->move_character);
    release(each->key);
}

static void expect_types(struct ktest *test, const struct keypad_case *each)
{
    struct key_input input = press(each->key);
    KTEST_EXPECT_EQ(test, input.meaning, each->key);
    KTEST_EXPECT_EQ(test, input.character, each->digit);
    release(each->key);
}

KTEST_ATTR(keymap, keypad_types_or_moves_by_num_lock, .proves = "7.6.5");
KTEST(keymap, keypad_types_or_moves_by_num_lock)
{
    for (size_t i = 0; i < ARRAY_SIZE(keypad_cases); i++) {
        expect_moves(test, &keypad_cases[i]);
        press(KEY_LEFT_SHIFT);
        expect_types(test, &keypad_cases[i]);
        release(KEY_LEFT_SHIFT);

        tap(KEY_NUM_LOCK);
        expect_types(test, &keypad_cases[i]);
        press(KEY_LEFT_SHIFT);
        expect_moves(test, &keypad_cases[i]);
        release(KEY_LEFT_SHIFT);
        tap(KEY_NUM_LOCK);
    }
}

KTEST(keymap, keypad_has_the_countrys_decimal_sign)
{
    tap(KEY_NUM_LOCK);
    KTEST_EXPECT_EQ(test, tap(KEY_KEYPAD_DECIMAL), '.');
    keymap.layout = &key_layout_de105;
    KTEST_EXPECT_EQ(test, tap(KEY_KEYPAD_DECIMAL), ',');
}

// --- Control ------------------------------------------------------------------------------------

KTEST_ATTR(keymap, control_is_ignored_unless_asked_for, .proves = "7.6.8");
KTEST(keymap, control_is_ignored_unless_asked_for)
{
    for (unsigned i = 0; i < 26; i++) {
        enum key key = (enum key)(KEY_A + i);
        KTEST_EXPECT_EQ(test, tap_with(KEY_LEFT_CONTROL, key), 'a' + i);
        KTEST_EXPECT_EQ(test, tap_with(KEY_RIGHT_CONTROL, key), 'a' + i);
    }
}

KTEST_ATTR(keymap, control_maps_letters, .proves = "7.6.8");
KTEST(keymap, control_maps_letters)
{
    keymap.control = KEYMAP_CONTROL_MAPPED;
    for (unsigned i = 0; i < 26; i++) {
        enum key key = (enum key)(KEY_A + i);
        KTEST_EXPECT_EQ(test, tap(key), 'a' + i);
        KTEST_EXPECT_EQ(test, tap_with(KEY_LEFT_CONTROL, key), 1 + i);
        KTEST_EXPECT_EQ(test, tap_with(KEY_RIGHT_CONTROL, key), 1 + i);
        press(KEY_LEFT_SHIFT);
        KTEST_EXPECT_EQ(test, tap_with(KEY_LEFT_CONTROL, key), 1 + i);
        release(KEY_LEFT_SHIFT);
    }
    KTEST_EXPECT_EQ(test, tap_with(KEY_LEFT_CONTROL, KEY_1), '1');
    KTEST_EXPECT_EQ(test, tap_with(KEY_LEFT_CONTROL, KEY_LEFT_BRACKET), '[');
    KTEST_EXPECT_EQ(test, tap_with(KEY_LEFT_CONTROL, KEY_ENTER), '\n');
}

// It is the letter that counts, wherever the layout has it.
KTEST(keymap, control_follows_the_layout)
{
    keymap.control = KEYMAP_CONTROL_MAPPED;
    keymap.layout = &key_layout_azerty;
    KTEST_EXPECT_EQ(test, tap_with(KEY_LEFT_CONTROL, KEY_Q), 1); // an 'a'
    keymap.layout = &key_layout_de105;
    KTEST_EXPECT_EQ(test, tap_with(KEY_LEFT_CONTROL, KEY_SEMICOLON), 0xf6); // ö is none of them
}

// --- Layouts ------------------------------------------------------------------------------------

struct layout_case {
    const char *layout;
    enum key key;
    uint16_t plain;
    uint16_t shifted;
    uint16_t alt_gr; // 0: nothing
};
static const struct layout_case layout_cases[] = {
    {"us104", KEY_GRAVE, '`', '~', '`'},
    {"us104", KEY_Y, 'y', 'Y', 'y'},
    {"us104", KEY_2, '2', '@', '2'},
    {"us104", KEY_BACKSLASH, '\\', '|', '\\'},
    {"us104", KEY_SLASH, '/', '?', '/'},
    {"uk105", KEY_GRAVE, '`', 0xac, 0xa6},
    {"uk105", KEY_3, '3', 0xa3, 0},
    {"uk105", KEY_4, '4', '$', 0x20ac},
    {"uk105", KEY_BACKSLASH, '#', '~', 0},
    {"uk105", KEY_APOSTROPHE, '\'', '@', 0},
    {"uk105", KEY_EXTRA, '\\', '|', 0},
    {"uk105", KEY_A, 'a', 'A', 0xe1},
    {"uk105", KEY_SLASH, '/', '?', 0},
    {"de105", KEY_Y, 'z', 'Z', 0},
    {"de105", KEY_Z, 'y', 'Y', 0},
    {"de105", KEY_Q, 'q', 'Q', '@'},
    {"de105", KEY_E, 'e', 'E', 0x20ac},
    {"de105", KEY_7, '7', '/', '{'},
    {"de105", KEY_0, '0', '=', '}'},
    {"de105", KEY_MINUS, 0xdf, '?', '\\'},
    {"de105", KEY_EQUAL, 0xb4, '`', 0}, // a dead key elsewhere
    {"de105", KEY_RIGHT_BRACKET, '+', '*', '~'},
    {"de105", KEY_BACKSLASH, '#', '\'', 0},
    {"de105", KEY_EXTRA, '<', '>', '|'},
    {"de105", KEY_M, 'm', 'M', 0xb5},
    {"de105", KEY_SLASH, '-', '_', 0},
    {"azerty", KEY_Q, 'a', 'A', 0},
    {"azerty", KEY_A, 'q', 'Q', 0},
    {"azerty", KEY_W, 'z', 'Z', 0},
    {"azerty", KEY_SEMICOLON, 'm', 'M', 0},
    {"azerty", KEY_1, '&', '1', 0},
    {"azerty", KEY_0, 0xe0, '0', '@'},
    {"azerty", KEY_GRAVE, 0xb2, 0, 0},
    {"azerty", KEY_BACKSLASH, '*', 0xb5, 0},
    {"azerty", KEY_M, ',', '?', 0},
    {"azerty", KEY_SLASH, '!', 0xa7, 0},
    {"dvorak", KEY_Q, '\'', '"', '\''},
    {"dvorak", KEY_S, 'o', 'O', 'o'},
    {"dvorak", KEY_MINUS, '[', '{', '['},
    {"dvorak", KEY_SLASH, 'z', 'Z', 'z'},
};

static void describe_layout(const struct layout_case *each, char *text_out, size_t size_bytes)
{
    size_t length = strlen(each->layout);
    for (size_t i = 0; i < length && i < size_bytes; i++) {
        text_out[i] = each->layout[i];
    }
}

KTEST_ATTR(keymap, key_types_what_is_printed_on_it, .proves = "7.6.5");
KTEST_PARAM(keymap, key_types_what_is_printed_on_it, layout_cases, describe_layout)
{
    keymap.layout = key_layout_lookup(param->layout);
    KTEST_ASSERT_NOT_NULL(test, keymap.layout);
    KTEST_EXPECT_EQ(test, tap(param->key), param->plain);
    KTEST_EXPECT_EQ(test, tap_with(KEY_LEFT_SHIFT, param->key), param->shifted);
    KTEST_EXPECT_EQ(test, tap_with(KEY_RIGHT_ALT, param->key), param->alt_gr);
    KTEST_EXPECT_EQ(test, tap_with(KEY_LEFT_ALT, param->key), param->plain);
}

KTEST(keymap, shift_makes_the_capital_of_alt_grs_letter)
{
    keymap.layout = &key_layout_uk105;
    press(KEY_LEFT_SHIFT);
    KTEST_EXPECT_EQ(test, tap_with(KEY_RIGHT_ALT, KEY_O), 0xd3);   // Ó
    KTEST_EXPECT_EQ(test, tap_with(KEY_RIGHT_ALT, KEY_4), 0x20ac); // € is none
}

KTEST(keymap, what_is_no_letter_is_its_own_capital)
{
    struct key_layout layout = {.has_alt_gr = true, .alt_gr = u"\u00f7\u00df\u00b5\u00ff{\u00fe"};
    static const uint16_t expected[] = {0xf7, 0xdf, 0xb5, 0xff, '{', 0xde};
    keymap.layout = &layout;
    press(KEY_RIGHT_ALT);
    KTEST_EXPECT_EQ(test, tap_with(KEY_LEFT_SHIFT, KEY_GRAVE), expected[0]);
    for (unsigned i = 1; i < ARRAY_SIZE(expected); i++) {
        enum key key = (enum key)(KEY_1 + i - 1);
        KTEST_EXPECT_EQ_MSG(test, tap_with(KEY_LEFT_SHIFT, key), expected[i], "%u", i);
    }
}

KTEST_ATTR(keymap, us_rows_are_complete, .proves = "7.6.5");
KTEST(keymap, us_rows_are_complete)
{
    static const enum key rows[] = {
        KEY_GRAVE,
        KEY_1,
        KEY_2,
        KEY_3,
        KEY_4,
        KEY_5,
        KEY_6,
        KEY_7,
        KEY_8,
        KEY_9,
        KEY_0,
        KEY_MINUS,
        KEY_EQUAL,
        KEY_Q,
        KEY_W,
        KEY_E,
        KEY_R,
        KEY_T,
        KEY_Y,
        KEY_U,
        KEY_I,
        KEY_O,
        KEY_P,
        KEY_LEFT_BRACKET,
        KEY_RIGHT_BRACKET,
        KEY_BACKSLASH,
        KEY_A,
        KEY_S,
        KEY_D,
        KEY_F,
        KEY_G,
        KEY_H,
        KEY_J,
        KEY_K,
        KEY_L,
        KEY_SEMICOLON,
        KEY_APOSTROPHE,
        KEY_Z,
        KEY_X,
        KEY_C,
        KEY_V,
        KEY_B,
        KEY_N,
        KEY_M,
        KEY_COMMA,
        KEY_PERIOD,
        KEY_SLASH,
        KEY_SPACE,
    };
    static const char plain[] = "`1234567890-=qwertyuiop[]\\asdfghjkl;'zxcvbnm,./ ";
    static const char shifted[] = "~!@#$%^&*()_+QWERTYUIOP{}|ASDFGHJKL:\"ZXCVBNM<>? ";
    KTEST_ASSERT_EQ(test, ARRAY_SIZE(rows), sizeof(plain) - 1);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        KTEST_EXPECT_EQ(test, tap(rows[i]), plain[i]);
        KTEST_EXPECT_EQ(test, tap_with(KEY_RIGHT_SHIFT, rows[i]), shifted[i]);
    }
}

KTEST_ATTR(keymap, layout_changes_while_keys_are_held, .proves = "7.6.5");
KTEST(keymap, layout_changes_while_keys_are_held)
{
    press(KEY_LEFT_SHIFT);
    KTEST_EXPECT_EQ(test, tap(KEY_Y), 'Y');
    keymap.layout = &key_layout_de105;
    KTEST_EXPECT_EQ(test, tap(KEY_Y), 'Z');
    keymap.layout = &key_layout_us104;
    release(KEY_LEFT_SHIFT);
    KTEST_EXPECT_EQ(test, tap(KEY_Y), 'y');
}

// --- Whatever comes -----------------------------------------------------------------------------

// Modifiers against a model that only counts which keys are down, and locks against one that counts
// presses.
KTEST(keymap, random_events_agree_with_a_model)
{
    static bool is_down[KEY_COUNT];
    struct test_random random = {3};
    unsigned wrong = 0;
    uint8_t locks = 0;
    memset(is_down, 0, sizeof(is_down));
    for (unsigned i = 0; i < 20000 * test_scale(); i++) {
        uint64_t number = test_random_below(&random, 4 * KEY_COUNT);
        bool is_modifier = (number & 1) != 0;
        enum key key = (enum key)(is_modifier ? KEY_LEFT_CONTROL + (number >> 2) % 8 : number >> 2);
        bool is_pressed = (number & 2) != 0;
        for (size_t each = 0; each < ARRAY_SIZE(lock_cases); each++) {
            bool changes = key == lock_cases[each].key && is_pressed && !is_down[key];
            locks ^= changes ? lock_cases[each].lock : 0;
        }
        struct key_input input = keymap_process(&keymap, (struct key_event){key, is_pressed});
        wrong += input.is_repetition != (is_pressed && is_down[key]);
        is_down[key] = is_pressed;
        uint8_t modifiers = 0;
        for (unsigned bit = 0; bit < 8; bit++) {
            modifiers |= (uint8_t)(is_down[KEY_LEFT_CONTROL + bit] << bit);
        }
        wrong += input.modifiers != modifiers || keymap.locks != locks;
        wrong += !is_pressed && input.character != 0;
    }
    KTEST_EXPECT_EQ(test, wrong, 0);
}

KTEST_BENCH(keymap, press_and_release)
{
    uint32_t character = 0;
    while (ktest_bench_next(test)) {
        character += tap(KEY_SLASH);
    }
    KTEST_EXPECT_NE(test, character, 0);
}
