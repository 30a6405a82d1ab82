// SPDX-License-Identifier: MIT
#include "arch/x86_64/paging.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/pte.h"
#include "ktest.h"

KTEST_ATTR(paging, root_is_taken_apart, .proves = "8.10");
KTEST(paging, root_is_taken_apart)
{
    struct paging_root root = paging_root_read();
    KTEST_EXPECT_EQ(test, root.table.value | root.flags, cpu_read_cr3());
    KTEST_EXPECT_EQ(test, root.table.value % PAGE_SIZE, 0);

    paging_root_write((struct paging_root){root.table, CR3_WRITE_THROUGH});
    struct paging_root changed = paging_root_read();
    paging_root_write(root);

    KTEST_EXPECT_EQ(test, changed.table.value, root.table.value);
    KTEST_EXPECT_EQ(test, changed.flags, CR3_WRITE_THROUGH);
}

KTEST(paging, features_are_those_of_cpuid)
{
    struct paging_features features = paging_features_read();
    uint32_t edx = cpuid(0x80000001, 0).edx;
    KTEST_EXPECT_EQ(test, features.has_gib_pages, (edx >> 26 & 1) != 0);
    KTEST_EXPECT_TRUE(test, features.has_no_execute); // or the boot code had refused
    KTEST_EXPECT_EQ(test, features.physical_bits, cpuid(0x80000008, 0).eax & 0xff);
    KTEST_EXPECT_GE(test, features.physical_bits, 36);
    KTEST_EXPECT_LE(test, features.physical_bits, 52);
}

// On the machine of the other tests there may be none: this one has the full CPU.
KTEST_ATTR(paging, full_cpu_has_gib_pages, .needs = KTEST_NEEDS_FULL_CPU);
KTEST(paging, full_cpu_has_gib_pages)
{
    KTEST_EXPECT_TRUE(test, paging_features_read().has_gib_pages);
}

KTEST(paging, flushing_everything_leaves_the_registers_as_they_were)
{
    uint64_t cr3 = cpu_read_cr3();
    uint64_t cr4 = cpu_read_cr4();
    paging_flush_all();
    cpu_write_cr4(cr4 & ~CR4_PGE);
    paging_flush_all();
    KTEST_EXPECT_EQ(test, cpu_read_cr4(), cr4 & ~CR4_PGE);
    cpu_write_cr4(cr4);
    KTEST_EXPECT_EQ(test, cpu_read_cr3(), cr3);
    KTEST_EXPECT_EQ(test, cpu_read_cr4(), cr4);
}

KTEST_ATTR(pte, bits_are_the_manuals, .proves = "8.3");
KTEST(pte, bits_are_the_manuals)
{
    KTEST_EXPECT_EQ(test, PTE_PRESENT | PTE_WRITABLE | PTE_USER | PTE_WRITE_THROUGH, 0xf);
    KTEST_EXPECT_EQ(test, PTE_CACHE_DISABLE | PTE_ACCESSED | PTE_DIRTY | PTE_LARGE, 0xf0);
    KTEST_EXPECT_EQ(test, PTE_GLOBAL | PTE_SYSTEM_0 | PTE_SYSTEM_1 | PTE_SYSTEM_2, 0xf00);
    KTEST_EXPECT_EQ(test, PTE_ADDRESS, 0x000ffffffffff000);
    KTEST_EXPECT_EQ(test, PTE_SYSTEM_HIGH | PTE_KEY_MASK | PTE_NO_EXECUTE, 0xfff0000000000000);
    KTEST_EXPECT_EQ(test, page_size_bytes(PAGE_4KIB), 4096);
    KTEST_EXPECT_EQ(test, page_size_bytes(PAGE_2MIB), 1 << 21);
    KTEST_EXPECT_EQ(test, page_size_bytes(PAGE_1GIB), 1 << 30);
}
