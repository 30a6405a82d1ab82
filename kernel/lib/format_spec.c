// SPDX-License-Identifier: MIT
//
// A format is read from left to right, once. Every state is passed at most once in a conversion, in
// this order; format.c has the first and the last of them:
//
//     LITERAL     up to '%' or the end: one write
//     FLAGS       any of "-0+ #", in any order and number
//     WIDTH       digits, or '*': the next argument
//     PRECISION   only after '.': digits (none: 0), or '*'
//     LENGTH      hh h l ll z t j, or nothing
//     CONVERSION  prints its argument, then LITERAL; unknown: prints what is left, then ends
#include "lib/format_spec.h"

#include <stdbool.h>

// In the order of enum format_flag.
static const char flag_characters[] = "-0+ #";

// 0 if the character is none.
static uint64_t flag_of(char character)
{
    for (unsigned i = 0; flag_characters[i] != '\0'; i++) {
        if (flag_characters[i] == character) {
            return BIT(i);
        }
    }
    return 0;
}

// Digits, none of them standing for 0, or '*'. Numbers stop growing at INT32_MAX.
static const char *read_number(const char *format, va_list *arguments, int *number_out)
{
    int64_t number = 0;

    if (*format == '*') {
        *number_out = va_arg(*arguments, int);
        return format + 1;
    }
    for (; '0' <= *format && *format <= '9'; format++) {
        number = number * 10 + (*format - '0');
        number = number < INT32_MAX ? number : INT32_MAX;
    }
    *number_out = (int)number;
    return format;
}

static const char *read_length(const char *format, enum format_length *length_out)
{
    bool is_doubled = (*format == 'h' || *format == 'l') && format[1] == *format;

    switch (*format) {
    case 'h':
        *length_out = is_doubled ? FORMAT_LENGTH_CHAR : FORMAT_LENGTH_SHORT;
        break;
    case 'l':
    case 'z':
    case 't':
    case 'j':
        *length_out = FORMAT_LENGTH_LONG;
        break;
    default:
        *length_out = FORMAT_LENGTH_INT;
        return format;
    }
    return format + (is_doubled ? 2 : 1);
}

const char *format_read_spec(const char *format, va_list *arguments, struct format_spec *spec_out)
{
    int width = 0;
    int precision = -1;

    *spec_out = (struct format_spec){};
    for (; flag_of(*format) != 0; format++) {
        spec_out->flags |= flag_of(*format);
    }
    format = read_number(format, arguments, &width);
    if (width < 0) {
        spec_out->flags |= FORMAT_LEFT;
    }
    spec_out->width = (size_t)(width < 0 ? -(int64_t)width : width);
    if (*format == '.') {
        format = read_number(format + 1, arguments, &precision);
    }
    spec_out->precision = precision < 0 ? FORMAT_NO_PRECISION : (size_t)precision;
    return read_length(format, &spec_out->length);
}
