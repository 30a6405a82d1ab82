// SPDX-License-Identifier: MIT
//
// The rows are a ring, so scrolling moves no cell in RAM. On the device every row moves, and it is
// shown all of them: copying a screen in two pieces takes fewer instructions than finding out what
// is the same. The device is told at the end of a line or a call, not for each character.
#include "lib/text_screen.h"

#include <stdbool.h>

#include "lib/assert.h"
#include "lib/string.h"

// Where a row of the screen lies in `cells`, as the number of a row.
static size_t place_of(const struct text_screen *screen, size_t row)
{
    size_t place = screen->top + row;
    return place < screen->row_count ? place : place - screen->row_count;
}

static struct text_cell *row_cells(const struct text_screen *screen, size_t row)
{
    return &screen->cells[place_of(screen, row) * screen->column_count];
}

// --- Showing ------------------------------------------------------------------------------------

static void show(const struct text_screen *screen, size_t row, const struct text_cell *cells,
                 size_t from, size_t to)
{
    if (from < to) {
        screen->device->show(screen->device->context, row * screen->column_count + from,
                             cells + from, to - from);
    }
}

static void place_cursor(const struct text_screen *screen)
{
    if (screen->device->place_cursor != NULL) {
        bool is_behind = screen->column == screen->column_count;
        screen->device->place_cursor(screen->device->context, screen->row_count - 1,
                                     is_behind ? screen->column - 1 : screen->column);
    }
}

static void forget_changes(struct text_screen *screen)
{
    screen->dirty_from = screen->column_count;
    screen->dirty_to = 0;
}

static void show_changes(struct text_screen *screen)
{
    size_t last = screen->row_count - 1;
    show(screen, last, row_cells(screen, last), screen->dirty_from, screen->dirty_to);
    forget_changes(screen);
    place_cursor(screen);
}

static void show_rows(struct text_screen *screen)
{
    size_t upper_count = screen->row_count - screen->top; // in one piece, and then the others
    show(screen, 0, row_cells(screen, 0), 0, upper_count * screen->column_count);
    show(screen, upper_count, screen->cells, 0, screen->top * screen->column_count);
    forget_changes(screen);
}

static void show_all(struct text_screen *screen)
{
    show_rows(screen);
    place_cursor(screen);
}

// --- Writing ------------------------------------------------------------------------------------

// Four cells, for stores of a word at any address.
struct [[gnu::packed, gnu::may_alias]] four_cells
{
    uint64_t word;
};

#define IN_EACH_CELL 0x0001000100010001

static void blank_row(struct text_screen *screen, size_t row)
{
    struct text_cell *cells = row_cells(screen, row);
    struct text_cell blank = {' ', screen->colour};
    uint64_t blanks = (uint64_t)(blank.colour.code << 8 | blank.character) * IN_EACH_CELL;
    size_t left = screen->column_count;
    for (; left >= 4; left -= 4, cells += 4) {
        ((struct four_cells *)cells)->word = blanks;
    }
    for (; left > 0; left--) {
        *cells++ = blank;
    }
}

// The topmost row becomes the last one.
static void new_line(struct text_screen *screen)
{
    screen->top = place_of(screen, 1);
    screen->column = 0;
    blank_row(screen, screen->row_count - 1);
    show_rows(screen);
}

static bool is_control(char byte)
{
    return byte == '\n' || byte == '\r' || byte == '\b' || byte == '\t' || byte == '\a';
}

static bool is_printable(char byte)
{
    return byte >= 0x20 && byte < 0x7f;
}

static void mark_dirty(struct text_screen *screen, size_t from, size_t to)
{
    if (screen->dirty_from > from) {
        screen->dirty_from = from;
    }
    if (screen->dirty_to < to) {
        screen->dirty_to = to;
    }
}

// What takes a cell, up to a control character or the end of the row; returns how much.
static size_t put_cells(struct text_screen *screen, const char *bytes, size_t size_bytes)
{
    size_t room = screen->column_count - screen->column;
    size_t limit = size_bytes < room ? size_bytes : room;
    struct text_colour colour = screen->colour;
    struct text_cell *cells = row_cells(screen, screen->row_count - 1) + screen->column;
    size_t count = 0;
    for (; count < limit; count++) {
        uint8_t character = (uint8_t)bytes[count];
        if (!is_printable(bytes[count])) {
            if (is_control(bytes[count])) {
                break;
            }
            character = TEXT_UNPRINTABLE;
        }
        cells[count] = (struct text_cell){character, colour};
    }
    mark_dirty(screen, screen->column, screen->column + count);
    screen->column += count;
    return count;
}

static void go_back(struct text_screen *screen)
{
    if (screen->column > 0) {
        screen->column--;
        put_cells(screen, " ", 1);
        screen->column--;
    }
}

static void go_to_next_stop(struct text_screen *screen)
{
    size_t stop = screen->column + TEXT_TAB_COLUMNS - screen->column % TEXT_TAB_COLUMNS;
    screen->column = stop < screen->column_count ? stop : screen->column_count;
}

static void obey(struct text_screen *screen, char control)
{
    if (control == '\n') {
        new_line(screen);
    } else if (control == '\r') {
        screen->column = 0;
    } else if (control == '\b') {
        go_back(screen);
    } else if (control == '\t') {
        go_to_next_stop(screen);
    }
}

void text_screen_write(struct text_screen *screen, const char *bytes, size_t size_bytes)
{
    size_t i = 0;
    while (i < size_bytes) {
        if (is_control(bytes[i])) {
            obey(screen, bytes[i++]);
        } else if (screen->column == screen->column_count) {
            new_line(screen);
        } else {
            i += put_cells(screen, &bytes[i], size_bytes - i);
        }
    }
    show_changes(screen);
}

void text_screen_write_text(void *screen, const char *bytes, size_t size_bytes)
{
    text_screen_write(screen, bytes, size_bytes);
}

// --- The whole screen ---------------------------------------------------------------------------

void text_screen_clear(struct text_screen *screen)
{
    for (size_t row = 0; row < screen->row_count; row++) {
        blank_row(screen, row);
    }
    screen->column = 0;
    show_all(screen);
}

void text_screen_clear_row(struct text_screen *screen, size_t row)
{
    assert(row < screen->row_count);
    blank_row(screen, row);
    show(screen, row, row_cells(screen, row), 0, screen->column_count);
}

void text_screen_set_device(struct text_screen *screen, const struct text_device *device)
{
    screen->device = device;
    show_all(screen);
}

void text_screen_take_over(struct text_screen *screen, const struct text_screen *other)
{
    size_t rows = screen->row_count < other->row_count ? screen->row_count : other->row_count;
    size_t columns = screen->column_count < other->column_count ? screen->column_count
                                                                : other->column_count;
    screen->colour = other->colour;
    for (size_t row = 0; row < screen->row_count; row++) {
        blank_row(screen, row);
    }
    for (size_t i = 1; i <= rows; i++) {
        memcpy(row_cells(screen, screen->row_count - i), row_cells(other, other->row_count - i),
               columns * sizeof(struct text_cell));
    }
    screen->column = other->column < columns ? other->column : columns;
    show_all(screen);
}

struct text_cell text_screen_cell(const struct text_screen *screen, size_t row, size_t column)
{
    assert(row < screen->row_count && column < screen->column_count);
    return row_cells(screen, row)[column];
}
