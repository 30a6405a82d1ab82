// SPDX-License-Identifier: MIT
//
// The chain: [RBP] is the caller's RBP, [RBP + 8] the return address. It has to rise within one
// stack; the first frame that doesn't ends the walk. Source: System V ABI for AMD64, 3.2.2.
#include "debug/backtrace.h"

#include <stdbool.h>

#include "arch/x86_64/stack.h"
#include "debug/symbols.h"

static bool is_frame(uint64_t rbp)
{
    return rbp % sizeof(uint64_t) == 0 && stack_locate(rbp).part == STACK_PART_BODY &&
           stack_locate(rbp + 2 * sizeof(uint64_t) - 1).part == STACK_PART_BODY;
}

size_t backtrace_walk(uint64_t rip, uint64_t rbp, uint64_t *addresses_out, size_t max)
{
    size_t count = 0;
    while (count < max) {
        addresses_out[count++] = rip;
        if (!is_frame(rbp)) {
            break;
        }
        const uint64_t *frame = (const uint64_t *)rbp;
        if (frame[1] == 0 || (frame[0] != 0 && frame[0] <= rbp)) {
            break;
        }
        rbp = frame[0];
        rip = frame[1];
    }
    return count;
}

void backtrace_write(const struct writer *writer, uint64_t rip, uint64_t rbp)
{
    uint64_t addresses[BACKTRACE_MAX];
    size_t count = backtrace_walk(rip, rbp, addresses, BACKTRACE_MAX);
    for (size_t i = 0; i < count; i++) {
        // A return address may lie behind the end of a function that does not return.
        uint64_t offset = 0;
        const struct symbol *symbol = symbol_lookup(addresses[i] - (i > 0), &offset);
        format_write(writer, "  #%zu %#018lx %s+%#lx\n", i, addresses[i],
                     symbol != NULL ? symbol->name : "?", offset + (symbol != NULL && i > 0));
    }
}
