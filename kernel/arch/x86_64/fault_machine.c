// SPDX-License-Identifier: MIT
#include "arch/x86_64/fault_machine.h"

#include "arch/x86_64/gdt.h"
#include "arch/x86_64/layout.h"
#include "arch/x86_64/trap.h"
#include "lib/string.h"

#define GATE_PRESENT BIT(15)
#define TSS_BUSY BIT(41)
#define DR6_NOTHING 0xffff0ff0
#define DR7_NOTHING 0x400

static struct {
    uint64_t cr0;
    uint64_t cr4;
    struct table_pointer gdt;
    struct idt idt;
    struct tss tss;
    struct trap_handlers handlers;
} saved;

static _Alignas(PAGE_SIZE) uint64_t level3[TABLE_ENTRY_COUNT];
static _Alignas(PAGE_SIZE) uint64_t level2[TABLE_ENTRY_COUNT];
static _Alignas(PAGE_SIZE) uint64_t level1[TABLE_ENTRY_COUNT];
_Alignas(PAGE_SIZE) uint8_t window_memory[WINDOW_PAGES][PAGE_SIZE];

static uint64_t fault_gdt[FAULT_GDT_CAPACITY];

_Static_assert(FAULT_GDT_CAPACITY > GDT_CAPACITY);

void fault_machine_take_gate_away(unsigned vector)
{
    idt_current()->gates[vector].options &= (uint16_t)~GATE_PRESENT;
}

uint64_t *fault_machine_load_gdt(void)
{
    memset(fault_gdt, 0, sizeof(fault_gdt));
    memcpy(fault_gdt, gdt_current()->entries, sizeof(gdt_current()->entries));
    gdt_load((struct table_pointer){sizeof(fault_gdt) - 1, (uint64_t)fault_gdt});
    return fault_gdt;
}

// The descriptor of a loaded TSS is marked busy, and can't be loaded again.
static void restore_tables(void)
{
    *gdt_tss() = saved.tss;
    *idt_current() = saved.idt;
    *trap_handlers() = saved.handlers;
    idt_load(idt_current());
    gdt_load(saved.gdt);
    gdt_current()->entries[SELECTOR_TSS.value / 8] &= ~TSS_BUSY;
    __asm__ volatile("ltr %w0" : : "r"(SELECTOR_TSS.value) : "memory");
}

static uint64_t *window_top_entry(void)
{
    uint64_t *level4 = phys_to_direct((phys_addr_t){cpu_read_cr3() & GENMASK(51, 12)});
    return &level4[virt_addr_p4_index((virt_addr_t){WINDOW_VMA})];
}

static uint64_t phys_of(const void *pointer)
{
    return (uint64_t)pointer - KERNEL_VMA;
}

static void open_window(void)
{
    const uint64_t all = PTE_PRESENT | PTE_WRITABLE | PTE_USER;
    memset(level1, 0, sizeof(level1));
    level2[virt_addr_p2_index((virt_addr_t){WINDOW_VMA})] = phys_of(level1) | all;
    level3[virt_addr_p3_index((virt_addr_t){WINDOW_VMA})] = phys_of(level2) | all;
    *window_top_entry() = phys_of(level3) | all;
    cpu_write_cr3(cpu_read_cr3());
}

static void close_window(void)
{
    *window_top_entry() = 0;
    cpu_write_cr3(cpu_read_cr3());
}

void fault_machine_save(struct ktest *test)
{
    (void)test;
    saved.cr0 = cpu_read_cr0();
    saved.cr4 = cpu_read_cr4();
    saved.idt = *idt_current();
    saved.tss = *gdt_tss();
    saved.gdt = gdt_loaded();
    saved.handlers = *trap_handlers();
    open_window();
}

void fault_machine_restore(struct ktest *test)
{
    (void)test;
    cpu_write_dr7(DR7_NOTHING);
    __asm__ volatile("mov %0, %%dr6" : : "r"((uint64_t)DR6_NOTHING));
    cpu_write_cr0(saved.cr0);
    if ((cpu_read_cr4() & CR4_PKE) != 0) {
        cpu_write_pkru(0);
    }
    cpu_write_cr4(saved.cr4);
    restore_tables();
    close_window();
}

void window_set_entry(unsigned page, uint64_t entry)
{
    ((volatile uint64_t *)level1)[page] = entry;
}

uint64_t window_map(unsigned page, uint64_t bits)
{
    uint64_t address = WINDOW_VMA + page * PAGE_SIZE;
    window_set_entry(page, phys_of(window_memory[page]) | PTE_PRESENT | bits);
    cpu_invalidate_page(address);
    return address;
}

void window_unmap(unsigned page)
{
    window_set_entry(page, 0);
    cpu_invalidate_page(WINDOW_VMA + page * PAGE_SIZE);
}

static volatile uint64_t *upper_entry(unsigned level)
{
    switch (level) {
    case 4:
        return window_top_entry();
    case 3:
        return &level3[virt_addr_p3_index((virt_addr_t){WINDOW_VMA})];
    default:
        return &level2[virt_addr_p2_index((virt_addr_t){WINDOW_VMA})];
    }
}

void window_set_upper(unsigned level, uint64_t bits)
{
    *upper_entry(level) |= bits;
    cpu_write_cr3(cpu_read_cr3());
}

void window_clear_upper(unsigned level, uint64_t bits)
{
    *upper_entry(level) &= ~bits;
    cpu_write_cr3(cpu_read_cr3());
}
