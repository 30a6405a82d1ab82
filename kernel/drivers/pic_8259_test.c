// SPDX-License-Identifier: MIT
#include "drivers/pic_8259.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/layout.h"
#include "arch/x86_64/port.h"
#include "arch/x86_64/trap.h"
#include "drivers/nmi_timer.h"
#include "ktest.h"

KTEST(pic, all_lines_are_masked)
{
    KTEST_EXPECT_EQ(test, pic_read_masks(), 0xffff);
}

// Of all lines.
static uint64_t interrupt_count(void)
{
    uint64_t count = 0;
    struct irq_statistics statistics;
    for (unsigned line = 0; irq_statistics_read(line, &statistics) == OK; line++) {
        count += statistics.count + statistics.spurious_count;
    }
    return count;
}

static uint64_t interrupts_seen;
static uint64_t last_vector;

static void count_interrupt(struct trap_frame *frame)
{
    interrupts_seen++;
    last_vector = frame->vector;
}

// The firmware's timer has been ticking since power-on: with interrupts on for a while, none may
// arrive as what would look like a double fault.
KTEST(pic, masked_lines_stay_quiet_with_interrupts_on)
{
    uint64_t before = interrupt_count();
    cpu_enable_interrupts();
    for (int i = 0; i < 10000; i++) {
        cpu_relax();
    }
    cpu_disable_interrupts();
    KTEST_EXPECT_EQ(test, interrupt_count(), before);
}

#define PIC1_COMMAND 0x20
#define PIC1_DATA 0x21
#define PIC2_DATA 0xa1
#define END_OF_INTERRUPT 0x20
#define PIT_COMMAND 0x43
#define PIT_CHANNEL_0 0x40
#define WAIT_MAX 50000000

#define TIMER_VECTOR ((struct plain_vector){IRQ_FIRST_VECTOR})
#define WIRE_OPEN 0x700

// The local APIC's pin LINT0 passes the PIC's interrupts or not. Returns what it did before.
// Source: Intel SDM vol. 3, 11.5.1.
static uint32_t set_virtual_wire(uint32_t value)
{
    volatile uint32_t *lint0 = phys_to_direct((phys_addr_t){0xfee00350});
    uint32_t before = *lint0;
    *lint0 = value;
    return before;
}

// The timer's line, line 0, is opened until it has come once: it must arrive behind the exceptions.
KTEST(pic, timer_arrives_at_its_vector)
{
    trap_handler_t *before = trap_set_handler(TIMER_VECTOR, count_interrupt);
    interrupts_seen = 0;
    last_vector = 0;
    uint32_t wire = set_virtual_wire(WIRE_OPEN);
    nmi_timer_stop();               // the tests' watchdog has the same timer
    port_write8(PIT_COMMAND, 0x34); // channel 0, rate generator
    port_write8(PIT_CHANNEL_0, 0);
    port_write8(PIT_CHANNEL_0, 4);
    port_write8(PIC1_DATA, 0xfe);
    uint16_t masks = pic_read_masks();
    cpu_enable_interrupts();
    for (int i = 0; i < WAIT_MAX && *(volatile uint64_t *)&interrupts_seen == 0; i++) {
        cpu_relax();
    }
    cpu_disable_interrupts();
    port_write8(PIC1_DATA, 0xff);
    port_write8(PIC1_COMMAND, END_OF_INTERRUPT);
    (void)set_virtual_wire(wire);
    trap_set_handler(TIMER_VECTOR, before);

    KTEST_EXPECT_EQ(test, masks, 0xfffe);
    KTEST_EXPECT_EQ(test, interrupts_seen, 1); // no other one comes before the end of interrupt
    KTEST_EXPECT_EQ(test, last_vector, IRQ_FIRST_VECTOR);
}

KTEST(pic, masks_of_the_second_are_the_upper_ones)
{
    port_write8(PIC2_DATA, 0x7f);
    uint16_t masks = pic_read_masks();
    port_write8(PIC2_DATA, 0xff);
    KTEST_EXPECT_EQ(test, masks, 0x7fff);
}

KTEST(pic, masks_are_written_to_both)
{
    pic_write_masks(0x5aa5);
    uint16_t masks = pic_read_masks();
    uint8_t low = port_read8(PIC1_DATA);
    pic_write_masks(0xffff);
    KTEST_EXPECT_EQ(test, masks, 0x5aa5);
    KTEST_EXPECT_EQ(test, low, 0xa5);
}
