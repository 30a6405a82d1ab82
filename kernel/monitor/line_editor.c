// SPDX-License-Identifier: MIT
#include "monitor/line_editor.h"

#include "lib/assert.h"
#include "lib/string.h"

// --- The screen ---------------------------------------------------------------------------------

static void ring_bell(struct line_editor *editor)
{
    format_write(editor->writer, "\a");
}

// Characters that the window has room for; the cursor may also stand behind the last one.
static size_t window_size(const struct line_editor *editor)
{
    return LINE_EDITOR_COLUMNS - 1 - strlen(editor->prompt);
}

// By half a window, so that it does not move with each key.
static void move_window(struct line_editor *editor)
{
    size_t size = window_size(editor);
    bool is_in_front = editor->cursor <= editor->first;
    if (is_in_front || editor->cursor > editor->first + size) {
        editor->first = editor->cursor > size / 2 ? editor->cursor - size / 2 : 0;
    }
}

// Draws all of it, and then, unless the cursor is there already, once more what stands left of it.
void line_editor_redraw(struct line_editor *editor)
{
    move_window(editor);
    const char *start = editor->text + editor->first;
    size_t old = editor->shown;
    size_t size = window_size(editor);
    size_t rest = editor->length - editor->first;
    editor->shown = rest < size ? rest : size;
    int blanks = old > editor->shown ? (int)(old - editor->shown) : 0;
    format_write(editor->writer, "\r%s%.*s%*s", editor->prompt, (int)editor->shown, start, blanks,
                 "");
    size_t left_of_cursor = editor->cursor - editor->first;
    if (blanks > 0 || left_of_cursor < editor->shown) {
        format_write(editor->writer, "\r%s%.*s", editor->prompt, (int)left_of_cursor, start);
    }
}

// Something to read between two drawings of the line.
[[gnu::format(printf, 2, 3)]] static void say(struct line_editor *editor, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    format_write(editor->writer, "\n");
    format_vwrite(editor->writer, format, arguments);
    format_write(editor->writer, "\n");
    va_end(arguments);
    line_editor_redraw(editor);
}

// --- Changes of the line ------------------------------------------------------------------------

static void insert(struct line_editor *editor, const char *text, size_t size_bytes)
{
    if (size_bytes >= sizeof(editor->text) - editor->length) {
        ring_bell(editor);
        return;
    }
    char *place = editor->text + editor->cursor;
    bool is_at_end = editor->cursor == editor->length;
    memmove(place + size_bytes, place, editor->length - editor->cursor + 1);
    memcpy(place, text, size_bytes);
    editor->length += size_bytes;
    editor->cursor += size_bytes;
    if (is_at_end && editor->cursor <= editor->first + window_size(editor)) {
        format_write(editor->writer, "%.*s", (int)size_bytes, text);
        editor->shown = editor->length - editor->first;
    } else {
        line_editor_redraw(editor);
    }
}

static void move_to(struct line_editor *editor, size_t place)
{
    if (place == editor->cursor) {
        ring_bell(editor);
        return;
    }
    editor->cursor = place;
    line_editor_redraw(editor);
}

// Removes what lies in [from, to), where the cursor is then.
static void remove(struct line_editor *editor, size_t from, size_t to)
{
    if (from == to) {
        ring_bell(editor);
        return;
    }
    bool is_last = to == editor->length && editor->cursor == to && to - from == 1;
    memmove(editor->text + from, editor->text + to, editor->length - to + 1);
    editor->length -= to - from;
    editor->cursor = from;
    if (is_last && from > editor->first) {
        format_write(editor->writer, "\b \b");
        editor->shown--;
    } else {
        line_editor_redraw(editor);
    }
}

static void replace(struct line_editor *editor, const char *text)
{
    editor->length = strlen(text);
    editor->cursor = editor->length;
    memcpy(editor->text, text, editor->length + 1);
    line_editor_redraw(editor);
}

// Where the word begins that ends at the cursor, behind it blanks at most.
static size_t word_start(const struct line_editor *editor, size_t end)
{
    while (end > 0 && editor->text[end - 1] != ' ') {
        end--;
    }
    return end;
}

// --- Completion ---------------------------------------------------------------------------------

enum error completion_offer(struct completion *completion, const char *word)
{
    if (strncmp(word, completion->prefix, completion->prefix_bytes) != 0) {
        return OK;
    }
    return vector_push(completion, word);
}

// What all of them begin with.
static size_t common_bytes(const struct completion *completion)
{
    const char *first = completion->elements[0];
    size_t size_bytes = strlen(first);
    for (size_t i = 1; i < completion->vector.count; i++) {
        while (strncmp(first, completion->elements[i], size_bytes) != 0) {
            size_bytes--;
        }
    }
    return size_bytes;
}

static void list(struct line_editor *editor, const struct completion *completion)
{
    size_t column = LINE_EDITOR_COLUMNS;
    for (size_t i = 0; i < completion->vector.count; i++) {
        const char *word = completion->elements[i];
        column += 2 + strlen(word);
        bool is_full = column >= LINE_EDITOR_COLUMNS;
        format_write(editor->writer, "%s%s", is_full ? "\n" : "  ", word);
        column = is_full ? strlen(word) : column;
    }
    format_write(editor->writer, "\n");
    line_editor_redraw(editor);
}

static void apply(struct line_editor *editor, const struct completion *completion)
{
    size_t count = completion->vector.count;
    size_t added_bytes = count > 0 ? common_bytes(completion) - completion->prefix_bytes : 0;
    if (added_bytes > 0) {
        insert(editor, completion->elements[0] + completion->prefix_bytes, added_bytes);
    }
    if (count == 1) {
        insert(editor, " ", 1);
    } else if (count > 1 && editor->last_key == LINE_KEY_COMPLETE) {
        list(editor, completion);
    } else if (added_bytes == 0) {
        ring_bell(editor);
    }
}

static void complete(struct line_editor *editor)
{
    size_t start = word_start(editor, editor->cursor);
    struct completion completion = {
        .vector = {.memory = editor->history.vector.memory},
        .prefix = editor->text + start,
        .prefix_bytes = editor->cursor - start,
    };
    enum error error = editor->complete(editor->text, start, &completion);
    if (error == OK) {
        apply(editor, &completion);
    } else {
        say(editor, "no completion: %s", error_name(error));
    }
    vector_free(&completion);
}

// --- Keys ---------------------------------------------------------------------------------------

static void backspace(struct line_editor *editor)
{
    remove(editor, editor->cursor > 0 ? editor->cursor - 1 : 0, editor->cursor);
}

static void delete (struct line_editor *editor)
{
    bool is_at_end = editor->cursor == editor->length;
    remove(editor, editor->cursor, is_at_end ? editor->cursor : editor->cursor + 1);
}

static void left(struct line_editor *editor)
{
    move_to(editor, editor->cursor > 0 ? editor->cursor - 1 : 0);
}

static void right(struct line_editor *editor)
{
    move_to(editor, editor->cursor < editor->length ? editor->cursor + 1 : editor->length);
}

static void home(struct line_editor *editor)
{
    move_to(editor, 0);
}

static void end(struct line_editor *editor)
{
    move_to(editor, editor->length);
}

static void up(struct line_editor *editor)
{
    if (editor->recalled == 0) {
        ring_bell(editor);
        return;
    }
    if (editor->recalled == editor->history.vector.count) {
        memcpy(editor->draft, editor->text, sizeof(editor->draft));
    }
    editor->recalled--;
    replace(editor, editor->history.elements[editor->recalled].text);
}

static void down(struct line_editor *editor)
{
    size_t count = editor->history.vector.count;
    if (editor->recalled == count) {
        ring_bell(editor);
        return;
    }
    editor->recalled++;
    bool is_new = editor->recalled == count;
    replace(editor, is_new ? editor->draft : editor->history.elements[editor->recalled].text);
}

static void kill_word(struct line_editor *editor)
{
    size_t end_of_word = editor->cursor;
    while (end_of_word > 0 && editor->text[end_of_word - 1] == ' ') {
        end_of_word--;
    }
    remove(editor, word_start(editor, end_of_word), editor->cursor);
}

static void kill_to_start(struct line_editor *editor)
{
    remove(editor, 0, editor->cursor);
}

static void kill_to_end(struct line_editor *editor)
{
    remove(editor, editor->cursor, editor->length);
}

// Behind all of the line, so that nothing of it is written over.
static void cancel(struct line_editor *editor)
{
    if (editor->cursor < editor->length) {
        end(editor);
    }
    format_write(editor->writer, "^C\n");
    line_editor_begin(editor);
}

static void redraw(struct line_editor *editor)
{
    format_write(editor->writer, "\n");
    line_editor_redraw(editor);
}

static void enter(struct line_editor *editor)
{
    format_write(editor->writer, "\n");
    enum error error = line_history_add(&editor->history, editor->text);
    if (error != OK) {
        format_write(editor->writer, "this line will not be remembered: %s\n", error_name(error));
    }
}

typedef void action_t(struct line_editor *editor);

static action_t *const actions[LINE_KEY_END_OF_KEYS - LINE_KEY_ENTER] = {
    [LINE_KEY_ENTER - LINE_KEY_ENTER] = enter, // NOLINT(misc-redundant-expression): as the others
    [LINE_KEY_BACKSPACE - LINE_KEY_ENTER] = backspace,
    [LINE_KEY_DELETE - LINE_KEY_ENTER] = delete,
    [LINE_KEY_LEFT - LINE_KEY_ENTER] = left,
    [LINE_KEY_RIGHT - LINE_KEY_ENTER] = right,
    [LINE_KEY_HOME - LINE_KEY_ENTER] = home,
    [LINE_KEY_END - LINE_KEY_ENTER] = end,
    [LINE_KEY_UP - LINE_KEY_ENTER] = up,
    [LINE_KEY_DOWN - LINE_KEY_ENTER] = down,
    [LINE_KEY_KILL_WORD - LINE_KEY_ENTER] = kill_word,
    [LINE_KEY_KILL_TO_START - LINE_KEY_ENTER] = kill_to_start,
    [LINE_KEY_KILL_TO_END - LINE_KEY_ENTER] = kill_to_end,
    [LINE_KEY_COMPLETE - LINE_KEY_ENTER] = complete,
    [LINE_KEY_CANCEL - LINE_KEY_ENTER] = cancel,
    [LINE_KEY_REDRAW - LINE_KEY_ENTER] = redraw,
    [LINE_KEY_UNKNOWN - LINE_KEY_ENTER] = ring_bell,
};

bool line_editor_press(struct line_editor *editor, enum line_key key)
{
    if (key == LINE_KEY_NONE) {
        return false;
    }
    if (key < LINE_KEY_ENTER) {
        char character = (char)key;
        assert(character >= ' ' && character <= '~');
        insert(editor, &character, 1);
    } else {
        assert(key < LINE_KEY_END_OF_KEYS);
        actions[key - LINE_KEY_ENTER](editor);
    }
    editor->last_key = key;
    return key == LINE_KEY_ENTER;
}

// --- Lines --------------------------------------------------------------------------------------

void line_editor_init(struct line_editor *editor, const struct writer *writer, const char *prompt,
                      line_completer_t *complete_word, const struct memory_source *memory)
{
    assert(strlen(prompt) < LINE_EDITOR_COLUMNS / 2);
    *editor = (struct line_editor){
        .writer = writer,
        .prompt = prompt,
        .complete = complete_word,
        .history = {.vector = {.memory = memory}},
    };
}

void line_editor_begin(struct line_editor *editor)
{
    editor->text[0] = 0;
    editor->length = 0;
    editor->cursor = 0;
    editor->first = 0;
    editor->shown = 0;
    editor->recalled = editor->history.vector.count;
    format_write(editor->writer, "%s", editor->prompt);
}
