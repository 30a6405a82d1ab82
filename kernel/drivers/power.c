// SPDX-License-Identifier: MIT
//
// Each way is tried, and given time to work, before the next one. There may be no clock any more,
// so time is told by writes to a port.
#include "drivers/power.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/idt.h"
#include "arch/x86_64/port.h"
#include "debug/log.h"
#include "drivers/acpi/acpi.h"
#include "lib/bits.h"
#include "mm/mmio.h"

enum power_port {
    KEYBOARD_STATUS = 0x64,  // read
    KEYBOARD_COMMAND = 0x64, // written
};

// PM1 control: ACPI 6.5, table 4.18.
#define PM1_SCI_ENABLED BIT(0)
#define PM1_SLEEP_TYPE GENMASK(12, 10)
#define PM1_SLEEP BIT(13)

// Sleep control: ACPI 6.5, table 4.24.
#define REDUCED_SLEEP_TYPE GENMASK(4, 2)
#define REDUCED_SLEEP BIT(5)

#define KEYBOARD_INPUT_FULL BIT(1)
#define KEYBOARD_PULSE_RESET 0xfe

#define SERIAL_DRAIN_MICROSECONDS 2000 // 16 bytes at 115,200 baud take 1,400
#define TAKE_OVER_MICROSECONDS 3000000
#define RESET_MICROSECONDS 100000
#define OFF_MICROSECONDS 1000000
#define KEYBOARD_MICROSECONDS 10000

// Where ACPI's registers in memory are mapped; NULL if they are not there.
static volatile uint8_t *reset_register;
static volatile uint8_t *sleep_control_register;

static void wait(unsigned microseconds)
{
    for (unsigned i = 0; i < microseconds; i++) {
        port_pause();
    }
}

static volatile uint8_t *map(const struct acpi_register *at, const char *name)
{
    volatile void *mapped = NULL;
    if (at->space == ACPI_MEMORY && mmio_map((phys_addr_t){at->address}, 1, &mapped) != OK) {
        log_warn("power", "the %s register at %#lx can't be mapped", name, at->address);
    }
    return mapped;
}

void power_init(void)
{
    const struct acpi_fadt *fadt = acpi_fadt();
    if (fadt != NULL) {
        reset_register = map(&fadt->reset, "reset");
        sleep_control_register = map(&fadt->sleep_control, "sleep control");
    }
}

// False if there is no such register.
static bool write_register(const struct acpi_register *at, volatile uint8_t *mapped, uint8_t value)
{
    if (at->space == ACPI_PORT) {
        port_write8((uint16_t)at->address, value);
        return true;
    }
    if (mapped != NULL) {
        *mapped = value;
    }
    return mapped != NULL;
}

static bool is_taken_over(const struct acpi_fadt *fadt)
{
    return (port_read16((uint16_t)fadt->pm1a_control.address) & PM1_SCI_ENABLED) != 0;
}

enum error power_take_over(void)
{
    const struct acpi_fadt *fadt = acpi_fadt();
    if (fadt == NULL || fadt->is_reduced || fadt->pm1a_control.space == ACPI_NOWHERE) {
        return ENODEV;
    }
    if (is_taken_over(fadt) || fadt->smi_command == 0 || fadt->enable_value == 0) {
        return OK;
    }
    port_write8(fadt->smi_command, fadt->enable_value);
    for (unsigned i = 0; i < TAKE_OVER_MICROSECONDS; i++) {
        if (is_taken_over(fadt)) {
            return OK;
        }
        wait(1);
    }
    return ETIMEDOUT;
}

// The other bits of the register stay as they are.
static void write_sleep(const struct acpi_register *control, uint8_t type, uint64_t sleep)
{
    if (control->space == ACPI_PORT) {
        uint16_t port = (uint16_t)control->address;
        uint64_t others = port_read16(port) & ~(PM1_SLEEP_TYPE | PM1_SLEEP);
        port_write16(port, (uint16_t)(others | FIELD_PREP(PM1_SLEEP_TYPE, type) | sleep));
    }
}

// Both blocks have to know the type before one of them goes to sleep.
static void sleep(const struct acpi_fadt *fadt, const struct acpi_sleep_type *type)
{
    if (fadt->is_reduced) {
        uint64_t value = FIELD_PREP(REDUCED_SLEEP_TYPE, type->a) | REDUCED_SLEEP;
        write_register(&fadt->sleep_control, sleep_control_register, (uint8_t)value);
        return;
    }
    if (power_take_over() == ETIMEDOUT) {
        log_warn("power", "the firmware does not hand power management over");
    }
    write_sleep(&fadt->pm1a_control, type->a, 0);
    write_sleep(&fadt->pm1b_control, type->b, 0);
    write_sleep(&fadt->pm1a_control, type->a, PM1_SLEEP);
    write_sleep(&fadt->pm1b_control, type->b, PM1_SLEEP);
}

void power_off(void)
{
    const struct acpi_fadt *fadt = acpi_fadt();
    const struct acpi_sleep_type *type = acpi_soft_off();
    if (fadt != NULL && type != NULL) {
        log_info("power", "switching off");
        cpu_disable_interrupts();
        wait(SERIAL_DRAIN_MICROSECONDS);
        sleep(fadt, type);
        wait(OFF_MICROSECONDS);
    }
    log_error("power", "this machine can't be switched off: it is halted");
    cpu_halt_forever();
}

static void reset_by_register(const struct acpi_fadt *fadt)
{
    if (write_register(&fadt->reset, reset_register, fadt->reset_value)) {
        wait(RESET_MICROSECONDS);
    }
}

// One of the controller's output lines is the CPU's reset.
static void reset_by_keyboard_controller(void)
{
    for (unsigned i = 0; i < KEYBOARD_MICROSECONDS; i++) {
        if ((port_read8(KEYBOARD_STATUS) & KEYBOARD_INPUT_FULL) == 0) {
            break;
        }
        wait(1);
    }
    port_write8(KEYBOARD_COMMAND, KEYBOARD_PULSE_RESET);
    wait(RESET_MICROSECONDS);
}

// Neither the breakpoint nor the double fault has a gate: the CPU shuts down, and the chipset
// resets it.
static void reset_by_triple_fault(void)
{
    static struct idt empty; // of zeroes
    idt_load(&empty);
    cpu_breakpoint();
}

void reboot(void)
{
    const struct acpi_fadt *fadt = acpi_fadt();
    log_info("power", "restarting");
    cpu_disable_interrupts();
    wait(SERIAL_DRAIN_MICROSECONDS);
    if (fadt != NULL) {
        reset_by_register(fadt);
    }
    if (fadt == NULL || fadt->has_8042) {
        reset_by_keyboard_controller();
    }
    reset_by_triple_fault();
    cpu_halt_forever();
}
