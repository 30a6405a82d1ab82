// SPDX-License-Identifier: MIT
//
// The interrupt controller of the chipset: each of its pins has an entry that says which vector
// goes to which CPU. Several of them share one range of numbers, the global system interrupts
// (GSI). Source: Intel 82093AA data sheet; ACPI 6.5, 5.2.12.3.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/addr.h"
#include "lib/error.h"

struct io_apic {
    volatile uint32_t *registers;
    uint32_t first_gsi;
    uint32_t pin_count;
};

// Maps its registers and masks all pins. ENODEV if nothing answers there; others as mmio_map.
enum error io_apic_init(struct io_apic *io_apic_out, phys_addr_t address, uint32_t first_gsi);

struct io_apic_route {
    uint8_t vector;
    uint8_t apic_id; // of the CPU
    bool is_level;   // not edge
    bool is_low;     // active low, not high
};

// Writes a pin's entry, masked. `gsi` is one of this one's.
void io_apic_route(const struct io_apic *io_apic, uint32_t gsi, struct io_apic_route route);

void io_apic_mask(const struct io_apic *io_apic, uint32_t gsi);
void io_apic_unmask(const struct io_apic *io_apic, uint32_t gsi);
