// SPDX-License-Identifier: MIT
//
// The formatter against what C11 7.21.6.1 says; the host build also compares it with the C library
// (host_format_diff.c).
#include "lib/format.h"

#include "ktest.h"

#include "lib/addr.h"
#include "lib/string.h"

static char text[160];

// For what the compiler's format check refuses or warns about: a pointer does not carry it.
static size_t (*volatile format_unchecked)(char *, size_t, const char *, ...) = format_buffer;

#define EXPECT_TEXT_BY_(function_, expected_, ...)                                                 \
    do {                                                                                           \
        size_t length_ = function_(text, sizeof(text), __VA_ARGS__);                               \
        KTEST_EXPECT_STREQ(test, text, expected_);                                                 \
        KTEST_EXPECT_EQ(test, length_, sizeof(expected_) - 1);                                     \
    } while (0)
#define EXPECT_TEXT(expected_, ...) EXPECT_TEXT_BY_(format_buffer, expected_, __VA_ARGS__)
#define EXPECT_UNCHECKED(expected_, ...) EXPECT_TEXT_BY_(format_unchecked, expected_, __VA_ARGS__)

KTEST(format, copies_text_without_conversions)
{
    EXPECT_TEXT("It did not crash!\n", "It did not crash!\n");
    EXPECT_UNCHECKED("", "");
}
KTEST_ATTR(format, copies_text_without_conversions, .proves = "3.12");

KTEST(format, prints_what_the_posts_print)
{
    EXPECT_TEXT("Hello! The numbers are 42 and 0.333", "Hello! The numbers are %d and %s", 42,
                format_fraction(1, 3, 3).text);
    EXPECT_TEXT("async number: 42\n", "async number: %u\n", 42u);
    EXPECT_TEXT("Some String 0x2a z", "%s %#x %c", "Some String", 42u, 'z');
}
KTEST_ATTR(format, prints_what_the_posts_print, .proves = "2.1.3 3.12");

KTEST(format, prints_signed_numbers)
{
    EXPECT_TEXT("0 42 -42", "%d %d %i", 0, 42, -42);
    EXPECT_TEXT("2147483647 -2147483648", "%d %d", INT32_MAX, INT32_MIN);
}
KTEST_ATTR(format, prints_signed_numbers, .proves = "3.12");

KTEST(format, prints_unsigned_numbers)
{
    EXPECT_TEXT("0 4294967295", "%u %u", 0u, UINT32_MAX);
}
KTEST_ATTR(format, prints_unsigned_numbers, .proves = "3.12");

KTEST(format, prints_64_bits)
{
    EXPECT_TEXT("9223372036854775807 -9223372036854775808", "%ld %ld", INT64_MAX, INT64_MIN);
    EXPECT_TEXT("18446744073709551615", "%lu", UINT64_MAX);
    EXPECT_TEXT("ffff800000001000", "%lx", 0xffff'8000'0000'1000u);
    EXPECT_TEXT("1777777777777777777777", "%lo", UINT64_MAX);
}
KTEST_ATTR(format, prints_64_bits, .proves = "3.12");

KTEST(format, prints_hexadecimal_and_octal)
{
    EXPECT_TEXT("9abcdef0 9ABCDEF0 0", "%x %X %x", 0x9abcdef0u, 0x9abcdef0u, 0u);
    EXPECT_TEXT("755 0", "%o %o", 0755u, 0u);
}
KTEST_ATTR(format, prints_hexadecimal_and_octal, .proves = "3.12");

KTEST(format, alternative_form_shows_the_base)
{
    EXPECT_TEXT("0xff 0XFF 0377", "%#x %#X %#o", 255u, 255u, 255u);
    EXPECT_TEXT("0 0 0", "%#x %#X %#o", 0u, 0u, 0u);
    EXPECT_TEXT("00377 0377", "%#.5o %#.3o", 255u, 255u);
    EXPECT_UNCHECKED("7 -7", "%#u %#d", 7u, -7);
}
KTEST_ATTR(format, alternative_form_shows_the_base, .proves = "3.12");

KTEST(format, lengths_cut_off_what_is_above_them)
{
    EXPECT_UNCHECKED("44 -1 255 1", "%hhd %hhd %hhu %hhx", 300, 255, 255u, 0x101u);
    EXPECT_UNCHECKED("4464 -1 65535 1", "%hd %hd %hu %hx", 70000, 65535, 65535u, 0x10001u);
    EXPECT_UNCHECKED("-128 -32768", "%hhd %hd", -128, -32768);
}
KTEST_ATTR(format, lengths_cut_off_what_is_above_them, .proves = "3.12");

// Each takes a whole word, and the argument behind it is the right one.
KTEST(format, long_lengths_take_64_bits)
{
    int64_t wide = -0x1'0000'0000;

    EXPECT_TEXT("-4294967296 1", "%ld %d", wide, 1);
    EXPECT_TEXT("-4294967296 2", "%lld %d", (long long)wide, 2);
    EXPECT_TEXT("4294967296 3", "%zu %d", (size_t)-wide, 3);
    EXPECT_TEXT("-4294967296 4", "%td %d", (ptrdiff_t)wide, 4);
    EXPECT_TEXT("-4294967296 5", "%jd %d", (intmax_t)wide, 5);
}
KTEST_ATTR(format, long_lengths_take_64_bits, .proves = "3.12");

KTEST(format, pads_to_the_width)
{
    EXPECT_TEXT("[   42][42   ]", "[%5d][%-5d]", 42, 42);
    EXPECT_TEXT("[  -42][-42  ]", "[%5d][%-5d]", -42, -42);
    EXPECT_TEXT("[  abc][abc  ]", "[%5s][%-5s]", "abc", "abc");
    EXPECT_TEXT("[  z][z  ]", "[%3c][%-3c]", 'z', 'z');
    EXPECT_TEXT("[ 0xff][0xff ]", "[%#5x][%-#5x]", 255u, 255u);
}
KTEST_ATTR(format, pads_to_the_width, .proves = "3.12");

KTEST(format, width_never_cuts_off)
{
    EXPECT_TEXT("12345 abcde", "%3d %3s", 12345, "abcde");
    EXPECT_TEXT("12345 abcde", "%5d %5s", 12345, "abcde");
    EXPECT_TEXT("-123", "%04d", -123);
    EXPECT_TEXT("-1234", "%04d", -1234);
}
KTEST_ATTR(format, width_never_cuts_off, .proves = "3.12");

KTEST(format, pads_beyond_a_chunk_of_blanks)
{
    EXPECT_TEXT("               1", "%16d", 1);
    EXPECT_TEXT("                1", "%17d", 1);
    EXPECT_TEXT("                                 1", "%34d", 1);
    EXPECT_TEXT("0000000000000000000000000000000001", "%034d", 1);
    EXPECT_TEXT("1                                 |", "%-34d|", 1);
}
KTEST_ATTR(format, pads_beyond_a_chunk_of_blanks, .proves = "3.12");

KTEST(format, pads_numbers_with_zeros)
{
    EXPECT_TEXT("00042 -0042 00000", "%05d %05d %05d", 42, -42, 0);
    EXPECT_TEXT("000000000000ff00 0x0000ff", "%016lx %#08x", UINT64_C(0xff00), 0xffu);
    EXPECT_TEXT("+0042  0042", "%+05d % 05d", 42, 42);
    EXPECT_TEXT("0007", "%#04o", 7u);
    EXPECT_TEXT("+0 0 -1", "%+01d %01d %02d", 0, 0, -1);
}
KTEST_ATTR(format, pads_numbers_with_zeros, .proves = "3.12");

KTEST(format, zeros_give_way_to_left_and_to_precision)
{
    EXPECT_UNCHECKED("42   |", "%-05d|", 42);
    EXPECT_UNCHECKED("42   |", "%0-5d|", 42);
    EXPECT_UNCHECKED("  042", "%05.3d", 42);
    EXPECT_UNCHECKED("   42", "%05.0d", 42);
}

KTEST(format, zeros_do_not_pad_text)
{
    EXPECT_UNCHECKED("  abc    z", "%05s %04c", "abc", 'z');
}

KTEST(format, positive_sign_on_request)
{
    EXPECT_TEXT("+42 -42 +0", "%+d %+d %+d", 42, -42, 0);
    EXPECT_TEXT(" 42 -42  0", "% d % d % d", 42, -42, 0);
    EXPECT_UNCHECKED("+42 +42", "%+ d % +d", 42, 42);
    EXPECT_UNCHECKED("42 2a", "%+u % x", 42u, 42u);
}

KTEST(format, precision_is_the_least_number_of_digits)
{
    EXPECT_TEXT("00042 -00042 42", "%.5d %.5d %.1d", 42, -42, 42);
    EXPECT_TEXT("[   00042][00042   ]", "[%8.5d][%-8.5d]", 42, 42);
    EXPECT_TEXT("0x002a", "%#.4x", 42u);
    EXPECT_TEXT("00000000000000000000000000000042", "%.32d", 42);
}
KTEST_ATTR(format, precision_is_the_least_number_of_digits, .proves = "3.12");

KTEST(format, zero_with_precision_zero_has_no_digits)
{
    EXPECT_TEXT("[][][+][   ]", "[%.0d][%.x][%+.0d][%3.0u]", 0, 0u, 0, 0u);
    EXPECT_TEXT("0", "%#.0o", 0u);
    EXPECT_TEXT("7", "%.0d", 7);
}

KTEST(format, precision_cuts_text_off)
{
    EXPECT_TEXT("[ab][   ab][]", "[%.2s][%5.2s][%.0s]", "abc", "abc", "abc");
    EXPECT_TEXT("abc", "%.9s", "abc");
}
KTEST_ATTR(format, precision_cuts_text_off, .proves = "3.12");

// Bytes behind the precision would be printed, or found by the address sanitizer on the host.
KTEST(format, precision_bounds_what_is_read)
{
    const char letters[3] = {'a', 'b', 'c'};

    EXPECT_TEXT("abc", "%.3s", letters);
    EXPECT_TEXT("ab", "%.*s", 2, letters);
    EXPECT_TEXT("", "%.*s", 0, letters + sizeof(letters));
}
KTEST_ATTR(format, precision_bounds_what_is_read, .proves = "3.12");

KTEST(format, width_and_precision_from_arguments)
{
    EXPECT_TEXT("[   42][42   ]", "[%*d][%*d]", 5, 42, -5, 42);
    EXPECT_TEXT("[00042][42]", "[%.*d][%.*d]", 5, 42, -5, 42);
    EXPECT_TEXT("[   ab]", "[%*.*s]", 5, 2, "abc");
    EXPECT_TEXT("abc", "%.*s", -1, "abc");
    EXPECT_TEXT("00042", "%0*d", 5, 42);
}
KTEST_ATTR(format, width_and_precision_from_arguments, .proves = "3.12");

// A precision that wrapped would be small or negative. It is that of a string, so that nothing as
// long as it is printed.
KTEST(format, numbers_in_the_format_stop_growing)
{
    EXPECT_UNCHECKED("abc", "%.99999999999999999999s", "abc");
    EXPECT_UNCHECKED("abc", "%.4294967297s", "abc");
    EXPECT_UNCHECKED("abc", "%.18446744073709551617s", "abc");
}

KTEST(format, prints_characters)
{
    EXPECT_TEXT("z\n%", "%c%c%c", 'z', '\n', '%');
    KTEST_EXPECT_EQ(test, format_buffer(text, sizeof(text), "a%cb", '\0'), 3);
    KTEST_EXPECT_MEMEQ(test, text, "a\0b", 4);
}
KTEST_ATTR(format, prints_characters, .proves = "3.12");

KTEST(format, prints_pointers)
{
    EXPECT_TEXT("0xffff800000001000", "%p", virt_addr_pointer(virt_addr(0xffff'8000'0000'1000)));
    EXPECT_TEXT("0x0", "%p", (void *)0);
    EXPECT_TEXT("[      0x2a][0x2a      ]", "[%10p][%-10p]", virt_addr_pointer(virt_addr(42)),
                virt_addr_pointer(virt_addr(42)));
}
KTEST_ATTR(format, prints_pointers, .proves = "3.12");

KTEST(format, prints_null_strings)
{
    const char *volatile nothing = NULL;

    EXPECT_TEXT("[(null)][  (null)][(nu]", "[%s][%8s][%.3s]", nothing, nothing, nothing);
}
KTEST_ATTR(format, prints_null_strings, .proves = "3.12");

KTEST(format, prints_booleans)
{
    EXPECT_TEXT("true false", "%s %s", format_bool(1 + 1 == 2), format_bool(1 + 1 == 3));
}
KTEST_ATTR(format, prints_booleans, .proves = "3.12");

KTEST(format, prints_percent_signs)
{
    EXPECT_TEXT("100% of 1%", "%d%% of %d%%", 100, 1);
}
KTEST_ATTR(format, prints_percent_signs, .proves = "3.12");

KTEST(format, unknown_conversions_are_visible)
{
    EXPECT_UNCHECKED("a %!q b", "a %q b", 1);
    EXPECT_UNCHECKED("%!f", "%5.1f", 1);
    EXPECT_UNCHECKED("%!n", "%n", NULL);
}
KTEST_ATTR(format, unknown_conversions_are_visible, .proves = "2.1.3 3.12");

KTEST(format, arguments_behind_an_unknown_conversion_are_not_read)
{
    EXPECT_UNCHECKED("1 %!q %s %d", "%d %q %s %d", 1, (const char *)1, 2);
}
KTEST_ATTR(format, arguments_behind_an_unknown_conversion_are_not_read, .proves = "3.12");

KTEST(format, unfinished_conversions_are_visible)
{
    EXPECT_UNCHECKED("100%!", "100%");
    EXPECT_UNCHECKED("%!", "%-08");
    EXPECT_UNCHECKED("%!", "%5.");
    EXPECT_UNCHECKED("%!", "%h");
    EXPECT_UNCHECKED("%!", "%ll");
}
KTEST_ATTR(format, unfinished_conversions_are_visible, .proves = "3.12");

KTEST(format, wide_characters_and_long_doubles_are_unknown)
{
    EXPECT_UNCHECKED("%!s", "%ls", L"wide");
    EXPECT_UNCHECKED("%!c", "%lc", 'w');
    EXPECT_UNCHECKED("%!Lf", "%Lf", 1);
    EXPECT_UNCHECKED("%!hd", "%lhd", 1);
    EXPECT_UNCHECKED("%!zd", "%zzd", 1);
}
