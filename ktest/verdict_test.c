// SPDX-License-Identifier: MIT
//
// What is said of a test, here of copies: what they left behind, and which of two verdicts counts.
#include "verdict.h"

#include "format.h"

// A copy that has done nothing yet, and whose notes are not written.
static struct ktest silent_copy(const struct ktest *test)
{
    struct ktest copy = *test;
    copy.check_count = 0;
    copy.note_count = 1000;
    return copy;
}

static unsigned saved_count;
static enum ktest_invariant_state states[2];

static void save(void)
{
    saved_count++;
}

static enum ktest_invariant_state check_first(char *difference_out, size_t size_bytes)
{
    ktest_format(difference_out, size_bytes, "one");
    return states[0];
}

static enum ktest_invariant_state check_second(char *difference_out, size_t size_bytes)
{
    ktest_format(difference_out, size_bytes, "two");
    return states[1];
}

static const struct ktest_invariant first = {.name = "first", .save = save, .check = check_first};
static const struct ktest_invariant second = {
    .name = "second", .save = save, .check = check_second};
static const struct ktest_invariant *const both[] = {&first, &second, NULL};

static const struct ktest_invariant *const *fake_invariants(void)
{
    return both;
}

KTEST(verdict, invariants_are_all_saved_and_compared)
{
    static const struct {
        enum ktest_invariant_state states[2];
        enum ktest_verdict verdict;
        const char *reason;
        bool is_distrusted;
    } cases[] = {
        {{KTEST_INTACT, KTEST_INTACT}, KTEST_VERDICT_PASS, "", false},
        {{KTEST_RESTORED, KTEST_INTACT}, KTEST_VERDICT_FAIL, "left behind: first: one", false},
        {{KTEST_INTACT, KTEST_DAMAGED}, KTEST_VERDICT_FAIL, "left behind: second: two", true},
        {{KTEST_DAMAGED, KTEST_RESTORED}, KTEST_VERDICT_FAIL, "left behind: first: one", true},
    };
    saved_count = 0;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ktest copy = silent_copy(test);
        states[0] = cases[i].states[0];
        states[1] = cases[i].states[1];
        KTEST_STUB(test, ktest_port_invariants, fake_invariants);
        verdict_save_invariants();
        verdict_check_invariants(&copy);
        KTEST_EXPECT_EQ(test, copy.verdict, cases[i].verdict);
        KTEST_EXPECT_STREQ(test, copy.reason, cases[i].reason);
        KTEST_EXPECT_EQ(test, copy.distrust != NULL, cases[i].is_distrusted);
    }
    KTEST_EXPECT_EQ(test, saved_count, 8);
}

KTEST(verdict, worse_one_counts_and_the_first_of_equals)
{
    struct ktest copy = silent_copy(test);
    ktest_judge(&copy, KTEST_VERDICT_FAIL, "%s", "first");
    ktest_judge(&copy, KTEST_VERDICT_FAIL, "second");
    ktest_judge(&copy, KTEST_VERDICT_SKIP, "third");
    KTEST_EXPECT_EQ(test, copy.verdict, KTEST_VERDICT_FAIL);
    KTEST_EXPECT_STREQ(test, copy.reason, "first");
    ktest_judge(&copy, KTEST_VERDICT_ERROR, "fourth");
    KTEST_EXPECT_STREQ(test, copy.reason, "fourth");
}

static const struct ktest_attr with_bug = {.known_bug = "two and two"};

static struct ktest turned_round(const struct ktest *test, enum ktest_verdict verdict)
{
    struct ktest copy = silent_copy(test);
    copy.attr = &with_bug;
    ktest_judge(&copy, verdict, "as it was");
    verdict_of_known_bug(&copy);
    return copy;
}

KTEST(verdict, known_bug_turns_pass_and_fail_round_and_nothing_else)
{
    struct ktest copy = turned_round(test, KTEST_VERDICT_PASS);
    KTEST_EXPECT_EQ(test, copy.verdict, KTEST_VERDICT_FAIL);
    KTEST_EXPECT_STREQ(test, copy.reason, "the known bug no longer shows: two and two");
    copy = turned_round(test, KTEST_VERDICT_FAIL);
    KTEST_EXPECT_EQ(test, copy.verdict, KTEST_VERDICT_SKIP);
    KTEST_EXPECT_STREQ(test, copy.reason, "known bug: two and two");
    copy = turned_round(test, KTEST_VERDICT_SKIP);
    KTEST_EXPECT_EQ(test, copy.verdict, KTEST_VERDICT_SKIP);
    KTEST_EXPECT_STREQ(test, copy.reason, "as it was");
    copy = turned_round(test, KTEST_VERDICT_ERROR);
    KTEST_EXPECT_EQ(test, copy.verdict, KTEST_VERDICT_ERROR);
}

KTEST(verdict, skip_behind_something_worse_is_none)
{
    struct ktest copy = silent_copy(test);
    ktest_judge(&copy, KTEST_VERDICT_FAIL, "left behind");
    verdict_of_checks(&copy, true);
    KTEST_EXPECT_EQ(test, copy.verdict, KTEST_VERDICT_FAIL);
}

// The kernel says so too, not only the harness.
KTEST(verdict, declared_end_that_never_came_is_a_failure)
{
    static const struct {
        struct ktest_outcome outcome;
        const char *reason;
    } cases[] = {
        {KTEST_PANIC("text"), "the expected panic \"text\" never came"},
        {KTEST_FAULT(GP), "the expected fault (vector 13) never came"},
        {KTEST_TRIPLE_FAULT, "the expected triple fault never came"},
        {KTEST_HANG, "the expected hang never came"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ktest copy = silent_copy(test);
        copy.outcome = &cases[i].outcome;
        copy.ending = KTEST_ENDING_RETURNED;
        verdict_of_body(&copy);
        KTEST_EXPECT_EQ(test, copy.verdict, KTEST_VERDICT_FAIL);
        KTEST_EXPECT_STREQ(test, copy.reason, cases[i].reason);
    }
}

KTEST(verdict, death_counts_as_declared_only_when_it_was_armed)
{
    struct ktest copy = silent_copy(test);
    copy.ending = KTEST_ENDING_HUNG;
    copy.is_as_declared = true;
    copy.is_armed = true;
    verdict_of_body(&copy);
    KTEST_EXPECT_EQ(test, copy.verdict, KTEST_VERDICT_PASS);
    KTEST_EXPECT_EQ(test, copy.check_count, 1);
    copy.is_armed = false;
    ktest_format(copy.event, sizeof(copy.event), "hang");
    verdict_of_body(&copy);
    KTEST_EXPECT_EQ(test, copy.verdict, KTEST_VERDICT_FAIL);
    KTEST_EXPECT_STREQ(test, copy.reason, "as declared, but before KTEST_ARM: hang");
}
