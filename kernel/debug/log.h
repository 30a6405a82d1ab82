// SPDX-License-Identifier: MIT
//
// What the kernel says, on every console it has. A call's text comes out in one piece: lines from
// several contexts never mix. Callable before any initialisation and in interrupt handlers; panics
// have a way of their own that takes no lock (log_emergency_writer).
#pragma once

#include <stdbool.h>

#include "lib/format.h"

enum log_level {
    LOG_ERROR, // something is lost
    LOG_WARN,  // something is odd, and handled
    LOG_INFO,  // the course of events
    LOG_DEBUG, // for whoever looks for a bug
};

// One line "LEVEL subsystem: text\n", if the level is not above the threshold. `format` has no
// newline.
[[gnu::format(printf, 3, 4)]] void log_write(enum log_level level, const char *subsystem,
                                             const char *format, ...);

#define log_error(subsystem_, ...) log_write(LOG_ERROR, subsystem_, __VA_ARGS__)
#define log_warn(subsystem_, ...) log_write(LOG_WARN, subsystem_, __VA_ARGS__)
#define log_info(subsystem_, ...) log_write(LOG_INFO, subsystem_, __VA_ARGS__)
#define log_debug(subsystem_, ...) log_write(LOG_DEBUG, subsystem_, __VA_ARGS__)

// Plain text; println adds a newline. println("") prints an empty line.
[[gnu::format(printf, 1, 2)]] void print(const char *format, ...);
[[gnu::format(printf, 1, 2)]] void println(const char *format, ...);

// print() for functions that write to a writer.
extern const struct writer log_text_writer;

// The threshold at start is LOG_INFO.
void log_set_level(enum log_level level);
enum log_level log_get_level(void);

// "error" and the like.
const char *log_level_name(enum log_level level);

// "error", "warn", "info", "debug"; false, and *level_out untouched, for anything else.
bool log_level_parse(const char *text, enum log_level *level_out);

// Consoles: at start the early console's two. Writers must outlive their registration.
#define LOG_CONSOLES_MAX 6
void log_add_console(const struct writer *console); // panics if there are too many
void log_remove_console(const struct writer *console);

// A writer to all consoles without the lock: for panics only.
const struct writer *log_emergency_writer(void);
