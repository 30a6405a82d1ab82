// SPDX-License-Identifier: MIT
//
// The checks behind KTEST_EXPECT_* and KTEST_ASSERT_*: compare, count, and say what differs.
#include "format.h"
#include "runner.h"
#include "stream.h"
#include "sweep.h"

#define REPORTS_MAX 20
#define VALUE_MAX 100
#define STRING_SHOWN_MAX 80 // and quotes and dots
#define MESSAGE_MAX 128

// What is said of a failed check; empty strings where there is nothing to say.
struct failure {
    const char *relation;
    const char *left_value;
    const char *right_value;
};

static const char *const relations[] = {
    [KTEST_EQ] = "==", [KTEST_NE] = "!=", [KTEST_LT] = "<",
    [KTEST_LE] = "<=", [KTEST_GT] = ">",  [KTEST_GE] = ">=",
};

static void report(const struct ktest_site *site, const struct failure *failure,
                   const char *message)
{
    bool is_assert = site->severity == KTEST_ASSERT;
    stream_begin("    #:ktest_check");
    stream_field("kind", is_assert ? "assert" : "expect");
    stream_field("file", site->file);
    stream_field_number("line", site->line);
    stream_field("left", site->left);
    stream_field("right", site->right);
    stream_field("relation", failure->relation);
    stream_field("left_value", failure->left_value);
    stream_field("right_value", failure->right_value);
    stream_field("message", message);
    stream_end();

    stream_begin("    # ");
    stream_printable(site->file);
    stream_text(":");
    stream_number(site->line);
    stream_text(is_assert ? ": ASSERT " : ": EXPECT ");
    if (failure->relation[0] != 0) {
        stream_printable(site->left);
        stream_text(" ");
        stream_text(failure->relation);
        stream_text(" ");
        stream_printable(site->right);
        stream_text(": ");
        stream_printable(failure->left_value);
        stream_text(" against ");
        stream_printable(failure->right_value);
    }
    if (message[0] != 0) {
        stream_text(failure->relation[0] != 0 ? ": " : "");
        stream_printable(message);
    }
    stream_end();
}

// An assumption that does not hold: the test is skipped, and says why.
KTEST_NORETURN static void skip(struct ktest *test, const struct ktest_site *site,
                                const struct failure *failure, const char *message)
{
    ktest_skip(test, "assumed %s %s %s: %s against %s%s%s", site->left, failure->relation,
               site->right, failure->left_value, failure->right_value, message[0] != 0 ? ": " : "",
               message);
}

// Keeps the first one of a run, which may explain what comes of it.
static void overlook(struct ktest *test, const struct ktest_site *site,
                     const struct failure *failure, const char *message)
{
    if (test->lenience[0] == 0 && test->verdict == KTEST_VERDICT_PASS) {
        ktest_format(test->lenience, sizeof(test->lenience), "%s:%u: %s %s %s: %s against %s %s",
                     site->file, site->line, site->left, failure->relation, site->right,
                     failure->left_value, failure->right_value, message);
    }
    if (site->severity == KTEST_ASSERT) {
        ktest_abandon(test, KTEST_ENDING_ASSERTED);
    }
}

static void fail_with(struct ktest *test, const struct ktest_site *site,
                      const struct failure *failure, const char *message)
{
    if (site->severity == KTEST_ASSUME) {
        skip(test, site, failure, message);
    }
    if (sweep_is_lenient(test)) {
        overlook(test, site, failure, message);
        return;
    }
    test->failure_count++;
    if (test->failure_count <= REPORTS_MAX) {
        stream_hold();
        report(site, failure, message);
        stream_release();
    }
    if (site->severity == KTEST_ASSERT) {
        ktest_abandon(test, KTEST_ENDING_ASSERTED);
    }
}

static void fail(struct ktest *test, const struct ktest_site *site, const struct failure *failure,
                 const char *format, va_list arguments)
{
    char message[MESSAGE_MAX] = "";
    if (format != NULL) {
        ktest_vformat(message, sizeof(message), format, arguments);
    }
    fail_with(test, site, failure, message);
}

void ktest_fail_values(struct ktest *test, const struct ktest_site *site, const char *left_value,
                       const char *right_value)
{
    struct failure failure = {relations[KTEST_EQ], left_value, right_value};
    fail_with(test, site, &failure, "");
}

void ktest_check_bool(struct ktest *test, const struct ktest_site *site, bool value, bool expected,
                      const char *format, ...)
{
    test->check_count++;
    if (value == expected) {
        return;
    }
    struct failure failure = {"==", value ? "true" : "false", expected ? "true" : "false"};
    va_list arguments;
    va_start(arguments, format);
    fail(test, site, &failure, format, arguments);
    va_end(arguments);
}

static int compare(struct ktest_int left, struct ktest_int right)
{
    if (left.is_negative != right.is_negative) {
        return left.is_negative ? -1 : 1;
    }
    return (left.bits > right.bits) - (left.bits < right.bits);
}

static bool holds(uint32_t relation, int order)
{
    switch ((enum ktest_relation)relation) {
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
    return false;
}

// Decimal, and hexadecimal too where that is what one would rather see.
static void show_int(char *text, struct ktest_int value)
{
    if (value.is_negative) {
        ktest_format(text, VALUE_MAX, "%lld", (long long)value.bits);
    } else if (value.bits < 4096) {
        ktest_format(text, VALUE_MAX, "%llu", (unsigned long long)value.bits);
    } else {
        ktest_format(text, VALUE_MAX, "%llu (0x%llx)", (unsigned long long)value.bits,
                     (unsigned long long)value.bits);
    }
}

void ktest_check_int(struct ktest *test, const struct ktest_site *site, struct ktest_int left,
                     struct ktest_int right, const char *format, ...)
{
    test->check_count++;
    if (holds(site->relation, compare(left, right))) {
        return;
    }
    char left_value[VALUE_MAX];
    char right_value[VALUE_MAX];
    show_int(left_value, left);
    show_int(right_value, right);
    struct failure failure = {relations[site->relation], left_value, right_value};
    va_list arguments;
    va_start(arguments, format);
    fail(test, site, &failure, format, arguments);
    va_end(arguments);
}

void ktest_check_ptr(struct ktest *test, const struct ktest_site *site, const volatile void *left,
                     const volatile void *right, const char *format, ...)
{
    test->check_count++;
    if ((left == right) == (site->relation == KTEST_EQ)) {
        return;
    }
    char left_value[VALUE_MAX];
    char right_value[VALUE_MAX];
    ktest_format(left_value, sizeof(left_value), "0x%llx", (unsigned long long)(uintptr_t)left);
    ktest_format(right_value, sizeof(right_value), "0x%llx", (unsigned long long)(uintptr_t)right);
    struct failure failure = {relations[site->relation], left_value, right_value};
    va_list arguments;
    va_start(arguments, format);
    fail(test, site, &failure, format, arguments);
    va_end(arguments);
}

// How many bytes are alike before the strings differ or end.
static size_t common_bytes(const char *left, const char *right)
{
    size_t i = 0;
    while (left[i] != 0 && left[i] == right[i]) {
        i++;
    }
    return i;
}

// The string from an offset on, with dots where something is left out.
static void show_string(char *text, const char *string, size_t from)
{
    if (string == NULL) {
        ktest_format(text, VALUE_MAX, "NULL");
        return;
    }
    char shown[STRING_SHOWN_MAX + 1];
    size_t i = 0;
    while (i < STRING_SHOWN_MAX && string[from + i] != 0) {
        shown[i] = string[from + i];
        i++;
    }
    shown[i] = 0;
    ktest_format(text, VALUE_MAX, "\"%s%s%s\"", from != 0 ? "..." : "", shown,
                 string[from + i] != 0 ? "..." : "");
}

void ktest_check_str(struct ktest *test, const struct ktest_site *site, const char *left,
                     const char *right, const char *format, ...)
{
    size_t alike = left != NULL && right != NULL ? common_bytes(left, right) : 0;
    test->check_count++;
    if (left == right || (left != NULL && right != NULL && left[alike] == right[alike])) {
        return;
    }
    // Long strings are shown from a little before the place where they differ.
    size_t from = alike > STRING_SHOWN_MAX / 2 ? alike - STRING_SHOWN_MAX / 4 : 0;
    char left_value[VALUE_MAX];
    char right_value[VALUE_MAX];
    show_string(left_value, left, from);
    show_string(right_value, right, from);
    struct failure failure = {"==", left_value, right_value};
    va_list arguments;
    va_start(arguments, format);
    fail(test, site, &failure, format, arguments);
    va_end(arguments);
}

// Whether the memory differs, and how. NULL is memory of no bytes.
static bool memory_differs(const uint8_t *left, const uint8_t *right, size_t size_bytes,
                           char *left_value, char *right_value)
{
    if (left == right) {
        return false;
    }
    if (size_bytes != 0 && (left == NULL || right == NULL)) {
        ktest_format(left_value, VALUE_MAX, "%s", left == NULL ? "NULL" : "memory");
        ktest_format(right_value, VALUE_MAX, "%s", right == NULL ? "NULL" : "memory");
        return true;
    }
    size_t i = 0;
    while (i < size_bytes && left[i] == right[i]) {
        i++;
    }
    if (i < size_bytes) {
        ktest_format(left_value, VALUE_MAX, "0x%x at offset %zu", left[i], i);
        ktest_format(right_value, VALUE_MAX, "0x%x", right[i]);
    }
    return i < size_bytes;
}

void ktest_check_mem(struct ktest *test, const struct ktest_site *site, const void *left,
                     const void *right, size_t size_bytes, const char *format, ...)
{
    char left_value[VALUE_MAX];
    char right_value[VALUE_MAX];
    test->check_count++;
    if (!memory_differs(left, right, size_bytes, left_value, right_value)) {
        return;
    }
    struct failure failure = {"==", left_value, right_value};
    va_list arguments;
    va_start(arguments, format);
    fail(test, site, &failure, format, arguments);
    va_end(arguments);
}

void ktest_fail(struct ktest *test, const struct ktest_site *site, const char *format, ...)
{
    test->check_count++;
    struct failure failure = {"", "", ""};
    va_list arguments;
    va_start(arguments, format);
    fail(test, site, &failure, format, arguments);
    va_end(arguments);
}

void ktest_skip(struct ktest *test, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    ktest_vformat(test->reason, sizeof(test->reason), format, arguments);
    va_end(arguments);
    ktest_abandon(test, KTEST_ENDING_SKIPPED);
}

const char *ktest_name(const struct ktest *test)
{
    return test->record->name;
}

size_t ktest_param_index(const struct ktest *test)
{
    return test->param_index;
}
