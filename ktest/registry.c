// SPDX-License-Identifier: MIT
//
// Link order differs between linkers, so the records are sorted before anybody sees them: by name,
// or by a hash of seed and name. A hash, unlike a shuffle of cards, leaves the order of any two
// tests the same whatever else is selected.
#include "registry.h"

#include "format.h"
#include "port.h"

#define RECORD_COUNT ((size_t)(ktest_records_end - ktest_records_start))

static const uint64_t *seed; // NULL: by name

static int compare_strings(const char *left, const char *right)
{
    while (*left != 0 && *left == *right) {
        left++;
        right++;
    }
    return (uint8_t)*left - (uint8_t)*right;
}

// FNV-1a.
static uint64_t add_to_hash(uint64_t hash, const char *text)
{
    for (; *text != 0; text++) {
        hash = (hash ^ (uint8_t)*text) * 0x100000001b3;
    }
    return hash;
}

// The last step of MurmurHash3, without which similar names would stay neighbours.
static uint64_t finish_hash(uint64_t hash)
{
    hash = (hash ^ hash >> 33) * 0xff51afd7ed558ccd;
    hash = (hash ^ hash >> 33) * 0xc4ceb9fe1a85ec53;
    return hash ^ hash >> 33;
}

uint64_t registry_hash(uint64_t the_seed, const char *suite, const char *name)
{
    uint64_t hash = add_to_hash(0xcbf29ce484222325 ^ the_seed, suite);
    if (name != NULL) {
        hash = add_to_hash(add_to_hash(hash, "."), name);
    }
    return finish_hash(hash);
}

static int compare_hashes(const struct ktest_record *left, const struct ktest_record *right,
                          bool is_full_name)
{
    if (seed == NULL) {
        return 0;
    }
    uint64_t left_hash = registry_hash(*seed, left->suite, is_full_name ? left->name : NULL);
    uint64_t right_hash = registry_hash(*seed, right->suite, is_full_name ? right->name : NULL);
    return (left_hash > right_hash) - (left_hash < right_hash);
}

static int compare_records(const struct ktest_record *left, const struct ktest_record *right)
{
    int by_suite = compare_strings(left->suite, right->suite);
    if (by_suite != 0) {
        int by_hash = compare_hashes(left, right, false);
        return by_hash != 0 ? by_hash : by_suite;
    }
    if (left->name == NULL || right->name == NULL) { // the suite's own record comes first
        return (left->name != NULL) - (right->name != NULL);
    }
    int by_hash = compare_hashes(left, right, true);
    return by_hash != 0 ? by_hash : compare_strings(left->name, right->name);
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

static const char *say_that_twice(const struct ktest_record *record)
{
    static char text[KTEST_TEXT_MAX];
    if (record->name == NULL) {
        ktest_format(text, sizeof(text), "the suite %s has fixtures twice", record->suite);
    } else {
        ktest_format(text, sizeof(text), "two tests have the same name: %s.%s", record->suite,
                     record->name);
    }
    return text;
}

const char *registry_sort(void)
{
    for (size_t i = 0; i < RECORD_COUNT; i++) {
        if (ktest_records_start[i] == NULL || ktest_records_start[i]->magic != KTEST_RECORD_MAGIC) {
            return "a record in .ktests is not one of this version of ktest";
        }
    }
    seed = NULL;
    shell_sort();
    for (size_t i = 1; i < RECORD_COUNT; i++) {
        if (compare_records(ktest_records_start[i - 1], ktest_records_start[i]) == 0) {
            return say_that_twice(ktest_records_start[i]);
        }
    }
    return NULL;
}

void registry_shuffle(uint64_t new_seed)
{
    seed = &new_seed;
    shell_sort();
    seed = NULL;
}
