// SPDX-License-Identifier: MIT
//
// Text put together piece by piece, as long as there is memory: the growable struct text_buffer.
// The caller locks.
#pragma once

#include "lib/error.h"
#include "lib/vector.h"

// Empty with `vector.memory` set and all else zero; vector_free() gives its memory back.
// `vector.count` is the length, without the terminator that stands behind it.
struct string_builder {
    VECTOR(char);
};

// ENOMEM: the text is as it was. The arguments may not be the text itself.
[[gnu::format(printf, 2, 3)]] enum error string_append(struct string_builder *builder,
                                                       const char *format, ...);

// Terminated, never NULL, and good until the next change.
const char *string_text(const struct string_builder *builder);
