// SPDX-License-Identifier: MIT
//
// Layouts: which characters the keys of a country's keyboard type. Pure data. Sources: the
// keycaps; ISO/IEC 9995, DIN 2137, BS 4822; for the American ones ANSI INCITS 154 and 207.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "drivers/key.h"

// The keys that layouts differ in, by the rows of a keyboard of 105 keys:
// 13 from KEY_GRAVE to KEY_EQUAL, 12 from KEY_Q to KEY_RIGHT_BRACKET, 12 from KEY_A to
// KEY_BACKSLASH (it lies left of Enter there), and 11 from KEY_EXTRA to KEY_SLASH.
#define KEY_LAYOUT_KEYS 48

// Each string has a character of the Basic Multilingual Plane for each of these keys, and a space
// where there is none.
struct key_layout {
    const char *name; // "us104"
    bool has_alt_gr;  // the right Alt chooses the third level
    uint16_t keypad_decimal;
    uint16_t plain[KEY_LAYOUT_KEYS + 1];
    uint16_t shifted[KEY_LAYOUT_KEYS + 1];
    uint16_t alt_gr[KEY_LAYOUT_KEYS + 1];
};

// US, UK and German keyboards; azerty is the French one, dvorak the American one.
extern const struct key_layout key_layout_us104;
extern const struct key_layout key_layout_uk105;
extern const struct key_layout key_layout_de105;
extern const struct key_layout key_layout_azerty;
extern const struct key_layout key_layout_dvorak;

// NULL if there is none of this name.
const struct key_layout *key_layout_lookup(const char *name);

// The key's index in the strings; -1 if it types the same, or nothing, in all of them.
int key_layout_index(enum key key);
