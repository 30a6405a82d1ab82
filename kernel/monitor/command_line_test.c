// SPDX-License-Identifier: MIT
#include "monitor/command_line.h"

#include "ktest.h"
#include "lib/bits.h"
#include "lib/string.h"

#define WORDS_MAX 4

struct split {
    const char *line;
    size_t count;
    const char *words[WORDS_MAX];
};

static const struct split splits[] = {
    {"", 0, {}},
    {"   ", 0, {}},
    {"help", 1, {"help"}},
    {"  page  0x1000 ", 2, {"page", "0x1000"}},
    {"test \"a b\" c", 3, {"test", "a b", "c"}},
    {"te\"st a\"b c", 2, {"test ab", "c"}},
    {"test \"\" x", 3, {"test", "", "x"}},
    {"\"a\"\"b\"", 1, {"ab"}},
};

KTEST_PARAM(command_line, is_cut_at_blanks_outside_of_quotes, splits, NULL)
{
    static struct command_words words;
    char line[LINE_BYTES_MAX];
    memcpy(line, param->line, strlen(param->line) + 1);
    KTEST_ASSERT_EQ(test, command_split(line, &words), OK);
    KTEST_ASSERT_EQ(test, words.count, param->count);
    for (size_t i = 0; i < param->count; i++) {
        KTEST_EXPECT_STREQ(test, words.words[i], param->words[i]);
    }
}

KTEST(command_line, open_quote_is_refused)
{
    static struct command_words words;
    char line[] = "test \"a b";
    KTEST_EXPECT_EQ(test, command_split(line, &words), EINVAL);
    char other[] = "\"";
    KTEST_EXPECT_EQ(test, command_split(other, &words), EINVAL);
}

KTEST(command_line, of_nothing_but_words_has_room)
{
    static struct command_words words;
    char line[LINE_BYTES_MAX];
    for (size_t i = 0; i < sizeof(line); i++) {
        line[i] = i % 2 == 0 ? 'a' : ' ';
    }
    line[sizeof(line) - 1] = 0;
    KTEST_ASSERT_EQ(test, command_split(line, &words), OK);
    KTEST_EXPECT_EQ(test, words.count, COMMAND_WORDS_MAX);
    KTEST_EXPECT_STREQ(test, words.words[COMMAND_WORDS_MAX - 1], "a");
}

struct number {
    const char *text;
    enum error error;
    uint64_t value;
};

static const struct number numbers[] = {
    {"0", OK, 0},
    {"42", OK, 42},
    {"007", OK, 7},
    {"18446744073709551615", OK, UINT64_MAX},
    {"18446744073709551616", ERANGE, 0},
    {"99999999999999999999999", ERANGE, 0},
    {"0x0", OK, 0},
    {"0xdeadBEEF", OK, 0xdeadbeef},
    {"0xffffffffffffffff", OK, UINT64_MAX},
    {"0x10000000000000000", ERANGE, 0},
    {"0x100000000000000000", ERANGE, 0}, // too large one digit before
    {"", EINVAL, 0},
    {"0x", EINVAL, 0},
    {"0xg", EINVAL, 0},
    {"12a", EINVAL, 0},
    {"-1", EINVAL, 0},
    {"1 ", EINVAL, 0},
    {"99999999999999999999999x", EINVAL, 0},
    {"x10", EINVAL, 0},
};

KTEST_PARAM(command_line, numbers_are_decimal_or_hexadecimal, numbers, NULL)
{
    uint64_t value = 0;
    KTEST_EXPECT_EQ(test, command_parse_number(param->text, &value), param->error);
    KTEST_EXPECT_EQ(test, value, param->value);
}
