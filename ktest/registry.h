// SPDX-License-Identifier: MIT
//
// The records of the section .ktests, and their order.
#pragma once

#include "ktest.h"

// Bounds of the section, from the linker script (ktest.ld or the kernel's own).
extern const struct ktest_record *ktest_records_start[];
extern const struct ktest_record *ktest_records_end[];

// Sorts the section in place: by suite, a suite's own record first, then by name. NULL if all is
// well, else why the run can't begin: a foreign record, two tests of one name.
const char *registry_sort(void);

// The hash that orders suites (`name` is NULL) and the tests of a suite.
uint64_t registry_hash(uint64_t seed, const char *suite, const char *name);

// Sorts it once more, by the hashes of docs/protocol.md; suites stay together.
void registry_shuffle(uint64_t seed);
