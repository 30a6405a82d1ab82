// SPDX-License-Identifier: MIT
//
// The one formatter: the same code prints to serial, to the screen and into memory.
//
// Callable in any context: it allocates nothing, takes no lock, does not recurse and needs 650
// bytes of stack (1,400 at -O0) apart from the writer. The compiler checks formats against
// arguments.
//
//     %[flags][width][.precision][length]conversion
//
//     flags       - left   0 zeros   + sign   space   # alternative form
//     width, precision   a number or *; a negative width is the flag -, a negative precision none
//     length      hh h l ll z t j
//     conversion  d i u o x X c s p %
//
// As in C, apart from these:
//   - %s of NULL prints (null); %p prints 0x and hexadecimal digits, NULL is 0x0.
//   - No floating point (the kernel has no SSE): take format_fraction(). No %n, no wide characters.
//   - Any other conversion q prints as %!q. What its argument was is unknown, so those behind it
//     are not touched: the rest of the format is printed as it stands.
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Where the text goes: `write` takes the next `size_bytes` (at least 1) of it. It is called several
// times for one format; `bytes` is not terminated and not valid after the call.
struct writer {
    void (*write)(void *context, const char *bytes, size_t size_bytes);
    void *context;
};

// Both return the number of bytes written.
[[gnu::format(printf, 2, 3)]] size_t format_write(const struct writer *writer, const char *format,
                                                  ...);
[[gnu::format(printf, 2, 0)]] size_t format_vwrite(const struct writer *writer, const char *format,
                                                   va_list arguments);

// Into memory, like snprintf(): always terminated, cut off where the buffer ends, and the length of
// the whole text is returned: it was cut off if that is >= size_bytes. With a size of 0 nothing is
// written and `buffer` may be NULL.
[[gnu::format(printf, 3, 4)]] size_t format_buffer(char *buffer, size_t size_bytes,
                                                   const char *format, ...);
[[gnu::format(printf, 3, 0)]] size_t format_vbuffer(char *buffer, size_t size_bytes,
                                                    const char *format, va_list arguments);

// Text that is put together piece by piece: {buffer, sizeof(buffer), 0}. Always terminated after
// the first piece; what does not fit is cut off.
struct text_buffer {
    char *text;
    size_t size_bytes; // at least 1
    size_t used_bytes; // without the terminator
};

[[gnu::format(printf, 2, 3)]] void text_append(struct text_buffer *buffer, const char *format, ...);

// For %s: "true" or "false".
static inline const char *format_bool(bool value)
{
    return value ? "true" : "false";
}

#define FORMAT_FRACTION_DIGITS_MAX 20

// The longest is a sign, 19 digits, the point, the decimals and the end.
struct fraction_text {
    char text[1 + 19 + 1 + FORMAT_FRACTION_DIGITS_MAX + 1];
};

// The quotient in decimal, exactly rounded (halves away from zero) to `decimal_count` digits behind
// the point, at most FORMAT_FRACTION_DIGITS_MAX; without a point if that is 0. This stands in for
// %f: format_write(writer, "%d and %s", 42, format_fraction(1, 3, 4).text) prints 42 and 0.3333.
// A denominator of 0 prints as the division it is: 1/0.
struct fraction_text format_fraction(int64_t numerator, uint64_t denominator,
                                     unsigned decimal_count);
