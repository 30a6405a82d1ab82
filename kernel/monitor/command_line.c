// SPDX-License-Identifier: MIT
#include "monitor/command_line.h"

#include <stdbool.h>

#include "lib/assert.h"
#include "lib/string.h"

// Copies the word down over its quotes, and terminates it. Returns where it has ended; NULL if a
// quote stays open.
static char *cut_word(char *word)
{
    char *to = word;
    char *from = word;
    bool is_quoted = false;
    for (; *from != 0 && (is_quoted || *from != ' '); from++) {
        if (*from == '"') {
            is_quoted = !is_quoted;
        } else {
            *to++ = *from;
        }
    }
    char *end = *from != 0 ? from + 1 : from;
    *to = 0;
    return is_quoted ? NULL : end;
}

enum error command_split(char *line, struct command_words *words_out)
{
    assert(strlen(line) < LINE_BYTES_MAX);
    words_out->count = 0;
    for (;;) {
        while (*line == ' ') {
            line++;
        }
        if (*line == 0) {
            return OK;
        }
        words_out->words[words_out->count++] = line;
        line = cut_word(line);
        if (line == NULL) {
            return EINVAL;
        }
    }
}

static unsigned digit_value(char digit)
{
    char letter = (char)(digit | ('a' ^ 'A'));
    if (digit >= '0' && digit <= '9') {
        return (unsigned)(digit - '0');
    }
    return letter >= 'a' && letter <= 'f' ? (unsigned)(letter - 'a' + 10) : UINT32_MAX;
}

enum error command_parse_number(const char *text, uint64_t *number_out)
{
    bool is_hexadecimal = strncmp(text, "0x", 2) == 0;
    const char *digits = is_hexadecimal ? text + 2 : text;
    unsigned base = is_hexadecimal ? 16 : 10;
    uint64_t number = 0;
    bool is_too_large = false;
    for (const char *digit = digits; *digit != 0; digit++) {
        unsigned value = digit_value(*digit);
        if (value >= base) {
            return EINVAL;
        }
        is_too_large |= __builtin_mul_overflow(number, (uint64_t)base, &number) ||
                        __builtin_add_overflow(number, (uint64_t)value, &number);
    }
    if (*digits == 0) {
        return EINVAL;
    }
    if (is_too_large) {
        return ERANGE;
    }
    *number_out = number;
    return OK;
}
