// SPDX-License-Identifier: MIT
#include "arch/x86_64/paging.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/msr.h"
#include "arch/x86_64/pte.h"

#define CPUID_EXTENDED 0x80000000
#define CPUID_EXTENDED_FEATURES 0x80000001
#define CPUID_ADDRESS_SIZES 0x80000008
#define CPUID_EDX_NO_EXECUTE BIT(20)
#define CPUID_EDX_GIB_PAGES BIT(26)

// Of a CPU with physical address extension that does not say (Intel SDM vol. 3, 4.1.4).
#define PHYSICAL_BITS_DEFAULT 36

struct paging_features paging_features_read(void)
{
    uint32_t leaf_max = cpuid(CPUID_EXTENDED, 0).eax;
    uint32_t edx = cpuid(CPUID_EXTENDED_FEATURES, 0).edx;
    struct paging_features features = {
        .has_gib_pages = (edx & CPUID_EDX_GIB_PAGES) != 0,
        .has_no_execute = (edx & CPUID_EDX_NO_EXECUTE) != 0 && (msr_read(MSR_EFER) & EFER_NXE) != 0,
        .physical_bits = PHYSICAL_BITS_DEFAULT,
    };
    if (leaf_max >= CPUID_ADDRESS_SIZES) {
        features.physical_bits = cpuid(CPUID_ADDRESS_SIZES, 0).eax & 0xff;
    }
    return features;
}

struct paging_root paging_root_read(void)
{
    uint64_t cr3 = cpu_read_cr3();
    return (struct paging_root){{cr3 & PTE_ADDRESS}, cr3 & ~PTE_ADDRESS};
}

void paging_root_write(struct paging_root root)
{
    cpu_write_cr3(root.table.value | root.flags);
}

void paging_flush_all(void)
{
    uint64_t cr4 = cpu_read_cr4();
    if ((cr4 & CR4_PGE) != 0) {
        cpu_write_cr4(cr4 & ~CR4_PGE);
        cpu_write_cr4(cr4);
    } else {
        cpu_write_cr3(cpu_read_cr3());
    }
}
