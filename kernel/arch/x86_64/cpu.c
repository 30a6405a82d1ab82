// SPDX-License-Identifier: MIT
//
// Start-up state of the CPU's control registers. boot/entry.asm has set paging, WP and NXE.
// Sources: Intel SDM vol. 3, 2.5; CPUID leaf 7 and leaf 1, vol. 2.
#include "arch/x86_64/cpu.h"

#define CPUID_1_EDX_MCE BIT(7)
#define CPUID_1_EDX_PGE BIT(13)
#define CPUID_7_EBX_SMEP BIT(7)
#define CPUID_7_EBX_SMAP BIT(20)
#define CPUID_7_ECX_UMIP BIT(2)

static uint64_t features(void)
{
    uint64_t cr4 = 0;
    uint32_t leaf1 = cpuid(1, 0).edx;
    cr4 |= (leaf1 & CPUID_1_EDX_MCE) != 0 ? CR4_MCE : 0;
    cr4 |= (leaf1 & CPUID_1_EDX_PGE) != 0 ? CR4_PGE : 0;
    if (cpuid(0, 0).eax < 7) {
        return cr4;
    }
    struct cpuid_result leaf7 = cpuid(7, 0);
    cr4 |= (leaf7.ebx & CPUID_7_EBX_SMEP) != 0 ? CR4_SMEP : 0;
    cr4 |= (leaf7.ebx & CPUID_7_EBX_SMAP) != 0 ? CR4_SMAP : 0;
    cr4 |= (leaf7.ecx & CPUID_7_ECX_UMIP) != 0 ? CR4_UMIP : 0;
    return cr4;
}

void cpu_init(void)
{
    cpu_write_cr4((cpu_read_cr4() & ~(CR4_OSFXSR | CR4_OSXMMEXCPT)) | features());
    cpu_write_cr0((cpu_read_cr0() & ~CR0_MP) | CR0_EM | CR0_NE);
}
