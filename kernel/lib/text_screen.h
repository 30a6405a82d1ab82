// SPDX-License-Identifier: MIT
//
// A screen of characters, of any size, that scrolls: the last row is the one that is written to.
// The cells are kept in RAM; a device is told what has changed and is never asked. So video memory,
// which is slow to read, is only written, and a device can take over from another one.
//
// Not locked: the log above serializes. A panic may cut in at any point and write on.
// Sources: IBM VGA, text mode, for cells and colours.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/format.h"

enum colour {
    COLOUR_BLACK,
    COLOUR_BLUE,
    COLOUR_GREEN,
    COLOUR_CYAN,
    COLOUR_RED,
    COLOUR_MAGENTA,
    COLOUR_BROWN,
    COLOUR_LIGHT_GRAY,
    COLOUR_DARK_GRAY,
    COLOUR_LIGHT_BLUE,
    COLOUR_LIGHT_GREEN,
    COLOUR_LIGHT_CYAN,
    COLOUR_LIGHT_RED,
    COLOUR_PINK,
    COLOUR_YELLOW,
    COLOUR_WHITE,
};

#define COLOUR_COUNT 16

// Foreground and background. A struct, so that no plain number passes for it.
struct text_colour {
    uint8_t code;
};

// For static initialisers; text_colour() is for everything else.
#define TEXT_COLOUR(foreground_, background_)                                                      \
    {                                                                                              \
        (uint8_t)((background_) << 4 | (foreground_))                                              \
    }

static inline struct text_colour text_colour(enum colour foreground, enum colour background)
{
    return (struct text_colour)TEXT_COLOUR(foreground, background);
}

static inline enum colour text_foreground(struct text_colour colour)
{
    return (enum colour)(colour.code & 0xf);
}

static inline enum colour text_background(struct text_colour colour)
{
    return (enum colour)(colour.code >> 4);
}

struct text_cell {
    uint8_t character; // ASCII from 0x20 to 0x7e, or TEXT_UNPRINTABLE
    struct text_colour colour;
};

_Static_assert(sizeof(struct text_cell) == 2);
_Static_assert(offsetof(struct text_cell, character) == 0);
_Static_assert(offsetof(struct text_cell, colour) == 1);

#define TEXT_UNPRINTABLE 0xfe // the VGA's small square
#define TEXT_TAB_COLUMNS 8

// Where cells are shown. `context` is the device's own.
struct text_device {
    // `count` cells from the one on that has the number `first`, in the order of reading.
    void (*show)(void *context, size_t first, const struct text_cell *cells, size_t count);
    void (*place_cursor)(void *context, size_t row, size_t column); // NULL: it has no cursor
    void *context;
};

struct text_screen {
    struct text_cell *cells; // row_count * column_count of them, row by row
    size_t row_count;
    size_t column_count;
    struct text_colour colour; // of what comes next
    const struct text_device *device;

    // The text_screen functions' own.
    size_t top;                  // where the topmost row lies in cells: scrolling moves nothing
    size_t column;               // of what comes next; column_count: it begins a new line
    size_t dirty_from, dirty_to; // columns of the last row that the device does not show yet
};

// '\n' begins a new line, '\r' goes back to the first column, '\b' goes back a column and erases
// what was there, '\t' goes to the next multiple of TEXT_TAB_COLUMNS, '\a' is nothing, as there is
// no bell. Anything else that is not printable ASCII shows as TEXT_UNPRINTABLE. Long lines wrap.
void text_screen_write(struct text_screen *screen, const char *bytes, size_t size_bytes);

// The same for struct writer, with the struct text_screen as context.
void text_screen_write_text(void *screen, const char *bytes, size_t size_bytes);

// Blanks the screen, or a row from 0 on, in the current colour.
void text_screen_clear(struct text_screen *screen);
void text_screen_clear_row(struct text_screen *screen, size_t row);

// Another device takes over, and is shown everything.
void text_screen_set_device(struct text_screen *screen, const struct text_device *device);

// Takes what another screen shows, from its last row upwards, as far as there is room, its colour
// and its column.
void text_screen_take_over(struct text_screen *screen, const struct text_screen *other);

struct text_cell text_screen_cell(const struct text_screen *screen, size_t row, size_t column);
