// SPDX-License-Identifier: MIT
//
// What every test of this kernel has to leave as it found it.
#pragma once

#include "port.h"

extern const struct ktest_invariant *const kernel_invariants[];
