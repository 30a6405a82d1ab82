// SPDX-License-Identifier: MIT
//
// A 16550 serial port: it sends by polling, and receives by polling or by interrupts. Source:
// National Semiconductor PC16550D data sheet.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"
#include "lib/format.h"

enum uart_base {
    UART_COM1 = 0x3f8,
    UART_COM2 = 0x2f8,
};

// Takes a byte in the interrupt.
typedef void uart_receiver_t(void *context, uint8_t byte);

// What went wrong at the receiver. Counts of bytes, but for the overruns: each is one byte or more.
struct uart_errors {
    uint64_t overruns; // nobody took them out of the FIFO in time
    uint64_t damaged;  // wrong parity, or no stop bit: not given to anybody
    uint64_t breaks;   // the line was held down for longer than a byte takes
};

struct uart {
    enum uart_base base;
    uint32_t polls_max;        // how often the line status is read before bytes are given up
    size_t fifo_bytes;         // what the empty transmitter takes at once, at least 1
    bool is_stuck;             // the last bytes were given up: the next ones are not waited for
    uint64_t dropped_bytes;    // given up
    struct uart_errors errors; // atomic
    uint8_t byte_errors;       // atomic: those of the byte that is to be received next
    uart_receiver_t *receive;  // while it interrupts
    void *context;
};

// Sets 115,200 baud, 8N1, FIFOs on, interrupts off, and sends a byte to itself in loopback mode:
// ENODEV if it does not come back.
enum error uart_init(struct uart *uart, enum uart_base base);

// Waits a bounded time until the transmitter is empty before each FIFO's worth of bytes: long
// enough for whoever reads at the other end of a virtual port to be held up, and once only if
// nobody does. Takes no lock: the caller has the port to itself. In any context.
void uart_send(struct uart *uart, const char *bytes, size_t size_bytes);

// From now on what is received raises the port's interrupt, there to be given to the receiver, and
// first of all what the port holds already. The uart must not move from then on. ENODEV: a port
// whose line is not known; ENODEV, EBUSY: as irq_register says.
enum error uart_start_receiving(struct uart *uart, uart_receiver_t *receive, void *context);

// The opposite.
void uart_stop_receiving(struct uart *uart);

// What the interrupt does. Never waits, and takes a bounded number of bytes at once.
void uart_on_interrupt(void *uart);

// A received byte, if there is one that is not damaged. Never waits. Not while the port interrupts.
bool uart_try_receive(struct uart *uart, uint8_t *byte_out);

// Waits a bounded time until everything is on the wire.
void uart_flush(struct uart *uart);

// For struct writer, with the struct uart as context: sends text, "\r\n" for "\n".
void uart_write_text(void *uart, const char *bytes, size_t size_bytes);
