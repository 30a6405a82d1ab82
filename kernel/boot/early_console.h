// SPDX-License-Identifier: MIT
//
// The first way to say something, from the first C statement on and in every panic: the serial
// port as the firmware left it or as a reset did, and the VGA text screen. Static state only, no
// lock: the log above serializes, and a panic may cut in.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/format.h"

#define VGA_COLUMNS 80
#define VGA_ROWS 25
#define VGA_COLOUR_TEXT 0x0f  // white on black
#define VGA_COLOUR_HELLO 0x0b // light cyan on black

struct vga_cell {
    uint8_t character;
    uint8_t colour;
};

#define VGA_CELLS (VGA_ROWS * VGA_COLUMNS)
#define VGA_CELLS_PER_WORD 4

// A text screen that scrolls: the last row is the one that is written to. The cells are kept in RAM
// and only written to the video memory: reading that is slow, and so is writing it by bytes.
struct early_screen {
    volatile uint64_t *video; // where the cells are shown; NULL: nowhere
    union {
        struct vga_cell cells[VGA_CELLS];
        uint64_t words[VGA_CELLS / VGA_CELLS_PER_WORD];
    };
    size_t column;
    uint8_t colour;
};

// Newlines scroll, what is not printable ASCII shows as 0xfe, long lines wrap.
void early_screen_write(struct early_screen *screen, const char *bytes, size_t size_bytes);
void early_screen_clear(struct early_screen *screen);

// Sets up both halves and says hello.
void early_console_init(void);

// The two halves as writers: COM1 (with "\r\n" for "\n") and the VGA screen.
extern const struct writer early_serial_writer;
extern const struct writer early_screen_writer;

// The VGA screen itself.
struct early_screen *early_screen(void);
