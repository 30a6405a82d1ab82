// SPDX-License-Identifier: MIT
//
// The lines of the protocol that tell of the run and of its tests: docs/protocol.md.
#pragma once

#include "runner.h"

struct report_totals {
    uint64_t tests;
    uint64_t by_verdict[4]; // enum ktest_verdict
    bool is_stopped;        // before its end
    bool is_restarting;     // in another boot
};

// Instead of all that follows: why the run can't begin.
void report_refusal(const char *reason);

// `seed` is NULL if the tests are not shuffled.
void report_header(uint64_t test_count, uint64_t selected_count, const uint64_t *seed);
void report_plan(uint64_t suite_count);

void report_suite_begin(const char *suite, uint64_t selected);
void report_suite_end(const char *suite, uint64_t suite_number, bool is_ok);

void report_begin(const struct ktest *test);

// Once a test that has a parameter: before its death, if describing it was its death.
void report_param(struct ktest *test, const char *text);

// Before a run with an allocation that has to fail; when it fails; and when all runs went well.
void report_rerun(const struct ktest *test);
void report_denied(const struct ktest *test, uint64_t caller);
void report_swept(const struct ktest *test, uint64_t runs);

void report_end(const struct ktest *test, uint64_t number, uint64_t cycles);

// "pass" and the like.
const char *report_verdict_name(enum ktest_verdict verdict);

void report_order(const char *text, bool is_known);
void report_restart(const char *reason);
void report_totals(const struct report_totals *totals);
