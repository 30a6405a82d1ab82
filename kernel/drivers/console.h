// SPDX-License-Identifier: MIT
//
// Which devices the log is heard and seen on: at first those of the early console, then their
// drivers. Each takes over with what was shown before, and from then on the log writes to it.
#pragma once

#include "boot/boot_info.h"
#include "lib/error.h"
#include "lib/format.h"

struct uart;

// COM1 by its driver, if the port passes its self-test. Needs nothing but the log.
void console_init_serial(void);

// The screen by its driver: pixels if the loader has left a framebuffer, or else the VGA's text.
// Needs frames and mmio_map for a framebuffer. ENODEV if there is neither; ENOTSUP, EINVAL, ENOMEM
// or ENOSPC if the framebuffer can't be used: then the early console's screen stays, unseen.
enum error console_init_screen(const struct boot_framebuffer *framebuffer);

// The log's writer to COM1; NULL if the driver has not taken over.
const struct writer *console_serial(void);

// COM1, to receive from it; NULL as above. Its sender is the log's.
struct uart *console_uart(void);

// For tests: gives the framebuffer back, and its memory, for the early console's screen.
void console_close_framebuffer(void);
