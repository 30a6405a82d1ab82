// SPDX-License-Identifier: MIT
#include "drivers/pic_8259.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/layout.h"
#include "arch/x86_64/port.h"
#include "arch/x86_64/trap.h"
#include "drivers/nmi_timer.h"
#include "drivers/pit_8254.h"
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

static volatile uint64_t interrupts_seen;
static uint64_t last_vector;

static void count_interrupt(struct trap_frame *frame)
{
    interrupts_seen++;
    last_vector = frame->vector;
}

static void have_interrupts_on(void)
{
    cpu_enable_interrupts();
    for (int i = 0; i < 10000; i++) {
        cpu_relax();
    }
    cpu_disable_interrupts();
}

// With interrupts on for a while, none may arrive; but for what an earlier test has left to come.
KTEST(pic, masked_lines_stay_quiet_with_interrupts_on)
{
    have_interrupts_on();
    uint64_t before = interrupt_count();
    have_interrupts_on();
    KTEST_EXPECT_EQ(test, interrupt_count(), before);
}

#define PIC1_COMMAND 0x20
#define PIC1_DATA 0x21
#define PIC2_DATA 0xa1
#define END_OF_INTERRUPT 0x20
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
KTEST_ATTR(pic, timer_arrives_at_its_vector, .proves = "7.1.1 7.1.5");
KTEST(pic, timer_arrives_at_its_vector)
{
    have_interrupts_on(); // an APIC's has to be ended, which count_interrupt does not
    trap_handler_t *before = trap_set_handler(TIMER_VECTOR, count_interrupt);
    interrupts_seen = 0;
    last_vector = 0;
    uint32_t wire = set_virtual_wire(WIRE_OPEN);
    nmi_timer_stop(); // the tests' watchdog has the same timer
    pit_start_rate(1024);
    port_write8(PIC1_DATA, 0xfe);
    uint16_t masks = pic_read_masks();
    cpu_enable_interrupts();
    for (int i = 0; i < WAIT_MAX && interrupts_seen == 0; i++) {
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

// --- As an irq_chip -----------------------------------------------------------------------------

#define PIC2_COMMAND 0xa0
#define READ_REQUESTS 0x0a
#define READ_IN_SERVICE 0x0b
#define POLL 0x0c // the next read takes an interrupt as the CPU would
#define POLL_TAKEN 0x80
#define RTC_INDEX 0x70
#define RTC_DATA 0x71
#define RTC_STATUS_B 0x0b
#define RTC_STATUS_C 0x0c
#define RTC_PERIODIC 0x40

static uint8_t read_pic(uint16_t command, uint8_t what)
{
    port_write8(command, what);
    return port_read8(command);
}

static uint8_t rtc_read(uint8_t index)
{
    port_write8(RTC_INDEX, index);
    return port_read8(RTC_DATA);
}

static void rtc_write(uint8_t index, uint8_t value)
{
    port_write8(RTC_INDEX, index);
    port_write8(RTC_DATA, value);
}

// Waits until the line of this controller has asked, and takes it for the CPU. Interrupts are off.
static void take(struct ktest *test, uint16_t command, unsigned line)
{
    for (int i = 0; i < WAIT_MAX && (read_pic(command, READ_REQUESTS) & BIT(line)) == 0; i++) {
        cpu_relax();
    }
    KTEST_EXPECT_EQ(test, read_pic(command, POLL), POLL_TAKEN | line);
}

// The timer's line in service, as when its handler runs.
static void take_timer(struct ktest *test)
{
    nmi_timer_stop(); // the tests' watchdog has the same timer
    pit_start_rate(1024);
    pic_chip.unmask(IRQ_TIMER);
    take(test, PIC1_COMMAND, IRQ_TIMER);
    pic_chip.mask(IRQ_TIMER);
    KTEST_EXPECT_EQ(test, read_pic(PIC1_COMMAND, READ_IN_SERVICE), 1);
}

KTEST_ATTR(pic, end_of_a_line_of_the_first, .proves = "7.1.3",
           .quirks = KTEST_QUIRKS(
               {.accel = KTEST_ACCEL_BOCHS,
                .skip = "Bochs's 8259 answers a poll without bit 7, and serves nothing"}));
KTEST(pic, end_of_a_line_of_the_first)
{
    take_timer(test);
    pic_chip.end(IRQ_TIMER);
    KTEST_EXPECT_EQ(test, read_pic(PIC1_COMMAND, READ_IN_SERVICE), 0);
}

// The in-service registers tell a false alarm: line 7 of the first gets no end, which would be
// another line's; of the second, only the first gets one, for the cascade.
KTEST_ATTR(pic, false_alarms_end_nobody_elses_interrupt, .proves = "7.1.4",
           .quirks = KTEST_QUIRKS(
               {.accel = KTEST_ACCEL_BOCHS,
                .skip = "Bochs's 8259 answers a poll without bit 7, and serves nothing"}));
KTEST(pic, false_alarms_end_nobody_elses_interrupt)
{
    take_timer(test);
    bool is_alarm = pic_chip.is_spurious(IRQ_TIMER);
    bool is_7_false = pic_chip.is_spurious(IRQ_PARALLEL);
    uint8_t behind_7 = read_pic(PIC1_COMMAND, READ_IN_SERVICE);
    bool is_15_false = pic_chip.is_spurious(IRQ_DISK);
    uint8_t behind_15 = read_pic(PIC1_COMMAND, READ_IN_SERVICE);
    pic_chip.end(IRQ_TIMER);

    KTEST_EXPECT_FALSE(test, is_alarm);
    KTEST_EXPECT_TRUE(test, is_7_false);
    KTEST_EXPECT_EQ(test, behind_7, 1);
    KTEST_EXPECT_TRUE(test, is_15_false);
    KTEST_EXPECT_EQ(test, behind_15, 0);
}

// The clock's line comes through the second: both have it in service, and both have to be told.
KTEST_ATTR(pic, end_of_a_line_of_the_second, .proves = "7.1.3",
           .quirks = KTEST_QUIRKS(
               {.accel = KTEST_ACCEL_BOCHS,
                .skip = "Bochs's 8259 answers a poll without bit 7, and serves nothing"}));
KTEST(pic, end_of_a_line_of_the_second)
{
    uint8_t status_b = rtc_read(RTC_STATUS_B);
    rtc_write(RTC_STATUS_B, status_b | RTC_PERIODIC);
    (void)rtc_read(RTC_STATUS_C);
    pic_chip.unmask(IRQ_CLOCK);
    KTEST_EXPECT_EQ(test, pic_read_masks(), 0xfefb); // with the cascade
    take(test, PIC1_COMMAND, IRQ_CASCADE);
    take(test, PIC2_COMMAND, IRQ_CLOCK - 8);
    pic_chip.mask(IRQ_CLOCK);
    rtc_write(RTC_STATUS_B, status_b);
    (void)rtc_read(RTC_STATUS_C);
    KTEST_EXPECT_EQ(test, pic_read_masks(), 0xffff);
    KTEST_EXPECT_EQ(test, read_pic(PIC1_COMMAND, READ_IN_SERVICE), 4);
    KTEST_EXPECT_EQ(test, read_pic(PIC2_COMMAND, READ_IN_SERVICE), 1);

    pic_chip.end(IRQ_CLOCK);

    KTEST_EXPECT_EQ(test, read_pic(PIC1_COMMAND, READ_IN_SERVICE), 0);
    KTEST_EXPECT_EQ(test, read_pic(PIC2_COMMAND, READ_IN_SERVICE), 0);
}

KTEST_ATTR(pic, lines_are_masked_one_by_one, .proves = "7.1.2");
KTEST(pic, lines_are_masked_one_by_one)
{
    pic_chip.unmask(IRQ_COM1);
    uint16_t one = pic_read_masks();
    pic_chip.unmask(IRQ_MOUSE);
    uint16_t both = pic_read_masks();
    pic_chip.mask(IRQ_COM1);
    uint16_t second = pic_read_masks();
    pic_chip.mask(IRQ_MOUSE);
    KTEST_EXPECT_EQ(test, one, 0xffef);
    KTEST_EXPECT_EQ(test, both, 0xefeb);
    KTEST_EXPECT_EQ(test, second, 0xeffb);
    KTEST_EXPECT_EQ(test, pic_read_masks(), 0xffff);
    for (unsigned line = 0; line < IRQ_LINE_COUNT; line++) {
        KTEST_EXPECT_EQ_MSG(test, pic_chip.has_line(line), line < 16 && line != IRQ_CASCADE,
                            "line %u", line);
    }
}
