// SPDX-License-Identifier: MIT
//
// Three kinds of keys have characters: those of the layout, the keypad's with NumLock, and a few
// that type the same everywhere.
#include "drivers/keymap.h"

#include <stddef.h>

#include "lib/assert.h"

#define MODIFIER(key_) BIT((key_)-KEY_LEFT_CONTROL)

_Static_assert(MODIFIER(KEY_RIGHT_ALT) == KEYMAP_ALT_GR);
_Static_assert((MODIFIER(KEY_LEFT_SHIFT) | MODIFIER(KEY_RIGHT_SHIFT)) == KEYMAP_SHIFT);
_Static_assert((MODIFIER(KEY_LEFT_CONTROL) | MODIFIER(KEY_RIGHT_CONTROL)) == KEYMAP_CONTROL);

void keymap_init(struct keymap *keymap, const struct key_layout *layout)
{
    *keymap = (struct keymap){.layout = layout};
}

void keymap_release_all(struct keymap *keymap)
{
    keymap->modifiers = 0;
    for (size_t i = 0; i < ARRAY_SIZE(keymap->held); i++) {
        keymap->held[i] = 0;
    }
}

// --- State --------------------------------------------------------------------------------------

// Returns whether the key was held before.
static bool note_held(struct keymap *keymap, struct key_event event)
{
    uint64_t *word = &keymap->held[event.key / 64];
    uint64_t bit = BIT(event.key % 64);
    bool was_held = (*word & bit) != 0;
    *word = event.is_pressed ? *word | bit : *word & ~bit;
    return was_held;
}

static void note_modifier(struct keymap *keymap, struct key_event event)
{
    if (event.key < KEY_LEFT_CONTROL || event.key > KEY_RIGHT_GUI) {
        return;
    }
    uint8_t bit = (uint8_t)MODIFIER(event.key);
    keymap->modifiers =
        (uint8_t)(event.is_pressed ? keymap->modifiers | bit : keymap->modifiers & ~bit);
}

static const uint8_t locks_by_key[KEY_COUNT] = {
    [KEY_SCROLL_LOCK] = KEYMAP_SCROLL_LOCK,
    [KEY_NUM_LOCK] = KEYMAP_NUM_LOCK,
    [KEY_CAPS_LOCK] = KEYMAP_CAPS_LOCK,
};

static bool has_modifier(const struct keymap *keymap, uint64_t modifier)
{
    return (keymap->modifiers & modifier) != 0;
}

// --- The keypad ---------------------------------------------------------------------------------

static const uint8_t keypad_moves[] = {
    // from KEY_KEYPAD_1 on; the 5 moves nothing
    KEY_END,  KEY_DOWN, KEY_PAGE_DOWN, KEY_LEFT,   KEY_NONE,   KEY_RIGHT,
    KEY_HOME, KEY_UP,   KEY_PAGE_UP,   KEY_INSERT, KEY_DELETE,
};
_Static_assert(ARRAY_SIZE(keypad_moves) == KEY_KEYPAD_DECIMAL - KEY_KEYPAD_1 + 1);

static bool is_two_faced(enum key key)
{
    return key >= KEY_KEYPAD_1 && key <= KEY_KEYPAD_DECIMAL;
}

// Shift turns it round.
static bool keypad_types(const struct keymap *keymap)
{
    return ((keymap->locks & KEYMAP_NUM_LOCK) != 0) != has_modifier(keymap, KEYMAP_SHIFT);
}

static enum key meaning_of(const struct keymap *keymap, enum key key)
{
    bool moves = is_two_faced(key) && !keypad_types(keymap);
    return moves ? (enum key)keypad_moves[key - KEY_KEYPAD_1] : key;
}

// --- Characters ---------------------------------------------------------------------------------

static const uint8_t common_characters[KEY_COUNT] = {
    [KEY_ENTER] = '\n',        [KEY_ESCAPE] = 0x1b,         [KEY_BACKSPACE] = '\b',
    [KEY_TAB] = '\t',          [KEY_SPACE] = ' ',           [KEY_DELETE] = 0x7f,
    [KEY_KEYPAD_DIVIDE] = '/', [KEY_KEYPAD_MULTIPLY] = '*', [KEY_KEYPAD_SUBTRACT] = '-',
    [KEY_KEYPAD_ADD] = '+',    [KEY_KEYPAD_ENTER] = '\n',   [KEY_KEYPAD_1] = '1',
    [KEY_KEYPAD_2] = '2',      [KEY_KEYPAD_3] = '3',        [KEY_KEYPAD_4] = '4',
    [KEY_KEYPAD_5] = '5',      [KEY_KEYPAD_6] = '6',        [KEY_KEYPAD_7] = '7',
    [KEY_KEYPAD_8] = '8',      [KEY_KEYPAD_9] = '9',        [KEY_KEYPAD_0] = '0',
    [KEY_KEYPAD_EQUAL] = '=',  [KEY_KEYPAD_COMMA] = ',',
};

// Of ASCII and Latin-1, which hold all letters that the layouts have: others are their own capital.
static uint32_t capital(uint32_t character)
{
    bool is_ascii = character >= 'a' && character <= 'z';
    bool is_latin = character >= 0xe0 && character <= 0xfe && character != 0xf7;
    return is_ascii || is_latin ? character - 0x20 : character;
}

// CapsLock counts for letters only: where Shift makes the capital. Shift takes it back.
static uint32_t layout_character(const struct keymap *keymap, size_t index)
{
    const struct key_layout *layout = keymap->layout;
    bool is_third = layout->has_alt_gr && has_modifier(keymap, KEYMAP_ALT_GR);
    uint32_t plain = is_third ? layout->alt_gr[index] : layout->plain[index];
    uint32_t shifted = is_third ? capital(plain) : layout->shifted[index];
    bool is_letter = shifted != plain && shifted == capital(plain);
    bool is_shifted = has_modifier(keymap, KEYMAP_SHIFT);
    if (is_letter && (keymap->locks & KEYMAP_CAPS_LOCK) != 0) {
        is_shifted = !is_shifted;
    }
    uint32_t character = is_shifted ? shifted : plain;
    return character != ' ' ? character : 0;
}

static uint32_t control_character(uint32_t character)
{
    uint32_t letter = capital(character);
    return letter >= 'A' && letter <= 'Z' ? letter - 'A' + 1 : character;
}

static uint32_t character_of(const struct keymap *keymap, enum key key)
{
    if (key == KEY_KEYPAD_DECIMAL) {
        return keymap->layout->keypad_decimal;
    }
    int index = key_layout_index(key);
    if (index < 0) {
        return common_characters[key];
    }
    uint32_t character = layout_character(keymap, (size_t)index);
    bool is_mapped = keymap->control == KEYMAP_CONTROL_MAPPED &&
                     has_modifier(keymap, KEYMAP_CONTROL);
    return is_mapped ? control_character(character) : character;
}

struct key_input keymap_process(struct keymap *keymap, struct key_event event)
{
    assert(event.key < KEY_COUNT);
    bool was_held = note_held(keymap, event);
    note_modifier(keymap, event);
    if (event.is_pressed && !was_held) {
        keymap->locks ^= locks_by_key[event.key];
    }
    enum key meaning = meaning_of(keymap, event.key);
    return (struct key_input){
        .event = event,
        .meaning = meaning,
        .is_repetition = event.is_pressed && was_held,
        .modifiers = keymap->modifiers,
        .character = event.is_pressed ? character_of(keymap, meaning) : 0,
    };
}
