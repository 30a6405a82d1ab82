// SPDX-License-Identifier: MIT
//
// A prompt, and a line that is edited behind it. The screen is drawn with printable ASCII, "\r",
// "\b \b", "\n" and the bell only: so it comes out the same on a serial terminal and on a text
// screen (lib/text_screen.h), which know no other common language. A line that is wider than the
// screen is seen through a window that follows the cursor; the last column stays empty, for behind
// it some terminals wrap at once and others later.
//
// Pure; for one task.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/error.h"
#include "lib/format.h"
#include "lib/vector.h"
#include "monitor/line_history.h"
#include "monitor/line_key.h"

// A serial terminal does not say how wide it is.
#define LINE_EDITOR_COLUMNS 80

// What the word left of the cursor can become.
struct completion {
    VECTOR(const char *); // they live as long as they are needed
    const char *prefix;   // what is there of it; not terminated
    size_t prefix_bytes;
};

// Says by completion_offer which words can stand in the place of the one that begins at
// line[word_start]. Errors are those of completion_offer.
typedef enum error line_completer_t(const char *line, size_t word_start,
                                    struct completion *completion);

// Takes the word if it begins with the prefix. ENOMEM.
enum error completion_offer(struct completion *completion, const char *word);

struct line_editor {
    const struct writer *writer;
    const char *prompt; // shorter than a line of the screen
    line_completer_t *complete;

    // The line_editor functions' own:
    struct line_history history;
    size_t recalled;            // the line of the history that is edited; its count: a new one
    char draft[LINE_BYTES_MAX]; // the new one, while another is edited
    char text[LINE_BYTES_MAX];  // always terminated
    size_t length;
    size_t cursor;
    size_t first; // character in the window
    size_t shown; // characters in the window
    enum line_key last_key;
};

// `memory` is for the history and for completions.
void line_editor_init(struct line_editor *editor, const struct writer *writer, const char *prompt,
                      line_completer_t *complete, const struct memory_source *memory);

// Shows the prompt, and begins an empty line.
void line_editor_begin(struct line_editor *editor);

// Whether the line is entered; then it stands in editor->text until line_editor_begin.
bool line_editor_press(struct line_editor *editor, enum line_key key);

// Shows the prompt and the line, for when others have printed something: the cursor stands at the
// beginning of an empty line of the screen.
void line_editor_redraw(struct line_editor *editor);
