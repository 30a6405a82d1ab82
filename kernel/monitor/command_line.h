// SPDX-License-Identifier: MIT
//
// A line of the prompt as the words of a command, and words as numbers. Nothing is allocated: at
// the prompt of a kernel that has no memory left one can still look why.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"
#include "monitor/line_history.h"

#define COMMAND_WORDS_MAX (LINE_BYTES_MAX / 2)

struct command_words {
    size_t count;
    char *words[COMMAND_WORDS_MAX];
};

// Cuts the line in place at its blanks; what stands between double quotes is one word, or a part of
// one. The line has less than LINE_BYTES_MAX bytes. EINVAL if a quote is not closed.
enum error command_split(char *line, struct command_words *words_out);

// Decimal, or hexadecimal behind 0x. EINVAL: it is no such number; ERANGE: it has more than 64
// bits.
enum error command_parse_number(const char *text, uint64_t *number_out);
