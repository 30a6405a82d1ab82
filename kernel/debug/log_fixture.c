// SPDX-License-Identifier: MIT
#include "debug/log_fixture.h"

#include <stddef.h>

#include "debug/log.h"

static char text[512];
static size_t text_bytes;

static void collect(void *context, const char *bytes, size_t size_bytes)
{
    (void)context;
    for (size_t i = 0; i < size_bytes && text_bytes + 1 < sizeof(text); i++) {
        text[text_bytes++] = bytes[i];
    }
    text[text_bytes] = 0;
}

static const struct writer collector = {.write = collect};

static void stop(void *unused)
{
    (void)unused;
    log_remove_console(&collector);
}

void log_fixture_start(struct ktest *test)
{
    text_bytes = 0;
    text[0] = 0;
    log_add_console(&collector);
    ktest_add_action(test, stop, NULL);
}

const char *log_fixture_text(void)
{
    return text;
}
