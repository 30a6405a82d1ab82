// SPDX-License-Identifier: MIT
#include "lib/string_builder.h"

#include "lib/format.h"

// The first pass tells the length: there is memory for all of it, or nothing happens.
enum error string_append(struct string_builder *builder, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t length = format_vbuffer(NULL, 0, format, arguments);
    va_end(arguments);

    size_t count = builder->vector.count;
    enum error error = vector_reserve(builder, count + length + 1);
    if (error == OK) {
        va_start(arguments, format);
        format_vbuffer(builder->elements + count, length + 1, format, arguments);
        va_end(arguments);
        builder->vector.count += length;
    }
    return error;
}

const char *string_text(const struct string_builder *builder)
{
    return builder->elements != NULL ? builder->elements : "";
}
