// SPDX-License-Identifier: MIT
//
// The formatter's way into memory: a writer that drops what does not fit and leaves room for the
// terminator.
#include "lib/format.h"

#include "lib/string.h"

struct buffer {
    char *next;
    size_t room; // without the terminator
};

static void buffer_write(void *context, const char *bytes, size_t size_bytes)
{
    struct buffer *buffer = context;
    size_t fitting = size_bytes < buffer->room ? size_bytes : buffer->room;

    memcpy(buffer->next, bytes, fitting);
    buffer->next += fitting;
    buffer->room -= fitting;
}

size_t format_vbuffer(char *buffer, size_t size_bytes, const char *format, va_list arguments)
{
    char nothing[1];
    struct buffer target = {nothing, 0};

    if (size_bytes != 0) {
        target = (struct buffer){buffer, size_bytes - 1};
    }

    const struct writer writer = {buffer_write, &target};
    size_t length = format_vwrite(&writer, format, arguments);

    *target.next = '\0';
    return length;
}

size_t format_buffer(char *buffer, size_t size_bytes, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    size_t length = format_vbuffer(buffer, size_bytes, format, arguments);
    va_end(arguments);
    return length;
}

void text_append(struct text_buffer *buffer, const char *format, ...)
{
    size_t room_bytes = buffer->size_bytes - buffer->used_bytes;
    va_list arguments;

    va_start(arguments, format);
    size_t length =
        format_vbuffer(buffer->text + buffer->used_bytes, room_bytes, format, arguments);
    va_end(arguments);
    buffer->used_bytes += length < room_bytes ? length : room_bytes - 1;
}
