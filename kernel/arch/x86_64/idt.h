// SPDX-License-Identifier: MIT
//
// The interrupt descriptor table: 256 gates of 16 bytes. Source: Intel SDM vol. 3, 6.14.
#pragma once

#include <stdint.h>

#include "arch/x86_64/gdt.h"

#define IDT_VECTORS 256

enum gate_type {
    GATE_INTERRUPT = 0xe, // clears IF
    GATE_TRAP = 0xf,      // leaves IF as it is
};

struct gate {
    uint16_t offset_low;
    uint16_t selector;
    uint16_t options; // bits 0-2 IST, 8-11 type, 13-14 DPL, 15 present
    uint16_t offset_middle;
    uint32_t offset_high;
    uint32_t reserved;
};

struct idt {
    _Alignas(16) struct gate gates[IDT_VECTORS];
};

// A present gate to `handler`, for ring `privilege` to raise by `int n`.
struct gate gate_make(uint64_t handler, enum gate_type type, enum ist ist, uint8_t privilege);

uint64_t gate_handler(const struct gate *gate);

// lidt and sidt. The table has to live as long as it is loaded.
void idt_load(const struct idt *idt);
const struct idt *idt_loaded(void);

// Fills the CPU's own table with the stubs of trap.asm and loads it. After gdt_init.
void idt_init(void);

// The CPU's own table, loaded or not. Tests change it and put it back.
struct idt *idt_current(void);
