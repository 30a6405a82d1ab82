// SPDX-License-Identifier: MIT
//
// The section of the boot stacks holds nothing else: entry.asm walks it to take the guard pages
// away.
#include "arch/x86_64/stack.h"

_Static_assert(sizeof(struct guarded_stack) == STACK_GUARD_SIZE + STACK_SIZE);
_Static_assert(STACK_GUARD_SIZE + STACK_SIZE <= STACK_SLOT_SIZE);
_Static_assert(STACK_SLOT_COUNT % 64 == 0);

uint64_t kernel_stack_slots[STACK_SLOT_COUNT / 64];

[[gnu::section(".bss.boot_stacks")]] struct guarded_stack boot_stacks[BOOT_STACK_TEST];

struct guarded_stack *stack_get(enum boot_stack stack)
{
    if (stack == BOOT_STACK_TEST) { // an object of its own, which no index leads to
        return (struct guarded_stack *)((uint64_t)boot_stacks - sizeof(struct guarded_stack));
    }
    return &boot_stacks[stack];
}

uint64_t stack_top(enum boot_stack stack)
{
    return (uint64_t)stack_get(stack)->body + STACK_SIZE;
}

// `guard_bytes` lie below the stack's body.
static struct stack_place place_in(uint64_t within, uint64_t guard_bytes)
{
    bool is_guard = within < guard_bytes;
    return (struct stack_place){
        .part = is_guard ? STACK_PART_GUARD : STACK_PART_BODY,
        .below_bytes = is_guard ? guard_bytes - within : 0,
    };
}

static struct stack_place locate_kernel_stack(uint64_t offset)
{
    unsigned slot = (unsigned)(offset / STACK_SLOT_SIZE);
    struct stack_place place = place_in(offset % STACK_SLOT_SIZE, STACK_SLOT_SIZE - STACK_SIZE);
    if ((kernel_stack_slots[slot / 64] & BIT(slot % 64)) == 0) {
        place.part = STACK_PART_FREE;
    }
    place.stack = KERNEL_STACK;
    place.slot = slot;
    place.top = kernel_stack_top(slot);
    return place;
}

struct stack_place stack_locate(uint64_t address)
{
    if (address - STACKS_VMA < STACKS_SIZE) {
        return locate_kernel_stack(address - STACKS_VMA);
    }
    uint64_t offset = address - (uint64_t)boot_stacks_start;
    if (offset >= (uint64_t)(boot_stacks_end - boot_stacks_start)) {
        return (struct stack_place){.part = STACK_PART_NONE};
    }
    struct stack_place place = place_in(offset % sizeof(struct guarded_stack), STACK_GUARD_SIZE);
    place.stack = BOOT_STACK_TEST;
    if (address >= (uint64_t)boot_stacks) {
        place.stack =
            (enum boot_stack)((address - (uint64_t)boot_stacks) / sizeof(struct guarded_stack));
    }
    place.top = stack_top(place.stack);
    return place;
}

const char *stack_name(enum boot_stack stack)
{
    static const char *const names[BOOT_STACK_COUNT + 1] = {
        [BOOT_STACK_MAIN] = "boot stack", [BOOT_STACK_DOUBLE_FAULT] = "#DF stack",
        [BOOT_STACK_NMI] = "NMI stack",   [BOOT_STACK_MACHINE_CHECK] = "#MC stack",
        [BOOT_STACK_TEST] = "test stack", [KERNEL_STACK] = "kernel stack",
    };
    return names[stack];
}
