// SPDX-License-Identifier: MIT
//
// For tests: a 16550 in the place of COM1, whose receiver gets whatever the test wants.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ktest.h"

#define FAKE_UART_BYTES_MAX 256

// What the line status says of a byte.
#define FAKE_UART_PARITY 0x04
#define FAKE_UART_FRAMING 0x08
#define FAKE_UART_BREAK 0x10

struct fake_uart {
    // What it does
    bool never_ends;   // a byte comes for each that is taken
    bool is_overrun;   // until it is read
    bool has_16550;    // the one without the A, whose FIFOs do not work
    bool is_full;      // takes no byte to send
    size_t busy_reads; // of the line status, until all is on the wire

    // What has been done to it
    uint8_t interrupt_enable;
    bool was_interruptible; // when the interrupts were enabled
    uint8_t fifo_control;
    uint8_t modem_control; // with loopback, what is sent comes in
    size_t data_reads;
    size_t status_reads;
    unsigned rises; // of its interrupt line

    // What is to be read, each with its errors, until they are read
    uint16_t bytes[FAKE_UART_BYTES_MAX];
    size_t byte_count;
    size_t taken_count;
};

extern struct fake_uart fake_uart;

// A port that works, until the test ends.
void fake_uart_install(struct ktest *test);

// A byte comes in.
void fake_uart_receive(uint8_t byte, uint8_t errors);
