// SPDX-License-Identifier: MIT
#include "arch/x86_64/idt.h"

#include "arch/x86_64/layout.h"
#include "arch/x86_64/trap.h"
#include "ktest.h"

#define HANDLER 0x123456789abcdef0

// Tests may load another table; the CPU's own one comes back whatever happens.
static void reload(struct ktest *test)
{
    (void)test;
    idt_load(idt_current());
}

KTEST_SUITE(idt, .exit = reload);

KTEST_ATTR(idt, gate_has_the_layout_of_the_manual, .proves = "5.1 5.2");
KTEST(idt, gate_has_the_layout_of_the_manual)
{
    struct gate gate = gate_make(HANDLER, GATE_INTERRUPT, IST_MACHINE_CHECK, 3);
    const uint16_t *words = (const uint16_t *)&gate;
    KTEST_EXPECT_EQ(test, words[0], 0xdef0);
    KTEST_EXPECT_EQ(test, words[1], SELECTOR_KERNEL_CODE.value);
    KTEST_EXPECT_EQ(test, words[2], 0xee03); // present, DPL 3, interrupt gate, IST 3
    KTEST_EXPECT_EQ(test, words[3], 0x9abc);
    KTEST_EXPECT_EQ(test, words[4], 0x5678);
    KTEST_EXPECT_EQ(test, words[5], 0x1234);
    KTEST_EXPECT_EQ(test, gate.reserved, 0);
    KTEST_EXPECT_EQ(test, gate_make(HANDLER, GATE_TRAP, IST_NONE, 0).options, 0x8f00);
    KTEST_EXPECT_EQ(test, gate_make(HANDLER, GATE_INTERRUPT, (enum ist)IST_COUNT, 0).options,
                    0x8e07);
    KTEST_EXPECT_EQ(test, gate_handler(&gate), HANDLER);
}

KTEST_ATTR(idt, own_table_is_loaded, .proves = "5.4");
KTEST(idt, own_table_is_loaded)
{
    struct table_pointer pointer;
    __asm__ volatile("sidt %0" : "=m"(pointer));
    KTEST_EXPECT_EQ(test, pointer.base, (uint64_t)idt_current());
    KTEST_EXPECT_EQ(test, pointer.limit, 4095);
    KTEST_EXPECT_PTR_EQ(test, idt_loaded(), idt_current());
}

static uint64_t traps_seen;

static void count_trap(struct trap_frame *frame)
{
    (void)frame;
    traps_seen++;
}

// The other table sends int3 to the stub of vector 0x80, so its handler tells which one is in use.
KTEST_ATTR(idt, another_table_takes_effect_when_loaded, .proves = "5.4 5.2");
KTEST(idt, another_table_takes_effect_when_loaded)
{
    static struct idt other;
    other = *idt_current();
    other.gates[3] = idt_current()->gates[0x80];
    trap_handler_t *before = trap_set_handler((struct plain_vector){0x80}, count_trap);
    traps_seen = 0;

    idt_load(&other);
    const struct idt *loaded = idt_loaded();
    __asm__ volatile("int3");
    idt_load(idt_current());
    trap_set_handler((struct plain_vector){0x80}, before);

    KTEST_EXPECT_PTR_EQ(test, loaded, &other);
    KTEST_EXPECT_EQ(test, traps_seen, 1);
}

KTEST_ATTR(idt, every_vector_has_a_gate_into_the_kernel, .proves = "5.1 5.3");
KTEST(idt, every_vector_has_a_gate_into_the_kernel)
{
    for (unsigned vector = 0; vector < IDT_VECTORS; vector++) {
        const struct gate *gate = &idt_current()->gates[vector];
        uint64_t handler = gate_handler(gate);
        KTEST_ASSERT_EQ_MSG(test, gate->options & 0xfff8, 0x8e00, "vector %u", vector);
        KTEST_ASSERT_EQ_MSG(test, gate->selector, SELECTOR_KERNEL_CODE.value, "vector %u", vector);
        KTEST_ASSERT_GE_MSG(test, handler, (uint64_t)text_start, "vector %u", vector);
        KTEST_ASSERT_LT_MSG(test, handler, (uint64_t)text_end, "vector %u", vector);
    }
}

// An interrupt stack that two vectors share is overwritten when one arrives within the other.
KTEST_ATTR(idt, each_interrupt_stack_serves_one_vector, .proves = "6.10 6.15");
KTEST(idt, each_interrupt_stack_serves_one_vector)
{
    for (unsigned vector = 0; vector < IDT_VECTORS; vector++) {
        unsigned expected = vector == 8    ? IST_DOUBLE_FAULT
                            : vector == 2  ? IST_NMI
                            : vector == 18 ? IST_MACHINE_CHECK
                                           : IST_NONE;
        KTEST_EXPECT_EQ_MSG(test, idt_current()->gates[vector].options & 7, expected, "vector %u",
                            vector);
    }
    KTEST_EXPECT_NE(test, IST_DOUBLE_FAULT, IST_NMI);
    KTEST_EXPECT_NE(test, IST_DOUBLE_FAULT, IST_MACHINE_CHECK);
    KTEST_EXPECT_NE(test, IST_NMI, IST_MACHINE_CHECK);
}
