// SPDX-License-Identifier: MIT
#include "monitor/line_history.h"

#include "ktest.h"
#include "lib/format.h"
#include "lib/string.h"
#include "lib/test_memory.h"

static struct test_memory memory;
static struct line_history history;

static void init(struct ktest *test)
{
    (void)test;
    test_memory_init(&memory);
    history = (struct line_history){.vector = {.memory = &memory.source}};
}

KTEST_SUITE(line_history, .init = init);

static const char *line(size_t index)
{
    return vector_at(&history, index).text;
}

KTEST(line_history, keeps_lines_in_their_order)
{
    KTEST_ASSERT_EQ(test, line_history_add(&history, "frames"), OK);
    KTEST_ASSERT_EQ(test, line_history_add(&history, "heap"), OK);
    KTEST_ASSERT_EQ(test, history.vector.count, 2);
    KTEST_EXPECT_STREQ(test, line(0), "frames");
    KTEST_EXPECT_STREQ(test, line(1), "heap");
}

KTEST(line_history, keeps_no_empty_line_and_none_twice_in_a_row)
{
    KTEST_ASSERT_EQ(test, line_history_add(&history, ""), OK);
    KTEST_ASSERT_EQ(test, line_history_add(&history, "heap"), OK);
    KTEST_ASSERT_EQ(test, line_history_add(&history, "heap"), OK);
    KTEST_EXPECT_EQ(test, history.vector.count, 1);
    KTEST_ASSERT_EQ(test, line_history_add(&history, "irqs"), OK);
    KTEST_ASSERT_EQ(test, line_history_add(&history, "heap"), OK);
    KTEST_EXPECT_EQ(test, history.vector.count, 3);
}

KTEST(line_history, forgets_the_oldest_when_there_are_too_many)
{
    char text[LINE_BYTES_MAX];
    for (size_t i = 0; i < LINE_HISTORY_MAX + 3; i++) {
        format_buffer(text, sizeof(text), "log %zu", i);
        KTEST_ASSERT_EQ(test, line_history_add(&history, text), OK);
    }
    KTEST_ASSERT_EQ(test, history.vector.count, LINE_HISTORY_MAX);
    for (size_t i = 0; i < LINE_HISTORY_MAX; i++) {
        format_buffer(text, sizeof(text), "log %zu", i + 3);
        KTEST_EXPECT_STREQ(test, line(i), text);
    }
}

KTEST(line_history, longer_line_than_there_is_room_for_panics)
{
    char text[LINE_BYTES_MAX + 1];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    KTEST_EXPECT_PANIC(test, "*size_bytes <= sizeof(line.text)*",
                       (void)!line_history_add(&history, text));
    KTEST_EXPECT_EQ(test, history.vector.count, 0);
}

KTEST(line_history, longest_line_is_kept_whole)
{
    char text[LINE_BYTES_MAX];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    KTEST_ASSERT_EQ(test, line_history_add(&history, text), OK);
    KTEST_EXPECT_STREQ(test, line(0), text);
}

KTEST(line_history, without_memory_is_as_it_was)
{
    memory.fail_at = 1;
    KTEST_EXPECT_EQ(test, line_history_add(&history, "heap"), ENOMEM);
    KTEST_EXPECT_EQ(test, history.vector.count, 0);
    KTEST_EXPECT_EQ(test, line_history_add(&history, "heap"), OK);
    KTEST_EXPECT_EQ(test, history.vector.count, 1);
}
