// SPDX-License-Identifier: MIT
//
// Segments and the task-state segment. In 64-bit mode only privilege and type still count; the
// order is what syscall and sysret want: kernel code, kernel data; user code 32, user data, user
// code 64. Sources: Intel SDM vol. 3, 3.4.5, 5.8.8, 8.2.3, 8.7.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"

// What lgdt, lidt and their opposites read and write.
struct [[gnu::packed]] table_pointer {
    uint16_t limit;
    uint64_t base;
};

// A segment selector with its privilege level in bits 0 and 1.
struct selector {
    uint16_t value;
};

#define SELECTOR_KERNEL_CODE ((struct selector){0x08})
#define SELECTOR_KERNEL_DATA ((struct selector){0x10})
#define SELECTOR_USER_CODE32 ((struct selector){0x1b})
#define SELECTOR_USER_DATA ((struct selector){0x23})
#define SELECTOR_USER_CODE ((struct selector){0x2b})
#define SELECTOR_TSS ((struct selector){0x30})

// Interrupt stacks, by the hardware's numbers: 1 to 7, 0 is none. One vector each.
enum ist {
    IST_NONE = 0,
    IST_DOUBLE_FAULT = 1,
    IST_NMI = 2,
    IST_MACHINE_CHECK = 3,
};

#define IST_COUNT 7

struct [[gnu::packed]] tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[IST_COUNT]; // ist[n - 1] is IST n
    uint64_t reserved2;
    uint16_t reserved3;
    uint16_t io_map_base; // == sizeof: no port is open to ring 3
};

#define GDT_CAPACITY 8

struct gdt {
    uint64_t entries[GDT_CAPACITY]; // the first is the null descriptor
    size_t count;
};

// A GDT with nothing but the null descriptor.
void gdt_reset(struct gdt *gdt);

// Appends a code or data descriptor; the selector carries the descriptor's privilege level.
// EEXIST if it is there already, ENOSPC if the table is full.
enum error gdt_append(struct gdt *gdt, uint64_t descriptor, struct selector *selector_out);

// Appends the two-slot descriptor of a TSS. ENOSPC if the table has not two slots left.
enum error gdt_append_tss(struct gdt *gdt, const struct tss *tss, struct selector *selector_out);

// Fills in the CPU's own table and TSS and loads them, with every segment register. Once, before
// the IDT. FS and GS become null.
void gdt_init(void);

// The running CPU's TSS.
struct tss *gdt_tss(void);

// The CPU's own table, loaded or not. Tests change it and put it back.
struct gdt *gdt_current(void);

// lgdt and sgdt, without a change of any segment register.
void gdt_load(struct table_pointer pointer);
struct table_pointer gdt_loaded(void);
