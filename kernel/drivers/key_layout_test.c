// SPDX-License-Identifier: MIT
#include "drivers/key_layout.h"

#include "ktest.h"
#include "lib/bits.h"

static const char *const names[] = {"us104", "uk105", "de105", "azerty", "dvorak"};

static void describe_name(const char *const *name, char *text_out, size_t size_bytes)
{
    for (size_t i = 0; (*name)[i] != 0 && i < size_bytes; i++) {
        text_out[i] = (*name)[i];
    }
}

static size_t length(const uint16_t *characters)
{
    size_t count = 0;
    while (count <= KEY_LAYOUT_KEYS && characters[count] != 0) {
        count++;
    }
    return count;
}

KTEST_ATTR(key_layout, has_a_character_for_each_key, .proves = "7.6.5");
KTEST_PARAM(key_layout, has_a_character_for_each_key, names, describe_name)
{
    const struct key_layout *layout = key_layout_lookup(*param);
    KTEST_ASSERT_NOT_NULL(test, layout);
    KTEST_EXPECT_STREQ(test, layout->name, *param);
    KTEST_EXPECT_EQ(test, length(layout->plain), KEY_LAYOUT_KEYS);
    KTEST_EXPECT_EQ(test, length(layout->shifted), KEY_LAYOUT_KEYS);
    KTEST_EXPECT_EQ(test, length(layout->alt_gr), layout->has_alt_gr ? KEY_LAYOUT_KEYS : 0);
}

static bool has_character(const uint16_t *characters, uint16_t character)
{
    for (size_t i = 0; i < KEY_LAYOUT_KEYS; i++) {
        if (characters[i] == character) {
            return true;
        }
    }
    return false;
}

// Whoever has this keyboard can type whatever a shell or C may ask for.
KTEST_ATTR(key_layout, types_all_of_ascii, .proves = "7.6.5");
KTEST_PARAM(key_layout, types_all_of_ascii, names, describe_name)
{
    const struct key_layout *layout = key_layout_lookup(*param);
    KTEST_ASSERT_NOT_NULL(test, layout);
    // NOLINTNEXTLINE(bugprone-too-small-loop-variable): '~' is an int, but a small one
    for (uint16_t character = '!'; character <= '~'; character++) {
        bool is_there = has_character(layout->plain, character) ||
                        has_character(layout->shifted, character) ||
                        has_character(layout->alt_gr, character);
        KTEST_EXPECT_TRUE_MSG(test, is_there, "%c", (char)character);
    }
}

KTEST(key_layout, unknown_name_has_none)
{
    KTEST_EXPECT_NULL(test, key_layout_lookup("us"));
    KTEST_EXPECT_NULL(test, key_layout_lookup(""));
    KTEST_EXPECT_NULL(test, key_layout_lookup("us1045"));
}

KTEST(key_layout, each_place_belongs_to_one_key)
{
    uint64_t seen = 0;
    for (unsigned key = 0; key < KEY_COUNT; key++) {
        int index = key_layout_index((enum key)key);
        if (index >= 0) {
            KTEST_EXPECT_LT(test, index, KEY_LAYOUT_KEYS);
            KTEST_EXPECT_EQ_MSG(test, seen & BIT(index), 0, "key 0x%x", key);
            seen |= BIT(index);
        }
    }
    KTEST_EXPECT_EQ(test, seen, GENMASK(KEY_LAYOUT_KEYS - 1, 0));
}
