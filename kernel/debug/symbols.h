// SPDX-License-Identifier: MIT
//
// The names of the kernel's own functions. The table is made from a first link of the kernel and
// linked into the second (debug/make_symbols.py); the first one's is empty.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct symbol {
    uint32_t offset; // of the function from text_start
    uint32_t size_bytes;
    const char *name;
};

// Sorted by offset.
extern const struct symbol symbol_table[];
extern const size_t symbol_count;

// The function that `address` lies in, NULL if none does. *offset_out is the distance to its start.
// In any context.
const struct symbol *symbol_lookup(uint64_t address, uint64_t *offset_out);

// The function that made the call which returns to this address, "?" if none did. In any context.
const char *symbol_caller(uint64_t return_address);
