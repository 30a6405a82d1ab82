// SPDX-License-Identifier: MIT
//
// The lines that were entered last. Pure; for one task.
#pragma once

#include "lib/error.h"
#include "lib/vector.h"

#define LINE_BYTES_MAX 256 // with the terminator
#define LINE_HISTORY_MAX 32

struct history_line {
    char text[LINE_BYTES_MAX];
};

// Empty with `vector.memory` set and all else zero. The newest stands last.
struct line_history {
    VECTOR(struct history_line);
};

// Adds a line of less than LINE_BYTES_MAX bytes; when there are LINE_HISTORY_MAX, the oldest goes.
// An empty one is not kept, and one that is the newest already not twice. ENOMEM: nothing has
// changed.
enum error line_history_add(struct line_history *history, const char *text);
