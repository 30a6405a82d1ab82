// SPDX-License-Identifier: MIT
//
// Faults that only ring 3 can raise, by a few bytes of code in a user page: what the kernel's pages
// and privileged instructions answer to a program. There are no programs yet, but the protection
// that they will meet is there. Sources: Intel SDM vol. 3, 4.7, 5.9, 6.12.1.2.
#include "arch/x86_64/fault_machine.h"
#include "arch/x86_64/gdt.h"
#include "ktest.h"
#include "lib/kasan.h"
#include "lib/string.h"

// Pages of the window; the last ones are the kernel's stack for what comes from ring 3.
enum { CODE_PAGE, DATA_PAGE, STACK_PAGE, FREE_PAGE, KERNEL_STACK_PAGE };

#define ADDRESS(page_) (WINDOW_VMA + (page_)*PAGE_SIZE)
#define DATA ADDRESS(DATA_PAGE)
#define FREE ADDRESS(FREE_PAGE)

#define CR0_AM BIT(18)
#define CPUID_7_ECX_UMIP BIT(2)
#define CPUID_7_ECX_PKU BIT(3)
#define VECTOR_FREE 0x50 // an interrupt that nothing uses

KTEST_SUITE(fault_user, .init = fault_machine_save, .exit = fault_machine_restore);

struct code {
    const char *words;
    uint8_t bytes[8]; // what does not fault runs into a ud2
};

#define UD2 0x0f, 0x0b

// Enters ring 3 with RAX = address and these flags; it comes back as a fault.
[[gnu::noinline]] static void run(const struct code *code, uint64_t address, uint64_t rflags)
{
    memcpy(window_memory[CODE_PAGE], code->bytes, sizeof(code->bytes));
    window_map(CODE_PAGE, PTE_USER);
    window_map(STACK_PAGE, PTE_USER | PTE_WRITABLE | PTE_NO_EXECUTE);
    gdt_tss()->rsp[0] = (uint64_t)&window_memory[WINDOW_PAGES];
    kasan_unpoison(window_memory[KERNEL_STACK_PAGE], // its last user was left in a fault
                   (WINDOW_PAGES - KERNEL_STACK_PAGE) * PAGE_SIZE);
    __asm__ volatile("pushq %0\n\tpushq %1\n\tpushq %2\n\tpushq %3\n\tpushq %4\n\tiretq"
                     :
                     : "r"((uint64_t)SELECTOR_USER_DATA.value), "r"(ADDRESS(STACK_PAGE + 1)),
                       "r"(rflags | RFLAGS_FIXED), "r"((uint64_t)SELECTOR_USER_CODE.value),
                       "r"(ADDRESS(CODE_PAGE)), "a"(address)
                     : "memory");
}

static const struct code read_byte = {"mov al, [rax]", {0x8a, 0x00, UD2}};
static const struct code write_byte = {"mov [rax], al", {0x88, 0x00, UD2}};
static const struct code jump = {"jmp rax", {0xff, 0xe0, UD2}};

// The machinery itself: code runs in ring 3, and the way back is the TSS's stack for ring 0.
KTEST(fault_user, fault_arrives_on_the_stack_for_ring_0)
{
    const struct code code = {"ud2", {UD2}};
    KTEST_EXPECT_FAULT(test, UD, 0, run(&code, 0, 0));
    const struct ktest_fault *fault = ktest_last_fault(test);
    KTEST_EXPECT_EQ(test, fault->cs, SELECTOR_USER_CODE.value);
    KTEST_EXPECT_EQ(test, fault->ss, SELECTOR_USER_DATA.value);
    KTEST_EXPECT_EQ(test, fault->rip, ADDRESS(CODE_PAGE));
    KTEST_EXPECT_EQ(test, fault->rsp, ADDRESS(STACK_PAGE + 1));
}

static void expect_address(struct ktest *test, uint64_t address)
{
    KTEST_EXPECT_EQ(test, ktest_last_fault(test)->address, address);
}

KTEST_ATTR(fault_user, missing_pages_are_told_from_the_kernels, .proves = "5.13");
KTEST(fault_user, missing_pages_are_told_from_the_kernels)
{
    KTEST_EXPECT_FAULT(test, PF, 4, run(&read_byte, FREE + 1, 0));
    expect_address(test, FREE + 1);
    KTEST_EXPECT_FAULT(test, PF, 6, run(&write_byte, FREE + 2, 0));
    expect_address(test, FREE + 2);
    KTEST_EXPECT_FAULT(test, PF, 0x14, run(&jump, FREE + 3, 0));
    expect_address(test, FREE + 3);
}

KTEST_ATTR(fault_user, pages_of_the_kernel_are_out_of_reach, .proves = "5.13");
KTEST(fault_user, pages_of_the_kernel_are_out_of_reach)
{
    window_map(DATA_PAGE, PTE_WRITABLE);
    KTEST_EXPECT_FAULT(test, PF, 5, run(&read_byte, DATA + 1, 0));
    expect_address(test, DATA + 1);
    KTEST_EXPECT_FAULT(test, PF, 7, run(&write_byte, DATA + 2, 0));
    KTEST_EXPECT_FAULT(test, PF, 0x15, run(&jump, DATA + 3, 0));
    KTEST_EXPECT_FAULT(test, PF, 5, run(&read_byte, (uint64_t)&read_byte, 0));
    KTEST_EXPECT_FAULT(test, PF, 0x15, run(&jump, (uint64_t)run, 0));
    expect_address(test, (uint64_t)run);
}

KTEST_ATTR(fault_user, own_pages_have_their_permissions, .proves = "5.13");
KTEST(fault_user, own_pages_have_their_permissions)
{
    window_map(DATA_PAGE, PTE_USER | PTE_NO_EXECUTE);
    KTEST_EXPECT_FAULT(test, UD, 0, run(&read_byte, DATA + 1, 0));
    KTEST_EXPECT_FAULT(test, PF, 7, run(&write_byte, DATA + 2, 0));
    KTEST_EXPECT_FAULT(test, PF, 0x15, run(&jump, DATA + 3, 0));
    expect_address(test, DATA + 3);
}

KTEST_ATTR(fault_user, own_page_against_its_protection_key, .needs = KTEST_NEEDS_FULL_CPU);
KTEST(fault_user, own_page_against_its_protection_key)
{
    KTEST_ASSERT_NE(test, cpuid(7, 0).ecx & CPUID_7_ECX_PKU, 0);
    window_map(DATA_PAGE, PTE_USER | PTE_WRITABLE | PTE_KEY(5));
    cpu_write_cr4(cpu_read_cr4() | CR4_PKE);
    cpu_write_pkru(1 << 10);
    KTEST_EXPECT_FAULT(test, PF, 0x25, run(&read_byte, DATA + 1, 0));
    KTEST_EXPECT_FAULT(test, PF, 0x27, run(&write_byte, DATA + 2, 0));
    expect_address(test, DATA + 2);
}

// --- Instructions -------------------------------------------------------------------------------

static const struct code privileged[] = {
    {"cli", {0xfa, UD2}},
    {"sti", {0xfb, UD2}},
    {"hlt", {0xf4, UD2}},
    {"in al, 0x80", {0xe4, 0x80, UD2}},
    {"out 0x80, al", {0xe6, 0x80, UD2}},
    {"mov rax, cr0", {0x0f, 0x20, 0xc0, UD2}},
    {"mov cr3, rax", {0x0f, 0x22, 0xd8, UD2}},
    {"mov rax, dr7", {0x0f, 0x21, 0xf8, UD2}},
    {"clts", {0x0f, 0x06, UD2}},
    {"rdmsr", {0x0f, 0x32, UD2}},
    {"wrmsr", {0x0f, 0x30, UD2}},
    {"invlpg [rax]", {0x0f, 0x01, 0x38, UD2}},
    {"lgdt [rax]", {0x0f, 0x01, 0x10, UD2}},
    {"lidt [rax]", {0x0f, 0x01, 0x18, UD2}},
    {"ltr ax", {0x0f, 0x00, 0xd8, UD2}},
    {"lmsw ax", {0x0f, 0x01, 0xf0, UD2}},
    {"swapgs", {0x0f, 0x01, 0xf8, UD2}},
};

KTEST_ATTR(fault_user, privileged_instructions_are_refused, .proves = "5.13 6.4");
KTEST(fault_user, privileged_instructions_are_refused)
{
    window_map(DATA_PAGE, PTE_USER | PTE_WRITABLE);
    for (size_t i = 0; i < sizeof(privileged) / sizeof(*privileged); i++) {
        KTEST_EXPECT_FAULT(test, GP, 0, run(&privileged[i], DATA, 0));
        KTEST_EXPECT_EQ_MSG(test, ktest_last_fault(test)->rip, ADDRESS(CODE_PAGE), "%s",
                            privileged[i].words);
    }
}

// They tell a program where the kernel's tables lie.
static const struct code telling[] = {
    {"sgdt [rax]", {0x0f, 0x01, 0x00, UD2}}, {"sidt [rax]", {0x0f, 0x01, 0x08, UD2}},
    {"sldt ax", {0x0f, 0x00, 0xc0, UD2}},    {"str ax", {0x0f, 0x00, 0xc8, UD2}},
    {"smsw ax", {0x0f, 0x01, 0xe0, UD2}},
};

KTEST_ATTR(fault_user, telling_instructions_are_refused_by_umip, .needs = KTEST_NEEDS_FULL_CPU,
           .quirks = KTEST_QUIRKS({.accel = KTEST_ACCEL_TCG,
                                   .before = KTEST_QEMU(7, 2),
                                   .skip = "TCG before QEMU 7.2 has no UMIP"}));
KTEST(fault_user, telling_instructions_are_refused_by_umip)
{
    KTEST_ASSERT_NE(test, cpuid(7, 0).ecx & CPUID_7_ECX_UMIP, 0);
    window_map(DATA_PAGE, PTE_USER | PTE_WRITABLE);
    for (size_t i = 0; i < sizeof(telling) / sizeof(*telling); i++) {
        KTEST_EXPECT_FAULT(test, GP, 0, run(&telling[i], DATA, 0));
        KTEST_EXPECT_EQ_MSG(test, ktest_last_fault(test)->rip, ADDRESS(CODE_PAGE), "%s",
                            telling[i].words);
    }
}

// Gates of the kernel have privilege 0: a program can't pretend to be an interrupt.
KTEST_ATTR(fault_user, interrupt_through_a_gate_of_the_kernel,
           .outcome = KTEST_FAULT(GP, .error = VECTOR_FREE * 8 + 2),
           .quirks = KTEST_QUIRKS({.accel = KTEST_ACCEL_TCG,
                                   .before = KTEST_QEMU(10, 0),
                                   .outcome = KTEST_FAULT(GP, .error = VECTOR_FREE * 16 + 2)}));
KTEST(fault_user, interrupt_through_a_gate_of_the_kernel)
{
    const struct code code = {"int 0x50", {0xcd, VECTOR_FREE, UD2}};
    KTEST_ARM(test);
    run(&code, 0, 0);
}

// --- Alignment ----------------------------------------------------------------------------------

static const struct code read_word = {"mov eax, [rax]", {0x8b, 0x00, UD2}};

KTEST_ATTR(fault_user, misaligned_access_with_alignment_checks,
           .quirks = KTEST_QUIRKS({.accel = KTEST_ACCEL_TCG, .skip = "TCG checks no alignment"}));
KTEST(fault_user, misaligned_access_with_alignment_checks)
{
    window_map(DATA_PAGE, PTE_USER);
    cpu_write_cr0(cpu_read_cr0() | CR0_AM);
    KTEST_EXPECT_FAULT(test, UD, 0, run(&read_word, DATA + 4, RFLAGS_AC));
    KTEST_EXPECT_FAULT(test, UD, 0, run(&read_word, DATA + 1, 0));
    KTEST_EXPECT_FAULT(test, AC, 0, run(&read_word, DATA + 1, RFLAGS_AC));
}
