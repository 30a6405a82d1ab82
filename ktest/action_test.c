// SPDX-License-Identifier: MIT
//
// What is called when a test is over: in which order, and also when the test has died.
#include "ktest.h"
#include "runner.h"

static char calls[16];
static size_t call_count;

static void note(char c)
{
    if (call_count < sizeof(calls) - 1) {
        calls[call_count++] = c;
    }
    calls[call_count] = 0;
}

static void note_action(void *context)
{
    note(*(const char *)context);
}

static char a[] = "a";
static char b[] = "b";
static char c[] = "c";
static char d[] = "d";
static char s[] = "s";

static void clear(void)
{
    call_count = 0;
    calls[0] = 0;
}

// Added first, so called last: it looks at what the others have left.
static const char *expected;

static void compare(void *context)
{
    struct ktest *test = context;
    KTEST_EXPECT_STREQ(test, calls, expected);
    clear();
}

static void suite_init(struct ktest *test)
{
    clear();
    ktest_add_action(test, note_action, s);
}

static void suite_exit(struct ktest *test)
{
    KTEST_EXPECT_STREQ(test, calls, ""); // the suite's action has not been called yet
}

static void init(struct ktest *test)
{
    ktest_add_action(test, compare, test);
}

static void exit(struct ktest *test)
{
    (void)test;
    note('x');
}

KTEST_SUITE(action, .suite_init = suite_init, .suite_exit = suite_exit, .init = init, .exit = exit);

KTEST(action, last_added_comes_first_behind_the_exit_fixture)
{
    expected = "xcba";
    KTEST_EXPECT_TRUE(test, ktest_add_action(test, note_action, a));
    KTEST_EXPECT_TRUE(test, ktest_add_action(test, note_action, b));
    KTEST_EXPECT_TRUE(test, ktest_add_action(test, note_action, c));
}

KTEST(action, removed_one_is_not_called)
{
    expected = "xdca";
    ktest_add_action(test, note_action, a);
    ktest_add_action(test, note_action, b);
    ktest_add_action(test, note_action, c);
    ktest_add_action(test, note_action, d);
    ktest_remove_action(test, note_action, b);
    ktest_remove_action(test, note_action, b); // is not there any more
    KTEST_EXPECT_STREQ(test, calls, "");
}

static void note_upper_case(void *context)
{
    note((char)(*(const char *)context - 'a' + 'A'));
}

KTEST(action, removed_one_is_known_by_function_and_context)
{
    expected = "xA";
    ktest_add_action(test, note_action, a);
    ktest_add_action(test, note_upper_case, a);
    ktest_remove_action(test, note_action, b);
    ktest_remove_action(test, note_action, a);
    KTEST_EXPECT_STREQ(test, calls, "");
}

KTEST(action, released_one_is_called_at_once)
{
    expected = "bxca";
    ktest_add_action(test, note_action, a);
    ktest_add_action(test, note_action, b);
    ktest_add_action(test, note_action, c);
    ktest_release_action(test, note_action, b);
    KTEST_EXPECT_STREQ(test, calls, "b");
}

KTEST(action, same_one_twice_is_called_twice)
{
    expected = "xaa";
    ktest_add_action(test, note_action, a);
    ktest_add_action(test, note_action, a);
    KTEST_EXPECT_STREQ(test, calls, "");
}

KTEST_ATTR(action, called_after_a_fault, .outcome = KTEST_FAULT(UD));
KTEST(action, called_after_a_fault)
{
    expected = "xba";
    ktest_add_action(test, note_action, a);
    ktest_add_action(test, note_action, b);
    KTEST_ARM(test);
    __asm__ volatile("ud2");
}

// One that does not find room is called at once, and is an error of its test: here of a copy.
KTEST(action, too_many_are_an_error)
{
    expected = "xaaaaaaaaaaaaaa"; // as many as `calls` holds
    struct ktest copy = *test;
    unsigned added = 0;
    while (added < 100 && ktest_add_action(&copy, note_action, a)) {
        added++;
    }
    KTEST_EXPECT_EQ(test, added, 31); // and the one of the init fixture
    KTEST_EXPECT_STREQ(test, calls, "a");
    KTEST_EXPECT_EQ(test, copy.verdict, KTEST_VERDICT_ERROR);
    clear();
}
