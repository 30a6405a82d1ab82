// SPDX-License-Identifier: MIT
//
// Which tests run, by the run-time arguments (docs/protocol.md).
#pragma once

#include "ktest.h"

#define SELECT_NAME_MAX 256

// '*' and '?' match as usual; the whole text has to match.
bool ktest_glob_matches(const char *glob, size_t glob_bytes, const char *text);

// How many tests a record stands for: none for a suite, one for each parameter.
size_t select_test_count(const struct ktest_record *record);

// "suite.name" or "suite.name/3", in a buffer of SELECT_NAME_MAX bytes.
void select_full_name(char *text_out, const struct ktest_record *record, size_t index);

// Whether the test is in ktest.select; benchmarks and tests never run together.
bool select_includes(const struct ktest_record *record, size_t index);

// The record's attributes; those of a record without any are all zero.
const struct ktest_attr *select_attr(const struct ktest_record *record);

// The quirk that holds on this machine, and why the test can't run on it; NULL: none, it can.
const struct ktest_quirk *select_quirk(const struct ktest_record *record);
const char *select_obstacle(const struct ktest_record *record);

// Reads a decimal number and moves *text behind it. False if there is none, or one above 2^64-1.
bool select_parse_number(const char **text, uint64_t *value_out);
