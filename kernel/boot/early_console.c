// SPDX-License-Identifier: MIT
//
// COM1 by polling and the VGA text buffer through the direct map. The drivers replace both later;
// this one stays for what happens before them.
// Sources: 16550 data sheet; IBM VGA, text mode 3.
#include "boot/early_console.h"

#include "arch/x86_64/layout.h"
#include "arch/x86_64/port.h"
#include "lib/string.h"

#define VGA_TEXT_ADDRESS 0xb8000
#define VGA_UNPRINTABLE 0xfe

enum com1_port {
    COM1_DATA = 0x3f8,
    COM1_DIVISOR_HIGH = 0x3f9,
    COM1_LINE_CONTROL = 0x3fb,
    COM1_LINE_STATUS = 0x3fd,
};

#define LINE_CONTROL_8N1 0x03
#define LINE_CONTROL_DIVISOR 0x80
#define LINE_STATUS_CAN_SEND BIT(5)
#define DIVISOR_115200 1

// A transmitter that never gets ready must not hold up the boot for ever.
#define SEND_POLLS_MAX 1000000

// Light cyan on black: the classic first words, from a static array.
static const char hello[] = "Hello World!";

static struct early_screen vga_screen = {
    .video = (volatile uint64_t *)(DIRECT_MAP_VMA + VGA_TEXT_ADDRESS),
    .colour = VGA_COLOUR_TEXT,
};

_Static_assert(sizeof(struct vga_cell) * VGA_CELLS_PER_WORD == sizeof(uint64_t));

// Shows the word that the cell is in.
static void show_cell(struct early_screen *screen, size_t cell)
{
    if (screen->video != NULL) {
        size_t word = cell / VGA_CELLS_PER_WORD;
        screen->video[word] = screen->words[word];
    }
}

static void show_all(struct early_screen *screen)
{
    for (size_t cell = 0; cell < VGA_CELLS; cell += VGA_CELLS_PER_WORD) {
        show_cell(screen, cell);
    }
}

static void clear_row(struct early_screen *screen, size_t row)
{
    for (size_t column = 0; column < VGA_COLUMNS; column++) {
        screen->cells[row * VGA_COLUMNS + column] = (struct vga_cell){' ', screen->colour};
    }
}

static void new_line(struct early_screen *screen)
{
    memmove(screen->cells, screen->cells + VGA_COLUMNS,
            sizeof(screen->cells) - VGA_COLUMNS * sizeof(struct vga_cell));
    clear_row(screen, VGA_ROWS - 1);
    screen->column = 0;
    show_all(screen);
}

static void put_character(struct early_screen *screen, uint8_t character)
{
    if (character == '\n') {
        new_line(screen);
        return;
    }
    if (screen->column == VGA_COLUMNS) {
        new_line(screen);
    }
    bool is_printable = character >= 0x20 && character < 0x7f;
    size_t cell = (VGA_ROWS - 1) * VGA_COLUMNS + screen->column++;
    screen->cells[cell] =
        (struct vga_cell){is_printable ? character : VGA_UNPRINTABLE, screen->colour};
    show_cell(screen, cell);
}

void early_screen_write(struct early_screen *screen, const char *bytes, size_t size_bytes)
{
    for (size_t i = 0; i < size_bytes; i++) {
        put_character(screen, (uint8_t)bytes[i]);
    }
}

void early_screen_clear(struct early_screen *screen)
{
    for (size_t row = 0; row < VGA_ROWS; row++) {
        clear_row(screen, row);
    }
    screen->column = 0;
    show_all(screen);
}

struct early_screen *early_screen(void)
{
    return &vga_screen;
}

static void serial_init(void)
{
    port_write8(COM1_LINE_CONTROL, LINE_CONTROL_DIVISOR);
    port_write8(COM1_DATA, DIVISOR_115200);
    port_write8(COM1_DIVISOR_HIGH, 0);
    port_write8(COM1_LINE_CONTROL, LINE_CONTROL_8N1);
}

static void serial_send(char byte)
{
    for (unsigned polls = 0; polls < SEND_POLLS_MAX; polls++) {
        if ((port_read8(COM1_LINE_STATUS) & LINE_STATUS_CAN_SEND) != 0) {
            break;
        }
    }
    port_write8(COM1_DATA, (uint8_t)byte);
}

static void serial_write(void *context, const char *bytes, size_t size_bytes)
{
    (void)context;
    for (size_t i = 0; i < size_bytes; i++) {
        if (bytes[i] == '\n') {
            serial_send('\r');
        }
        serial_send(bytes[i]);
    }
}

static void screen_write(void *context, const char *bytes, size_t size_bytes)
{
    early_screen_write(context, bytes, size_bytes);
}

const struct writer early_serial_writer = {.write = serial_write};
const struct writer early_screen_writer = {.write = screen_write, .context = &vga_screen};

void early_console_init(void)
{
    serial_init();
    early_screen_clear(&vga_screen);
    vga_screen.colour = VGA_COLOUR_HELLO;
    format_write(&early_screen_writer, "%s\n", hello);
    vga_screen.colour = VGA_COLOUR_TEXT;
    format_write(&early_serial_writer, "%s\n", hello);
}
