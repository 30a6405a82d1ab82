// SPDX-License-Identifier: MIT
//
// The framebuffer's address stands in the adapter's first base address register, and that in its
// PCI configuration: PCI Local Bus Specification 3.0, 3.2.2.3.2 and 6.1.
#include "drivers/bochs_display.h"

#include "arch/x86_64/port.h"
#include "lib/bits.h"

#define PCI_CONFIG_ADDRESS 0xcf8
#define PCI_CONFIG_DATA 0xcfc
#define PCI_ENABLE BIT(31)
#define PCI_DEVICE GENMASK(15, 11)
#define PCI_IDS 0x00
#define PCI_BASE_ADDRESS 0x10
#define PCI_BASE_ADDRESS_MASK GENMASK(31, 4)
#define PCI_DEVICE_COUNT 32
#define BOCHS_DISPLAY_IDS 0x11111234

#define DISPLAY_INDEX 0x1ce
#define DISPLAY_DATA 0x1cf

enum display_register {
    DISPLAY_WIDTH = 1,
    DISPLAY_HEIGHT = 2,
    DISPLAY_BITS_PER_PIXEL = 3,
    DISPLAY_ENABLE = 4,
};

#define ENABLE_LINEAR (BIT(0) | BIT(6))

static uint32_t pci_read(unsigned device, unsigned offset)
{
    port_write32(PCI_CONFIG_ADDRESS,
                 (uint32_t)(PCI_ENABLE | FIELD_PREP(PCI_DEVICE, device) | offset));
    return port_read32(PCI_CONFIG_DATA);
}

static void display_write(enum display_register reg, uint16_t value)
{
    port_write16(DISPLAY_INDEX, (uint16_t)reg);
    port_write16(DISPLAY_DATA, value);
}

static enum error find(phys_addr_t *address_out)
{
    for (unsigned device = 0; device < PCI_DEVICE_COUNT; device++) {
        if (pci_read(device, PCI_IDS) == BOCHS_DISPLAY_IDS) {
            address_out->value = pci_read(device, PCI_BASE_ADDRESS) & PCI_BASE_ADDRESS_MASK;
            return OK;
        }
    }
    return ENODEV;
}

static void set_fields(struct boot_framebuffer *framebuffer)
{
    uint8_t green_bits = framebuffer->bits_per_pixel == 16 ? 6 : 5;
    uint8_t other_bits = 5;
    if (framebuffer->bits_per_pixel >= 24) {
        green_bits = 8;
        other_bits = 8;
    }
    framebuffer->blue = (struct boot_colour_field){0, other_bits};
    framebuffer->green = (struct boot_colour_field){other_bits, green_bits};
    framebuffer->red = (struct boot_colour_field){(uint8_t)(other_bits + green_bits), other_bits};
}

enum error bochs_display_set_mode(uint16_t width, uint16_t height, uint16_t bits_per_pixel,
                                  struct boot_framebuffer *framebuffer_out)
{
    phys_addr_t address;
    enum error error = find(&address);
    if (error != OK) {
        return error;
    }
    display_write(DISPLAY_ENABLE, 0);
    display_write(DISPLAY_WIDTH, width);
    display_write(DISPLAY_HEIGHT, height);
    display_write(DISPLAY_BITS_PER_PIXEL, bits_per_pixel);
    display_write(DISPLAY_ENABLE, ENABLE_LINEAR);
    *framebuffer_out = (struct boot_framebuffer){
        .address = address,
        .pitch_bytes = width * ((bits_per_pixel + 7u) / 8),
        .width = width,
        .height = height,
        .bits_per_pixel = (uint8_t)bits_per_pixel,
    };
    set_fields(framebuffer_out);
    return OK;
}
