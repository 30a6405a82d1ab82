// SPDX-License-Identifier: MIT
//
// The records of the section .ktests, sorted, and which of them are selected.
#pragma once

#include "ktest.h"

// Bounds of the section, from the linker script (ktest.ld or the kernel's own).
extern const struct ktest_record *ktest_records_start[];
extern const struct ktest_record *ktest_records_end[];

// Sorts the section in place: by suite, a suite's own record first, then by name. NULL if all is
// well, else why the run can't begin: a foreign record, two tests of one name.
const char *registry_sort(void);

// Whether the test is in ktest.select, and what it needs that ktest.have lacks (NULL: nothing).
bool registry_is_selected(const struct ktest_record *record);
const char *registry_missing_need(const struct ktest_record *record);
