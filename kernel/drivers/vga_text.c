// SPDX-License-Identifier: MIT
//
// The cells go to boot/vga_memory; what is left are two controllers with an index register each.
// The attribute controller has one port for index and data, in turns that begin with the index
// after its status port was read.
#include "drivers/vga_text.h"

#include <stdbool.h>

#include "arch/x86_64/port.h"
#include "boot/vga_memory.h"
#include "lib/assert.h"
#include "lib/bits.h"

enum vga_port {
    ATTRIBUTE_INDEX_OR_DATA = 0x3c0,
    ATTRIBUTE_READ = 0x3c1,
    MISCELLANEOUS_READ = 0x3cc,
    CRT_INDEX = 0x3d4,
    CRT_DATA = 0x3d5,
    STATUS = 0x3da,
};

#define MISCELLANEOUS_COLOUR BIT(0) // the ports are 0x3dx, and not 0x3bx

#define ATTRIBUTE_MODE 0x10
#define ATTRIBUTE_KEEP_SCREEN BIT(5) // in the index: the screen stays on
#define MODE_GRAPHICS BIT(0)
#define MODE_BLINK BIT(3)

enum crt_register {
    CRT_CURSOR_START = 0x0a, // without bit 5, which hides it
    CRT_CURSOR_END = 0x0b,
    CRT_CURSOR_HIGH = 0x0e,
    CRT_CURSOR_LOW = 0x0f,
};

// Of the 16 lines of a character, those that the cursor covers.
#define CURSOR_FIRST_LINE 13
#define CURSOR_LAST_LINE 14

static uint8_t cursor_high; // as the register has it

static void crt_write(enum crt_register reg, uint8_t value)
{
    port_write8(CRT_INDEX, (uint8_t)reg);
    port_write8(CRT_DATA, value);
}

static void select_attribute_mode(void)
{
    (void)port_read8(STATUS);
    port_write8(ATTRIBUTE_INDEX_OR_DATA, (uint8_t)(ATTRIBUTE_MODE | ATTRIBUTE_KEEP_SCREEN));
}

static uint8_t read_attribute_mode(void)
{
    select_attribute_mode();
    return port_read8(ATTRIBUTE_READ);
}

static void write_attribute_mode(uint8_t mode)
{
    select_attribute_mode();
    port_write8(ATTRIBUTE_INDEX_OR_DATA, mode);
}

// The cursor mostly moves within a row: then the high byte stays.
static void place_cursor(void *context, size_t row, size_t column)
{
    (void)context;
    size_t cell = row * VGA_COLUMNS + column;
    uint8_t high = (uint8_t)(cell >> 8);
    if (high != cursor_high) {
        crt_write(CRT_CURSOR_HIGH, high);
        cursor_high = high;
    }
    crt_write(CRT_CURSOR_LOW, (uint8_t)cell);
}

static const struct text_device device = {.show = vga_memory_show, .place_cursor = place_cursor};

// Ports without a device read as ones.
static bool is_in_text_mode(uint8_t attribute_mode)
{
    return (port_read8(MISCELLANEOUS_READ) & MISCELLANEOUS_COLOUR) != 0 &&
           (attribute_mode & MODE_GRAPHICS) == 0;
}

enum error vga_text_init(struct text_screen *screen)
{
    assert(screen->row_count == VGA_ROWS && screen->column_count == VGA_COLUMNS);
    uint8_t mode = read_attribute_mode();
    if (!is_in_text_mode(mode)) {
        return ENODEV;
    }
    write_attribute_mode((uint8_t)(mode & ~MODE_BLINK));
    crt_write(CRT_CURSOR_START, CURSOR_FIRST_LINE);
    crt_write(CRT_CURSOR_END, CURSOR_LAST_LINE);
    cursor_high = UINT8_MAX; // unknown: no cell is that far
    text_screen_set_device(screen, &device);
    return OK;
}
