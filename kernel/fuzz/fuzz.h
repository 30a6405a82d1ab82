// SPDX-License-Identifier: MIT
//
// What the fuzzers share: operations read from the bytes, and a panic that libFuzzer sees.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/panic.h"

struct fuzz_input {
    const uint8_t *bytes;
    size_t left;
};

// 0 when they are used up.
static inline unsigned fuzz_next(struct fuzz_input *input)
{
    if (input->left == 0) {
        return 0;
    }
    input->left--;
    return *input->bytes++;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

void panic_at(const struct source_site *site, const char *format, ...)
{
    (void)site;
    (void)format;
    __builtin_trap();
}
