// SPDX-License-Identifier: MIT
//
// The new one is added before the old one goes: better twice than never.
#include "drivers/console.h"

#include <stdbool.h>
#include <stddef.h>

#include "arch/x86_64/layout.h"
#include "boot/early_console.h"
#include "debug/log.h"
#include "drivers/framebuffer.h"
#include "drivers/uart_16550.h"
#include "drivers/vga_text.h"
#include "mm/frame.h"
#include "mm/mmio.h"

// --- COM1 ---------------------------------------------------------------------------------------

static struct uart com1;
static const struct writer serial_writer = {.write = uart_write_text, .context = &com1};
static bool has_serial;

void console_init_serial(void)
{
    if (uart_init(&com1, UART_COM1) != OK) {
        log_warn("boot", "COM1 fails its loopback test");
        return;
    }
    log_remove_console(&early_serial_writer); // the same port, where the new one has begun
    log_add_console(&serial_writer);
    has_serial = true;
}

const struct writer *console_serial(void)
{
    return has_serial ? &serial_writer : NULL;
}

struct uart *console_uart(void)
{
    return has_serial ? &com1 : NULL;
}

// --- Screen -------------------------------------------------------------------------------------

static struct framebuffer framebuffer;
static struct text_screen pixel_screen;
static const struct writer pixel_writer = {.write = text_screen_write_text,
                                           .context = &pixel_screen};

// What is given back in the end.
static struct {
    volatile void *pixels;
    uint64_t pixels_bytes;
    phys_addr_t cells;
    unsigned cells_order;
} taken;

static unsigned order_for(uint64_t size_bytes)
{
    unsigned order = 0;
    while ((PAGE_SIZE << order) < size_bytes) {
        order++;
    }
    return order;
}

// Room for the screen's cells and for the framebuffer's, and the pixels.
static enum error take(const struct boot_framebuffer *info, size_t cell_count)
{
    taken.pixels_bytes = (uint64_t)info->pitch_bytes * info->height;
    taken.cells_order = order_for(2 * cell_count * sizeof(struct text_cell));
    enum error error = frame_alloc_run(taken.cells_order, FRAME_ZONE_REST, &taken.cells);
    if (error != OK) {
        return error;
    }
    error = mmio_map(info->address, taken.pixels_bytes, &taken.pixels);
    if (error != OK) {
        frame_free_run(taken.cells, taken.cells_order);
    }
    return error;
}

static enum error init_framebuffer(const struct boot_framebuffer *info)
{
    size_t row_count = 0;
    size_t column_count = 0;
    enum error error = framebuffer_measure(info, &row_count, &column_count);
    if (error == OK) {
        error = take(info, row_count * column_count);
    }
    if (error != OK) {
        return error;
    }
    struct text_cell *cells = phys_to_direct(taken.cells);
    error = framebuffer_init(&framebuffer, info, taken.pixels, cells + row_count * column_count);
    pixel_screen = (struct text_screen){
        .cells = cells,
        .row_count = row_count,
        .column_count = column_count,
        .device = &framebuffer.device,
    };
    text_screen_take_over(&pixel_screen, early_screen());
    log_add_console(&pixel_writer);
    log_remove_console(&early_screen_writer);
    return error;
}

enum error console_init_screen(const struct boot_framebuffer *info)
{
    return info->width != 0 ? init_framebuffer(info) : vga_text_init(early_screen());
}

void console_close_framebuffer(void)
{
    log_add_console(&early_screen_writer);
    log_remove_console(&pixel_writer);
    mmio_unmap(taken.pixels, taken.pixels_bytes);
    frame_free_run(taken.cells, taken.cells_order);
}
