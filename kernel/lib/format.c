// SPDX-License-Identifier: MIT
//
// printf for a kernel: prints what format_spec.c reads. Text leaves through put() piece by piece,
// so that no buffer limits its length and the largest thing on the stack are the digits of one
// number. Source: C11 7.21.6.1.
#include "lib/format.h"

#include "lib/bits.h"
#include "lib/format_spec.h"
#include "lib/string.h"

// The digits of 2^64 - 1 in octal: the longest.
#define DIGITS_MAX 22

struct formatter {
    const struct writer *writer;
    size_t size_bytes; // written so far
    va_list arguments;
};

static void put(struct formatter *formatter, const char *bytes, size_t size_bytes)
{
    if (size_bytes != 0) {
        formatter->writer->write(formatter->writer->context, bytes, size_bytes);
        formatter->size_bytes += size_bytes;
    }
}

static void pad(struct formatter *formatter, char blank, size_t size_bytes)
{
    const char *blanks = blank == '0' ? "0000000000000000" : "                ";

    for (; size_bytes > 16; size_bytes -= 16) {
        put(formatter, blanks, 16);
    }
    put(formatter, blanks, size_bytes);
}

// What is shorter than an int was passed as one, with anything above its own bits.
static uint64_t take_unsigned(struct formatter *formatter, enum format_length length)
{
    if (length == FORMAT_LENGTH_LONG) {
        return va_arg(formatter->arguments, uint64_t);
    }
    return va_arg(formatter->arguments, unsigned) & GENMASK(length - 1, 0);
}

static int64_t take_signed(struct formatter *formatter, enum format_length length)
{
    uint64_t sign = BIT(length - 1);

    return (int64_t)((take_unsigned(formatter, length) ^ sign) - sign);
}

// What a conversion prints, apart from the spaces around it.
struct field {
    const char *prefix; // a sign, 0x or nothing
    size_t zero_count;
    const char *text;
    size_t text_size;
};

static void emit_field(struct formatter *formatter, const struct format_spec *spec,
                       struct field field)
{
    size_t prefix_size = strlen(field.prefix);
    size_t size_bytes = prefix_size + field.zero_count + field.text_size;
    size_t padding = spec->width > size_bytes ? spec->width - size_bytes : 0;

    pad(formatter, ' ', (spec->flags & FORMAT_LEFT) != 0 ? 0 : padding);
    put(formatter, field.prefix, prefix_size);
    pad(formatter, '0', field.zero_count);
    put(formatter, field.text, field.text_size);
    pad(formatter, ' ', (spec->flags & FORMAT_LEFT) != 0 ? padding : 0);
}

// Writes backwards from `end` and returns where the digits begin.
static char *write_digits(char *end, uint64_t value, char conversion)
{
    const char *alphabet = conversion == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
    unsigned shift = conversion == 'o' ? 3 : 4;

    if (conversion == 'd' || conversion == 'u') {
        for (; value != 0; value /= 10) {
            *--end = alphabet[value % 10];
        }
        return end;
    }
    for (; value != 0; value >>= shift) {
        *--end = alphabet[value & (BIT(shift) - 1)];
    }
    return end;
}

static void emit_number(struct formatter *formatter, const struct format_spec *spec,
                        char conversion, const char *prefix, uint64_t value)
{
    char digits[DIGITS_MAX];
    char *first = write_digits(digits + DIGITS_MAX, value, conversion);
    size_t digit_count = (size_t)(digits + DIGITS_MAX - first);
    size_t wanted = spec->precision == FORMAT_NO_PRECISION ? 1 : spec->precision;

    if ((spec->flags & (FORMAT_LEFT | FORMAT_ZERO)) == FORMAT_ZERO &&
        spec->precision == FORMAT_NO_PRECISION) {
        size_t prefix_size = strlen(prefix);

        wanted = spec->width > prefix_size + 1 ? spec->width - prefix_size : 1;
    }
    if (conversion == 'o' && (spec->flags & FORMAT_ALTERNATIVE) != 0 && wanted <= digit_count) {
        wanted = digit_count + 1;
    }

    size_t zero_count = wanted > digit_count ? wanted - digit_count : 0;

    emit_field(formatter, spec, (struct field){prefix, zero_count, first, digit_count});
}

static void emit_signed(struct formatter *formatter, const struct format_spec *spec)
{
    int64_t value = take_signed(formatter, spec->length);
    const char *sign = (spec->flags & FORMAT_PLUS) != 0    ? "+"
                       : (spec->flags & FORMAT_SPACE) != 0 ? " "
                                                           : "";

    // Negated as unsigned, because -INT64_MIN is none.
    emit_number(formatter, spec, 'd', value < 0 ? "-" : sign,
                value < 0 ? -(uint64_t)value : (uint64_t)value);
}

static void emit_unsigned(struct formatter *formatter, const struct format_spec *spec,
                          char conversion)
{
    uint64_t value = take_unsigned(formatter, spec->length);
    const char *prefix = "";

    if ((spec->flags & FORMAT_ALTERNATIVE) != 0 && value != 0) {
        prefix = conversion == 'x' ? "0x" : conversion == 'X' ? "0X" : "";
    }
    emit_number(formatter, spec, conversion, prefix, value);
}

static void emit_string(struct formatter *formatter, const struct format_spec *spec)
{
    const char *string = va_arg(formatter->arguments, const char *);

    if (string == NULL) {
        string = "(null)";
    }
    size_t size_bytes = strnlen(string, spec->precision);

    emit_field(formatter, spec, (struct field){"", 0, string, size_bytes});
}

static void emit_character(struct formatter *formatter, const struct format_spec *spec)
{
    char character = (char)va_arg(formatter->arguments, int);

    emit_field(formatter, spec, (struct field){"", 0, &character, 1});
}

static void emit_pointer(struct formatter *formatter, const struct format_spec *spec)
{
    emit_number(formatter, spec, 'x', "0x", (uintptr_t)va_arg(formatter->arguments, void *));
}

// Prints one argument; false if the conversion is unknown.
static bool emit(struct formatter *formatter, const struct format_spec *spec, char conversion)
{
    switch (conversion) {
    case 'd':
    case 'i':
        emit_signed(formatter, spec);
        return true;
    case 'u':
    case 'o':
    case 'x':
    case 'X':
        emit_unsigned(formatter, spec, conversion);
        return true;
    case 'c':
        emit_character(formatter, spec);
        return true;
    case 's':
        emit_string(formatter, spec);
        return true;
    case 'p':
        emit_pointer(formatter, spec);
        return true;
    case '%':
        put(formatter, "%", 1);
        return true;
    default:
        return false;
    }
}

// Prints the conversion behind a '%' and returns what follows it.
static const char *convert(struct formatter *formatter, const char *format)
{
    struct format_spec spec;
    const char *conversion = format_read_spec(format, &formatter->arguments, &spec);
    bool is_wide = spec.length == FORMAT_LENGTH_LONG && (*conversion == 'c' || *conversion == 's');

    if (!is_wide && emit(formatter, &spec, *conversion)) {
        return conversion + 1;
    }

    size_t size_left = strlen(conversion);

    put(formatter, "%!", 2);
    put(formatter, conversion, size_left);
    return conversion + size_left;
}

size_t format_vwrite(const struct writer *writer, const char *format, va_list arguments)
{
    struct formatter formatter = {.writer = writer};

    va_copy(formatter.arguments, arguments);
    while (*format != '\0') {
        const char *literal = format;

        while (*format != '\0' && *format != '%') {
            format++;
        }
        put(&formatter, literal, (size_t)(format - literal));
        if (*format == '%') {
            format = convert(&formatter, format + 1);
        }
    }
    va_end(formatter.arguments);
    return formatter.size_bytes;
}

size_t format_write(const struct writer *writer, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    size_t size_bytes = format_vwrite(writer, format, arguments);
    va_end(arguments);
    return size_bytes;
}
