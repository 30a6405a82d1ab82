// SPDX-License-Identifier: MIT
//
// The stacks that exist from the first instruction on: the boot stack and one for each exception
// that must not rely on the stack it interrupts. Below each lies a guard page that entry.asm
// leaves unmapped, so that an overflow is a fault and never a write into somebody's data.
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
};

struct guarded_stack {
    _Alignas(PAGE_SIZE) uint8_t guard[STACK_GUARD_SIZE];
    uint8_t body[STACK_SIZE];
};

extern struct guarded_stack boot_stacks[BOOT_STACK_TEST];

// The stack itself, guard and all.
struct guarded_stack *stack_get(enum boot_stack stack);

// The address that RSP starts from; 16-byte aligned.
uint64_t stack_top(enum boot_stack stack);

enum stack_part { STACK_PART_NONE, STACK_PART_GUARD, STACK_PART_BODY };

struct stack_place {
    enum stack_part part; // STACK_PART_NONE: in no stack, and the rest means nothing
    enum boot_stack stack;
    uint64_t below_bytes; // how far below the stack's body, for STACK_PART_GUARD
};

// Which stack an address belongs to. In any context.
struct stack_place stack_locate(uint64_t address);

// "boot stack", "#DF stack", ...
const char *stack_name(enum boot_stack stack);
