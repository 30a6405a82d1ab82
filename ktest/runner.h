// SPDX-License-Identifier: MIT
//
// The running test, as ktest's own files see it.
#pragma once

#include "context.h"
#include "ktest.h"
#include "port.h"

enum ktest_verdict {
    KTEST_VERDICT_PASS,
    KTEST_VERDICT_SKIP,
    KTEST_VERDICT_FAIL,
    KTEST_VERDICT_ERROR
};

// How a function of the test, or a statement that it tried, ended.
enum ktest_ending {
    KTEST_ENDING_RETURNED,
    KTEST_ENDING_ASSERTED, // a failed KTEST_ASSERT_*
    KTEST_ENDING_SKIPPED,
    KTEST_ENDING_PANICKED,
    KTEST_ENDING_FAULTED,
    KTEST_ENDING_HUNG,
};

struct ktest {
    const struct ktest_record *record;
    const struct ktest_attr *attr;
    const struct ktest_outcome *outcome; // the attribute's, or a quirk's
    size_t param_index;
    uint64_t timeout_ms;
    uint64_t check_count;
    uint64_t failure_count;
    unsigned note_count;

    // The function of the test that runs now.
    struct ktest_context context;  // where to go on when it is abandoned
    struct ktest_attempt *attempt; // the statement that it tries, NULL: none
    bool is_body;                  // not a fixture
    bool is_in_suite_fixture;
    bool is_param_due; // its parameter is not reported yet
    bool is_armed;
    bool is_fault_reported; // its panic only follows from that
    bool is_as_declared;    // its end matched the declaration
    enum ktest_ending ending;

    // The run that is under way, of several if allocations have to fail (sweep.h).
    uint64_t nth;               // the allocation that has to fail in it; 0: none
    bool is_counted;            // its allocations are
    bool has_allocation_failed; // the nth
    bool is_lenient;            // the test was not written for it: failed checks don't count
    uint64_t allocation_count;
    char lenience[KTEST_TEXT_MAX]; // the first check that did not

    struct ktest_fault last_fault;
    char event[KTEST_TEXT_MAX]; // what ended it, or how that differs from the declaration
    uint64_t died_at;           // in cycles
    uint64_t recovery_cycles;
    size_t stack_bytes;   // the most that one of its functions used
    const char *distrust; // why the next test needs another boot

    enum ktest_verdict verdict;
    char reason[KTEST_TEXT_MAX];
};

// A later verdict counts only if it is worse.
void ktest_judge(struct ktest *test, enum ktest_verdict verdict, const char *format, ...)
    KTEST_PRINTF(3, 4);

// Something that whoever looks into a failure wants to know.
void ktest_note(struct ktest *test, const char *format, ...) KTEST_PRINTF(2, 3);

// Abandons the running function of the test.
KTEST_NORETURN void ktest_abandon(struct ktest *test, enum ktest_ending ending);

// The running test, NULL between the functions of tests.
struct ktest *ktest_current(void);

// Calls function(argument) for the test, on the tests' stack, with the watchdog running: until it
// returns or is abandoned. Then gives back what it held.
enum ktest_ending ktest_call(struct ktest *test, void (*function)(void *), void *argument);

// Gives back what abandoned code took since the mark; says so in a note.
void ktest_recover(struct ktest *test, const struct ktest_mark *mark);

// Reports a failed comparison of the site's two sides, and ends the test if it is an assertion.
void ktest_fail_values(struct ktest *test, const struct ktest_site *site, const char *left_value,
                       const char *right_value);

// Calls what was added, the last one first: by the test's functions or by its suite's.
void ktest_run_actions(struct ktest *test, bool is_suite);

// Reports what a benchmark measured; an error of the test if that is nothing.
void ktest_bench_begin(void);
void ktest_bench_report(struct ktest *test);
