// SPDX-License-Identifier: MIT
//
// The CPU's registers and single instructions, each as a function. Bits carry the manual's names:
// Intel SDM vol. 3, 2.5 (control registers), 2.3 (RFLAGS), vol. 2 (CPUID).
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/bits.h"

#define CR0_MP BIT(1)
#define CR0_EM BIT(2)
#define CR0_NE BIT(5)
#define CR0_WP BIT(16)
#define CR0_PG BIT(31)

#define CR4_PAE BIT(5)
#define CR4_MCE BIT(6)
#define CR4_PGE BIT(7)
#define CR4_OSFXSR BIT(9)
#define CR4_OSXMMEXCPT BIT(10)
#define CR4_UMIP BIT(11)
#define CR4_SMEP BIT(20)
#define CR4_SMAP BIT(21)

#define RFLAGS_FIXED BIT(1)
#define RFLAGS_TF BIT(8)
#define RFLAGS_IF BIT(9)
#define RFLAGS_DF BIT(10)
#define RFLAGS_AC BIT(18)

struct cpuid_result {
    uint32_t eax;
    uint32_t ebx;
    uint32_t ecx;
    uint32_t edx;
};

static inline struct cpuid_result cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_result result;
    __asm__ volatile("cpuid"
                     : "=a"(result.eax), "=b"(result.ebx), "=c"(result.ecx), "=d"(result.edx)
                     : "a"(leaf), "c"(subleaf));
    return result;
}

#define CPU_REGISTER_READER(name_)                                                                 \
    static inline uint64_t cpu_read_##name_(void)                                                  \
    {                                                                                              \
        uint64_t value;                                                                            \
        __asm__ volatile("mov %%" #name_ ", %0" : "=r"(value) : : "memory");                       \
        return value;                                                                              \
    }
#define CPU_REGISTER_WRITER(name_)                                                                 \
    static inline void cpu_write_##name_(uint64_t value)                                           \
    {                                                                                              \
        __asm__ volatile("mov %0, %%" #name_ : : "r"(value) : "memory");                           \
    }

CPU_REGISTER_READER(cr0)
CPU_REGISTER_READER(cr2)
CPU_REGISTER_READER(cr3)
CPU_REGISTER_READER(cr4)
CPU_REGISTER_READER(dr7)
CPU_REGISTER_WRITER(cr0)
CPU_REGISTER_WRITER(cr3)
CPU_REGISTER_WRITER(cr4)
CPU_REGISTER_WRITER(dr7)

static inline uint64_t cpu_read_rflags(void)
{
    uint64_t value;
    __asm__ volatile("pushfq; pop %0" : "=r"(value) : : "memory");
    return value;
}

static inline void cpu_write_rflags(uint64_t value)
{
    __asm__ volatile("push %0; popfq" : : "r"(value) : "memory", "cc");
}

static inline bool cpu_interrupts_enabled(void)
{
    return (cpu_read_rflags() & RFLAGS_IF) != 0;
}

static inline void cpu_disable_interrupts(void)
{
    __asm__ volatile("cli" : : : "memory");
}

static inline void cpu_enable_interrupts(void)
{
    __asm__ volatile("sti" : : : "memory");
}

// Turns interrupts on and halts until one has been served. None comes between the two: `sti` lets
// the next instruction pass first (Intel SDM vol. 2, STI), so what made the caller wait may be
// looked at with interrupts off before, and no wake-up is lost.
static inline void cpu_wait_for_interrupt(void)
{
    __asm__ volatile("sti; hlt" : : : "memory");
}

// Drops what the TLB holds of the page at this address, global or not, and every cached entry that
// refers to a table (Intel SDM vol. 3, 4.10.4.1).
static inline void cpu_invalidate_page(uint64_t address)
{
    __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}

static inline void cpu_relax(void)
{
    __asm__ volatile("pause" : : : "memory");
}

static inline void cpu_breakpoint(void)
{
    __asm__ volatile("int3" : : : "memory");
}

// Ticks of the time-stamp counter; not serializing.
static inline uint64_t cpu_read_tsc(void)
{
    uint32_t low;
    uint32_t high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

// The end of the line: interrupts off, asleep; an NMI only wakes it to sleep again.
[[gnu::noreturn]] static inline void cpu_halt_forever(void)
{
    for (;;) {
        __asm__ volatile("cli; hlt" : : : "memory");
    }
}

// Turns on what the CPU has of SMEP, SMAP, UMIP, machine checks and global pages; and makes x87 and
// SSE instructions fault, since no code here may use them. Once, early in boot.
void cpu_init(void);
