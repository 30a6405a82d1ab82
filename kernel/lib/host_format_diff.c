// SPDX-License-Identifier: MIT
//
// The formatter against the C library's snprintf: random formats, of all that both define alike.
// Left out is what format.h says is different and what C leaves undefined (the flag 0 or a # with a
// text, flags with %p). Arguments are passed as words, which the x86-64 ABI lets va_arg read as any
// integer or pointer.
//
// host_format_diff [COUNT [SEED]]; prints TAP, and the first format that differs.
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/format.h"

// Made at random, so no compiler can check it.
#pragma GCC diagnostic ignored "-Wformat-nonliteral"

#define CONVERSIONS_MAX 3
#define ARGUMENTS_MAX (3 * CONVERSIONS_MAX)

struct sample {
    char format[160];
    size_t size_bytes;
    uint64_t arguments[ARGUMENTS_MAX];
    size_t argument_count;
};

static uint64_t random_state;

// xorshift64*: Vigna, An experimental exploration of Marsaglia's xorshift generators, 2016.
static uint64_t random_word(void)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return random_state * UINT64_C(0x2545f4914f6cdd1d);
}

static size_t random_below(size_t limit)
{
    return (size_t)((random_word() >> 32) % limit);
}

static void append(struct sample *sample, const char *text)
{
    size_t size_bytes = strlen(text);

    memcpy(sample->format + sample->size_bytes, text, size_bytes + 1);
    sample->size_bytes += size_bytes;
}

static void append_some_of(struct sample *sample, const char *characters, size_t limit)
{
    for (size_t count = random_below(limit + 1); count != 0; count--) {
        append(sample, (char[]){characters[random_below(strlen(characters))], '\0'});
    }
}

static void push(struct sample *sample, uint64_t argument)
{
    sample->arguments[sample->argument_count++] = argument;
}

static void append_number(struct sample *sample, bool may_be_negative)
{
    char digits[16];
    int number = (int)random_below(45);

    if (random_below(3) == 0) {
        append(sample, "*");
        push(sample, (uint64_t)(may_be_negative && random_below(4) == 0 ? -number : number));
        return;
    }
    if (number != 0) {
        snprintf(digits, sizeof(digits), "%d", number);
        append(sample, digits);
    }
}

// Small numbers, the limits of all lengths, and anything.
static uint64_t random_integer(void)
{
    uint64_t edge = (UINT64_C(1) << random_below(64)) + random_below(3) - 1;

    switch (random_below(4)) {
    case 0:
        return random_below(20);
    case 1:
        return edge;
    case 2:
        return ~edge;
    default:
        return random_word() >> random_below(64);
    }
}

static void append_width_and_precision(struct sample *sample)
{
    if (random_below(2) == 0) {
        append_number(sample, true);
    }
    if (random_below(2) == 0) {
        append(sample, ".");
        append_number(sample, true);
    }
}

static void append_integer(struct sample *sample)
{
    static const char *const lengths[] = {"", "hh", "h", "l", "ll", "z", "t", "j"};
    static const char *const conversions[] = {"d", "i", "u", "o", "x", "X"};

    append_some_of(sample, "-0+ #", 4);
    append_width_and_precision(sample);
    append(sample, lengths[random_below(8)]);
    append(sample, conversions[random_below(6)]);
    push(sample, random_integer());
}

static void append_text(struct sample *sample)
{
    static const char *const strings[] = {"", "a", "Faultline",
                                          "a line of some forty characters or so"};

    append_some_of(sample, "-", 2);
    append_width_and_precision(sample);
    append(sample, "s");
    push(sample, (uintptr_t)strings[random_below(4)]);
}

static void append_conversion(struct sample *sample)
{
    append(sample, "%");
    switch (random_below(8)) {
    case 0:
    case 1:
        append_text(sample);
        break;
    case 2:
        append_some_of(sample, "-", 1);
        append_number(sample, true);
        append(sample, "c");
        push(sample, random_below(255) + 1);
        break;
    case 3:
        append_some_of(sample, "-", 1);
        append_number(sample, true);
        append(sample, "p");
        push(sample, random_word() | 1);
        break;
    case 4:
        append(sample, "%");
        break;
    default:
        append_integer(sample);
        break;
    }
}

static struct sample random_sample(void)
{
    struct sample sample = {};

    for (size_t count = 1 + random_below(CONVERSIONS_MAX); count != 0; count--) {
        append_some_of(&sample, "ab :", 3);
        append_conversion(&sample);
    }
    append_some_of(&sample, "ab :", 3);
    return sample;
}

#define ARGUMENTS(a_)                                                                              \
    (a_)[0], (a_)[1], (a_)[2], (a_)[3], (a_)[4], (a_)[5], (a_)[6], (a_)[7], (a_)[8]

static bool is_same(const struct sample *sample)
{
    char expected[512];
    char actual[512];
    size_t room = random_below(2) == 0 ? sizeof(actual) : random_below(24);

    memset(expected, '#', sizeof(expected));
    memset(actual, '#', sizeof(actual));

    int expected_length = snprintf(expected, room, sample->format, ARGUMENTS(sample->arguments));
    size_t length = format_buffer(actual, room, sample->format, ARGUMENTS(sample->arguments));

    if (length == (size_t)expected_length && memcmp(expected, actual, sizeof(actual)) == 0) {
        return true;
    }
    printf("# format \"%s\", room %zu\n", sample->format, room);
    for (size_t i = 0; i < sample->argument_count; i++) {
        printf("# argument %zu is %#" PRIx64 "\n", i, sample->arguments[i]);
    }
    printf("# C library %d \"%.*s\"\n", expected_length, (int)sizeof(expected), expected);
    printf("# kernel    %zu \"%.*s\"\n", length, (int)sizeof(actual), actual);
    return false;
}

int main(int argc, char **argv)
{
    unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 0) : 200000;
    unsigned long seed = argc > 2 ? strtoul(argv[2], NULL, 0) : 1;

    random_state = seed * 2 + 1;
    printf("1..1\n# %lu formats, seed %lu\n", count, seed);
    for (unsigned long i = 0; i < count; i++) {
        struct sample sample = random_sample();

        if (!is_same(&sample)) {
            printf("not ok 1 format.agrees_with_the_c_library\n");
            return EXIT_FAILURE;
        }
    }
    printf("ok 1 format.agrees_with_the_c_library\n");
    return EXIT_SUCCESS;
}
