// SPDX-License-Identifier: MIT
//
// The registers of a 16550 and the few steps between them.
#include "drivers/uart_16550.h"

#include "arch/x86_64/port.h"
#include "lib/bits.h"

enum uart_register {
    UART_DATA = 0,
    UART_DIVISOR_LOW = 0,
    UART_INTERRUPT_ENABLE = 1,
    UART_DIVISOR_HIGH = 1,
    UART_FIFO_CONTROL = 2, // written
    UART_INTERRUPT_ID = 2, // read
    UART_LINE_CONTROL = 3,
    UART_MODEM_CONTROL = 4,
    UART_LINE_STATUS = 5,
};

#define LINE_CONTROL_8N1 0x03
#define LINE_CONTROL_DIVISOR BIT(7)
#define FIFO_CONTROL_ENABLE_AND_CLEAR 0x07
#define INTERRUPT_ID_FIFOS GENMASK(7, 6) // both set: they work
#define FIFO_BYTES 16
#define MODEM_CONTROL_DTR_RTS 0x03
#define MODEM_CONTROL_OUT2 BIT(3)
#define MODEM_CONTROL_LOOPBACK BIT(4)
#define LINE_STATUS_RECEIVED BIT(0)
#define LINE_STATUS_CAN_SEND BIT(5)
#define LINE_STATUS_IDLE BIT(6)

#define DIVISOR_115200 1
#define LOOPBACK_BYTE 0xae

// Some seconds under QEMU, where it is the reader's speed that counts and not the line's.
#define POLLS_MAX (1 << 26)

// The self-test's byte has no reader to wait for.
#define LOOPBACK_POLLS_MAX 100000

static void write_register(const struct uart *uart, enum uart_register reg, uint8_t value)
{
    port_write8((uint16_t)((unsigned)uart->base + reg), value);
}

static uint8_t read_register(const struct uart *uart, enum uart_register reg)
{
    return port_read8((uint16_t)((unsigned)uart->base + reg));
}

static bool wait_for(const struct uart *uart, uint64_t line_status, uint32_t polls_max)
{
    for (uint32_t polls = 0; polls < polls_max; polls++) {
        if ((read_register(uart, UART_LINE_STATUS) & line_status) != 0) {
            return true;
        }
    }
    return false;
}

static bool loopback_works(struct uart *uart)
{
    write_register(uart, UART_MODEM_CONTROL,
                   (uint8_t)(MODEM_CONTROL_LOOPBACK | MODEM_CONTROL_DTR_RTS));
    write_register(uart, UART_DATA, LOOPBACK_BYTE);
    uint8_t byte = 0;
    return wait_for(uart, LINE_STATUS_RECEIVED, LOOPBACK_POLLS_MAX) &&
           uart_try_receive(uart, &byte) && byte == LOOPBACK_BYTE;
}

enum error uart_init(struct uart *uart, enum uart_base base)
{
    *uart = (struct uart){.base = base, .polls_max = POLLS_MAX, .fifo_bytes = 1};
    write_register(uart, UART_INTERRUPT_ENABLE, 0);
    write_register(uart, UART_LINE_CONTROL, (uint8_t)LINE_CONTROL_DIVISOR);
    write_register(uart, UART_DIVISOR_LOW, DIVISOR_115200);
    write_register(uart, UART_DIVISOR_HIGH, 0);
    write_register(uart, UART_LINE_CONTROL, LINE_CONTROL_8N1);
    write_register(uart, UART_FIFO_CONTROL, FIFO_CONTROL_ENABLE_AND_CLEAR);
    uint8_t fifos = read_register(uart, UART_INTERRUPT_ID) & INTERRUPT_ID_FIFOS;
    uart->fifo_bytes = fifos == INTERRUPT_ID_FIFOS ? FIFO_BYTES : 1;
    if (!loopback_works(uart)) {
        return ENODEV;
    }
    write_register(uart, UART_MODEM_CONTROL, (uint8_t)(MODEM_CONTROL_DTR_RTS | MODEM_CONTROL_OUT2));
    return OK;
}

// As many bytes as the transmitter takes at once.
static void send_piece(struct uart *uart, const char *bytes, size_t size_bytes)
{
    uint32_t polls_max = uart->is_stuck ? 1 : uart->polls_max;
    uart->is_stuck = !wait_for(uart, LINE_STATUS_CAN_SEND, polls_max);
    if (uart->is_stuck) {
        uart->dropped_bytes += size_bytes;
        return;
    }
    for (size_t i = 0; i < size_bytes; i++) {
        write_register(uart, UART_DATA, (uint8_t)bytes[i]);
    }
}

void uart_send(struct uart *uart, const char *bytes, size_t size_bytes)
{
    while (size_bytes > 0) {
        size_t piece_bytes = size_bytes < uart->fifo_bytes ? size_bytes : uart->fifo_bytes;
        send_piece(uart, bytes, piece_bytes);
        bytes += piece_bytes;
        size_bytes -= piece_bytes;
    }
}

bool uart_try_receive(struct uart *uart, uint8_t *byte_out)
{
    if ((read_register(uart, UART_LINE_STATUS) & LINE_STATUS_RECEIVED) == 0) {
        return false;
    }
    *byte_out = read_register(uart, UART_DATA);
    return true;
}

void uart_flush(struct uart *uart)
{
    (void)wait_for(uart, LINE_STATUS_IDLE, uart->polls_max);
}

void uart_write_text(void *uart, const char *bytes, size_t size_bytes)
{
    size_t sent = 0;
    for (size_t i = 0; i < size_bytes; i++) {
        if (bytes[i] == '\n') {
            uart_send(uart, &bytes[sent], i - sent);
            uart_send(uart, "\r\n", 2);
            sent = i + 1;
        }
    }
    uart_send(uart, &bytes[sent], size_bytes - sent);
}
