// SPDX-License-Identifier: MIT
//
// Page faults by single bits of the page table entries: error code and CR2 of each. What the
// kernel's own mappings raise is in fault_test.c. Source: Intel SDM vol. 3, 4.6 and 4.7.
#include "arch/x86_64/fault_machine.h"
#include "ktest.h"

#define CPUID_7_EBX_SMEP BIT(7)
#define CPUID_7_EBX_SMAP BIT(20)
#define CPUID_7_ECX_PKU BIT(3)
#define OPCODE_RET 0xc3

KTEST_SUITE(fault_page, .init = fault_machine_save, .exit = fault_machine_restore);

[[gnu::noinline]] static uint8_t peek(uint64_t address)
{
    return *(volatile uint8_t *)address;
}

[[gnu::noinline]] static void poke(uint64_t address)
{
    *(volatile uint8_t *)address = 0xee;
}

[[gnu::noinline]] static void jump(uint64_t address)
{
    __asm__ volatile("call *%0" : : "r"(address) : "memory");
}

static void expect_address(struct ktest *test, uint64_t address)
{
    KTEST_EXPECT_EQ(test, ktest_last_fault(test)->address, address);
}

static void set_cr4(uint64_t set, uint64_t clear)
{
    cpu_write_cr4((cpu_read_cr4() & ~clear) | set);
}

static void set_ac(bool is_set)
{
    cpu_write_rflags((cpu_read_rflags() & ~RFLAGS_AC) | (is_set ? RFLAGS_AC : 0));
}

// Each byte of the page, so that CR2 is seen to be the address and not only its page.
KTEST_ATTR(fault_page, address_is_exact_to_the_byte, .proves = "5.13");
KTEST(fault_page, address_is_exact_to_the_byte)
{
    window_unmap(1);
    for (uint64_t offset = 0; offset < PAGE_SIZE; offset += 455) {
        KTEST_EXPECT_FAULT(test, PF, 0, peek(WINDOW_VMA + PAGE_SIZE + offset));
        expect_address(test, WINDOW_VMA + PAGE_SIZE + offset);
    }
}

typedef uint64_t unaligned_t [[gnu::aligned(1)]];

// An access across two pages faults on the second one, at its first byte.
KTEST(fault_page, access_across_pages_faults_where_it_enters_the_missing_one)
{
    uint64_t first = window_map(0, PTE_WRITABLE);
    window_unmap(1);
    KTEST_EXPECT_FAULT(test, PF, 2, *(volatile unaligned_t *)(first + PAGE_SIZE - 3) = 1);
    expect_address(test, first + PAGE_SIZE);
}

KTEST_ATTR(fault_page, write_to_a_read_only_page, .proves = "5.13");
KTEST(fault_page, write_to_a_read_only_page)
{
    uint64_t page = window_map(0, 0);
    KTEST_EXPECT_EQ(test, peek(page + 5), window_memory[0][5]);
    KTEST_EXPECT_FAULT(test, PF, 3, poke(page + 5));
    expect_address(test, page + 5);
}

KTEST(fault_page, write_protection_counts_for_ring_0_only_if_wp_is_set)
{
    uint64_t page = window_map(0, 0);
    window_memory[0][6] = 0;

    cpu_write_cr0(cpu_read_cr0() & ~CR0_WP);
    poke(page + 6);
    cpu_write_cr0(cpu_read_cr0() | CR0_WP);

    KTEST_EXPECT_EQ(test, window_memory[0][6], 0xee);
    KTEST_EXPECT_FAULT(test, PF, 3, poke(page + 6));
}

KTEST_ATTR(fault_page, execution_of_a_no_execute_page, .proves = "5.13");
KTEST(fault_page, execution_of_a_no_execute_page)
{
    window_memory[0][7] = OPCODE_RET;
    uint64_t page = window_map(0, 0);
    jump(page + 7);
    page = window_map(0, PTE_NO_EXECUTE);
    KTEST_EXPECT_FAULT(test, PF, 0x11, jump(page + 7));
    expect_address(test, page + 7);
}

// A right that one level does not give, the levels below can't give back.
KTEST(fault_page, no_execute_of_an_upper_level_holds_below)
{
    window_memory[0][7] = OPCODE_RET;
    uint64_t page = window_map(0, 0);
    for (unsigned level = 2; level <= 4; level++) {
        window_set_upper(level, PTE_NO_EXECUTE);
        KTEST_EXPECT_FAULT(test, PF, 0x11, jump(page + 7));
        window_clear_upper(level, PTE_NO_EXECUTE);
        jump(page + 7);
    }
}

// The page is in the TLB when its entry goes: invlpg is what makes it unreachable.
KTEST_ATTR(fault_page, use_after_unmap, .proves = "4.8.4");
KTEST(fault_page, use_after_unmap)
{
    uint64_t page = window_map(2, PTE_WRITABLE);
    window_memory[2][9] = 0;
    poke(page + 9);
    KTEST_ASSERT_EQ(test, window_memory[2][9], 0xee);

    window_set_entry(2, 0);
    cpu_invalidate_page(page);

    KTEST_EXPECT_FAULT(test, PF, 0, peek(page + 9));
    expect_address(test, page + 9);
    KTEST_EXPECT_FAULT(test, PF, 2, poke(page + 9));
}

KTEST(fault_page, write_after_protection)
{
    uint64_t page = window_map(2, PTE_WRITABLE);
    poke(page + 9);
    window_map(2, 0);
    KTEST_EXPECT_FAULT(test, PF, 3, poke(page + 9));
}

// --- Reserved bits ------------------------------------------------------------------------------
// The page size bit of a top-level entry is reserved on every CPU. From QEMU 7.2 on, TCG leaves the
// protection bit out of the error code.

KTEST_ATTR(fault_page, read_through_a_reserved_bit,
           .outcome = KTEST_FAULT(PF, .error = 9, .addr = KTEST_ADDR(WINDOW_VMA + 8),
                                  .symbol = "peek"),
           .quirks = KTEST_QUIRKS({.accel = KTEST_ACCEL_TCG,
                                   .from = KTEST_QEMU(7, 2),
                                   .outcome = KTEST_FAULT(PF, .error = 8,
                                                          .addr = KTEST_ADDR(WINDOW_VMA + 8),
                                                          .symbol = "peek")}),
           .proves = "5.13");
KTEST(fault_page, read_through_a_reserved_bit)
{
    uint64_t page = window_map(0, PTE_WRITABLE);
    window_set_upper(4, PTE_LARGE);
    KTEST_ARM(test);
    peek(page + 8);
}

KTEST_ATTR(fault_page, write_through_a_reserved_bit,
           .outcome = KTEST_FAULT(PF, .error = 0xb, .addr = KTEST_ADDR(WINDOW_VMA + 8),
                                  .symbol = "poke"),
           .quirks = KTEST_QUIRKS({.accel = KTEST_ACCEL_TCG,
                                   .from = KTEST_QEMU(7, 2),
                                   .outcome = KTEST_FAULT(PF, .error = 0xa,
                                                          .addr = KTEST_ADDR(WINDOW_VMA + 8),
                                                          .symbol = "poke")}),
           .proves = "5.13");
KTEST(fault_page, write_through_a_reserved_bit)
{
    uint64_t page = window_map(0, PTE_WRITABLE);
    window_set_upper(4, PTE_LARGE);
    KTEST_ARM(test);
    poke(page + 8);
}

KTEST_ATTR(fault_page, execution_through_a_reserved_bit,
           .outcome = KTEST_FAULT(PF, .error = 0x19, .addr = KTEST_ADDR(WINDOW_VMA + 8)),
           .quirks = KTEST_QUIRKS({.accel = KTEST_ACCEL_TCG,
                                   .from = KTEST_QEMU(7, 2),
                                   .outcome = KTEST_FAULT(PF, .error = 0x18,
                                                          .addr = KTEST_ADDR(WINDOW_VMA + 8))}),
           .proves = "5.13");
KTEST(fault_page, execution_through_a_reserved_bit)
{
    uint64_t page = window_map(0, PTE_WRITABLE);
    window_set_upper(4, PTE_LARGE);
    KTEST_ARM(test);
    jump(page + 8);
}

// --- User pages ---------------------------------------------------------------------------------

KTEST_ATTR(fault_page, supervisor_execution_of_a_user_page, .needs = KTEST_NEEDS_FULL_CPU,
           .proves = "5.13");
KTEST(fault_page, supervisor_execution_of_a_user_page)
{
    KTEST_ASSERT_NE(test, cpuid(7, 0).ebx & CPUID_7_EBX_SMEP, 0);
    window_memory[0][3] = OPCODE_RET;
    uint64_t page = window_map(0, PTE_USER);

    KTEST_EXPECT_FAULT(test, PF, 0x11, jump(page + 3));
    expect_address(test, page + 3);

    set_cr4(0, CR4_SMEP);
    jump(page + 3);
    set_cr4(CR4_SMEP, 0);
    KTEST_EXPECT_FAULT(test, PF, 0x11, jump(page + 3));
}

KTEST_ATTR(fault_page, supervisor_access_to_a_user_page, .needs = KTEST_NEEDS_FULL_CPU,
           .proves = "5.13");
KTEST(fault_page, supervisor_access_to_a_user_page)
{
    KTEST_ASSERT_NE(test, cpuid(7, 0).ebx & CPUID_7_EBX_SMAP, 0);
    uint64_t page = window_map(0, PTE_USER | PTE_WRITABLE);

    KTEST_EXPECT_FAULT(test, PF, 1, peek(page + 4));
    expect_address(test, page + 4);
    KTEST_EXPECT_FAULT(test, PF, 3, poke(page + 5));
    expect_address(test, page + 5);
}

KTEST_ATTR(fault_page, supervisor_access_to_a_user_page_is_let_through_by_stac,
           .needs = KTEST_NEEDS_FULL_CPU);
KTEST(fault_page, supervisor_access_to_a_user_page_is_let_through_by_stac)
{
    KTEST_ASSERT_NE(test, cpuid(7, 0).ebx & CPUID_7_EBX_SMAP, 0);
    uint64_t page = window_map(0, PTE_USER | PTE_WRITABLE);
    window_memory[0][4] = 0;

    __asm__ volatile("stac" : : : "memory");
    poke(page + 4);
    __asm__ volatile("clac" : : : "memory");

    KTEST_EXPECT_EQ(test, window_memory[0][4], 0xee);
    KTEST_EXPECT_FAULT(test, PF, 1, peek(page + 4));
}

// A page that one level denies to the user is the supervisor's.
KTEST_ATTR(fault_page, page_is_a_user_page_only_if_all_levels_say_so,
           .needs = KTEST_NEEDS_FULL_CPU);
KTEST(fault_page, page_is_a_user_page_only_if_all_levels_say_so)
{
    KTEST_ASSERT_NE(test, cpuid(7, 0).ebx & CPUID_7_EBX_SMAP, 0);
    uint64_t page = window_map(0, PTE_USER);
    for (unsigned level = 2; level <= 4; level++) {
        window_clear_upper(level, PTE_USER);
        KTEST_EXPECT_EQ(test, peek(page + 4), window_memory[0][4]);
        window_set_upper(level, PTE_USER);
        KTEST_EXPECT_FAULT(test, PF, 1, peek(page + 4));
    }
}

// The key of a user page holds for ring 0 too, once SMAP lets it through; a supervisor page has
// none. Key 5 forbids any access, key 6 writing.
KTEST_ATTR(
    fault_page, supervisor_access_against_a_protection_key, .needs = KTEST_NEEDS_FULL_CPU,
    .proves = "5.13",
    .quirks = KTEST_QUIRKS({.accel = KTEST_ACCEL_BOCHS,
                            .skip = "Bochs checks no protection keys of accesses by the kernel"}));
KTEST(fault_page, supervisor_access_against_a_protection_key)
{
    KTEST_ASSERT_NE(test, cpuid(7, 0).ecx & CPUID_7_ECX_PKU, 0);
    uint64_t closed = window_map(0, PTE_USER | PTE_WRITABLE | PTE_KEY(5));
    uint64_t constant = window_map(1, PTE_USER | PTE_WRITABLE | PTE_KEY(6));
    uint64_t supervisor = window_map(2, PTE_WRITABLE | PTE_KEY(5));
    window_memory[2][4] = 0;
    set_cr4(CR4_PKE, 0);
    cpu_write_pkru(1 << 10 | 2 << 12);
    set_ac(true);

    KTEST_EXPECT_FAULT(test, PF, 0x21, peek(closed + 1));
    expect_address(test, closed + 1);
    KTEST_EXPECT_FAULT(test, PF, 0x23, poke(closed + 2));
    KTEST_EXPECT_FAULT(test, PF, 0x23, poke(constant + 3));
    expect_address(test, constant + 3);
    KTEST_EXPECT_EQ(test, peek(constant + 3), window_memory[1][3]);
    poke(supervisor + 4);
    set_ac(false);
    KTEST_EXPECT_EQ(test, window_memory[2][4], 0xee);
}
