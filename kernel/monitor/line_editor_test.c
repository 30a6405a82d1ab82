// SPDX-License-Identifier: MIT
//
// All that the editor draws goes to two screens, which have to agree after each key: the kernel's
// own text screen, and a serial terminal, where '\b' erases nothing.
#include "monitor/line_editor.h"

#include "ktest.h"
#include "lib/bits.h"
#include "lib/string.h"
#include "lib/test_memory.h"
#include "lib/test_random.h"
#include "lib/text_screen.h"

#define ROWS 25
#define COLUMNS 80
#define PROMPT "> "
#define WINDOW (COLUMNS - 1 - 2)

static struct test_memory memory;
static struct line_editor editor;
static unsigned bell_count;

// --- The screens --------------------------------------------------------------------------------

static _Alignas(8) struct text_cell cells[ROWS * COLUMNS];

static void show(void *context, size_t first, const struct text_cell *shown, size_t count)
{
    (void)context;
    (void)first;
    (void)shown;
    (void)count;
}

static const struct text_device device = {.show = show};
static struct text_screen screen;

// The last row of a terminal, and the one above.
static struct {
    char row[COLUMNS + 1];
    char above[COLUMNS + 1];
    size_t column;
    bool has_wrapped;
} terminal;

static void clear_row(void)
{
    memset(terminal.row, ' ', COLUMNS);
}

static void terminal_put(char byte)
{
    if (byte == '\a') {
        bell_count++;
    } else if (byte == '\r') {
        terminal.column = 0;
    } else if (byte == '\b') {
        terminal.column -= terminal.column > 0;
    } else if (byte == '\n') {
        memcpy(terminal.above, terminal.row, COLUMNS);
        clear_row();
        terminal.column = 0;
    } else if (terminal.column + 1 < COLUMNS) {
        terminal.row[terminal.column++] = byte;
    } else {
        terminal.has_wrapped = true; // some do so now, and some with the next character
    }
}

static void write_both(void *context, const char *bytes, size_t size_bytes)
{
    (void)context;
    text_screen_write(&screen, bytes, size_bytes);
    for (size_t i = 0; i < size_bytes; i++) {
        terminal_put(bytes[i]);
    }
}

static const struct writer writer = {.write = write_both};

// Both show this in their last row, with the cursor in that column.
static void expect_shown(struct ktest *test, const char *text, size_t column)
{
    char expected[COLUMNS + 1];
    char seen[COLUMNS + 1];
    format_buffer(expected, sizeof(expected), "%-80s", text);
    for (size_t i = 0; i < COLUMNS; i++) {
        seen[i] = (char)text_screen_cell(&screen, ROWS - 1, i).character;
    }
    seen[COLUMNS] = 0;
    KTEST_ASSERT_STREQ(test, seen, expected);
    KTEST_ASSERT_STREQ(test, terminal.row, expected);
    KTEST_ASSERT_EQ(test, screen.column, column);
    KTEST_ASSERT_EQ(test, terminal.column, column);
    KTEST_ASSERT_FALSE(test, terminal.has_wrapped);
}

// --- The editor ---------------------------------------------------------------------------------

static const char *const words[] = {"frames", "help",   "heap",    "heron",
                                    "x",      "symbol", "symbols", "sync"};

static enum error complete(const char *line, size_t word_start, struct completion *completion)
{
    (void)line;
    enum error error = OK;
    for (size_t i = 0; i < ARRAY_SIZE(words) && error == OK && word_start == 0; i++) {
        error = completion_offer(completion, words[i]);
    }
    return error;
}

static void init(struct ktest *test)
{
    (void)test;
    test_memory_init(&memory);
    screen = (struct text_screen){
        .cells = cells, .row_count = ROWS, .column_count = COLUMNS, .device = &device};
    text_screen_clear(&screen);
    memset(&terminal, 0, sizeof(terminal));
    clear_row();
    bell_count = 0;
    line_editor_init(&editor, &writer, PROMPT, complete, &memory.source);
    line_editor_begin(&editor);
}

KTEST_SUITE(line_editor, .init = init);

static void press(enum line_key key)
{
    (void)line_editor_press(&editor, key);
}

static void type(const char *text)
{
    for (; *text != 0; text++) {
        press((enum line_key) * text);
    }
}

static void enter(const char *text)
{
    type(text);
    press(LINE_KEY_ENTER);
    line_editor_begin(&editor);
}

static void press_often(enum line_key key, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        press(key);
    }
}

KTEST(line_editor, shows_the_prompt_and_what_is_typed)
{
    expect_shown(test, "> ", 2);
    type("heap 1");
    expect_shown(test, "> heap 1", 8);
    KTEST_EXPECT_STREQ(test, editor.text, "heap 1");
    KTEST_EXPECT_EQ(test, bell_count, 0);
}

KTEST(line_editor, enter_hands_over_the_line_and_begins_a_new_row)
{
    type("heap");
    press_often(LINE_KEY_LEFT, 2);
    KTEST_EXPECT_TRUE(test, line_editor_press(&editor, LINE_KEY_ENTER));
    KTEST_EXPECT_STREQ(test, editor.text, "heap");
    expect_shown(test, "", 0);
    line_editor_begin(&editor);
    KTEST_EXPECT_STREQ(test, editor.text, "");
    expect_shown(test, "> ", 2);
}

KTEST(line_editor, inserts_at_the_cursor)
{
    type("hp");
    press(LINE_KEY_LEFT);
    type("ea");
    expect_shown(test, "> heap", 5);
    press(LINE_KEY_RIGHT);
    type("s");
    expect_shown(test, "> heaps", 7);
    press(LINE_KEY_HOME);
    expect_shown(test, "> heaps", 2);
    type("2");
    press(LINE_KEY_END);
    type("!");
    expect_shown(test, "> 2heaps!", 9);
    KTEST_EXPECT_EQ(test, bell_count, 0);
}

KTEST(line_editor, removes_beside_the_cursor)
{
    type("heaps");
    press(LINE_KEY_BACKSPACE);
    expect_shown(test, "> heap", 6);
    press_often(LINE_KEY_LEFT, 2);
    press(LINE_KEY_BACKSPACE);
    expect_shown(test, "> hap", 3);
    press(LINE_KEY_DELETE);
    expect_shown(test, "> hp", 3);
    KTEST_EXPECT_STREQ(test, editor.text, "hp");
}

KTEST(line_editor, kills_words_and_ends)
{
    type("page 0x1000  ");
    press(LINE_KEY_KILL_WORD);
    expect_shown(test, "> page ", 7);
    press(LINE_KEY_KILL_WORD);
    expect_shown(test, "> ", 2);
    type("one two three");
    press_often(LINE_KEY_LEFT, 8);
    press(LINE_KEY_KILL_WORD);
    expect_shown(test, "> one wo three", 6 - 0);
    press(LINE_KEY_KILL_TO_START);
    expect_shown(test, "> wo three", 2);
    press_often(LINE_KEY_RIGHT, 2);
    press(LINE_KEY_KILL_TO_END);
    expect_shown(test, "> wo", 4);
}

static const enum line_key useless[] = {
    LINE_KEY_BACKSPACE, LINE_KEY_DELETE,        LINE_KEY_LEFT,        LINE_KEY_RIGHT,
    LINE_KEY_HOME,      LINE_KEY_END,           LINE_KEY_UP,          LINE_KEY_DOWN,
    LINE_KEY_KILL_WORD, LINE_KEY_KILL_TO_START, LINE_KEY_KILL_TO_END, LINE_KEY_UNKNOWN,
};

KTEST_PARAM(line_editor, rings_where_there_is_nothing_to_do, useless, NULL)
{
    press(*param);
    KTEST_EXPECT_EQ(test, bell_count, 1);
    KTEST_EXPECT_STREQ(test, editor.text, "");
    expect_shown(test, "> ", 2);
}

KTEST(line_editor, no_key_does_nothing)
{
    type("a");
    KTEST_EXPECT_FALSE(test, line_editor_press(&editor, LINE_KEY_NONE));
    expect_shown(test, "> a", 3);
    KTEST_EXPECT_EQ(test, bell_count, 0);
}

KTEST(line_editor, cancel_begins_another_line)
{
    type("fault page");
    press_often(LINE_KEY_LEFT, 3);
    press(LINE_KEY_CANCEL);
    expect_shown(test, "> ", 2);
    KTEST_EXPECT_EQ(test, memcmp(terminal.above, "> fault page^C ", 15), 0);
    press(LINE_KEY_UP);
    KTEST_EXPECT_STREQ(test, editor.text, "");
}

KTEST(line_editor, redraws_behind_what_others_have_printed)
{
    type("heap");
    press(LINE_KEY_LEFT);
    write_both(NULL, "a line\n", 7);
    line_editor_redraw(&editor);
    expect_shown(test, "> heap", 5);
    press(LINE_KEY_REDRAW);
    expect_shown(test, "> heap", 5);
    KTEST_EXPECT_EQ(test, memcmp(terminal.above, "> heap ", 7), 0);
}

// --- Long lines ---------------------------------------------------------------------------------

KTEST(line_editor, long_line_is_seen_through_a_window)
{
    char text[LINE_BYTES_MAX];
    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = (char)('a' + i % 26);
    }
    text[WINDOW] = 0;
    type(text);
    char expected[COLUMNS + 1];
    format_buffer(expected, sizeof(expected), "> %s", text);
    expect_shown(test, expected, COLUMNS - 1);
    press(LINE_KEY_LEFT);
    press(LINE_KEY_RIGHT);
    expect_shown(test, expected, COLUMNS - 1); // the cursor has room behind the last one

    type("!?");
    format_buffer(expected, sizeof(expected), "> %s!?", text + editor.first);
    KTEST_EXPECT_TRUE(test, editor.first > 0);
    expect_shown(test, expected, strlen(expected));

    press(LINE_KEY_HOME);
    format_buffer(expected, sizeof(expected), "> %s", text);
    expect_shown(test, expected, 2);
    press(LINE_KEY_END);
    press_often(LINE_KEY_BACKSPACE, 2);
    KTEST_EXPECT_STREQ(test, editor.text, text);
}

KTEST(line_editor, window_shows_what_a_backspace_comes_to)
{
    press_often((enum line_key)'x', 2 * WINDOW);
    while (editor.length > 0) {
        press(LINE_KEY_BACKSPACE);
        KTEST_ASSERT_TRUE(test, editor.first < editor.cursor || editor.cursor == 0);
    }
    expect_shown(test, "> ", 2);
}

KTEST(line_editor, line_behind_a_long_one_is_seen_from_its_start)
{
    press_often((enum line_key)'x', 2 * WINDOW);
    enter("");
    type("heap");
    press(LINE_KEY_LEFT);
    expect_shown(test, "> heap", 5);
}

KTEST(line_editor, what_does_not_fit_is_refused)
{
    for (unsigned i = 0; i < 10000; i++) {
        press((enum line_key)('a' + i % 26));
    }
    KTEST_EXPECT_EQ(test, editor.length, LINE_BYTES_MAX - 1);
    KTEST_EXPECT_EQ(test, strlen(editor.text), LINE_BYTES_MAX - 1);
    KTEST_EXPECT_EQ(test, bell_count, 10000 - (LINE_BYTES_MAX - 1));
    KTEST_EXPECT_FALSE(test, terminal.has_wrapped);
    press(LINE_KEY_KILL_TO_START);
    expect_shown(test, "> ", 2);
}

// --- History ------------------------------------------------------------------------------------

KTEST(line_editor, up_and_down_go_through_the_history)
{
    enter("frames");
    enter("heap");
    type("ir");
    press(LINE_KEY_UP);
    expect_shown(test, "> heap", 6);
    press(LINE_KEY_UP);
    expect_shown(test, "> frames", 8);
    press(LINE_KEY_UP);
    KTEST_EXPECT_EQ(test, bell_count, 1);
    press(LINE_KEY_DOWN);
    expect_shown(test, "> heap", 6);
    press(LINE_KEY_DOWN);
    expect_shown(test, "> ir", 4);
    press(LINE_KEY_DOWN);
    KTEST_EXPECT_EQ(test, bell_count, 2);
}

KTEST(line_editor, editing_an_old_line_keeps_it)
{
    enter("frames");
    enter("heap");
    press_often(LINE_KEY_UP, 2);
    enter(" 1");
    press(LINE_KEY_UP);
    expect_shown(test, "> frames 1", 10);
    press_often(LINE_KEY_UP, 2);
    expect_shown(test, "> frames", 8);
    type("x");
    press(LINE_KEY_DOWN);
    press(LINE_KEY_UP);
    expect_shown(test, "> frames", 8);
}

KTEST(line_editor, without_memory_the_line_is_entered_and_not_remembered)
{
    memory.fail_at = 1;
    type("heap");
    KTEST_EXPECT_TRUE(test, line_editor_press(&editor, LINE_KEY_ENTER));
    KTEST_EXPECT_STREQ(test, editor.text, "heap");
    static const char complaint[] = "this line will not be remembered: ENOMEM ";
    KTEST_EXPECT_EQ(test, memcmp(terminal.above, complaint, sizeof(complaint) - 1), 0);
    line_editor_begin(&editor);
    press(LINE_KEY_UP);
    expect_shown(test, "> ", 2);
}

// --- Completion ---------------------------------------------------------------------------------

KTEST(line_editor, only_word_is_completed_with_a_blank)
{
    type("fr");
    press(LINE_KEY_COMPLETE);
    expect_shown(test, "> frames ", 9);
    KTEST_EXPECT_EQ(test, bell_count, 0);
    KTEST_EXPECT_EQ(test, memory.block_count, 0);
}

KTEST(line_editor, whole_word_gets_its_blank)
{
    type("x");
    press(LINE_KEY_COMPLETE);
    expect_shown(test, "> x ", 4);
}

KTEST(line_editor, completes_left_of_the_cursor)
{
    type("fr 1");
    press_often(LINE_KEY_LEFT, 2);
    press(LINE_KEY_COMPLETE);
    expect_shown(test, "> frames  1", 9);
}

KTEST(line_editor, several_words_are_completed_as_far_as_they_agree)
{
    type("h");
    press(LINE_KEY_COMPLETE);
    expect_shown(test, "> he", 4);
    KTEST_EXPECT_EQ(test, bell_count, 0);
    press(LINE_KEY_COMPLETE);
    expect_shown(test, "> he", 4);
    KTEST_EXPECT_EQ(test, memcmp(terminal.above, "help  heap  heron ", 18), 0);
    type("r");
    press(LINE_KEY_COMPLETE);
    expect_shown(test, "> heron ", 8);
}

KTEST(line_editor, last_word_may_be_the_one_that_does_not_agree)
{
    type("s");
    press(LINE_KEY_COMPLETE);
    expect_shown(test, "> sy", 4);
}

KTEST(line_editor, first_tab_rings_where_several_words_do_not_agree)
{
    type("he");
    press(LINE_KEY_COMPLETE);
    KTEST_EXPECT_EQ(test, bell_count, 1);
    expect_shown(test, "> he", 4);
    press(LINE_KEY_LEFT);
    press(LINE_KEY_RIGHT);
    press(LINE_KEY_COMPLETE);
    KTEST_EXPECT_EQ(test, bell_count, 2);
}

KTEST(line_editor, nothing_to_complete_rings)
{
    type("z");
    press(LINE_KEY_COMPLETE);
    press(LINE_KEY_COMPLETE);
    KTEST_EXPECT_EQ(test, bell_count, 2);
    expect_shown(test, "> z", 3);
}

static const char *const many[] = {
    "a0123456789", "a1123456789", "a2123456789", "a3123456789", "a4123456789",
    "a5123456789", "aa",          "a6123456789", "a7123456789",
};

static enum error complete_many(const char *line, size_t word_start, struct completion *completion)
{
    (void)line;
    (void)word_start;
    enum error error = OK;
    for (size_t i = 0; i < ARRAY_SIZE(many) && error == OK; i++) {
        error = completion_offer(completion, many[i]);
    }
    return error;
}

// The short word would end in the last column.
KTEST(line_editor, list_of_words_does_not_wrap)
{
    editor.complete = complete_many;
    type("a");
    press_often(LINE_KEY_COMPLETE, 2);
    KTEST_EXPECT_EQ(test, memcmp(terminal.above, "aa  a6123456789  a7123456789 ", 29), 0);
    expect_shown(test, "> a", 3);
}

KTEST(line_editor, without_memory_there_is_no_completion)
{
    type("fr");
    memory.fail_at = 1;
    press(LINE_KEY_COMPLETE);
    KTEST_EXPECT_EQ(test, memcmp(terminal.above, "no completion: ENOMEM ", 22), 0);
    expect_shown(test, "> fr", 4);
    press(LINE_KEY_COMPLETE);
    expect_shown(test, "> frames ", 9);
    KTEST_EXPECT_EQ(test, memory.block_count, 0);
}

// --- Anything -----------------------------------------------------------------------------------

// What a line is, without a screen.
static struct {
    char text[LINE_BYTES_MAX];
    size_t length;
    size_t cursor;
} model;

static void model_remove(size_t from, size_t to)
{
    memmove(model.text + from, model.text + to, model.length - to);
    model.length -= to - from;
    model.cursor = from;
}

static void model_press(enum line_key key)
{
    if (key < LINE_KEY_ENTER) {
        if (model.length < LINE_BYTES_MAX - 1) {
            memmove(model.text + model.cursor + 1, model.text + model.cursor,
                    model.length - model.cursor);
            model.text[model.cursor++] = (char)key;
            model.length++;
        }
    } else if (key == LINE_KEY_LEFT) {
        model.cursor -= model.cursor > 0;
    } else if (key == LINE_KEY_RIGHT) {
        model.cursor += model.cursor < model.length;
    } else if (key == LINE_KEY_HOME) {
        model.cursor = 0;
    } else if (key == LINE_KEY_END) {
        model.cursor = model.length;
    } else if (key == LINE_KEY_BACKSPACE && model.cursor > 0) {
        model_remove(model.cursor - 1, model.cursor);
    } else if (key == LINE_KEY_DELETE && model.cursor < model.length) {
        model_remove(model.cursor, model.cursor + 1);
    } else if (key == LINE_KEY_KILL_TO_START) {
        model_remove(0, model.cursor);
    } else if (key == LINE_KEY_KILL_TO_END) {
        model.length = model.cursor;
    }
}

static enum line_key random_key(struct test_random *random)
{
    static const enum line_key keys[] = {
        LINE_KEY_LEFT,      LINE_KEY_RIGHT,  LINE_KEY_HOME,          LINE_KEY_END,
        LINE_KEY_BACKSPACE, LINE_KEY_DELETE, LINE_KEY_KILL_TO_START, LINE_KEY_KILL_TO_END,
        LINE_KEY_BACKSPACE, LINE_KEY_DELETE, LINE_KEY_LEFT,          LINE_KEY_UNKNOWN,
    };
    uint64_t choice = test_random_below(random, 200);
    bool is_rare = choice < ARRAY_SIZE(keys) && (choice < 2 || choice > 7 || choice % 2 == 0);
    return is_rare ? keys[choice] : (enum line_key)(' ' + test_random_below(random, 95));
}

// The row is a part of the line with the cursor in its place, and shows as much as it can.
static void expect_model(struct ktest *test)
{
    char expected[COLUMNS + 1];
    KTEST_ASSERT_EQ(test, editor.length, model.length);
    KTEST_ASSERT_EQ(test, editor.cursor, model.cursor);
    KTEST_ASSERT_EQ(test, editor.text[model.length], 0);
    KTEST_ASSERT_EQ(test, memcmp(editor.text, model.text, model.length), 0);
    KTEST_ASSERT_TRUE(test, editor.first < model.cursor || model.cursor == 0);
    KTEST_ASSERT_TRUE(test, model.cursor - editor.first <= WINDOW);
    size_t rest = model.length - editor.first;
    format_buffer(expected, sizeof(expected), "> %.*s", (int)(rest < WINDOW ? rest : WINDOW),
                  model.text + editor.first);
    expect_shown(test, expected, 2 + model.cursor - editor.first);
}

KTEST_ATTR(line_editor, any_keys_edit_as_in_a_model, .speed = KTEST_SPEED_SLOW);
KTEST(line_editor, any_keys_edit_as_in_a_model)
{
    struct test_random random = {42};
    memset(&model, 0, sizeof(model));
    for (unsigned round = 0; round < 3000 * test_scale(); round++) {
        enum line_key key = random_key(&random);
        press(key);
        model_press(key);
        expect_model(test);
    }
}

KTEST(line_editor, key_that_is_none_panics)
{
    KTEST_EXPECT_PANIC(test, "*character*", line_editor_press(&editor, (enum line_key)0x1f));
    KTEST_EXPECT_PANIC(test, "*LINE_KEY_END_OF_KEYS*",
                       line_editor_press(&editor, LINE_KEY_END_OF_KEYS));
}

KTEST(line_editor, prompt_leaves_half_a_line)
{
    char prompt[LINE_EDITOR_COLUMNS / 2 + 1];
    memset(prompt, '>', sizeof(prompt) - 1);
    prompt[sizeof(prompt) - 1] = 0;
    struct line_editor other;
    KTEST_EXPECT_PANIC(test, "*strlen(prompt)*",
                       line_editor_init(&other, &writer, prompt, NULL, &memory.source));
}
