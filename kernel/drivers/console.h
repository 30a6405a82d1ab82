// SPDX-License-Identifier: MIT
//
// Which devices the log is heard and seen on: at first those of the early console, then their
// drivers, with what was shown before.
#pragma once

#include "lib/format.h"

// COM1 by its driver, if the port passes its self-test. Needs nothing but the log.
void console_init_serial(void);

// The screen by its driver.
void console_init_screen(void);

// The log's writer to COM1; NULL if the driver has not taken over. For tests that take it out.
const struct writer *console_serial(void);
