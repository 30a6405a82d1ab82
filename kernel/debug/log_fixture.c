// SPDX-License-Identifier: MIT
#include "debug/log_fixture.h"

#include <stddef.h>

#include "debug/log.h"
#include "lib/string.h"

static char text[4096];
static size_t text_bytes;

static void collect(void *context, const char *bytes, size_t size_bytes)
{
    (void)context;
    for (size_t i = 0; i < size_bytes && text_bytes + 1 < sizeof(text); i++) {
        text[text_bytes++] = bytes[i];
    }
    text[text_bytes] = 0;
}

const struct writer log_fixture_console = {.write = collect};

static void stop(void *unused)
{
    (void)unused;
    log_remove_console(&log_fixture_console);
}

void log_fixture_start(struct ktest *test)
{
    log_fixture_clear();
    log_add_console(&log_fixture_console);
    ktest_add_action(test, stop, NULL);
}

void log_fixture_clear(void)
{
    text_bytes = 0;
    text[0] = 0;
}

const char *log_fixture_text(void)
{
    return text;
}

bool log_fixture_has(const char *expected)
{
    size_t length = strlen(expected);
    for (size_t i = 0; i + length <= text_bytes; i++) {
        if (memcmp(text + i, expected, length) == 0) {
            return true;
        }
    }
    return false;
}
