// SPDX-License-Identifier: MIT
//
// The registers of a 16550. Source: National Semiconductor PC16550D data sheet, 8.
#pragma once

#include <stdint.h>

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

uint8_t uart_port_read(uint16_t base, enum uart_register reg);
void uart_port_write(uint16_t base, enum uart_register reg, uint8_t value);
