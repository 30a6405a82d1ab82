// SPDX-License-Identifier: MIT
//
// Four initialization command words for each of the two, with a pause between them, as old hardware
// needs it.
#include "drivers/pic_8259.h"

#include "arch/x86_64/port.h"

enum pic_port {
    PIC1_COMMAND = 0x20,
    PIC1_DATA = 0x21,
    PIC2_COMMAND = 0xa0,
    PIC2_DATA = 0xa1,
    POST_CODE = 0x80, // a write to it takes about a microsecond
};

#define ICW1_INIT_WITH_ICW4 0x11
#define ICW3_PIC2_ON_LINE_2 0x04
#define ICW3_CASCADE_IDENTITY 0x02
#define ICW4_8086 0x01
#define ALL_MASKED 0xffff

static void write(enum pic_port port, uint8_t value)
{
    port_write8((uint16_t)port, value);
    port_write8(POST_CODE, 0);
}

void pic_init(void)
{
    write(PIC1_COMMAND, ICW1_INIT_WITH_ICW4);
    write(PIC2_COMMAND, ICW1_INIT_WITH_ICW4);
    write(PIC1_DATA, PIC_FIRST_VECTOR);
    write(PIC2_DATA, PIC_FIRST_VECTOR + 8);
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
