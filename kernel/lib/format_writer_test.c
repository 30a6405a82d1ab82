// SPDX-License-Identifier: MIT
//
// Where the text goes: to any writer, and into memory.
#include "lib/format.h"

#include "ktest.h"

#include "lib/string.h"

struct recorder {
    char text[64];
    size_t size_bytes;
    size_t empty_count;
};

static void record(void *context, const char *bytes, size_t size_bytes)
{
    struct recorder *recorder = context;

    recorder->empty_count += size_bytes == 0;
    if (size_bytes <= sizeof(recorder->text) - recorder->size_bytes) {
        memcpy(recorder->text + recorder->size_bytes, bytes, size_bytes);
    }
    recorder->size_bytes += size_bytes;
}

KTEST(format_writer, receives_the_whole_text_in_order)
{
    struct recorder recorder = {};
    struct writer writer = {record, &recorder};
    size_t size_bytes = format_write(&writer, "%s: %+d of %-4x|", "port", 1, 0x3f8u);

    KTEST_EXPECT_EQ(test, size_bytes, 17);
    KTEST_EXPECT_EQ(test, recorder.size_bytes, 17);
    KTEST_EXPECT_MEMEQ(test, recorder.text, "port: +1 of 3f8 |", 17);
}
KTEST_ATTR(format_writer, receives_the_whole_text_in_order, .proves = "3.19");

KTEST(format_writer, is_never_called_with_nothing)
{
    struct recorder recorder = {};
    struct writer writer = {record, &recorder};

    format_write(&writer, "%s%d%.0d%5s", "", 1, 0, "a");
    KTEST_EXPECT_EQ(test, recorder.empty_count, 0);
    KTEST_EXPECT_EQ(test, recorder.size_bytes, 6);
}

// The same code, whatever the writer: memory and a device that takes bytes see the same text.
KTEST(format_writer, memory_and_writer_get_the_same_text)
{
    struct recorder recorder = {};
    struct writer writer = {record, &recorder};
    char text[64];
    size_t written = format_write(&writer, "%08lx %20s %c", UINT64_C(0xb8000), "vga", '!');
    size_t length =
        format_buffer(text, sizeof(text), "%08lx %20s %c", UINT64_C(0xb8000), "vga", '!');

    KTEST_EXPECT_EQ(test, written, length);
    KTEST_EXPECT_MEMEQ(test, recorder.text, text, written);
}
KTEST_ATTR(format_writer, memory_and_writer_get_the_same_text, .proves = "3.19");

[[gnu::format(printf, 2, 3)]] static size_t write_twice(const struct writer *writer,
                                                        const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    size_t size_bytes = format_vwrite(writer, format, arguments);
    size_bytes += format_vwrite(writer, format, arguments);
    va_end(arguments);
    return size_bytes;
}

// Serial and screen print the same message from one list.
KTEST(format_writer, argument_list_can_be_used_again)
{
    struct recorder recorder = {};
    struct writer writer = {record, &recorder};
    size_t size_bytes = write_twice(&writer, "%d %d %d %d %d.", 1, 2, 3, 4, 5);

    KTEST_EXPECT_EQ(test, size_bytes, 20);
    KTEST_EXPECT_MEMEQ(test, recorder.text, "1 2 3 4 5.1 2 3 4 5.", 20);
}
KTEST_ATTR(format_writer, argument_list_can_be_used_again, .proves = "3.19");

KTEST(format_writer, buffer_cuts_off_and_terminates)
{
    for (size_t room = 1; room <= 8; room++) {
        char buffer[10];

        memset(buffer, '#', sizeof(buffer));
        KTEST_EXPECT_EQ(test, format_buffer(buffer, room, "%d%s", 12, "345"), 5);
        KTEST_EXPECT_EQ(test, strlen(buffer), room - 1 < 5 ? room - 1 : 5);
        KTEST_EXPECT_EQ(test, strncmp(buffer, "12345", room - 1), 0);
        KTEST_EXPECT_EQ_MSG(test, buffer[room], '#', "the byte behind the buffer");
    }
}

KTEST(format_writer, buffer_of_size_zero_is_not_touched)
{
    char buffer[1] = {'#'};

    KTEST_EXPECT_EQ(test, format_buffer(buffer, 0, "%d", 12345), 5);
    KTEST_EXPECT_EQ(test, buffer[0], '#');
    KTEST_EXPECT_EQ(test, format_buffer(NULL, 0, "%d", 12345), 5);
}

KTEST(format, text_is_appended_until_the_buffer_is_full)
{
    char text[12] = "xxxxxxxxxxx";
    struct text_buffer buffer = {text, sizeof(text), 0};
    text_append(&buffer, "%s", "");
    KTEST_EXPECT_STREQ(test, text, "");
    text_append(&buffer, "%d, ", 12);
    text_append(&buffer, "%s", "three");
    KTEST_EXPECT_STREQ(test, text, "12, three");
    KTEST_EXPECT_EQ(test, buffer.used_bytes, 9);
    text_append(&buffer, "%s", "four");
    KTEST_EXPECT_STREQ(test, text, "12, threefo");
    KTEST_EXPECT_EQ(test, buffer.used_bytes, 11);
    text_append(&buffer, "%s", "five");
    KTEST_EXPECT_STREQ(test, text, "12, threefo");
    KTEST_EXPECT_EQ(test, buffer.used_bytes, 11);
}
