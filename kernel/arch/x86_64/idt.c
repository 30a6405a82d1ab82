// SPDX-License-Identifier: MIT
//
// Every vector has a present gate, so that an unforeseen interrupt ends in a report of its own and
// not in a double fault. All gates are interrupt gates: a handler turns interrupts on if it wants.
#include "arch/x86_64/idt.h"

#include <stddef.h>

#include "arch/x86_64/trap.h"
#include "lib/bits.h"

_Static_assert(sizeof(struct gate) == 16);
_Static_assert(offsetof(struct gate, options) == 4);
_Static_assert(offsetof(struct gate, offset_high) == 8);
_Static_assert(sizeof(struct idt) == 4096);

#define GATE_IST GENMASK(2, 0)
#define GATE_TYPE GENMASK(11, 8)
#define GATE_DPL GENMASK(14, 13)
#define GATE_PRESENT BIT(15)

// trap.asm: the address of each vector's stub.
extern const uint64_t trap_stubs[IDT_VECTORS];

static struct idt cpu_idt;

struct gate gate_make(uint64_t handler, enum gate_type type, enum ist ist, uint8_t privilege)
{
    return (struct gate){
        .offset_low = (uint16_t)handler,
        .selector = SELECTOR_KERNEL_CODE.value,
        .options = (uint16_t)(GATE_PRESENT | FIELD_PREP(GATE_IST, ist) |
                              FIELD_PREP(GATE_TYPE, type) | FIELD_PREP(GATE_DPL, privilege)),
        .offset_middle = (uint16_t)(handler >> 16),
        .offset_high = (uint32_t)(handler >> 32),
    };
}

uint64_t gate_handler(const struct gate *gate)
{
    return (uint64_t)gate->offset_high << 32 | (uint64_t)gate->offset_middle << 16 |
           gate->offset_low;
}

void idt_load(const struct idt *idt)
{
    struct table_pointer pointer = {.limit = sizeof(*idt) - 1, .base = (uint64_t)idt};
    __asm__ volatile("lidt %0" : : "m"(pointer) : "memory");
}

const struct idt *idt_loaded(void)
{
    struct table_pointer pointer;
    __asm__ volatile("sidt %0" : "=m"(pointer) : : "memory");
    return (const struct idt *)pointer.base;
}

static enum ist ist_of(unsigned vector)
{
    if (vector == VECTOR_NMI.number) {
        return IST_NMI;
    }
    if (vector == VECTOR_DOUBLE_FAULT.number) {
        return IST_DOUBLE_FAULT;
    }
    return vector == VECTOR_MACHINE_CHECK.number ? IST_MACHINE_CHECK : IST_NONE;
}

void idt_init(void)
{
    for (unsigned vector = 0; vector < IDT_VECTORS; vector++) {
        cpu_idt.gates[vector] = gate_make(trap_stubs[vector], GATE_INTERRUPT, ist_of(vector), 0);
    }
    idt_load(&cpu_idt);
}

struct idt *idt_current(void)
{
    return &cpu_idt;
}
