// SPDX-License-Identifier: MIT
//
// The table as a plain instance that tests can fill, and the one that the CPU uses.
// A stale SS is the classic trap: it still names the loader's descriptor, and the next iretq that
// pops it raises #GP. So all six segment registers are reloaded with the table.
#include "arch/x86_64/gdt.h"

#include "arch/x86_64/stack.h"
#include "lib/assert.h"
#include "lib/bits.h"
#include "lib/panic.h"

_Static_assert(sizeof(struct table_pointer) == 10);
_Static_assert(sizeof(struct tss) == 104);
_Static_assert(offsetof(struct tss, rsp) == 4);
_Static_assert(offsetof(struct tss, ist) == 36);
_Static_assert(offsetof(struct tss, io_map_base) == 102);
_Static_assert(IST_MACHINE_CHECK <= IST_COUNT);

#define DESCRIPTOR_ACCESSED BIT(40)
#define DESCRIPTOR_WRITABLE BIT(41)
#define DESCRIPTOR_CODE BIT(43)
#define DESCRIPTOR_SEGMENT BIT(44) // code or data, not a system descriptor
#define DESCRIPTOR_DPL GENMASK(46, 45)
#define DESCRIPTOR_PRESENT BIT(47)
#define DESCRIPTOR_LONG BIT(53)
#define DESCRIPTOR_DEFAULT32 BIT(54)
#define DESCRIPTOR_FLAT (BIT(55) | GENMASK(51, 48) | GENMASK(15, 0)) // 4 GiB in 4 KiB units
#define DESCRIPTOR_TYPE_TSS FIELD_PREP(GENMASK(43, 40), 9)

#define DESCRIPTOR_COMMON                                                                          \
    (DESCRIPTOR_FLAT | DESCRIPTOR_PRESENT | DESCRIPTOR_SEGMENT | DESCRIPTOR_WRITABLE |             \
     DESCRIPTOR_ACCESSED)
#define DESCRIPTOR_KERNEL_CODE (DESCRIPTOR_COMMON | DESCRIPTOR_CODE | DESCRIPTOR_LONG)
#define DESCRIPTOR_KERNEL_DATA (DESCRIPTOR_COMMON | DESCRIPTOR_DEFAULT32)
#define DESCRIPTOR_USER FIELD_PREP(DESCRIPTOR_DPL, 3)
#define DESCRIPTOR_USER_CODE32                                                                     \
    (DESCRIPTOR_COMMON | DESCRIPTOR_CODE | DESCRIPTOR_DEFAULT32 | DESCRIPTOR_USER)
#define DESCRIPTOR_USER_DATA (DESCRIPTOR_KERNEL_DATA | DESCRIPTOR_USER)
#define DESCRIPTOR_USER_CODE (DESCRIPTOR_KERNEL_CODE | DESCRIPTOR_USER)

static struct gdt cpu_gdt;
static struct tss cpu_tss;

void gdt_reset(struct gdt *gdt)
{
    *gdt = (struct gdt){.count = 1};
}

enum error gdt_append(struct gdt *gdt, uint64_t descriptor, struct selector *selector_out)
{
    for (size_t i = 0; i < gdt->count; i++) {
        if (gdt->entries[i] == descriptor) {
            return EEXIST;
        }
    }
    if (gdt->count == GDT_CAPACITY) {
        return ENOSPC;
    }
    uint64_t privilege = FIELD_GET(DESCRIPTOR_DPL, descriptor);
    selector_out->value = (uint16_t)(gdt->count * sizeof(descriptor) | privilege);
    gdt->entries[gdt->count++] = descriptor;
    return OK;
}

enum error gdt_append_tss(struct gdt *gdt, const struct tss *tss, struct selector *selector_out)
{
    if (gdt->count + 2 > GDT_CAPACITY) {
        return ENOSPC;
    }
    uint64_t base = (uint64_t)tss;
    selector_out->value = (uint16_t)(gdt->count * sizeof(uint64_t));
    gdt->entries[gdt->count++] = DESCRIPTOR_PRESENT | DESCRIPTOR_TYPE_TSS | (sizeof(*tss) - 1) |
                                 FIELD_PREP(GENMASK(39, 16), base & GENMASK(23, 0)) |
                                 FIELD_PREP(GENMASK(63, 56), base >> 24 & GENMASK(7, 0));
    gdt->entries[gdt->count++] = base >> 32;
    return OK;
}

static void append_expected(uint64_t descriptor, struct selector expected)
{
    struct selector selector = {0};
    if (gdt_append(&cpu_gdt, descriptor, &selector) != OK || selector.value != expected.value) {
        panic("GDT: descriptor %#lx is not at selector %#x", descriptor, expected.value);
    }
}

static void load(const struct gdt *gdt)
{
    struct table_pointer pointer = {
        .limit = (uint16_t)(gdt->count * sizeof(uint64_t) - 1),
        .base = (uint64_t)gdt->entries,
    };
    __asm__ volatile("lgdt %0\n\t"
                     "pushq %q1\n\t"
                     "leaq 1f(%%rip), %%rax\n\t"
                     "pushq %%rax\n\t"
                     "lretq\n\t"
                     "1:\n\t"
                     "movl %k2, %%ss\n\t"
                     "movl %k2, %%ds\n\t"
                     "movl %k2, %%es\n\t"
                     "movl %k3, %%fs\n\t"
                     "movl %k3, %%gs\n\t"
                     :
                     : "m"(pointer), "r"((uint64_t)SELECTOR_KERNEL_CODE.value),
                       "r"((uint64_t)SELECTOR_KERNEL_DATA.value), "r"(0UL)
                     : "rax", "memory");
    __asm__ volatile("ltr %w0" : : "r"(SELECTOR_TSS.value) : "memory");
}

void gdt_init(void)
{
    cpu_tss = (struct tss){.io_map_base = sizeof(cpu_tss)};
    cpu_tss.rsp[0] = stack_top(BOOT_STACK_MAIN);
    cpu_tss.ist[IST_DOUBLE_FAULT - 1] = stack_top(BOOT_STACK_DOUBLE_FAULT);
    cpu_tss.ist[IST_NMI - 1] = stack_top(BOOT_STACK_NMI);
    cpu_tss.ist[IST_MACHINE_CHECK - 1] = stack_top(BOOT_STACK_MACHINE_CHECK);

    gdt_reset(&cpu_gdt);
    append_expected(DESCRIPTOR_KERNEL_CODE, SELECTOR_KERNEL_CODE);
    append_expected(DESCRIPTOR_KERNEL_DATA, SELECTOR_KERNEL_DATA);
    append_expected(DESCRIPTOR_USER_CODE32, SELECTOR_USER_CODE32);
    append_expected(DESCRIPTOR_USER_DATA, SELECTOR_USER_DATA);
    append_expected(DESCRIPTOR_USER_CODE, SELECTOR_USER_CODE);
    struct selector tss_selector = {0};
    if (gdt_append_tss(&cpu_gdt, &cpu_tss, &tss_selector) != OK ||
        tss_selector.value != SELECTOR_TSS.value) {
        panic("GDT: no room for the TSS");
    }
    load(&cpu_gdt);
}

struct tss *gdt_tss(void)
{
    return &cpu_tss;
}

struct gdt *gdt_current(void)
{
    return &cpu_gdt;
}

void gdt_load(struct table_pointer pointer)
{
    __asm__ volatile("lgdt %0" : : "m"(pointer) : "memory");
}

struct table_pointer gdt_loaded(void)
{
    struct table_pointer pointer;
    __asm__ volatile("sgdt %0" : "=m"(pointer) : : "memory");
    return pointer;
}
