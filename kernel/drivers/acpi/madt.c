// SPDX-License-Identifier: MIT
//
// Behind a fixed part stand entries of {type, size, content}, up to the end of the table.
#include "drivers/acpi/madt.h"

#include "lib/bits.h"
#include "lib/string.h"

enum entry_type {
    ENTRY_LOCAL_APIC = 0,
    ENTRY_IO_APIC = 1,
    ENTRY_OVERRIDE = 2,
    ENTRY_LOCAL_APIC_NMI = 4,
    ENTRY_LOCAL_APIC_ADDRESS = 5,
    ENTRY_X2APIC = 9,
    ENTRY_X2APIC_NMI = 10,
};

struct [[gnu::packed]] fixed_part {
    uint8_t header[ACPI_HEADER_BYTES];
    uint32_t local_apic_address;
    uint32_t flags;
};

struct [[gnu::packed]] entry {
    uint8_t type;
    uint8_t size_bytes; // with these two
};

struct [[gnu::packed]] local_apic {
    struct entry entry;
    uint8_t uid;
    uint8_t apic_id;
    uint32_t flags;
};

struct [[gnu::packed]] io_apic {
    struct entry entry;
    uint8_t id;
    uint8_t reserved;
    uint32_t address;
    uint32_t first_interrupt;
};

struct [[gnu::packed]] override {
    struct entry entry;
    uint8_t bus; // 0: ISA
    uint8_t line;
    uint32_t interrupt;
    uint16_t signal;
};

struct [[gnu::packed]] local_apic_nmi {
    struct entry entry;
    uint8_t uid; // 0xff: every CPU
    uint16_t signal;
    uint8_t pin;
};

struct [[gnu::packed]] local_apic_address {
    struct entry entry;
    uint16_t reserved;
    uint64_t address;
};

struct [[gnu::packed]] x2apic {
    struct entry entry;
    uint16_t reserved;
    uint32_t apic_id;
    uint32_t flags;
    uint32_t uid;
};

struct [[gnu::packed]] x2apic_nmi {
    struct entry entry;
    uint16_t signal;
    uint32_t uid;
    uint8_t pin;
    uint8_t reserved[3];
};

_Static_assert(sizeof(struct fixed_part) == 44);
_Static_assert(sizeof(struct local_apic) == 8);
_Static_assert(sizeof(struct io_apic) == 12);
_Static_assert(sizeof(struct override) == 10);
_Static_assert(sizeof(struct local_apic_nmi) == 6);
_Static_assert(sizeof(struct local_apic_address) == 12);
_Static_assert(sizeof(struct x2apic) == 16);
_Static_assert(sizeof(struct x2apic_nmi) == 12);

#define FLAG_HAS_PICS BIT(0)
#define CPU_ENABLED BIT(0)
#define NO_APIC_ID 0xff // of a local APIC whose CPU has an x2APIC entry, or is not there
#define EVERY_UID 0xff
#define SIGNAL_POLARITY GENMASK(1, 0)
#define SIGNAL_TRIGGER GENMASK(3, 2)
#define SIGNAL_LOW 3   // of the polarity; 0 is as the bus has it, 1 high
#define SIGNAL_LEVEL 3 // of the trigger; 0 is as the bus has it, 1 edge

// ISA's lines are active high and edge-triggered, so whatever is not said to differ is that.
static enum acpi_polarity polarity_of(uint16_t signal)
{
    return FIELD_GET(SIGNAL_POLARITY, signal) == SIGNAL_LOW ? ACPI_ACTIVE_LOW : ACPI_ACTIVE_HIGH;
}

static enum acpi_trigger trigger_of(uint16_t signal)
{
    return FIELD_GET(SIGNAL_TRIGGER, signal) == SIGNAL_LEVEL ? ACPI_LEVEL : ACPI_EDGE;
}

// Some firmware names a CPU twice, in an entry of each kind.
static void add_cpu(struct acpi_madt *madt, struct acpi_cpu cpu, uint32_t flags)
{
    if ((flags & CPU_ENABLED) == 0) {
        return;
    }
    for (size_t i = 0; i < madt->cpu_count; i++) {
        if (madt->cpus[i].apic_id == cpu.apic_id) {
            return;
        }
    }
    if (madt->cpu_count == ACPI_CPUS_MAX) {
        madt->left_out++;
        return;
    }
    madt->cpus[madt->cpu_count++] = cpu;
}

static void add_io_apic(struct acpi_madt *madt, const struct io_apic *entry)
{
    if (madt->io_apic_count == ACPI_IO_APICS_MAX) {
        madt->left_out++;
        return;
    }
    madt->io_apics[madt->io_apic_count++] =
        (struct acpi_io_apic){entry->id, {entry->address}, entry->first_interrupt};
}

static void override_line(struct acpi_madt *madt, const struct override *entry)
{
    if (entry->bus == 0 && entry->line < ACPI_ISA_LINES) {
        madt->isa_lines[entry->line] = (struct acpi_isa_line){
            entry->interrupt, polarity_of(entry->signal), trigger_of(entry->signal)};
    }
}

static void add_nmi(struct acpi_madt *madt, uint32_t uid, uint8_t pin, uint16_t signal)
{
    if (madt->nmi_count == ACPI_NMIS_MAX) {
        madt->left_out++;
        return;
    }
    madt->nmis[madt->nmi_count++] = (struct acpi_nmi){uid, pin, polarity_of(signal)};
}

// The types that we know, each of which has a size that it must not fall short of.
static size_t size_of_type(uint8_t type)
{
    switch (type) {
    case ENTRY_LOCAL_APIC:
        return sizeof(struct local_apic);
    case ENTRY_IO_APIC:
        return sizeof(struct io_apic);
    case ENTRY_OVERRIDE:
        return sizeof(struct override);
    case ENTRY_LOCAL_APIC_NMI:
        return sizeof(struct local_apic_nmi);
    case ENTRY_LOCAL_APIC_ADDRESS:
        return sizeof(struct local_apic_address);
    case ENTRY_X2APIC:
        return sizeof(struct x2apic);
    case ENTRY_X2APIC_NMI:
        return sizeof(struct x2apic_nmi);
    default:
        return sizeof(struct entry);
    }
}

static enum error move_local_apic(struct acpi_madt *madt, const struct local_apic_address *entry)
{
    return phys_addr_checked(entry->address, &madt->local_apic);
}

// The entry is as large as its type wants it.
static enum error parse_entry(struct acpi_madt *madt, const void *bytes)
{
    const struct entry *entry = bytes;
    const struct local_apic *cpu = bytes;
    const struct x2apic *x2cpu = bytes;
    const struct local_apic_nmi *nmi = bytes;
    const struct x2apic_nmi *x2nmi = bytes;
    switch (entry->type) {
    case ENTRY_LOCAL_APIC:
        if (cpu->apic_id != NO_APIC_ID) {
            add_cpu(madt, (struct acpi_cpu){cpu->uid, cpu->apic_id}, cpu->flags);
        }
        break;
    case ENTRY_X2APIC:
        add_cpu(madt, (struct acpi_cpu){x2cpu->uid, x2cpu->apic_id}, x2cpu->flags);
        break;
    case ENTRY_IO_APIC:
        add_io_apic(madt, bytes);
        break;
    case ENTRY_OVERRIDE:
        override_line(madt, bytes);
        break;
    case ENTRY_LOCAL_APIC_NMI:
        add_nmi(madt, nmi->uid == EVERY_UID ? ACPI_EVERY_CPU : nmi->uid, nmi->pin, nmi->signal);
        break;
    case ENTRY_X2APIC_NMI:
        add_nmi(madt, x2nmi->uid, x2nmi->pin, x2nmi->signal);
        break;
    case ENTRY_LOCAL_APIC_ADDRESS:
        return move_local_apic(madt, bytes);
    }
    return OK;
}

enum error acpi_madt_parse(const struct acpi_table *table, struct acpi_madt *madt_out)
{
    struct fixed_part fixed;
    if (table->size_bytes < sizeof(fixed)) {
        return EINVAL;
    }
    memcpy(&fixed, table->bytes, sizeof(fixed));
    *madt_out = (struct acpi_madt){
        .local_apic = {fixed.local_apic_address},
        .has_pics = (fixed.flags & FLAG_HAS_PICS) != 0,
    };
    for (uint32_t line = 0; line < ACPI_ISA_LINES; line++) {
        madt_out->isa_lines[line].interrupt = line;
    }
    size_t offset = sizeof(fixed);
    while (table->size_bytes - offset >= sizeof(struct entry)) {
        const uint8_t *bytes = table->bytes + offset;
        struct entry entry = {bytes[0], bytes[1]};
        if (entry.size_bytes < size_of_type(entry.type) ||
            entry.size_bytes > table->size_bytes - offset || parse_entry(madt_out, bytes) != OK) {
            return EINVAL;
        }
        offset += entry.size_bytes;
    }
    return OK;
}

static const char *polarity_name(enum acpi_polarity polarity)
{
    return polarity == ACPI_ACTIVE_LOW ? "active low" : "active high";
}

static const char *trigger_name(enum acpi_trigger trigger)
{
    return trigger == ACPI_LEVEL ? "level" : "edge";
}

static void dump_lines(const struct acpi_madt *madt, const struct writer *writer)
{
    for (uint32_t line = 0; line < ACPI_ISA_LINES; line++) {
        const struct acpi_isa_line *to = &madt->isa_lines[line];
        if (to->interrupt != line || to->polarity != ACPI_ACTIVE_HIGH || to->trigger != ACPI_EDGE) {
            format_write(writer, "ISA line %u is interrupt %u, %s, %s\n", line, to->interrupt,
                         polarity_name(to->polarity), trigger_name(to->trigger));
        }
    }
}

static void dump_nmis(const struct acpi_madt *madt, const struct writer *writer)
{
    for (size_t i = 0; i < madt->nmi_count; i++) {
        const struct acpi_nmi *nmi = &madt->nmis[i];
        format_write(writer, "NMI at LINT%u of ", nmi->pin);
        if (nmi->cpu_uid == ACPI_EVERY_CPU) {
            format_write(writer, "every CPU");
        } else {
            format_write(writer, "CPU %u", nmi->cpu_uid);
        }
        format_write(writer, ", %s\n", polarity_name(nmi->polarity));
    }
}

void acpi_madt_dump(const struct acpi_madt *madt, const struct writer *writer)
{
    format_write(writer, "local APICs at %#lx, %s 8259 PICs\n", madt->local_apic.value,
                 madt->has_pics ? "beside" : "without");
    for (size_t i = 0; i < madt->cpu_count; i++) {
        format_write(writer, "CPU %u has local APIC %u\n", madt->cpus[i].uid,
                     madt->cpus[i].apic_id);
    }
    for (size_t i = 0; i < madt->io_apic_count; i++) {
        const struct acpi_io_apic *io_apic = &madt->io_apics[i];
        format_write(writer, "I/O APIC %u at %#lx from interrupt %u on\n", io_apic->id,
                     io_apic->address.value, io_apic->first_interrupt);
    }
    dump_lines(madt, writer);
    dump_nmis(madt, writer);
    if (madt->left_out != 0) {
        format_write(writer, "and %zu more that there is no room for\n", madt->left_out);
    }
}
