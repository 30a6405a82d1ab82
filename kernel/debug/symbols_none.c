// SPDX-License-Identifier: MIT
//
// The empty table of the first link, from which the real one is made.
#include "debug/symbols.h"

const struct symbol symbol_table[1] = {{0}};
const size_t symbol_count = 0;
