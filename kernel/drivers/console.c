// SPDX-License-Identifier: MIT
//
// Each takes over at once, so that no line is lost and none comes twice.
#include "drivers/console.h"

#include <stdbool.h>
#include <stddef.h>

#include "boot/early_console.h"
#include "debug/log.h"
#include "drivers/uart_16550.h"
#include "drivers/vga_text.h"

static struct uart com1;
static const struct writer serial_writer = {.write = uart_write_text, .context = &com1};
static bool has_serial;

void console_init_serial(void)
{
    if (uart_init(&com1, UART_COM1) != OK) {
        log_warn("boot", "COM1 fails its loopback test");
        return;
    }
    log_remove_console(&early_serial_writer);
    log_add_console(&serial_writer);
    has_serial = true;
}

void console_init_screen(void)
{
    if (vga_text_init(early_screen()) != OK) {
        log_debug("boot", "there is no VGA in text mode");
    }
}

const struct writer *console_serial(void)
{
    return has_serial ? &serial_writer : NULL;
}
