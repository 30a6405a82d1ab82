// SPDX-License-Identifier: MIT
//
// One lock around the list of consoles and the writing to them.
#include "debug/log.h"

#include "boot/early_console.h"
#include "lib/panic.h"
#include "lib/string.h"
#include "sync/spinlock.h"

static struct spinlock log_lock = SPINLOCK("log", LOCK_RANK_LOG);

static const struct writer *consoles[LOG_CONSOLES_MAX] GUARDED_BY(log_lock) = {
    &early_serial_writer,
    &early_screen_writer,
};
static enum log_level threshold = LOG_INFO;

static const char *const level_names[] = {
    [LOG_ERROR] = "error",
    [LOG_WARN] = "warn",
    [LOG_INFO] = "info",
    [LOG_DEBUG] = "debug",
};

// A panic comes here by all_consoles, without the lock.
static void write_all(void *context, const char *bytes, size_t size_bytes) REQUIRES(log_lock)
{
    (void)context;
    for (size_t i = 0; i < LOG_CONSOLES_MAX; i++) {
        if (consoles[i] != NULL) {
            consoles[i]->write(consoles[i]->context, bytes, size_bytes);
        }
    }
}

static const struct writer all_consoles = {.write = write_all};

const struct writer *log_emergency_writer(void)
{
    return &all_consoles;
}

void log_write(enum log_level level, const char *subsystem, const char *format, ...)
{
    if (level > threshold) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    irq_state_t state = spinlock_lock(&log_lock);
    format_write(&all_consoles, "%-5s %s: ", level_names[level], subsystem);
    format_vwrite(&all_consoles, format, arguments);
    write_all(NULL, "\n", 1);
    spinlock_unlock(&log_lock, state);
    va_end(arguments);
}

void print(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    irq_state_t state = spinlock_lock(&log_lock);
    format_vwrite(&all_consoles, format, arguments);
    spinlock_unlock(&log_lock, state);
    va_end(arguments);
}

static void write_text(void *context, const char *bytes, size_t size_bytes)
{
    (void)context;
    print("%.*s", (int)size_bytes, bytes);
}

const struct writer log_text_writer = {.write = write_text};

void println(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    irq_state_t state = spinlock_lock(&log_lock);
    format_vwrite(&all_consoles, format, arguments);
    write_all(NULL, "\n", 1);
    spinlock_unlock(&log_lock, state);
    va_end(arguments);
}

void log_set_level(enum log_level level)
{
    threshold = level;
}

enum log_level log_get_level(void)
{
    return threshold;
}

const char *log_level_name(enum log_level level)
{
    return level_names[level];
}

bool log_level_parse(const char *text, enum log_level *level_out)
{
    for (enum log_level level = LOG_ERROR; level <= LOG_DEBUG; level++) {
        if (strcmp(text, level_names[level]) == 0) {
            *level_out = level;
            return true;
        }
    }
    return false;
}

// Puts `to` in the place of `from`; false if `from` is not there.
static bool replace(const struct writer *from, const struct writer *to)
{
    bool is_found = false;
    irq_state_t state = spinlock_lock(&log_lock);
    for (size_t i = 0; i < LOG_CONSOLES_MAX && !is_found; i++) {
        if (consoles[i] == from) {
            consoles[i] = to;
            is_found = true;
        }
    }
    spinlock_unlock(&log_lock, state);
    return is_found;
}

void log_add_console(const struct writer *console)
{
    if (!replace(NULL, console)) {
        panic("more than %d consoles", LOG_CONSOLES_MAX);
    }
}

void log_remove_console(const struct writer *console)
{
    (void)replace(console, NULL);
}
