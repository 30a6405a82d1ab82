// SPDX-License-Identifier: MIT
//
// Stacks, and which of them an address belongs to. Below each lies a guard that is not mapped, so
// that an overflow is a fault and never a write into somebody's data.
//
// The boot stacks exist from the first instruction on: one for kernel_main, and one for each
// exception that must not rely on the stack it interrupts. entry.asm leaves their guards unmapped.
// Kernel stacks come and go (mm/kernel_stack.h), in the slots of a window of their own.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "arch/x86_64/layout.h"

#define STACK_GUARD_SIZE PAGE_SIZE
#define STACK_SIZE (32 << 10)

enum boot_stack {
    BOOT_STACK_MAIN,
    BOOT_STACK_DOUBLE_FAULT,
    BOOT_STACK_NMI,
    BOOT_STACK_MACHINE_CHECK,
    BOOT_STACK_TEST, // of a kernel with tests: section .bss.boot_stacks.test, below the others
    BOOT_STACK_COUNT,
    KERNEL_STACK = BOOT_STACK_COUNT, // any of those
};

struct guarded_stack {
    _Alignas(PAGE_SIZE) uint8_t guard[STACK_GUARD_SIZE];
    uint8_t body[STACK_SIZE];
};

extern struct guarded_stack boot_stacks[BOOT_STACK_TEST];

// The boot stack itself, guard and all.
struct guarded_stack *stack_get(enum boot_stack stack);

// The address that RSP starts from; 16-byte aligned.
uint64_t stack_top(enum boot_stack stack);

// The kernel stacks that there are, a bit for each slot: for whoever makes and frees them.
extern uint64_t kernel_stack_slots[STACK_SLOT_COUNT / 64];

static inline uint64_t kernel_stack_top(unsigned slot)
{
    return STACKS_VMA + (slot + 1) * STACK_SLOT_SIZE;
}

enum stack_part {
    STACK_PART_NONE, // in no stack, and the rest means nothing
    STACK_PART_GUARD,
    STACK_PART_BODY,
    STACK_PART_FREE, // in a slot that has no stack now
};

struct stack_place {
    enum stack_part part;
    enum boot_stack stack;
    unsigned slot;        // of a KERNEL_STACK
    uint64_t top;         // where it starts
    uint64_t below_bytes; // how far below the stack's body, for STACK_PART_GUARD
};

// Which stack an address belongs to. In any context.
struct stack_place stack_locate(uint64_t address);

// "boot stack", "#DF stack", ..., "kernel stack"
const char *stack_name(enum boot_stack stack);
