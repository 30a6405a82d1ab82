// SPDX-License-Identifier: MIT
//
// panic: the kernel cannot go on. For our own bugs and for a machine without what we need; never
// for anything that a user, a disk or a boot loader can cause: those get an enum error.
//
// Declared here, at the bottom of the tree, so that every layer can reach it; debug/ implements it.
// Callable in any context, before any initialisation, with any lock held.
#pragma once

#include <stdint.h>

// A place in the source. Records are constant and never freed.
struct source_site {
    const char *file;
    const char *function;
    uint32_t line;
};

// `format` is that of format_write() and holds no newline at its end.
[[gnu::noreturn, gnu::cold, gnu::format(printf, 2, 3)]] void
panic_at(const struct source_site *site, const char *format, ...);

// panic("no memory map"), panic("vector %u has no handler", vector)
#define panic(...)                                                                                 \
    do {                                                                                           \
        static const struct source_site source_site_ = {__FILE__, __func__, __LINE__};             \
        panic_at(&source_site_, __VA_ARGS__);                                                      \
    } while (0)
