// SPDX-License-Identifier: MIT
//
// The boot stacks, and finding out which of them an address belongs to. The section holds nothing
// else: entry.asm walks it to take the guard pages away.
#include "arch/x86_64/stack.h"

_Static_assert(sizeof(struct guarded_stack) == STACK_GUARD_SIZE + STACK_SIZE);

[[gnu::section(".bss.boot_stacks")]] struct guarded_stack boot_stacks[BOOT_STACK_TEST];

struct guarded_stack *stack_get(enum boot_stack stack)
{
    return stack == BOOT_STACK_TEST ? boot_stacks - 1 : &boot_stacks[stack];
}

uint64_t stack_top(enum boot_stack stack)
{
    return (uint64_t)stack_get(stack)->body + STACK_SIZE;
}

struct stack_place stack_locate(uint64_t address)
{
    uint64_t offset = address - (uint64_t)boot_stacks_start;
    if (offset >= (uint64_t)(boot_stacks_end - boot_stacks_start)) {
        return (struct stack_place){.part = STACK_PART_NONE};
    }
    uint64_t within = offset % sizeof(struct guarded_stack);
    enum boot_stack stack = BOOT_STACK_TEST;
    if (address >= (uint64_t)boot_stacks) {
        stack = (enum boot_stack)((address - (uint64_t)boot_stacks) / sizeof(struct guarded_stack));
    }
    return (struct stack_place){
        .part = within < STACK_GUARD_SIZE ? STACK_PART_GUARD : STACK_PART_BODY,
        .stack = stack,
        .below_bytes = within < STACK_GUARD_SIZE ? STACK_GUARD_SIZE - within : 0,
    };
}

const char *stack_name(enum boot_stack stack)
{
    static const char *const names[BOOT_STACK_COUNT] = {
        [BOOT_STACK_MAIN] = "boot stack", [BOOT_STACK_DOUBLE_FAULT] = "#DF stack",
        [BOOT_STACK_NMI] = "NMI stack",   [BOOT_STACK_MACHINE_CHECK] = "#MC stack",
        [BOOT_STACK_TEST] = "test stack",
    };
    return names[stack];
}
