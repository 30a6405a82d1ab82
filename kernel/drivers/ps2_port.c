// SPDX-License-Identifier: MIT
//
// In a file of its own, so that tests can put a controller in its place that fails in every way.
#include "drivers/ps2_port.h"

#include "arch/x86_64/port.h"

enum ps2_port {
    PS2_DATA = 0x60,
    PS2_STATUS = 0x64,  // read
    PS2_COMMAND = 0x64, // written
};

uint8_t ps2_read_status(void)
{
    return port_read8(PS2_STATUS);
}

uint8_t ps2_read_data(void)
{
    return port_read8(PS2_DATA);
}

void ps2_write_command(uint8_t command)
{
    port_write8(PS2_COMMAND, command);
}

void ps2_write_data(uint8_t byte)
{
    port_write8(PS2_DATA, byte);
}

void ps2_pause(void)
{
    port_pause();
}
