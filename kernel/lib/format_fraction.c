// SPDX-License-Identifier: MIT
//
// A quotient of integers in decimal, by long division: what a kernel without floating point prints
// in place of %f. The digit behind the last one wanted decides the rounding, and a carry may run
// through all nines into the whole part: 999/1000 with two decimals is 1.00.
#include "lib/format.h"

// The next decimal of remainder / denominator. Ten times the remainder may not fit into 64 bits,
// so it is added ten times, modulo the denominator; the carries are the digit.
static unsigned next_digit(uint64_t *remainder, uint64_t denominator)
{
    uint64_t sum = 0;
    unsigned digit = 0;

    for (int i = 0; i < 10; i++) {
        if (sum >= denominator - *remainder) {
            sum -= denominator - *remainder;
            digit++;
        } else {
            sum += *remainder;
        }
    }
    *remainder = sum;
    return digit;
}

// Adds one in the last place; true if it came out at the front.
static bool round_up(char *decimals, unsigned decimal_count)
{
    while (decimal_count != 0 && decimals[decimal_count - 1] == '9') {
        decimals[--decimal_count] = '0';
    }
    if (decimal_count == 0) {
        return true;
    }
    decimals[decimal_count - 1]++;
    return false;
}

struct fraction_text format_fraction(int64_t numerator, uint64_t denominator,
                                     unsigned decimal_count)
{
    struct fraction_text result = {};
    char decimals[FORMAT_FRACTION_DIGITS_MAX];
    const char *sign = numerator < 0 ? "-" : "";
    uint64_t magnitude = numerator < 0 ? -(uint64_t)numerator : (uint64_t)numerator;

    if (denominator == 0) {
        format_buffer(result.text, sizeof(result.text), "%s%lu/0", sign, magnitude);
        return result;
    }

    uint64_t whole = magnitude / denominator;
    uint64_t remainder = magnitude % denominator;

    if (decimal_count > FORMAT_FRACTION_DIGITS_MAX) {
        decimal_count = FORMAT_FRACTION_DIGITS_MAX;
    }
    for (unsigned i = 0; i < decimal_count; i++) {
        decimals[i] = (char)('0' + next_digit(&remainder, denominator));
    }
    if (remainder >= denominator - remainder && round_up(decimals, decimal_count)) {
        whole++;
    }
    format_buffer(result.text, sizeof(result.text), "%s%lu%s%.*s", sign, whole,
                  decimal_count != 0 ? "." : "", (int)decimal_count, decimals);
    return result;
}
