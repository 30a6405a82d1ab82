// SPDX-License-Identifier: MIT
//
// The running test, as ktest's own files see it.
#pragma once

#include "context.h"
#include "ktest.h"

enum ktest_verdict {
    KTEST_VERDICT_PASS,
    KTEST_VERDICT_SKIP,
    KTEST_VERDICT_FAIL,
    KTEST_VERDICT_ERROR
};

// How a function of the test ended.
enum ktest_ending {
    KTEST_ENDING_RETURNED,
    KTEST_ENDING_ASSERTED, // a failed KTEST_ASSERT_*
    KTEST_ENDING_SKIPPED,
    KTEST_ENDING_PANICKED,
    KTEST_ENDING_FAULTED,
};

#define KTEST_REASON_MAX 160

struct ktest {
    const struct ktest_record *record;
    uint64_t check_count;
    uint64_t failure_count;

    // The function of the test that runs now.
    struct ktest_context context; // where to go on when it is abandoned
    bool is_body;                 // not a fixture
    bool is_fault_reported;       // its panic only follows from that
    enum ktest_ending ending;
    bool is_as_declared; // the panic or fault matched the declaration

    // What happened, or how it differs from the declaration: "page fault at ...".
    char event[KTEST_REASON_MAX];
    enum ktest_verdict verdict;
    char reason[KTEST_REASON_MAX];
};

// Abandons the running function of the test.
KTEST_NORETURN void ktest_abandon(struct ktest *test, enum ktest_ending ending);

// The running test, NULL between tests.
struct ktest *ktest_current(void);

// '*' and '?' match as usual; the whole text has to match.
bool ktest_glob_matches(const char *glob, size_t glob_bytes, const char *text);
