// SPDX-License-Identifier: MIT
//
// The table has grown with every version of ACPI, and firmware has whatever length it likes: it is
// copied over zeroes, and 0 means in every field that there is no such thing.
#include "drivers/acpi/fadt.h"

#include "lib/bits.h"
#include "lib/string.h"

// A generic address: ACPI 6.5, 5.2.3.2.
struct [[gnu::packed]] generic_address {
    uint8_t space;
    uint8_t bit_width;
    uint8_t bit_offset;
    uint8_t access_size;
    uint64_t address;
};

struct [[gnu::packed]] fixed_table {
    uint8_t header[ACPI_HEADER_BYTES];
    uint32_t facs;
    uint32_t dsdt;
    uint8_t reserved1;
    uint8_t profile;
    uint16_t sci_line;
    uint32_t smi_command;
    uint8_t acpi_enable;
    uint8_t acpi_disable;
    uint8_t s4bios_request;
    uint8_t pstate_control;
    uint32_t pm1a_event;
    uint32_t pm1b_event;
    uint32_t pm1a_control;
    uint32_t pm1b_control;
    uint32_t pm2_control;
    uint32_t pm_timer;
    uint32_t gpe0;
    uint32_t gpe1;
    uint8_t block_lengths[8];
    uint16_t latencies[2];
    uint16_t flushes[2];
    uint8_t duties[2];
    uint8_t alarms[2];
    uint8_t century;
    uint16_t boot_architecture;
    uint8_t reserved2;
    uint32_t flags;
    // Version 1 ends here.
    struct generic_address reset;
    uint8_t reset_value;
    uint8_t reserved3[3];
    uint64_t x_facs;
    uint64_t x_dsdt;
    struct generic_address x_pm1a_event;
    struct generic_address x_pm1b_event;
    struct generic_address x_pm1a_control;
    struct generic_address x_pm1b_control;
    struct generic_address x_pm2_control;
    struct generic_address x_pm_timer;
    struct generic_address x_gpe0;
    struct generic_address x_gpe1;
    struct generic_address sleep_control; // from version 5 on
};

struct [[gnu::packed]] hpet_table {
    uint8_t header[ACPI_HEADER_BYTES];
    uint32_t hardware_id;
    struct generic_address address;
    uint8_t number;
    uint16_t period_min;
    uint8_t attributes;
};

#define VERSION_1_BYTES 116

_Static_assert(offsetof(struct fixed_table, sci_line) == 46);
_Static_assert(offsetof(struct fixed_table, century) == 108);
_Static_assert(offsetof(struct fixed_table, reset) == VERSION_1_BYTES);
_Static_assert(offsetof(struct fixed_table, x_dsdt) == 140);
_Static_assert(offsetof(struct fixed_table, x_pm1a_control) == 172);
_Static_assert(offsetof(struct fixed_table, sleep_control) == 244);
_Static_assert(sizeof(struct hpet_table) == 56);

#define HEADER_REVISION 8 // the offset of a table's version in its header

#define SPACE_MEMORY 0
#define SPACE_PORTS 1
#define PORT_MAX 0xffff
#define FLAG_RESET_WORKS BIT(10)
#define FLAG_REDUCED BIT(20)
#define BOOT_HAS_8042 BIT(1)

static struct acpi_register port(uint64_t number)
{
    bool is_port = number != 0 && number <= PORT_MAX;
    return is_port ? (struct acpi_register){ACPI_PORT, number} : (struct acpi_register){};
}

static struct acpi_register resolve(const struct generic_address *generic)
{
    if (generic->space == SPACE_PORTS) {
        return port(generic->address);
    }
    bool is_memory = generic->space == SPACE_MEMORY && generic->address != 0 &&
                     phys_addr_is_valid(generic->address);
    return is_memory ? (struct acpi_register){ACPI_MEMORY, generic->address}
                     : (struct acpi_register){};
}

// A block of PM1 registers: always ports, for whatever is not has the reduced hardware.
static struct acpi_register resolve_block(const struct generic_address *generic, uint32_t number)
{
    struct acpi_register found = resolve(generic);
    return found.space == ACPI_PORT ? found : port(number);
}

enum error acpi_fadt_parse(const struct acpi_table *table, struct acpi_fadt *fadt_out)
{
    if (table->size_bytes < VERSION_1_BYTES) {
        return EINVAL;
    }
    struct fixed_table fixed = {};
    memcpy(&fixed, table->bytes,
           table->size_bytes < sizeof(fixed) ? table->size_bytes : sizeof(fixed));
    bool tells_of_8042 = fixed.header[HEADER_REVISION] >= 2;
    *fadt_out = (struct acpi_fadt){
        .dsdt = fixed.x_dsdt != 0 ? fixed.x_dsdt : fixed.dsdt,
        .sci_line = fixed.sci_line,
        .smi_command = (uint16_t)port(fixed.smi_command).address,
        .enable_value = fixed.acpi_enable,
        .disable_value = fixed.acpi_disable,
        .pm1a_control = resolve_block(&fixed.x_pm1a_control, fixed.pm1a_control),
        .pm1b_control = resolve_block(&fixed.x_pm1b_control, fixed.pm1b_control),
        .reset_value = fixed.reset_value,
        .is_reduced = (fixed.flags & FLAG_REDUCED) != 0,
        .sleep_control = resolve(&fixed.sleep_control),
        .has_8042 = !tells_of_8042 || (fixed.boot_architecture & BOOT_HAS_8042) != 0,
        .century_index = fixed.century,
    };
    if ((fixed.flags & FLAG_RESET_WORKS) != 0) {
        fadt_out->reset = resolve(&fixed.reset);
    }
    return OK;
}

enum error acpi_hpet_parse(const struct acpi_table *table, phys_addr_t *address_out)
{
    struct hpet_table hpet;
    if (table->size_bytes < sizeof(hpet)) {
        return EINVAL;
    }
    memcpy(&hpet, table->bytes, sizeof(hpet));
    struct acpi_register registers = resolve(&hpet.address);
    if (registers.space != ACPI_MEMORY) {
        return EINVAL;
    }
    address_out->value = registers.address;
    return OK;
}

static void dump_register(const struct writer *writer, const char *name,
                          const struct acpi_register *at)
{
    if (at->space != ACPI_NOWHERE) {
        format_write(writer, "%s at %s %#lx\n", name, at->space == ACPI_PORT ? "port" : "address",
                     at->address);
    }
}

void acpi_fadt_dump(const struct acpi_fadt *fadt, const struct writer *writer)
{
    format_write(writer, "ACPI's interrupt is line %u, %s 8042, century at index %u\n",
                 fadt->sci_line, fadt->has_8042 ? "an" : "no", fadt->century_index);
    if (fadt->smi_command != 0) {
        format_write(writer, "handed over by 0x%02x to port %#x\n", fadt->enable_value,
                     fadt->smi_command);
    }
    dump_register(writer, "PM1a control", &fadt->pm1a_control);
    dump_register(writer, "PM1b control", &fadt->pm1b_control);
    dump_register(writer, "sleep control", &fadt->sleep_control);
    dump_register(writer, "reset", &fadt->reset);
}
