// SPDX-License-Identifier: MIT
//
// Link order differs between linkers, so the records are sorted before anybody sees them.
#include "registry.h"

#include "port.h"
#include "runner.h"

#define RECORD_COUNT ((size_t)(ktest_records_end - ktest_records_start))

static int compare_strings(const char *left, const char *right)
{
    while (*left != 0 && *left == *right) {
        left++;
        right++;
    }
    return (uint8_t)*left - (uint8_t)*right;
}

static int compare_records(const struct ktest_record *left, const struct ktest_record *right)
{
    int order = compare_strings(left->suite, right->suite);
    if (order != 0) {
        return order;
    }
    return compare_strings(left->name != NULL ? left->name : "",
                           right->name != NULL ? right->name : "");
}

static void shell_sort(void)
{
    for (size_t gap = RECORD_COUNT / 2; gap > 0; gap /= 2) {
        for (size_t i = gap; i < RECORD_COUNT; i++) {
            const struct ktest_record *record = ktest_records_start[i];
            size_t j = i;
            for (; j >= gap && compare_records(ktest_records_start[j - gap], record) > 0;
                 j -= gap) {
                ktest_records_start[j] = ktest_records_start[j - gap];
            }
            ktest_records_start[j] = record;
        }
    }
}

const char *registry_sort(void)
{
    for (size_t i = 0; i < RECORD_COUNT; i++) {
        if (ktest_records_start[i] == NULL || ktest_records_start[i]->magic != KTEST_RECORD_MAGIC) {
            return "a record in .ktests is not one of this version of ktest";
        }
    }
    shell_sort();
    for (size_t i = 1; i < RECORD_COUNT; i++) {
        if (compare_records(ktest_records_start[i - 1], ktest_records_start[i]) == 0) {
            return "two tests or two fixtures have the same name";
        }
    }
    return NULL;
}

bool ktest_glob_matches(const char *glob, size_t glob_bytes, const char *text)
{
    const char *end = glob + glob_bytes;
    const char *star = NULL; // the last '*' seen, and the text that it began with
    const char *star_text = NULL;
    while (*text != 0) {
        if (glob != end && *glob == '*') {
            star = glob++;
            star_text = text;
        } else if (glob != end && (*glob == '?' || *glob == *text)) {
            glob++;
            text++;
        } else if (star != NULL) {
            glob = star + 1;
            text = ++star_text;
        } else {
            return false;
        }
    }
    while (glob != end && *glob == '*') {
        glob++;
    }
    return glob == end;
}

static bool has_dot(const char *text, size_t size_bytes)
{
    for (size_t i = 0; i < size_bytes; i++) {
        if (text[i] == '.') {
            return true;
        }
    }
    return false;
}

// The size of the word at `list`, up to a comma or the end.
static size_t word_size(const char *list)
{
    size_t size_bytes = 0;
    while (list[size_bytes] != 0 && list[size_bytes] != ',') {
        size_bytes++;
    }
    return size_bytes;
}

// Matches "suite.name" without putting it together: a glob with a dot against both halves would
// have to be split at every dot, so the name is copied instead.
static bool matches_record(const char *glob, size_t glob_bytes, const struct ktest_record *record)
{
    if (!has_dot(glob, glob_bytes)) {
        return ktest_glob_matches(glob, glob_bytes, record->name);
    }
    char full_name[256];
    size_t used = 0;
    const char *parts[] = {record->suite, ".", record->name};
    for (size_t part = 0; part < 3; part++) {
        for (const char *c = parts[part]; *c != 0 && used < sizeof(full_name) - 1; c++) {
            full_name[used++] = *c;
        }
    }
    full_name[used] = 0;
    return ktest_glob_matches(glob, glob_bytes, full_name);
}

bool registry_is_selected(const struct ktest_record *record)
{
    if (record->kind != KTEST_RECORD_CASE) {
        return false;
    }
    const char *list = ktest_port_argument("ktest.select");
    if (list == NULL) {
        return true;
    }
    for (;;) {
        size_t size_bytes = word_size(list);
        if (size_bytes > 0 && matches_record(list, size_bytes, record)) {
            return true;
        }
        if (list[size_bytes] == 0) {
            return false;
        }
        list += size_bytes + 1;
    }
}

const char *registry_missing_need(const struct ktest_record *record)
{
    if ((record->attr->needs & KTEST_NEEDS_VGA) == 0) {
        return NULL;
    }
    const char *have = ktest_port_argument("ktest.have");
    while (have != NULL && *have != 0) {
        size_t size_bytes = word_size(have);
        if (ktest_glob_matches(have, size_bytes, "vga")) {
            return NULL;
        }
        have += size_bytes + (have[size_bytes] == ',');
    }
    return "vga";
}
