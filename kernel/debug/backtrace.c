// SPDX-License-Identifier: MIT
//
// The chain: [RBP] is the caller's RBP, [RBP + 8] the return address. It has to rise within one
// stack; the first frame that doesn't ends the walk. Source: System V ABI for AMD64, 3.2.2.
//
// The innermost function may have no frame: compilers leave it out of leaves that touch no stack,
// a fault may come before it is made, and a wild jump leads to no function at all. Then the return
// address is on top of the stack, and without it the caller would be missing from the list.
#include "debug/backtrace.h"

#include <stdbool.h>

#include "arch/x86_64/layout.h"
#include "arch/x86_64/stack.h"
#include "debug/symbols.h"
#include "lib/kasan.h"

#define OPCODE_PUSH_RBP 0x55
#define OPCODE_RET 0xc3

static bool is_code(uint64_t address)
{
    return address >= (uint64_t)text_start && address < (uint64_t)text_end;
}

// Where the return address lies if the innermost function has no frame of its own; 0 if it has.
static uint64_t frameless_return(const struct trap_frame *frame)
{
    uint64_t offset = 0;
    const struct symbol *symbol = symbol_lookup(frame->rip, &offset);
    if (symbol == NULL) {
        return is_code(frame->rip) ? 0 : frame->rsp;
    }
    const uint8_t *rip = (const uint8_t *)frame->rip;
    bool makes_frame = rip[-(int64_t)offset] == OPCODE_PUSH_RBP;
    if (makes_frame && offset == 1) {
        return frame->rsp + sizeof(uint64_t);
    }
    return offset == 0 || !makes_frame || *rip == OPCODE_RET ? frame->rsp : 0;
}

// Not checked: it reads what lies between the variables.
NO_KASAN static bool read_stack(uint64_t address, uint64_t *value_out)
{
    bool is_readable = address % sizeof(uint64_t) == 0 &&
                       stack_locate(address).part == STACK_PART_BODY &&
                       stack_locate(address + sizeof(uint64_t) - 1).part == STACK_PART_BODY;
    if (is_readable) {
        *value_out = *(const uint64_t *)address;
    }
    return is_readable;
}

size_t backtrace_walk(const struct trap_frame *frame, uint64_t *addresses_out, size_t max)
{
    size_t count = 0;
    uint64_t rbp = frame->rbp;
    uint64_t address = frame->rip;
    uint64_t caller = 0;
    if (max > 1 && read_stack(frameless_return(frame), &caller) && is_code(caller)) {
        addresses_out[count++] = frame->rip;
        address = caller;
    }
    while (count < max) {
        uint64_t next_rbp = 0;
        addresses_out[count++] = address;
        if (!read_stack(rbp, &next_rbp) || !read_stack(rbp + sizeof(uint64_t), &address) ||
            address == 0 || (next_rbp != 0 && next_rbp <= rbp)) {
            break;
        }
        rbp = next_rbp;
    }
    return count;
}

void backtrace_write(const struct writer *writer, const struct trap_frame *frame)
{
    uint64_t addresses[BACKTRACE_MAX];
    size_t count = backtrace_walk(frame, addresses, BACKTRACE_MAX);
    for (size_t i = 0; i < count; i++) {
        // A return address may lie behind the end of a function that does not return.
        uint64_t offset = 0;
        const struct symbol *symbol = symbol_lookup(addresses[i] - (i > 0), &offset);
        format_write(writer, "  #%zu %#018lx %s+%#lx\n", i, addresses[i],
                     symbol != NULL ? symbol->name : "?", offset + (symbol != NULL && i > 0));
    }
}
