// SPDX-License-Identifier: MIT
//
// The page tables as the CPU has them, walked through the direct map: every page of the image has
// its segment's permissions and no others, and what must not be mapped is not.
#include "arch/x86_64/layout.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/pte.h"
#include "arch/x86_64/stack.h"
#include "ktest.h"
#include "lib/bits.h"

struct mapping {
    bool is_present;
    bool is_writable;
    bool is_executable;
    bool is_user; // at any level
    uint64_t size_bytes;
    uint64_t physical;
};

static struct mapping walk(uint64_t address)
{
    uint64_t entry = cpu_read_cr3() | PTE_PRESENT | PTE_WRITABLE;
    struct mapping mapping = {.is_present = true, .is_writable = true, .is_executable = true};
    for (unsigned shift = 39; shift >= 12; shift -= 9) {
        const uint64_t *table = phys_to_direct((phys_addr_t){entry & PTE_ADDRESS});
        entry = table[address >> shift & 511];
        if ((entry & PTE_PRESENT) == 0) {
            return (struct mapping){0};
        }
        mapping.is_writable &= (entry & PTE_WRITABLE) != 0;
        mapping.is_executable &= (entry & PTE_NO_EXECUTE) == 0;
        mapping.is_user |= (entry & PTE_USER) != 0;
        mapping.size_bytes = BIT(shift);
        if (shift == 12 || (shift < 39 && (entry & PTE_LARGE) != 0)) {
            uint64_t offset = address & (BIT(shift) - 1);
            mapping.physical = (entry & PTE_ADDRESS & ~(BIT(shift) - 1)) + offset;
            break;
        }
    }
    return mapping;
}

static void expect_pages(struct ktest *test, uint64_t start, uint64_t end, bool is_writable,
                         bool is_executable)
{
    KTEST_ASSERT_LT(test, start, end);
    for (uint64_t address = start; address < end; address += PAGE_SIZE) {
        struct mapping mapping = walk(address);
        KTEST_ASSERT_TRUE_MSG(test, mapping.is_present, "%lx", address);
        KTEST_ASSERT_EQ_MSG(test, mapping.is_writable, is_writable, "%lx", address);
        KTEST_ASSERT_EQ_MSG(test, mapping.is_executable, is_executable, "%lx", address);
        KTEST_ASSERT_FALSE_MSG(test, mapping.is_user, "%lx", address);
        KTEST_ASSERT_EQ_MSG(test, mapping.physical, address - KERNEL_VMA, "%lx", address);
    }
}

KTEST_ATTR(layout, code_is_executable_and_read_only, .proves = "2.3.4");
KTEST(layout, code_is_executable_and_read_only)
{
    expect_pages(test, (uint64_t)text_start, (uint64_t)text_end, false, true);
}

KTEST_ATTR(layout, constants_are_read_only, .proves = "2.3.4");
KTEST(layout, constants_are_read_only)
{
    expect_pages(test, (uint64_t)text_end, (uint64_t)rodata_end, false, false);
}

KTEST_ATTR(layout, data_is_writable, .proves = "2.3.4");
KTEST(layout, data_is_writable)
{
    expect_pages(test, (uint64_t)data_start, (uint64_t)boot_stacks_start, true, false);
    expect_pages(test, (uint64_t)boot_stacks_end, (uint64_t)kernel_end, true, false);
}

KTEST_ATTR(layout, stacks_are_writable_but_for_their_guards, .proves = "6.5 6.6 6.11");
KTEST(layout, stacks_are_writable_but_for_their_guards)
{
    for (enum boot_stack stack = 0; stack < BOOT_STACK_COUNT; stack++) {
        const struct guarded_stack *guarded = stack_get(stack);
        uint64_t body = (uint64_t)guarded->body;
        KTEST_EXPECT_FALSE_MSG(test, walk((uint64_t)guarded->guard).is_present, "%s",
                               stack_name(stack));
        expect_pages(test, body, body + STACK_SIZE, true, false);
    }
}

KTEST(layout, nothing_is_mapped_around_the_image)
{
    KTEST_EXPECT_FALSE(test, walk((uint64_t)text_start - 1).is_present);
    KTEST_EXPECT_FALSE(test, walk((uint64_t)kernel_end).is_present);
    KTEST_EXPECT_FALSE(test, walk(KERNEL_VMA).is_present);
    KTEST_EXPECT_FALSE(test, walk(KERNEL_VMA + KERNEL_IMAGE_END_MAX).is_present);
}

KTEST(layout, lower_half_is_empty)
{
    const uint64_t *level4 = phys_to_direct((phys_addr_t){cpu_read_cr3() & PTE_ADDRESS});
    for (unsigned i = 0; i < 256; i++) {
        KTEST_ASSERT_EQ_MSG(test, level4[i], 0, "entry %u", i);
    }
}

KTEST_ATTR(layout, direct_map_is_writable_data, .proves = "2.3.3");
KTEST(layout, direct_map_is_writable_data)
{
    static const uint64_t addresses[] = {
        0,          0xb8000,    0x600000,   KERNEL_IMAGE_END_MAX - PAGE_SIZE, KERNEL_IMAGE_END_MAX,
        0x40000000, 0xfee00000, 0xfffff000,
    };
    for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
        struct mapping mapping = walk(DIRECT_MAP_VMA + addresses[i]);
        KTEST_ASSERT_TRUE_MSG(test, mapping.is_present, "%lx", addresses[i]);
        KTEST_EXPECT_TRUE_MSG(test, mapping.is_writable, "%lx", addresses[i]);
        KTEST_EXPECT_FALSE_MSG(test, mapping.is_executable, "%lx", addresses[i]);
        KTEST_EXPECT_EQ(test, mapping.physical, addresses[i]);
    }
}

KTEST_ATTR(layout, direct_map_shows_the_image_read_only, .proves = "2.3.4");
KTEST(layout, direct_map_shows_the_image_read_only)
{
    uint64_t boot_start = (uint64_t)boot_start_phys;
    uint64_t boot_end = (uint64_t)boot_end_phys;
    uint64_t text = (uint64_t)text_start - KERNEL_VMA;
    uint64_t rodata = (uint64_t)rodata_end - KERNEL_VMA;
    for (uint64_t address = 0; address < KERNEL_IMAGE_END_MAX; address += PAGE_SIZE) {
        bool is_constant = (address >= boot_start && address < boot_end) ||
                           (address >= text && address < rodata);
        struct mapping mapping = walk(DIRECT_MAP_VMA + address);
        KTEST_ASSERT_EQ_MSG(test, mapping.is_writable, !is_constant, "%lx", address);
        KTEST_ASSERT_FALSE_MSG(test, mapping.is_executable, "%lx", address);
        KTEST_ASSERT_FALSE_MSG(test, mapping.is_user, "%lx", address);
        KTEST_ASSERT_EQ_MSG(test, mapping.size_bytes, PAGE_SIZE, "%lx", address);
    }
}

// boot/layout.inc and layout.h say the same: entry.asm put its tables where C looks for them.
KTEST(layout, assembly_and_c_agree)
{
    KTEST_EXPECT_EQ(test, walk(DIRECT_MAP_VMA + 0x123456).physical, 0x123456);
    KTEST_EXPECT_EQ(test, walk((uint64_t)text_start).physical + KERNEL_VMA, (uint64_t)text_start);
    KTEST_EXPECT_EQ(test, walk(DIRECT_MAP_VMA + DIRECT_MAP_BOOT_END - 1).physical,
                    DIRECT_MAP_BOOT_END - 1);
}
