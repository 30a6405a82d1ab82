// SPDX-License-Identifier: MIT
#include "boot/arguments.h"

#include "ktest.h"
#include "lib/string.h"

static struct arguments arguments;

static void init(struct ktest *test)
{
    (void)test;
    memset(&arguments, 0, sizeof(arguments));
}

KTEST_SUITE(arguments, .init = init);

KTEST(arguments, words_become_keys_and_values)
{
    KTEST_ASSERT_EQ(test, arguments_add(&arguments, "  a=1 \t bb=x=y\nflag empty= "), OK);
    KTEST_EXPECT_EQ(test, arguments.count, 4);
    KTEST_EXPECT_STREQ(test, arguments_lookup(&arguments, "a"), "1");
    KTEST_EXPECT_STREQ(test, arguments_lookup(&arguments, "bb"), "x=y");
    KTEST_EXPECT_STREQ(test, arguments_lookup(&arguments, "flag"), "");
    KTEST_EXPECT_STREQ(test, arguments_lookup(&arguments, "empty"), "");
    KTEST_EXPECT_NULL(test, arguments_lookup(&arguments, "b"));
    KTEST_EXPECT_NULL(test, arguments_lookup(&arguments, "1"));
}

KTEST(arguments, no_words_are_no_arguments)
{
    KTEST_EXPECT_EQ(test, arguments_add(&arguments, ""), OK);
    KTEST_EXPECT_EQ(test, arguments_add(&arguments, "   "), OK);
    KTEST_EXPECT_EQ(test, arguments.count, 0);
    KTEST_EXPECT_NULL(test, arguments_lookup(&arguments, ""));
}

KTEST(arguments, later_words_win)
{
    KTEST_ASSERT_EQ(test, arguments_add(&arguments, "a=1 b=2 a=3"), OK);
    KTEST_EXPECT_STREQ(test, arguments_lookup(&arguments, "a"), "3");
    KTEST_ASSERT_EQ(test, arguments_add(&arguments, "a=4"), OK);
    KTEST_EXPECT_STREQ(test, arguments_lookup(&arguments, "a"), "4");
    KTEST_EXPECT_STREQ(test, arguments_lookup(&arguments, "b"), "2");
}

KTEST(arguments, quotes_keep_spaces)
{
    KTEST_ASSERT_EQ(test, arguments_add(&arguments, "a=\"x y\" b=p\"q r\"s"), OK);
    KTEST_EXPECT_STREQ(test, arguments_lookup(&arguments, "a"), "x y");
    KTEST_EXPECT_STREQ(test, arguments_lookup(&arguments, "b"), "pq rs");
    KTEST_EXPECT_EQ(test, arguments.count, 2);
}

KTEST(arguments, open_quote_is_refused_and_adds_nothing)
{
    KTEST_EXPECT_EQ(test, arguments_add(&arguments, "a=1 b=\"x y"), EINVAL);
    KTEST_EXPECT_EQ(test, arguments.count, 0);
    KTEST_EXPECT_EQ(test, arguments.used_bytes, 0);
}

KTEST(arguments, too_many_words_are_refused_and_add_nothing)
{
    char words[2 * ARGUMENTS_COUNT_MAX + 3];
    for (size_t i = 0; i <= ARGUMENTS_COUNT_MAX; i++) {
        words[2 * i] = 'x';
        words[2 * i + 1] = ' ';
    }
    words[2 * ARGUMENTS_COUNT_MAX + 2] = 0;
    KTEST_EXPECT_EQ(test, arguments_add(&arguments, words), ENOSPC);
    KTEST_EXPECT_EQ(test, arguments.count, 0);
    words[2 * ARGUMENTS_COUNT_MAX] = 0;
    KTEST_EXPECT_EQ(test, arguments_add(&arguments, words), OK);
    KTEST_EXPECT_EQ(test, arguments.count, ARGUMENTS_COUNT_MAX);
}

KTEST(arguments, text_beyond_the_room_is_refused)
{
    static char words[ARGUMENTS_BYTES_MAX + 1];
    memset(words, 'x', ARGUMENTS_BYTES_MAX);
    words[ARGUMENTS_BYTES_MAX] = 0;
    KTEST_EXPECT_EQ(test, arguments_add(&arguments, words), ENOSPC);
    words[ARGUMENTS_BYTES_MAX - 1] = 0;
    KTEST_EXPECT_EQ(test, arguments_add(&arguments, words), OK);
    KTEST_EXPECT_EQ(test, arguments_add(&arguments, ""), ENOSPC);
}

// The harness gives every run a nonce by fw_cfg: that it got here shows the way to work.
KTEST(arguments, the_kernels_own_come_from_outside)
{
    KTEST_EXPECT_NOT_NULL(test, argument("ktest.nonce"));
    KTEST_EXPECT_NULL(test, argument("no.such.argument"));
}

KTEST(arguments, every_kind_of_space_separates)
{
    KTEST_ASSERT_EQ(test, arguments_add(&arguments, "a=1\r\nb=2\tc=3\r"), OK);
    KTEST_EXPECT_EQ(test, arguments.count, 3);
    KTEST_EXPECT_STREQ(test, arguments_lookup(&arguments, "a"), "1");
    KTEST_EXPECT_STREQ(test, arguments_lookup(&arguments, "c"), "3");
}
