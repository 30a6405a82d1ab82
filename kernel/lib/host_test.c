// SPDX-License-Identifier: MIT
//
// Runs the tests of the pure layers as a program of the host, under sanitizers: a small
// implementation of ktest.h that reports in TAP. A panic is caught when the test declares it;
// faults need a kernel.
//
// Nothing here calls the code under test: this file is compiled without the renaming of memcpy and
// its kin, so that the C library, which the sanitizers know, does the printing and comparing.
#include "ktest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/panic.h"

extern const struct ktest_record *ktests_start[];
extern const struct ktest_record *ktests_end[];

enum ending { RETURNED, ABORTED, SKIPPED, PANICKED };

struct ktest {
    const struct ktest_record *record;
    unsigned check_count;
    unsigned failure_count;
    char message[256]; // of the panic or the skip
    jmp_buf end;
};

static struct ktest *running; // for panic_at()

KTEST_PRINTF(2, 0) static void note(const struct ktest_site *site, const char *format, va_list list)
{
    printf("# %s:%u: ", site->file, site->line);
    if (format != NULL) {
        vprintf(format, list);
        printf(": ");
    }
}

// For the functions that end in (const char *format, ...), the test's own message.
#define CHECK(holds_, ...)                                                                         \
    do {                                                                                           \
        test->check_count++;                                                                       \
        if (!(holds_)) {                                                                           \
            va_list list_;                                                                         \
            va_start(list_, format);                                                               \
            note(site, format, list_);                                                             \
            va_end(list_);                                                                         \
            printf(__VA_ARGS__);                                                                   \
            fail(test, site);                                                                      \
        }                                                                                          \
    } while (0)

static void fail(struct ktest *test, const struct ktest_site *site)
{
    putchar('\n');
    test->failure_count++;
    if (site->severity == KTEST_ASSERT) {
        longjmp(test->end, ABORTED);
    }
}

static bool holds(enum ktest_relation relation, int order)
{
    switch (relation) {
    case KTEST_EQ:
        return order == 0;
    case KTEST_NE:
        return order != 0;
    case KTEST_LT:
        return order < 0;
    case KTEST_LE:
        return order <= 0;
    case KTEST_GT:
        return order > 0;
    case KTEST_GE:
        return order >= 0;
    }
    abort();
}

static const char *symbol(const struct ktest_site *site)
{
    static const char *const symbols[] = {"==", "!=", "<", "<=", ">", ">="};

    return symbols[site->relation];
}

void ktest_check_bool(struct ktest *test, const struct ktest_site *site, bool value, bool expected,
                      const char *format, ...)
{
    CHECK(value == expected, "%s is not %s", site->left, expected ? "true" : "false");
}

void ktest_check_int(struct ktest *test, const struct ktest_site *site, struct ktest_int left,
                     struct ktest_int right, const char *format, ...)
{
    int order = (left.bits > right.bits) - (left.bits < right.bits);

    if (left.is_negative != right.is_negative) {
        order = left.is_negative ? -1 : 1;
    }
    CHECK(holds(site->relation, order), "%s %s %s: left is %#lx (%ld), right is %#lx (%ld)",
          site->left, symbol(site), site->right, left.bits, (int64_t)left.bits, right.bits,
          (int64_t)right.bits);
}

void ktest_check_ptr(struct ktest *test, const struct ktest_site *site, const volatile void *left,
                     const volatile void *right, const char *format, ...)
{
    CHECK((left == right) == (site->relation == KTEST_EQ), "%s %s %s: left is %#lx, right is %#lx",
          site->left, symbol(site), site->right, (uintptr_t)left, (uintptr_t)right);
}

void ktest_check_str(struct ktest *test, const struct ktest_site *site, const char *left,
                     const char *right, const char *format, ...)
{
    bool is_equal = left == right || (left != NULL && right != NULL && strcmp(left, right) == 0);

    CHECK(is_equal, "%s %s %s: left is \"%s\", right is \"%s\"", site->left, symbol(site),
          site->right, left != NULL ? left : "(null)", right != NULL ? right : "(null)");
}

void ktest_check_mem(struct ktest *test, const struct ktest_site *site, const void *left,
                     const void *right, size_t size_bytes, const char *format, ...)
{
    CHECK(memcmp(left, right, size_bytes) == 0, "%s and %s differ in %zu bytes", site->left,
          site->right, size_bytes);
}

void ktest_fail(struct ktest *test, const struct ktest_site *site, const char *format, ...)
{
    CHECK(false, "failed");
}

void ktest_skip(struct ktest *test, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    vsnprintf(test->message, sizeof(test->message), format, list);
    va_end(list);
    longjmp(test->end, SKIPPED);
}

const char *ktest_name(const struct ktest *test)
{
    return test->record->name;
}

void panic_at(const struct source_site *site, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    vsnprintf(running->message, sizeof(running->message), format, list);
    va_end(list);
    printf("# %s:%u: panic in %s: %s\n", site->file, site->line, site->function, running->message);
    longjmp(running->end, PANICKED);
}

// '*' stands for any text, '?' for any character.
static bool matches(const char *glob, const char *message)
{
    if (*glob == '*') {
        return matches(glob + 1, message) || (*message != '\0' && matches(glob, message + 1));
    }
    if (*glob == '\0' || *message == '\0') {
        return *glob == *message;
    }
    return (*glob == '?' || *glob == *message) && matches(glob + 1, message + 1);
}

// --- Running -----------------------------------------------------------------------------------

// On the host a sanitizer may put a zone of zeros behind every variable, also in this section, and
// reports who reads it.
[[gnu::no_sanitize_address]] static const struct ktest_record *
next_record(const struct ktest_record ***position)
{
    while (*position < ktests_end) {
        const struct ktest_record *record = *(*position)++;

        if (record != NULL) {
            return record;
        }
    }
    return NULL;
}

static const struct ktest_record *suite_of(const struct ktest_record *test_case)
{
    const struct ktest_record **position = ktests_start;
    const struct ktest_record *record;

    while ((record = next_record(&position)) != NULL) {
        if (record->kind == KTEST_RECORD_SUITE && strcmp(record->suite, test_case->suite) == 0) {
            return record;
        }
    }
    return NULL;
}

static enum ending call(struct ktest *test, ktest_function_t *function)
{
    enum ending ending = (enum ending)setjmp(test->end);

    if (ending == RETURNED && function != NULL) {
        function(test);
    }
    return ending;
}

static bool is_expected(const struct ktest *test, enum ending ending)
{
    const struct ktest_outcome *outcome = &test->record->attr->outcome;

    if (outcome->kind == KTEST_OUTCOME_PANIC) {
        return ending == PANICKED && matches(outcome->text, test->message);
    }
    return ending == RETURNED && test->check_count != 0;
}

static bool run(const struct ktest_record *record, unsigned number)
{
    struct ktest test = {.record = record};
    const struct ktest_record *suite = suite_of(record);
    const struct ktest_suite_ops *ops = suite != NULL ? suite->ops : &(struct ktest_suite_ops){};
    bool is_fault = record->attr->outcome.kind == KTEST_OUTCOME_FAULT;

    running = &test;
    if (is_fault) {
        printf("ok %u %s.%s # SKIP faults need a kernel\n", number, record->suite, record->name);
        return true;
    }

    enum ending ending = call(&test, ops->init);

    if (ending == RETURNED) {
        ending = call(&test, record->run);
    }

    bool passed = is_expected(&test, ending) || ending == SKIPPED;

    passed = call(&test, ops->exit) == RETURNED && passed && test.failure_count == 0;
    printf("%s %u %s.%s", passed ? "ok" : "not ok", number, record->suite, record->name);
    if (ending == SKIPPED) {
        printf(" # SKIP %s", test.message);
    }
    putchar('\n');
    fflush(stdout);
    return passed;
}

int main(void)
{
    const struct ktest_record **position = ktests_start;
    const struct ktest_record *record;
    unsigned count = 0;
    unsigned failure_count = 0;

    while ((record = next_record(&position)) != NULL) {
        if (record->kind == KTEST_RECORD_CASE) {
            failure_count += !run(record, ++count);
        }
    }
    printf("1..%u\n", count);
    return count != 0 && failure_count == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
