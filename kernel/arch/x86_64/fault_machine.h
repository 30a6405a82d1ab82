// SPDX-License-Identifier: MIT
//
// What the tests of faults share: a CPU that they may set as they like, and a window of pages whose
// table entries they write bit by bit. A suite takes the first two functions as its fixtures, so
// that everything is as before when a test is over, however it ended.
#pragma once

#include <stdint.h>

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/idt.h"
#include "arch/x86_64/pte.h"
#include "lib/addr.h"
#include "lib/bits.h"

#define UNMAPPED 0xffffffffc0000000 // the image's last GiB has no tables
#define NON_CANONICAL 0x0000800000000000

#define RFLAGS_NT BIT(14)
#define RFLAGS_RF BIT(16)
#define CR0_PE BIT(0)
#define CR0_TS BIT(3)
#define CR4_DE BIT(3)
#define CR4_PKE BIT(22)

struct ktest;

// Fixtures: CR0, CR4, the contents of IDT and TSS, the loaded GDT, IDT and TSS, and the handlers of
// exceptions come back; no breakpoint is left, and the window is closed.
void fault_machine_save(struct ktest *test);
void fault_machine_restore(struct ktest *test);

// Clears the gate's present bit.
void fault_machine_take_gate_away(unsigned vector);

// A GDT of the test's own, loaded: the kernel's eight entries, and room for others.
#define FAULT_GDT_CAPACITY 12
uint64_t *fault_machine_load_gdt(void);

// --- The window --------------------------------------------------------------------------------

// In a top-level entry that the kernel does not use, and below 4 GiB for code in 32-bit segments.
#define WINDOW_VMA 0x40000000
#define WINDOW_PAGES 8

// The memory behind the window's pages, as the kernel sees it.
extern uint8_t window_memory[WINDOW_PAGES][PAGE_SIZE];

// Gives a page of the window its memory with these bits in its entry, or none; returns its address.
// The levels above allow everything.
uint64_t window_map(unsigned page, uint64_t bits);
void window_unmap(unsigned page);

// The page's entry alone, as it lies in memory: what the TLB holds of it stays.
void window_set_entry(unsigned page, uint64_t entry);

// Changes bits in the window's entry of the table at `level`, 4 to 2.
void window_set_upper(unsigned level, uint64_t bits);
void window_clear_upper(unsigned level, uint64_t bits);

// Two bits for each key: no access, no write. CR4.PKE has to be set.
static inline void cpu_write_pkru(uint32_t value)
{
    __asm__ volatile("wrpkru" : : "a"(value), "c"(0), "d"(0) : "memory");
}
