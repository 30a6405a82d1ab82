// SPDX-License-Identifier: MIT
//
// COM1 by polling, and a text screen that is shown by whatever VGA there may be. Drivers take both
// over later; this is for what happens before them.
// Source: 16550 data sheet.
#include "boot/early_console.h"

#include "arch/x86_64/port.h"
#include "boot/vga_memory.h"
#include "lib/bits.h"

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

// The classic first words, from a static array.
static const char hello[] = "Hello World!";

// Static, so that there is a screen before anything is set up.
static _Alignas(8) struct text_cell cells[VGA_ROWS * VGA_COLUMNS];
static const struct text_device vga = {.show = vga_memory_show};
static struct text_screen screen = {
    .cells = cells,
    .row_count = VGA_ROWS,
    .column_count = VGA_COLUMNS,
    .colour = TEXT_COLOUR(COLOUR_YELLOW, COLOUR_BLACK),
    .device = &vga,
};

struct text_screen *early_screen(void)
{
    return &screen;
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

const struct writer early_serial_writer = {.write = serial_write};
const struct writer early_screen_writer = {.write = text_screen_write_text, .context = &screen};

void early_console_init(void)
{
    struct text_colour colour = screen.colour;
    serial_init();
    text_screen_clear(&screen);
    screen.colour = text_colour(COLOUR_LIGHT_CYAN, COLOUR_BLACK);
    format_write(&early_screen_writer, "%s\n", hello);
    screen.colour = colour;
    format_write(&early_serial_writer, "%s\n", hello);
}
