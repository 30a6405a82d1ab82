// SPDX-License-Identifier: MIT
//
// For tests: what is said on the consoles while one runs.
#pragma once

#include "ktest.h"

// From here on, until the test ends.
void log_fixture_start(struct ktest *test);

// All that has come since, up to some hundred bytes.
const char *log_fixture_text(void);
