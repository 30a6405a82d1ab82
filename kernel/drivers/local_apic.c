// SPDX-License-Identifier: MIT
#include "drivers/local_apic.h"

#include <stddef.h>

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/msr.h"
#include "arch/x86_64/trap.h"
#include "lib/bits.h"
#include "mm/mmio.h"

enum apic_register {
    APIC_ID = 0x20,
    APIC_TASK_PRIORITY = 0x80,
    APIC_END_OF_INTERRUPT = 0xb0,
    APIC_SPURIOUS = 0xf0,
    APIC_LVT_TIMER = 0x320,
    APIC_LVT_LINT0 = 0x350,
    APIC_LVT_LINT1 = 0x360,
    APIC_TIMER_INITIAL = 0x380,
    APIC_TIMER_CURRENT = 0x390,
    APIC_TIMER_DIVIDE = 0x3e0,
};
#define APIC_REGISTERS_BYTES 0x400

#define CPUID_1_EDX_APIC BIT(9)
#define BASE_X2APIC BIT(10)
#define BASE_ENABLE BIT(11)
#define BASE_ADDRESS GENMASK(51, 12)
#define ID_MASK GENMASK(31, 24)
#define SPURIOUS_ENABLE BIT(8)
#define LVT_MASKED BIT(16)
#define LVT_NMI FIELD_PREP(GENMASK(10, 8), 4)
#define LVT_EXTERNAL FIELD_PREP(GENMASK(10, 8), 7) // the 8259s give the vector
#define DIVIDE_BY_16 0x3

static volatile uint32_t *registers;
static uint64_t spurious_count;

static uint32_t read(enum apic_register offset)
{
    return registers[offset / sizeof(uint32_t)];
}

static void write(enum apic_register offset, uint64_t value)
{
    registers[offset / sizeof(uint32_t)] = (uint32_t)value;
}

static void on_spurious(struct trap_frame *frame)
{
    (void)frame;
    spurious_count++;
}

static enum error find(phys_addr_t *address_out)
{
    if ((cpuid(1, 0).edx & CPUID_1_EDX_APIC) == 0) {
        return ENODEV;
    }
    uint64_t base = msr_read(MSR_APIC_BASE);
    if ((base & BASE_ENABLE) == 0) {
        return ENODEV;
    }
    address_out->value = base & BASE_ADDRESS;
    return (base & BASE_X2APIC) != 0 ? ENOTSUP : OK;
}

enum error local_apic_init(void)
{
    phys_addr_t address;
    volatile void *mapped;
    enum error error = find(&address);
    if (error == OK) {
        error = mmio_map(address, APIC_REGISTERS_BYTES, &mapped);
    }
    if (error != OK) {
        return error;
    }
    registers = mapped;
    trap_set_handler((struct plain_vector){LOCAL_APIC_SPURIOUS_VECTOR}, on_spurious);
    write(APIC_SPURIOUS, SPURIOUS_ENABLE | LOCAL_APIC_SPURIOUS_VECTOR); // LVTs are masked before it
    write(APIC_TASK_PRIORITY, 0);
    write(APIC_LVT_TIMER, LVT_MASKED);
    write(APIC_TIMER_DIVIDE, DIVIDE_BY_16);
    write(APIC_LVT_LINT0, LVT_EXTERNAL);
    write(APIC_LVT_LINT1, LVT_NMI); // some firmware leaves it shut
    return OK;
}

void local_apic_shut_pic_out(void)
{
    write(APIC_LVT_LINT0, LVT_EXTERNAL | LVT_MASKED);
}

uint32_t local_apic_id(void)
{
    return (uint32_t)FIELD_GET(ID_MASK, read(APIC_ID));
}

void local_apic_end(void)
{
    write(APIC_END_OF_INTERRUPT, 0);
}

uint64_t local_apic_spurious_count(void)
{
    return spurious_count;
}

void local_apic_timer_start(uint32_t count)
{
    write(APIC_TIMER_INITIAL, count);
}

uint32_t local_apic_timer_count(void)
{
    return read(APIC_TIMER_CURRENT);
}

void local_apic_timer_mask(void)
{
    write(APIC_LVT_TIMER, LVT_MASKED);
}

void local_apic_timer_unmask(uint8_t vector)
{
    write(APIC_LVT_TIMER, vector);
}
