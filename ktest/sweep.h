// SPDX-License-Identifier: MIT
//
// A test that runs again and again, each time with another of its allocations failing: the first,
// the second, and so on until one run asks for fewer. By its attribute .fail_nth, or because
// ktest.fail_nth asks for it. The first run that goes wrong is the last.
#pragma once

#include "runner.h"

// Which allocations fail, one in each run behind the first, in which none does.
struct sweep {
    uint64_t first; // 0: there is one run only
    uint64_t last;  // no run is begun for those behind it
    uint64_t limit; // what fails behind it is too much for the test; 0: nothing is
    uint64_t runs;  // that have begun
};

// Reads ktest.fail_nth. NULL, or why the kernel can't run as it says.
const char *sweep_read_argument(void);

// The test's own. False, with a verdict, if it can't have what it declares: then it does not run.
bool sweep_prepare(struct ktest *test, struct sweep *sweep_out);

// Behind a run: judges what only a sweep shows, and makes the test ready for the next one. False if
// there is none.
bool sweep_goes_on(struct ktest *test, struct sweep *sweep);

// Around the test's body.
void sweep_body_begin(struct ktest *test);
void sweep_body_end(struct ktest *test, enum ktest_ending ending);

// Whether a check that fails now is overlooked.
bool sweep_is_lenient(const struct ktest *test);
