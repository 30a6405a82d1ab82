// SPDX-License-Identifier: MIT
//
// The steps of judging a test, in the order in which the runner takes them. Each may make the
// verdict worse, none better.
#pragma once

#include "runner.h"

// Whether a function ended otherwise than by itself or by one of its checks.
bool verdict_has_died(enum ktest_ending ending);

// Before the test, and after the last of its functions: what it has to leave as it found it.
void verdict_save_invariants(void);
void verdict_check_invariants(struct ktest *test);

// How the body ended, against what the test declares; and how another of its functions ended.
void verdict_of_body(struct ktest *test);
void verdict_of_fixture(struct ktest *test, enum ktest_ending ending, const char *which);

// Failed checks, a skip, no checks at all.
void verdict_of_checks(struct ktest *test, bool is_skipped);

// Turns the verdict of a test with a known bug round: last of all.
void verdict_of_known_bug(struct ktest *test);
