// SPDX-License-Identifier: MIT
//
// Accents that wait for a letter, dead keys, type themselves here.
#include "drivers/key_layout.h"

#include <stddef.h>

#include "lib/bits.h"
#include "lib/string.h"

// clang-format off
static const uint8_t keys[KEY_LAYOUT_KEYS] = {
    KEY_GRAVE, KEY_1, KEY_2, KEY_3, KEY_4, KEY_5, KEY_6, KEY_7, KEY_8, KEY_9, KEY_0, KEY_MINUS,
        KEY_EQUAL,
    KEY_Q, KEY_W, KEY_E, KEY_R, KEY_T, KEY_Y, KEY_U, KEY_I, KEY_O, KEY_P, KEY_LEFT_BRACKET,
        KEY_RIGHT_BRACKET,
    KEY_A, KEY_S, KEY_D, KEY_F, KEY_G, KEY_H, KEY_J, KEY_K, KEY_L, KEY_SEMICOLON,
        KEY_APOSTROPHE, KEY_BACKSLASH,
    KEY_EXTRA, KEY_Z, KEY_X, KEY_C, KEY_V, KEY_B, KEY_N, KEY_M, KEY_COMMA, KEY_PERIOD,
        KEY_SLASH,
};
// clang-format on

const struct key_layout key_layout_us104 = {
    .name = "us104",
    .keypad_decimal = '.',
    .plain = u"`1234567890-="
             u"qwertyuiop[]"
             u"asdfghjkl;'\\"
             u"\\zxcvbnm,./",
    .shifted = u"~!@#$%^&*()_+"
               u"QWERTYUIOP{}"
               u"ASDFGHJKL:\"|"
               u"|ZXCVBNM<>?",
};

const struct key_layout key_layout_uk105 = {
    .name = "uk105",
    .has_alt_gr = true,
    .keypad_decimal = '.',
    .plain = u"`1234567890-="
             u"qwertyuiop[]"
             u"asdfghjkl;'#"
             u"\\zxcvbnm,./",
    .shifted = u"¬!\"£$%^&*()_+"
               u"QWERTYUIOP{}"
               u"ASDFGHJKL:@~"
               u"|ZXCVBNM<>?",
    .alt_gr = u"¦   €        "
              u"  é   úíó   "
              u"á           "
              u"           ",
};

const struct key_layout key_layout_de105 = {
    .name = "de105",
    .has_alt_gr = true,
    .keypad_decimal = ',',
    .plain = u"^1234567890ß´"
             u"qwertzuiopü+"
             u"asdfghjklöä#"
             u"<yxcvbnm,.-",
    .shifted = u"°!\"§$%&/()=?`"
               u"QWERTZUIOPÜ*"
               u"ASDFGHJKLÖÄ'"
               u">YXCVBNM;:_",
    .alt_gr = u"  ²³   {[]}\\ "
              u"@ €        ~"
              u"            "
              u"|      µ   ",
};

const struct key_layout key_layout_azerty = {
    .name = "azerty",
    .has_alt_gr = true,
    .keypad_decimal = '.',
    .plain = u"²&é\"'(-è_çà)="
             u"azertyuiop^$"
             u"qsdfghjklmù*"
             u"<wxcvbn,;:!",
    .shifted = u" 1234567890°+"
               u"AZERTYUIOP¨£"
               u"QSDFGHJKLM%µ"
               u">WXCVBN?./§",
    .alt_gr = u"  ~#{[|`\\^@]}"
              u"  €        ¤"
              u"            "
              u"           ",
};

const struct key_layout key_layout_dvorak = {
    .name = "dvorak",
    .keypad_decimal = '.',
    .plain = u"`1234567890[]"
             u"',.pyfgcrl/="
             u"aoeuidhtns-\\"
             u"\\;qjkxbmwvz",
    .shifted = u"~!@#$%^&*(){}"
               u"\"<>PYFGCRL?+"
               u"AOEUIDHTNS_|"
               u"|:QJKXBMWVZ",
};

const struct key_layout *key_layout_lookup(const char *name)
{
    static const struct key_layout *const layouts[] = {
        &key_layout_us104,  &key_layout_uk105,  &key_layout_de105,
        &key_layout_azerty, &key_layout_dvorak,
    };
    for (size_t i = 0; i < ARRAY_SIZE(layouts); i++) {
        if (strcmp(layouts[i]->name, name) == 0) {
            return layouts[i];
        }
    }
    return NULL;
}

int key_layout_index(enum key key)
{
    for (int i = 0; i < KEY_LAYOUT_KEYS; i++) {
        if (keys[i] == key) {
            return i;
        }
    }
    return -1;
}
