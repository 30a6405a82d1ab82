// SPDX-License-Identifier: MIT
//
// assert: a condition that only a bug of ours can break. It stays in every build.
#pragma once

#include "lib/panic.h"

// Panics with "assertion failed: " and the text of the condition, which is evaluated once.
#define assert(...)                                                                                \
    do {                                                                                           \
        if (__builtin_expect(!(__VA_ARGS__), 0)) {                                                 \
            panic("assertion failed: %s", #__VA_ARGS__);                                           \
        }                                                                                          \
    } while (0)
