// SPDX-License-Identifier: MIT
//
// The table of exceptions, and their error codes in words.
#include "arch/x86_64/exception.h"

#include <stddef.h>

#include "arch/x86_64/idt.h"
#include "arch/x86_64/stack.h"
#include "arch/x86_64/trap.h"
#include "lib/bits.h"
#include "lib/format.h"

enum error_kind { ERROR_NONE, ERROR_ZERO, ERROR_SELECTOR, ERROR_PAGE, ERROR_OTHER };

struct exception {
    const char *mnemonic;
    const char *name;
    enum error_kind error;
};

static const struct exception exceptions[EXCEPTION_COUNT] = {
    [0] = {"#DE", "divide error", ERROR_NONE},
    [1] = {"#DB", "debug exception", ERROR_NONE},
    [2] = {"NMI", "non-maskable interrupt", ERROR_NONE},
    [3] = {"#BP", "breakpoint", ERROR_NONE},
    [4] = {"#OF", "overflow", ERROR_NONE},
    [5] = {"#BR", "bound range exceeded", ERROR_NONE},
    [6] = {"#UD", "invalid opcode", ERROR_NONE},
    [7] = {"#NM", "device not available", ERROR_NONE},
    [8] = {"#DF", "double fault", ERROR_ZERO},
    [9] = {"", "coprocessor segment overrun", ERROR_NONE},
    [10] = {"#TS", "invalid TSS", ERROR_SELECTOR},
    [11] = {"#NP", "segment not present", ERROR_SELECTOR},
    [12] = {"#SS", "stack-segment fault", ERROR_SELECTOR},
    [13] = {"#GP", "general protection fault", ERROR_SELECTOR},
    [14] = {"#PF", "page fault", ERROR_PAGE},
    [16] = {"#MF", "x87 floating-point error", ERROR_NONE},
    [17] = {"#AC", "alignment check", ERROR_ZERO},
    [18] = {"#MC", "machine check", ERROR_NONE},
    [19] = {"#XM", "SIMD floating-point exception", ERROR_NONE},
    [20] = {"#VE", "virtualization exception", ERROR_NONE},
    [21] = {"#CP", "control protection exception", ERROR_OTHER},
    [28] = {"#HV", "hypervisor injection exception", ERROR_NONE},
    [29] = {"#VC", "VMM communication exception", ERROR_OTHER},
    [30] = {"#SX", "security exception", ERROR_OTHER},
};

const char *exception_name(uint8_t vector)
{
    if (vector >= EXCEPTION_COUNT) {
        return "interrupt";
    }
    return exceptions[vector].name != NULL ? exceptions[vector].name : "reserved exception";
}

const char *exception_mnemonic(uint8_t vector)
{
    if (vector >= EXCEPTION_COUNT || exceptions[vector].mnemonic == NULL) {
        return "";
    }
    return exceptions[vector].mnemonic;
}

bool exception_has_error_code(uint8_t vector)
{
    return vector < EXCEPTION_COUNT && exceptions[vector].error != ERROR_NONE;
}

static void append_stack(struct text_buffer *text, const struct stack_place *place)
{
    text_append(text, "%s", stack_name(place->stack));
    if (place->stack == KERNEL_STACK) {
        text_append(text, " %u", place->slot);
    }
}

static void append_address(struct text_buffer *text, uint64_t address)
{
    struct stack_place place = stack_locate(address);
    if (place.part == STACK_PART_GUARD) {
        text_append(text, "the guard page %lu bytes below the ", place.below_bytes);
        append_stack(text, &place);
        text_append(text, " (%#lx)", address);
    } else if (place.part == STACK_PART_FREE) {
        text_append(text, "the unused ");
        append_stack(text, &place);
        text_append(text, " (%#lx)", address);
    } else if (address < PAGE_SIZE) {
        text_append(text, "the null page (%#lx)", address);
    } else {
        text_append(text, "%#lx", address);
    }
}

static const char *page_fault_reason(uint64_t error)
{
    static const struct {
        uint64_t bit;
        const char *reason;
    } reasons[] = {
        {PF_RESERVED_BIT, "a reserved bit is set in its entry"},
        {PF_PROTECTION_KEY, "against its protection key"},
        {PF_SHADOW_STACK, "by or on a shadow stack"},
        {PF_SGX, "against the rules of SGX"},
        {PF_REVERSE_MAP, "against the reverse map table"},
        {PF_FETCH, "which is not executable"},
        {PF_WRITE, "which is read-only"},
    };
    if ((error & (PF_PROTECTION | PF_RESERVED_BIT)) == 0) {
        return "which is not mapped";
    }
    for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
        if ((error & reasons[i].bit) != 0) {
            return reasons[i].reason;
        }
    }
    return "against its permissions";
}

static void append_page_fault(struct text_buffer *text, uint64_t error, uint64_t address)
{
    const char *access = (error & PF_WRITE) != 0 ? "write to " : "read of ";
    text_append(text, ": %s%s", (error & PF_USER) != 0 ? "user mode's " : "",
                (error & PF_FETCH) != 0 ? "execution of " : access);
    append_address(text, address);
    text_append(text, ", %s", page_fault_reason(error));
}

// Selector error codes: bit 0 external, 1 IDT, 2 LDT, the index above.
static void append_selector(struct text_buffer *text, uint64_t error)
{
    if (error == 0) {
        return;
    }
    const char *table = (error & BIT(2)) != 0 ? "LDT entry" : "GDT entry";
    text_append(text, ": %s %lu%s", (error & BIT(1)) != 0 ? "IDT vector" : table, error >> 3,
                (error & BIT(0)) != 0 ? ", from outside the program" : "");
}

void exception_describe(char *text_out, size_t size_bytes, uint8_t vector, uint64_t error,
                        uint64_t cr2)
{
    struct text_buffer text = {text_out, size_bytes, 0};
    const char *mnemonic = exception_mnemonic(vector);
    text_append(&text, "%s%s%s", exception_name(vector), mnemonic[0] != 0 ? " " : "", mnemonic);
    if (vector >= EXCEPTION_COUNT) {
        text_append(&text, " %u", vector);
        return;
    }
    switch (exceptions[vector].error) {
    case ERROR_SELECTOR:
        append_selector(&text, error);
        break;
    case ERROR_PAGE:
        append_page_fault(&text, error, cr2);
        break;
    case ERROR_OTHER:
        text_append(&text, ": error code %#lx", error);
        break;
    case ERROR_ZERO:
    case ERROR_NONE:
        break;
    }
    if (vector == VECTOR_DOUBLE_FAULT.number && stack_locate(cr2).part == STACK_PART_GUARD) {
        text_append(&text, ": stack overflow into ");
        append_address(&text, cr2);
    }
}
