// SPDX-License-Identifier: MIT
//
// In a file of its own, so that tests can put a port in its place that fails in every way.
#include "drivers/uart_port.h"

#include "arch/x86_64/port.h"

uint8_t uart_port_read(uint16_t base, enum uart_register reg)
{
    return port_read8((uint16_t)(base + reg));
}

void uart_port_write(uint16_t base, enum uart_register reg, uint8_t value)
{
    port_write8((uint16_t)(base + reg), value);
}
