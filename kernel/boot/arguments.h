// SPDX-License-Identifier: MIT
//
// Run-time arguments: words of the form key=value, from the boot command line and from the fw_cfg
// file opt/faultline/ktest, which wins where both have a key. A word without '=' has the value "".
// A value with spaces stands in double quotes: key="some words".
#pragma once

#include <stddef.h>

#include "lib/error.h"

#define ARGUMENTS_BYTES_MAX 131072 // a selection of tests names each of them, if need be
#define ARGUMENTS_COUNT_MAX 64

struct arguments {
    char text[ARGUMENTS_BYTES_MAX];
    const char *keys[ARGUMENTS_COUNT_MAX];
    const char *values[ARGUMENTS_COUNT_MAX];
    size_t used_bytes;
    size_t count;
};

// Adds the words of `words`. ENOSPC if they don't fit (none of them is added then), EINVAL for a
// quote that is not closed.
enum error arguments_add(struct arguments *arguments, const char *words);

// The value of the last word with that key; NULL if there is none.
const char *arguments_lookup(const struct arguments *arguments, const char *key);

// The kernel's own arguments, once arguments_init has read them. Not in an interrupt.
enum error arguments_init(const char *command_line);
const char *argument(const char *key);
