// SPDX-License-Identifier: MIT
//
// Its FIFO has no trigger level: any byte is pending, as one that has waited for long enough. COM2
// is the protocol port, and stays what it is.
#include "drivers/fake_uart_test.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/port.h"
#include "drivers/uart_16550.h"
#include "drivers/uart_port.h"

#define RECEIVED 0x01
#define OVERRUN 0x02
#define CAN_SEND 0x20
#define IDLE 0x40
#define LOOPBACK 0x10
#define ON_ITS_WAY 0x21 // what a transmitter that is not idle is about to send

struct fake_uart fake_uart;

static bool has_byte(void)
{
    return fake_uart.taken_count < fake_uart.byte_count;
}

static bool line_is_up(void)
{
    bool receives = (fake_uart.interrupt_enable & 0x01) != 0 && has_byte();
    bool fails = (fake_uart.interrupt_enable & 0x04) != 0 && fake_uart.is_overrun;
    return receives || fails;
}

void fake_uart_receive(uint8_t byte, uint8_t errors)
{
    bool was_up = line_is_up();
    if (fake_uart.byte_count < FAKE_UART_BYTES_MAX) {
        fake_uart.bytes[fake_uart.byte_count++] = (uint16_t)(errors << 8 | byte);
    }
    fake_uart.rises += !was_up && line_is_up();
}

static uint8_t read_data(void)
{
    fake_uart.data_reads++;
    if (!has_byte()) {
        return 0x77;
    }
    uint8_t byte = (uint8_t)fake_uart.bytes[fake_uart.taken_count];
    if (fake_uart.never_ends) {
        fake_uart_receive(byte, 0);
    }
    fake_uart.taken_count++;
    return byte;
}

static uint8_t read_line_status(void)
{
    uint8_t status = fake_uart.is_full ? 0 : CAN_SEND;
    fake_uart.status_reads++;
    if (fake_uart.busy_reads == 0) {
        status |= IDLE;
    } else {
        fake_uart.busy_reads--;
    }
    if (has_byte()) {
        uint16_t *first = &fake_uart.bytes[fake_uart.taken_count];
        status |= (uint8_t)(RECEIVED | *first >> 8);
        *first &= 0xff;
    }
    status |= fake_uart.is_overrun ? OVERRUN : 0;
    fake_uart.is_overrun = false;
    return status;
}

static uint8_t read(uint16_t base, enum uart_register reg)
{
    if (base == UART_COM2) {
        return port_read8((uint16_t)(base + reg));
    }
    if (reg == UART_DATA) {
        return read_data();
    }
    if (reg == UART_LINE_STATUS) {
        return read_line_status();
    }
    if (reg == UART_INTERRUPT_ID) {
        return (uint8_t)((fake_uart.has_16550 ? 0x80 : 0xc0) | (line_is_up() ? 0x04 : 0x01));
    }
    return reg == UART_INTERRUPT_ENABLE ? fake_uart.interrupt_enable : 0;
}

static void write(uint16_t base, enum uart_register reg, uint8_t value)
{
    if (base == UART_COM2) {
        port_write8((uint16_t)(base + reg), value);
    } else if (reg == UART_INTERRUPT_ENABLE) {
        bool was_up = line_is_up();
        fake_uart.was_interruptible = cpu_interrupts_enabled();
        fake_uart.interrupt_enable = value;
        fake_uart.rises += !was_up && line_is_up();
    } else if (reg == UART_FIFO_CONTROL) {
        fake_uart.fifo_control = value;
    } else if (reg == UART_MODEM_CONTROL) {
        if ((value & LOOPBACK) != 0 && fake_uart.busy_reads != 0) {
            fake_uart_receive(ON_ITS_WAY, 0);
        }
        fake_uart.modem_control = value;
    } else if (reg == UART_DATA && (fake_uart.modem_control & LOOPBACK) != 0) {
        fake_uart_receive(value, 0);
    }
}

void fake_uart_install(struct ktest *test)
{
    fake_uart = (struct fake_uart){};
    KTEST_STUB(test, uart_port_read, read);
    KTEST_STUB(test, uart_port_write, write);
}
