// SPDX-License-Identifier: MIT
//
// Four initialization command words for each of the two, with a pause between them, as old hardware
// needs it.
//
// A line that is withdrawn before the CPU asks for its vector comes as line 7 of its controller: a
// false alarm, which the in-service register does not know. It gets no end of interrupt; but if it
// is the second one's, the first has seen its cascade, and waits for the end of that.
#include "drivers/pic_8259.h"

#include "arch/x86_64/port.h"
#include "lib/bits.h"

enum pic_port {
    PIC1_COMMAND = 0x20,
    PIC1_DATA = 0x21,
    PIC2_COMMAND = 0xa0,
    PIC2_DATA = 0xa1,
};

#define ICW1_INIT_WITH_ICW4 0x11
#define ICW3_PIC2_ON_LINE_2 0x04
#define ICW3_CASCADE_IDENTITY 0x02
#define ICW4_8086 0x01
#define OCW2_END_OF_INTERRUPT 0x20 // of the highest in service
#define OCW3_READ_IN_SERVICE 0x0b
#define ALL_MASKED 0xffff
#define LINES_EACH 8
#define LINES_OF_SECOND GENMASK(15, 8)

static void write(enum pic_port port, uint8_t value)
{
    port_write8((uint16_t)port, value);
    port_pause();
}

void pic_init(void)
{
    write(PIC1_COMMAND, ICW1_INIT_WITH_ICW4);
    write(PIC2_COMMAND, ICW1_INIT_WITH_ICW4);
    write(PIC1_DATA, IRQ_FIRST_VECTOR);
    write(PIC2_DATA, IRQ_FIRST_VECTOR + 8);
    write(PIC1_DATA, ICW3_PIC2_ON_LINE_2);
    write(PIC2_DATA, ICW3_CASCADE_IDENTITY);
    write(PIC1_DATA, ICW4_8086);
    write(PIC2_DATA, ICW4_8086);
    pic_write_masks(ALL_MASKED);
}

uint16_t pic_read_masks(void)
{
    return (uint16_t)(port_read8(PIC1_DATA) | port_read8(PIC2_DATA) << 8);
}

void pic_write_masks(uint16_t masks)
{
    write(PIC1_DATA, (uint8_t)masks);
    write(PIC2_DATA, (uint8_t)(masks >> 8));
}

static bool has_line(unsigned line)
{
    return line < IRQ_ISA_COUNT && line != IRQ_CASCADE;
}

// The cascade is open as long as one of the second's lines is.
static void write_masks_of_lines(uint64_t masks)
{
    bool is_second_masked = (masks & LINES_OF_SECOND) == LINES_OF_SECOND;
    masks = is_second_masked ? masks | BIT(IRQ_CASCADE) : masks & ~BIT(IRQ_CASCADE);
    pic_write_masks((uint16_t)masks);
}

static void mask(unsigned line)
{
    write_masks_of_lines(pic_read_masks() | BIT(line));
}

static void unmask(unsigned line)
{
    write_masks_of_lines(pic_read_masks() & ~BIT(line));
}

static bool is_in_service(enum pic_port command, unsigned line)
{
    port_write8((uint16_t)command, OCW3_READ_IN_SERVICE);
    return (port_read8((uint16_t)command) & BIT(line)) != 0;
}

static bool is_spurious(unsigned line)
{
    if (line == LINES_EACH - 1) {
        return !is_in_service(PIC1_COMMAND, LINES_EACH - 1);
    }
    if (line != IRQ_ISA_COUNT - 1 || is_in_service(PIC2_COMMAND, LINES_EACH - 1)) {
        return false;
    }
    port_write8(PIC1_COMMAND, OCW2_END_OF_INTERRUPT);
    return true;
}

// The second first: as long as its line is in service in the first, no other of it may come.
static void end(unsigned line)
{
    if (line >= LINES_EACH) {
        port_write8(PIC2_COMMAND, OCW2_END_OF_INTERRUPT);
    }
    port_write8(PIC1_COMMAND, OCW2_END_OF_INTERRUPT);
}

const struct irq_chip pic_chip = {
    .name = "8259 PIC",
    .has_line = has_line,
    .mask = mask,
    .unmask = unmask,
    .is_spurious = is_spurious,
    .end = end,
};
