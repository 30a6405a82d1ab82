// SPDX-License-Identifier: MIT
//
// A statement that has to fault or to panic: tried, and recovered from in place.
#include "format.h"
#include "runner.h"
#include "sweep.h"

void ktest_attempt_begin(struct ktest *test, struct ktest_attempt *attempt)
{
    attempt->result = KTEST_ENDING_RETURNED;
    attempt->outer = test->attempt;
    ktest_port_mark(&attempt->mark);
    test->event[0] = 0;
    test->is_as_declared = false;
    test->attempt = attempt;
}

static void describe_expected(const struct ktest_attempt *attempt, char *text, size_t size_bytes)
{
    if (attempt->kind == KTEST_OUTCOME_PANIC) {
        ktest_format(text, size_bytes, "panic \"%s\"", attempt->text);
    } else {
        ktest_format(text, size_bytes, "vector %u, error code 0x%llx", attempt->vector,
                     (unsigned long long)attempt->error);
    }
}

// A fault by its numbers, beside which the expected ones stand.
static void describe_actual(const struct ktest *test, const struct ktest_attempt *attempt,
                            char *text, size_t size_bytes)
{
    if (attempt->result == KTEST_ENDING_RETURNED) {
        ktest_format(text, size_bytes, "nothing happened");
    } else if (attempt->result == KTEST_ENDING_FAULTED) {
        ktest_format(text, size_bytes, "vector %u, error code 0x%llx (%s)", test->last_fault.vector,
                     (unsigned long long)test->last_fault.error, test->event);
    } else {
        ktest_format(text, size_bytes, "%s", test->event);
    }
}

void ktest_attempt_end(struct ktest *test, struct ktest_attempt *attempt)
{
    test->attempt = attempt->outer;
    test->died_at = 0; // it has not: this was expected, or is a failed check
    if (attempt->result != KTEST_ENDING_RETURNED) {
        ktest_recover(test, &attempt->mark);
    }
    test->check_count++;
    bool is_met = test->is_as_declared;
    test->is_as_declared = false;
    if (is_met) {
        return;
    }
    char expected[KTEST_TEXT_MAX];
    char actual[KTEST_TEXT_MAX];
    describe_expected(attempt, expected, sizeof(expected));
    describe_actual(test, attempt, actual, sizeof(actual));
    if (sweep_is_lenient(test) && attempt->result != KTEST_ENDING_RETURNED) {
        ktest_judge(test, KTEST_VERDICT_FAIL, "%s", actual); // it is more than a failed check
    }
    ktest_fail_values(test, attempt->site, actual, expected);
}

const struct ktest_fault *ktest_last_fault(const struct ktest *test)
{
    return &test->last_fault;
}
