// SPDX-License-Identifier: MIT
//
// For tests: what is said on the consoles while one runs.
#pragma once

#include <stdbool.h>

#include "ktest.h"
#include "lib/format.h"

// From here on, until the test ends.
void log_fixture_start(struct ktest *test);

// All that has come since, or since it was cleared, up to 4,095 bytes. It stays when the test has
// ended.
const char *log_fixture_text(void);
bool log_fixture_has(const char *expected);
void log_fixture_clear(void);

// What collects it.
extern const struct writer log_fixture_console;
