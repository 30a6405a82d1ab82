// SPDX-License-Identifier: MIT
#include "monitor/line_history.h"

#include <stdbool.h>

#include "lib/string.h"

static bool is_newest(const struct line_history *history, const char *text)
{
    size_t count = history->vector.count;
    return count > 0 && strcmp(history->elements[count - 1].text, text) == 0;
}

enum error line_history_add(struct line_history *history, const char *text)
{
    struct history_line line;
    size_t size_bytes = strlen(text) + 1;
    assert(size_bytes <= sizeof(line.text));
    if (size_bytes == 1 || is_newest(history, text)) {
        return OK;
    }
    memcpy(line.text, text, size_bytes);
    if (history->vector.count == LINE_HISTORY_MAX) {
        history->vector.count--;
        memmove(history->elements, history->elements + 1, history->vector.count * sizeof(line));
    }
    return vector_push(history, line);
}
