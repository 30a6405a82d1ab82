// SPDX-License-Identifier: MIT
//
// What stands between a '%' and its letter: internal to the formatter.
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/bits.h"

enum format_flag {
    FORMAT_LEFT = BIT(0),        // '-'
    FORMAT_ZERO = BIT(1),        // '0'
    FORMAT_PLUS = BIT(2),        // '+'
    FORMAT_SPACE = BIT(3),       // ' '
    FORMAT_ALTERNATIVE = BIT(4), // '#'
};

// Bits of an integer argument. In the x86-64 ABI l, ll, z, t and j all stand for 64 of them.
enum format_length {
    FORMAT_LENGTH_CHAR = 8,
    FORMAT_LENGTH_SHORT = 16,
    FORMAT_LENGTH_INT = 32,
    FORMAT_LENGTH_LONG = 64,
};

#define FORMAT_NO_PRECISION SIZE_MAX

struct format_spec {
    uint64_t flags; // enum format_flag, or-ed
    size_t width;
    size_t precision;
    enum format_length length;
};

// Reads from behind the '%'; returns where the conversion's letter stands, or the format's end.
// Takes the arguments that '*' stands for.
const char *format_read_spec(const char *format, va_list *arguments, struct format_spec *spec_out);
