// SPDX-License-Identifier: MIT
//
// Numbers and messages as text: what little of printf the protocol needs, so that ktest leans on
// nothing of the kernel that it tests.
#include "format.h"

size_t ktest_write_decimal(char *digits, uint64_t value)
{
    char reversed[20];
    size_t count = 0;
    do {
        reversed[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    for (size_t i = 0; i < count; i++) {
        digits[i] = reversed[count - 1 - i];
    }
    digits[count] = 0;
    return count;
}

size_t ktest_write_hex(char *digits, uint64_t value)
{
    size_t count = 1;
    while (count < 16 && value >> (4 * count) != 0) {
        count++;
    }
    for (size_t i = 0; i < count; i++) {
        digits[i] = "0123456789abcdef"[value >> (4 * (count - 1 - i)) & 15];
    }
    digits[count] = 0;
    return count;
}

struct text {
    char *start;
    char *next;
    char *last; // for the terminating 0
};

static void append(struct text *text, const char *bytes)
{
    while (*bytes != 0 && text->next < text->last) {
        *text->next++ = *bytes++;
    }
    *text->next = 0;
    for (char *dot = text->next - 3; *bytes != 0 && dot >= text->start && *dot != 0; dot++) {
        *dot = '.'; // it is cut off, and says so
    }
}

enum length { LENGTH_INT, LENGTH_LONG, LENGTH_LONG_LONG, LENGTH_SIZE };

static const char *parse_length(const char *format, enum length *length_out)
{
    *length_out = LENGTH_INT;
    for (;; format++) {
        if (*format == 'l') {
            *length_out = *length_out == LENGTH_LONG ? LENGTH_LONG_LONG : LENGTH_LONG;
        } else if (*format == 'z') {
            *length_out = LENGTH_SIZE;
        } else if (*format != 'h') {
            return format;
        }
    }
}

// A va_list that is passed on by reference.
struct arguments {
    va_list list;
};

static uint64_t next_unsigned(struct arguments *arguments, enum length length)
{
    switch (length) {
    case LENGTH_LONG:
        return va_arg(arguments->list, unsigned long);
    case LENGTH_LONG_LONG:
        return va_arg(arguments->list, unsigned long long);
    case LENGTH_SIZE:
        return va_arg(arguments->list, size_t);
    case LENGTH_INT:
        break;
    }
    return va_arg(arguments->list, unsigned);
}

static int64_t next_signed(struct arguments *arguments, enum length length)
{
    return length == LENGTH_INT ? va_arg(arguments->list, int)
                                : (int64_t)next_unsigned(arguments, length);
}

static void append_conversion(struct text *text, char conversion, enum length length,
                              struct arguments *arguments)
{
    char digits[24] = "";
    if (conversion == 's') {
        const char *string = va_arg(arguments->list, const char *);
        append(text, string != NULL ? string : "(null)");
        return;
    }
    if (conversion == 'c') {
        digits[0] = (char)va_arg(arguments->list, int);
        digits[1] = 0;
    } else if (conversion == 'd' || conversion == 'i') {
        int64_t value = next_signed(arguments, length);
        append(text, value < 0 ? "-" : "");
        ktest_write_decimal(digits, value < 0 ? -(uint64_t)value : (uint64_t)value);
    } else if (conversion == 'u') {
        ktest_write_decimal(digits, next_unsigned(arguments, length));
    } else if (conversion == 'x') {
        ktest_write_hex(digits, next_unsigned(arguments, length));
    } else if (conversion == 'p') {
        append(text, "0x");
        ktest_write_hex(digits, (uintptr_t)va_arg(arguments->list, void *));
    } else {
        digits[0] = '%';
        digits[1] = conversion == '%' ? 0 : conversion;
    }
    append(text, digits);
}

void ktest_vformat(char *buffer, size_t size_bytes, const char *format, va_list list)
{
    struct text text = {buffer, buffer, buffer + size_bytes - 1};
    struct arguments arguments;
    va_copy(arguments.list, list);
    *buffer = 0;
    for (; *format != 0; format++) {
        if (*format != '%') {
            append(&text, (char[2]){*format, 0});
            continue;
        }
        enum length length;
        format = parse_length(format + 1, &length);
        if (*format == 0) {
            break;
        }
        append_conversion(&text, *format, length, &arguments);
    }
    va_end(arguments.list);
}

void ktest_format(char *buffer, size_t size_bytes, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    ktest_vformat(buffer, size_bytes, format, arguments);
    va_end(arguments);
}
