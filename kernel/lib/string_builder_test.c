// SPDX-License-Identifier: MIT
#include "lib/string_builder.h"

#include "ktest.h"
#include "lib/format.h"
#include "lib/string.h"
#include "lib/test_memory.h"
#include "lib/test_random.h"

static struct test_memory memory;
static struct string_builder builder;

static void init(struct ktest *test)
{
    (void)test;
    test_memory_init(&memory);
    builder = (struct string_builder){.vector = {.memory = &memory.source}};
}

KTEST_SUITE(string_builder, .init = init);

KTEST(string_builder, without_pieces_is_empty)
{
    KTEST_EXPECT_STREQ(test, string_text(&builder), "");
    KTEST_EXPECT_EQ(test, string_append(&builder, "%s", ""), OK);
    KTEST_EXPECT_STREQ(test, string_text(&builder), "");
    vector_free(&builder);
    KTEST_EXPECT_STREQ(test, string_text(&builder), "");
    KTEST_EXPECT_EQ(test, memory.block_count, 0);
}

KTEST(string_builder, pieces_follow_each_other)
{
    KTEST_EXPECT_EQ(test, string_append(&builder, "Hello"), OK);
    KTEST_EXPECT_EQ(test, string_append(&builder, ", %s %d%c", "world", 42, '!'), OK);
    KTEST_EXPECT_STREQ(test, string_text(&builder), "Hello, world 42!");
    KTEST_EXPECT_EQ(test, builder.vector.count, strlen("Hello, world 42!"));
    vector_free(&builder);
}

// With the terminator it is just as long as the first memory, and then one byte longer.
KTEST(string_builder, terminator_has_room_of_its_own)
{
    KTEST_ASSERT_EQ(test, string_append(&builder, "1234567"), OK);
    KTEST_EXPECT_EQ(test, builder.vector.capacity, 8);
    KTEST_ASSERT_EQ(test, string_append(&builder, "8"), OK);
    KTEST_EXPECT_STREQ(test, string_text(&builder), "12345678");
    KTEST_EXPECT_EQ(test, builder.vector.capacity, 16);
    vector_free(&builder); // which looks for bytes beyond the end
}

KTEST_ATTR(string_builder, failed_append_leaves_the_text_as_it_was, .proves = "10.6.6");
KTEST(string_builder, failed_append_leaves_the_text_as_it_was)
{
    memory.fail_at = 1;
    KTEST_EXPECT_EQ(test, string_append(&builder, "first"), ENOMEM);
    KTEST_EXPECT_STREQ(test, string_text(&builder), "");
    KTEST_ASSERT_EQ(test, string_append(&builder, "first"), OK);
    memory.fail_at = memory.calls + 1;
    KTEST_EXPECT_EQ(test, string_append(&builder, " and %s", "second"), ENOMEM);
    KTEST_EXPECT_STREQ(test, string_text(&builder), "first");
    KTEST_EXPECT_EQ(test, builder.vector.count, 5);
    KTEST_EXPECT_EQ(test, string_append(&builder, " again"), OK);
    KTEST_EXPECT_STREQ(test, string_text(&builder), "first again");
    vector_free(&builder);
}

// Longer than any memory: nothing is written.
KTEST(string_builder, text_beyond_memory_is_refused)
{
    KTEST_ASSERT_EQ(test, string_append(&builder, "kept"), OK);
    KTEST_EXPECT_EQ(test, string_append(&builder, "%*s", 1 << 20, "x"), ENOMEM);
    KTEST_EXPECT_STREQ(test, string_text(&builder), "kept");
    vector_free(&builder);
}

// The model: a buffer in which all has room.
KTEST_ATTR(string_builder, agrees_with_a_model, .proves = "10.6.6", .speed = KTEST_SPEED_SLOW);
KTEST(string_builder, agrees_with_a_model)
{
    static char text[4096];
    struct test_random random = {5};
    for (unsigned round = 0; round < 20 * test_scale(); round++) {
        struct text_buffer model = {text, sizeof(text), 0};
        text[0] = 0;
        while (model.used_bytes + 64 < sizeof(text)) {
            int width = (int)test_random_below(&random, 60);
            memory.fail_at = test_random_below(&random, 2) == 0 ? memory.calls + 1 : 0;
            size_t calls = memory.calls;
            enum error error = string_append(&builder, "%*d", width, width);
            KTEST_ASSERT_EQ(test, error, memory.fail_at != 0 && memory.calls > calls ? ENOMEM : OK);
            if (error == OK) {
                text_append(&model, "%*d", width, width);
            }
            KTEST_ASSERT_EQ(test, builder.vector.count, model.used_bytes);
            KTEST_ASSERT_STREQ(test, string_text(&builder), text);
        }
        vector_free(&builder);
    }
}
