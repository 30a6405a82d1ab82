// SPDX-License-Identifier: MIT
//
// Faults of selectors, gates, descriptor tables and the task-state segment, and of code in a 32-bit
// segment. Error codes are selectors, or the IDT's vector times 8 plus 2.
// Source: Intel SDM vol. 3, 6.13 and 6.15.
#include "arch/x86_64/fault_machine.h"
#include "arch/x86_64/gdt.h"
#include "arch/x86_64/trap.h"
#include "ktest.h"
#include "lib/string.h"

// Entries of the tests' own GDT.
#define SELECTOR_CODE32 0x40
#define SELECTOR_ABSENT_DATA 0x48
#define DESCRIPTOR_CODE32 0x00cf9b000000ffff
#define DESCRIPTOR_ABSENT_DATA 0x00cf13000000ffff

#define VECTOR_FREE 0x50 // an interrupt that nothing uses
#define IDT_CODE(vector_) ((vector_)*8 + 2)
// TCG before QEMU 10.0 counts the IDT's entries by 16.
#define IDT_CODE_OLD(vector_) ((vector_)*16 + 2)

static void init(struct ktest *test)
{
    fault_machine_save(test);
    uint64_t *gdt = fault_machine_load_gdt();
    gdt[SELECTOR_CODE32 / 8] = DESCRIPTOR_CODE32;
    gdt[SELECTOR_ABSENT_DATA / 8] = DESCRIPTOR_ABSENT_DATA;
}

KTEST_SUITE(fault_segment, .init = init, .exit = fault_machine_restore);

// Named, for the harness to find RIP in.
[[gnu::noinline]] static void load_ds(uint64_t selector)
{
    __asm__ volatile("mov %0, %%ds" : : "r"(selector));
}

[[gnu::noinline]] static void load_ss(uint64_t selector)
{
    __asm__ volatile("mov %0, %%ss" : : "r"(selector));
}

static void load_task(uint64_t selector)
{
    __asm__ volatile("ltr %w0" : : "r"(selector) : "memory");
}

static void return_far(uint64_t selector)
{
    __asm__ volatile("pushq %0\n\tpushq $0\n\tlretq" : : "r"(selector) : "memory");
}

[[gnu::noinline]] static void interrupt_free(void)
{
    __asm__ volatile("int %0" : : "i"(VECTOR_FREE) : "memory");
}

KTEST_ATTR(fault_segment, absent_data_segment,
           .outcome = KTEST_FAULT(NP, .error = SELECTOR_ABSENT_DATA, .symbol = "load_ds"),
           .proves = "5.13");
KTEST(fault_segment, absent_data_segment)
{
    KTEST_ARM(test);
    load_ds(SELECTOR_ABSENT_DATA);
}

KTEST_ATTR(fault_segment, absent_stack_segment,
           .outcome = KTEST_FAULT(SS, .error = SELECTOR_ABSENT_DATA, .symbol = "load_ss"),
           .proves = "5.13");
KTEST(fault_segment, absent_stack_segment)
{
    KTEST_ARM(test);
    load_ss(SELECTOR_ABSENT_DATA);
}

KTEST_ATTR(fault_segment, absent_gate,
           .outcome = KTEST_FAULT(NP, .error = IDT_CODE(VECTOR_FREE), .symbol = "interrupt_free"),
           .quirks = KTEST_QUIRKS({.accel = KTEST_ACCEL_TCG,
                                   .before = KTEST_QEMU(10, 0),
                                   .outcome = KTEST_FAULT(NP, .error = IDT_CODE_OLD(VECTOR_FREE),
                                                          .symbol = "interrupt_free")}),
           .proves = "5.13");
KTEST(fault_segment, absent_gate)
{
    fault_machine_take_gate_away(VECTOR_FREE);
    KTEST_ARM(test);
    interrupt_free();
}

KTEST_ATTR(fault_segment, vector_beyond_the_limit_of_the_idt,
           .outcome = KTEST_FAULT(GP, .error = IDT_CODE(VECTOR_FREE), .symbol = "interrupt_free"),
           .quirks = KTEST_QUIRKS({.accel = KTEST_ACCEL_TCG,
                                   .before = KTEST_QEMU(10, 0),
                                   .outcome = KTEST_FAULT(GP, .error = IDT_CODE_OLD(VECTOR_FREE),
                                                          .symbol = "interrupt_free")}),
           .proves = "5.13");
KTEST(fault_segment, vector_beyond_the_limit_of_the_idt)
{
    struct table_pointer pointer = {
        .limit = VECTOR_FREE * sizeof(struct gate) - 1,
        .base = (uint64_t)idt_current(),
    };
    __asm__ volatile("lidt %0" : : "m"(pointer) : "memory");
    KTEST_ARM(test);
    interrupt_free();
}

// A TSS that ends behind the third interrupt stack's slot, and a gate that wants the fourth.
KTEST_ATTR(fault_segment, interrupt_stack_beyond_the_limit_of_the_tss,
           .outcome = KTEST_FAULT(TS, .error = 0x30, .symbol = "interrupt_free"), .proves = "5.13");
KTEST(fault_segment, interrupt_stack_beyond_the_limit_of_the_tss)
{
    const uint64_t limit = offsetof(struct tss, ist) + 3 * sizeof(uint64_t) - 1;
    uint64_t *descriptor = &fault_machine_load_gdt()[SELECTOR_TSS.value / 8];
    *descriptor = (*descriptor & ~(GENMASK(15, 0) | BIT(41))) | limit; // bit 41: busy
    load_task(SELECTOR_TSS.value);
    struct gate *gate = &idt_current()->gates[VECTOR_FREE];
    *gate = gate_make(gate_handler(gate), GATE_INTERRUPT, (enum ist)4, 0);
    KTEST_ARM(test);
    interrupt_free();
}

KTEST(fault_segment, data_register_takes_no_system_segment)
{
    KTEST_EXPECT_FAULT(test, GP, SELECTOR_TSS.value, load_ds(SELECTOR_TSS.value));
}

KTEST(fault_segment, stack_register_takes_no_code_segment)
{
    KTEST_EXPECT_FAULT(test, GP, SELECTOR_KERNEL_CODE.value, load_ss(SELECTOR_KERNEL_CODE.value));
}

KTEST(fault_segment, task_register_takes_neither_code_nor_a_busy_tss)
{
    KTEST_EXPECT_FAULT(test, GP, SELECTOR_KERNEL_CODE.value, load_task(SELECTOR_KERNEL_CODE.value));
    KTEST_EXPECT_FAULT(test, GP, SELECTOR_TSS.value, load_task(SELECTOR_TSS.value));
}

KTEST(fault_segment, far_return_wants_a_code_segment)
{
    KTEST_EXPECT_FAULT(test, GP, SELECTOR_KERNEL_DATA.value,
                       return_far(SELECTOR_KERNEL_DATA.value));
    KTEST_EXPECT_FAULT(test, GP, 0, return_far(0));
}

// Tasks that nest are a thing of 32-bit mode.
KTEST_ATTR(fault_segment, interrupt_return_from_a_nested_task, .proves = "5.13");
KTEST(fault_segment, interrupt_return_from_a_nested_task)
{
    KTEST_EXPECT_FAULT(test, GP, 0,
                       __asm__ volatile("pushfq\n\torl %0, (%%rsp)\n\tpopfq\n\tiretq"
                                        :
                                        : "i"(RFLAGS_NT)
                                        : "memory", "cc"));
}

// --- 32-bit segments ----------------------------------------------------------------------------
// INTO and BOUND exist only there. Code and stack lie in the window, whose addresses 32 bits reach;
// code that does not fault where it should runs into a ud2. Handlers get a stack of the kernel's:
// the address sanitizer has a shadow of no other.

#define CODE_PAGE 0
#define DATA_PAGE 1
#define STACK_PAGE 2

#define DATA_ADDRESS (WINDOW_VMA + PAGE_SIZE)

[[gnu::noinline]] static void run_32_bit_code(const uint8_t *code, size_t size_bytes)
{
    memcpy(window_memory[CODE_PAGE], code, size_bytes);
    window_map(CODE_PAGE, 0);
    window_map(DATA_PAGE, PTE_WRITABLE);
    window_map(STACK_PAGE, PTE_WRITABLE);
    for (unsigned vector = VECTOR_OVERFLOW.number; vector <= VECTOR_INVALID_OPCODE.number;
         vector++) {
        idt_current()->gates[vector].options |= IST_NMI;
    }
    __asm__ volatile("mov %0, %%rsp\n\tpushq %1\n\tpushq %2\n\tlretq"
                     :
                     : "r"((uint64_t)WINDOW_VMA + (STACK_PAGE + 1) * PAGE_SIZE),
                       "r"((uint64_t)SELECTOR_CODE32), "r"((uint64_t)WINDOW_VMA)
                     : "rax", "memory", "cc");
}

// mov al, 0x7f; add al, n; into; ud2
KTEST_ATTR(fault_segment, into_traps_if_the_last_result_overflowed, .proves = "5.13");
KTEST(fault_segment, into_traps_if_the_last_result_overflowed)
{
    uint8_t code[] = {0xb0, 0x7f, 0x04, 0x01, 0xce, 0x0f, 0x0b};
    KTEST_EXPECT_FAULT(test, OF, 0, run_32_bit_code(code, sizeof(code)));
    KTEST_EXPECT_EQ(test, ktest_last_fault(test)->rip, WINDOW_VMA + 5);
    KTEST_EXPECT_EQ(test, ktest_last_fault(test)->cs, SELECTOR_CODE32);

    code[3] = 0;
    KTEST_EXPECT_FAULT(test, UD, 0, run_32_bit_code(code, sizeof(code)));
}

// mov eax, n; bound eax, [DATA_ADDRESS]; ud2
KTEST_ATTR(fault_segment, bound_faults_outside_of_its_range, .proves = "5.13");
KTEST(fault_segment, bound_faults_outside_of_its_range)
{
    const int32_t range[] = {-1, 4};
    memcpy(window_memory[DATA_PAGE], range, sizeof(range));
    uint8_t code[] = {0xb8, 5, 0, 0, 0, 0x62, 0x05, 0x00, 0x10, 0x00, 0x40, 0x0f, 0x0b};
    _Static_assert(DATA_ADDRESS == 0x40001000);
    KTEST_EXPECT_FAULT(test, BR, 0, run_32_bit_code(code, sizeof(code)));
    KTEST_EXPECT_EQ(test, ktest_last_fault(test)->rip, WINDOW_VMA + 5);

    code[1] = 4;
    KTEST_EXPECT_FAULT(test, UD, 0, run_32_bit_code(code, sizeof(code)));
}
