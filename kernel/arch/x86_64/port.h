// SPDX-License-Identifier: MIT
//
// I/O ports: Intel SDM vol. 1, 19.
#pragma once

#include <stddef.h>
#include <stdint.h>

static inline void port_write8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void port_write16(uint16_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void port_write32(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline uint8_t port_read8(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline uint16_t port_read16(uint16_t port)
{
    uint16_t value;
    __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline uint32_t port_read32(uint16_t port)
{
    uint32_t value;
    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

// Reads size_bytes bytes from one port, one after the other.
static inline void port_read8_string(uint16_t port, void *bytes_out, size_t size_bytes)
{
    __asm__ volatile("rep insb" : "+D"(bytes_out), "+c"(size_bytes) : "d"(port) : "memory");
}

// About a microsecond: what a write to the port of the firmware's progress codes takes on the bus.
// For devices that need a pause, and where there is no clock.
static inline void port_pause(void)
{
    port_write8(0x80, 0);
}
