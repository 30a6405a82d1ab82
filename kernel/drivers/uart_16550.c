// SPDX-License-Identifier: MIT
//
// The registers of a 16550 and the few steps between them.
#include "drivers/uart_16550.h"

#include "drivers/uart_port.h"
#include "irq/irq.h"
#include "lib/bits.h"
#include "sync/irq_state.h"

#define INTERRUPT_ENABLE_RECEIVED BIT(0) // or the FIFO has waited for the time of four bytes
#define INTERRUPT_ENABLE_LINE_STATUS BIT(2)
#define LINE_CONTROL_8N1 0x03
#define LINE_CONTROL_DIVISOR BIT(7)
#define FIFO_CONTROL_ENABLE_AND_CLEAR 0x07
#define FIFO_CONTROL_TRIGGER_8 BIT(7) // interrupts at 8 bytes of 16
#define INTERRUPT_ID_NONE BIT(0)
#define INTERRUPT_ID_FIFOS GENMASK(7, 6) // both set: they work
#define FIFO_BYTES 16
#define MODEM_CONTROL_DTR_RTS 0x03
#define MODEM_CONTROL_OUT2 BIT(3)
#define MODEM_CONTROL_LOOPBACK BIT(4)
#define LINE_STATUS_RECEIVED BIT(0)
#define LINE_STATUS_OVERRUN BIT(1)
#define LINE_STATUS_DAMAGED (BIT(2) | BIT(3)) // parity, framing
#define LINE_STATUS_BREAK BIT(4)
#define LINE_STATUS_ERRORS GENMASK(4, 1) // cleared by reading
#define LINE_STATUS_CAN_SEND BIT(5)
#define LINE_STATUS_IDLE BIT(6)

#define DIVISOR_115200 1
#define LOOPBACK_BYTE 0xae

// Some seconds under QEMU, where it is the reader's speed that counts and not the line's.
#define POLLS_MAX (1 << 26)

// The self-test's byte has no reader to wait for.
#define LOOPBACK_POLLS_MAX 100000

// That an interrupt takes: some FIFOs' worth, should bytes come as quickly as they are taken.
#define BYTES_AT_ONCE 64

static void write_register(const struct uart *uart, enum uart_register reg, uint8_t value)
{
    uart_port_write((uint16_t)uart->base, reg, value);
}

static uint8_t read_register(const struct uart *uart, enum uart_register reg)
{
    return uart_port_read((uint16_t)uart->base, reg);
}

static void count(uint64_t *counter)
{
    __atomic_add_fetch(counter, 1, __ATOMIC_RELAXED);
}

static void note_errors(struct uart *uart, uint8_t status)
{
    if ((status & LINE_STATUS_OVERRUN) != 0) {
        count(&uart->errors.overruns);
    }
    if ((status & LINE_STATUS_BREAK) != 0) { // which has no stop bit either
        count(&uart->errors.breaks);
    } else if ((status & LINE_STATUS_DAMAGED) != 0) {
        count(&uart->errors.damaged);
    }
    uint8_t byte_errors = status & (uint8_t)(LINE_STATUS_BREAK | LINE_STATUS_DAMAGED);
    __atomic_fetch_or(&uart->byte_errors, byte_errors, __ATOMIC_RELAXED);
}

// Errors are shown once: who reads them first has to note them, and that may be the sender.
static uint8_t read_line_status(struct uart *uart)
{
    uint8_t status = read_register(uart, UART_LINE_STATUS);
    if ((status & LINE_STATUS_ERRORS) != 0) {
        note_errors(uart, status);
    }
    return status;
}

static bool wait_for(struct uart *uart, uint64_t line_status, uint32_t polls_max)
{
    for (uint32_t polls = 0; polls < polls_max; polls++) {
        if ((read_line_status(uart) & line_status) != 0) {
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
    // What an earlier user sent may still be on its way: in the loopback it would come back.
    wait_for(uart, LINE_STATUS_IDLE, LOOPBACK_POLLS_MAX);
    write_register(uart, UART_INTERRUPT_ENABLE, 0);
    write_register(uart, UART_LINE_CONTROL, (uint8_t)LINE_CONTROL_DIVISOR);
    write_register(uart, UART_DIVISOR_LOW, DIVISOR_115200);
    write_register(uart, UART_DIVISOR_HIGH, 0);
    write_register(uart, UART_LINE_CONTROL, LINE_CONTROL_8N1);
    write_register(uart, UART_FIFO_CONTROL,
                   (uint8_t)(FIFO_CONTROL_ENABLE_AND_CLEAR | FIFO_CONTROL_TRIGGER_8));
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
    if ((read_line_status(uart) & LINE_STATUS_RECEIVED) == 0) {
        return false;
    }
    uint8_t byte = read_register(uart, UART_DATA);
    if (__atomic_exchange_n(&uart->byte_errors, 0, __ATOMIC_RELAXED) != 0) {
        return false;
    }
    *byte_out = byte;
    return true;
}

static void enable_interrupts(const struct uart *uart)
{
    write_register(uart, UART_INTERRUPT_ENABLE,
                   (uint8_t)(INTERRUPT_ENABLE_RECEIVED | INTERRUPT_ENABLE_LINE_STATUS));
}

static void disable_interrupts(const struct uart *uart)
{
    write_register(uart, UART_INTERRUPT_ENABLE, 0);
}

// The line rises once for all that is pending, so nothing may be left: what is too much makes it
// rise once more.
void uart_on_interrupt(void *context)
{
    struct uart *uart = context;
    for (int i = 0; i < BYTES_AT_ONCE; i++) {
        uint8_t byte;
        if (uart_try_receive(uart, &byte)) {
            uart->receive(uart->context, byte);
        } else if ((read_register(uart, UART_INTERRUPT_ID) & INTERRUPT_ID_NONE) != 0) {
            return;
        }
    }
    disable_interrupts(uart);
    enable_interrupts(uart);
}

static unsigned line_of(const struct uart *uart)
{
    switch (uart->base) {
    case UART_COM1:
        return IRQ_COM1;
    case UART_COM2:
        return IRQ_COM2;
    }
    return IRQ_LINE_COUNT; // which nobody has
}

// The line is unmasked before the port may raise it: an I/O APIC forgets what comes to a masked
// one.
enum error uart_start_receiving(struct uart *uart, uart_receiver_t *receive, void *context)
{
    const char *name = uart->base == UART_COM1 ? "COM1" : "COM2";
    enum error error = irq_register(line_of(uart), name, IRQ_PLAIN, uart_on_interrupt, uart);
    if (error != OK) {
        return error;
    }
    uart->receive = receive;
    uart->context = context;
    irq_unmask(line_of(uart));
    irq_state_t state = irq_save();
    enable_interrupts(uart);
    uart_on_interrupt(uart); // what has come before
    irq_restore(state);
    return OK;
}

void uart_stop_receiving(struct uart *uart)
{
    disable_interrupts(uart);
    irq_unregister(line_of(uart));
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
