// SPDX-License-Identifier: MIT
//
// Binary search for the last symbol that starts at or below an address.
#include "debug/symbols.h"

#include "arch/x86_64/layout.h"

const struct symbol *symbol_lookup(uint64_t address, uint64_t *offset_out)
{
    uint64_t offset = address - (uint64_t)text_start;
    size_t low = 0;
    size_t high = symbol_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (symbol_table[middle].offset <= offset) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == 0 || offset - symbol_table[low - 1].offset >= symbol_table[low - 1].size_bytes) {
        return NULL;
    }
    *offset_out = offset - symbol_table[low - 1].offset;
    return &symbol_table[low - 1];
}

const char *symbol_caller(uint64_t return_address)
{
    uint64_t offset = 0;
    const struct symbol *symbol = symbol_lookup(return_address - 1, &offset);
    return symbol != NULL ? symbol->name : "?";
}
