// SPDX-License-Identifier: MIT
#include "drivers/acpi/fadt.h"

#include "drivers/acpi/test_tables.h"
#include "ktest.h"
#include "lib/bits.h"
#include "lib/string.h"

// Offsets of ACPI 6.5, table 5.9.
enum field {
    REVISION = 8,
    DSDT = 40,
    SCI_LINE = 46,
    SMI_COMMAND = 48,
    ACPI_ENABLE = 52,
    PM1A_CONTROL = 64,
    PM1B_CONTROL = 68,
    CENTURY = 108,
    BOOT_ARCHITECTURE = 109,
    FLAGS = 112,
    RESET = 116,
    RESET_VALUE = 128,
    X_DSDT = 140,
    X_PM1A_CONTROL = 172,
    X_PM1B_CONTROL = 184,
    SLEEP_CONTROL = 244,
    VERSION_1_END = 116,
    VERSION_3_END = 244,
    VERSION_5_END = 268,
};

#define IN_MEMORY 0
#define IN_PORTS 1
#define IN_PCI 2

static struct test_table table;
static struct acpi_fadt fadt;

static void set(enum field at, uint64_t value, size_t size_bytes)
{
    memcpy(table.bytes + at, &value, size_bytes);
}

static void set_register(enum field at, uint8_t space, uint64_t address)
{
    set(at, space, 4);
    memcpy(table.bytes + at + 4, &address, sizeof(address));
}

static void begin(uint8_t revision, size_t size_bytes)
{
    test_table_begin(&table, "FACP");
    table.size_bytes = size_bytes;
    set(REVISION, revision, 1);
    set(DSDT, 0x7fe0040, 4);
    set(SCI_LINE, 9, 2);
    set(SMI_COMMAND, 0xb2, 4);
    set(ACPI_ENABLE, 0xf0f1, 2); // and behind it the value for the way back
    set(PM1A_CONTROL, 0x604, 4);
    set(CENTURY, 0x32, 1);
}

static enum error parse(void)
{
    static uint8_t bytes[TEST_TABLE_BYTES]; // the sanitizers see what is read beyond its end
    uint8_t *start = bytes + sizeof(bytes) - table.size_bytes;
    memcpy(start, table.bytes, table.size_bytes);
    memset(&fadt, 0xff, sizeof(fadt));
    return acpi_fadt_parse(&(struct acpi_table){start, (uint32_t)table.size_bytes}, &fadt);
}

static void expect_register(struct ktest *test, const struct acpi_register *at,
                            enum acpi_space space, uint64_t address)
{
    KTEST_EXPECT_EQ(test, at->space, space);
    KTEST_EXPECT_EQ(test, at->address, address);
}

KTEST(acpi_fadt, table_of_acpi_1_is_read)
{
    begin(1, VERSION_1_END);
    KTEST_ASSERT_EQ(test, parse(), OK);
    KTEST_EXPECT_EQ(test, fadt.dsdt, 0x7fe0040);
    KTEST_EXPECT_EQ(test, fadt.sci_line, 9);
    KTEST_EXPECT_EQ(test, fadt.smi_command, 0xb2);
    KTEST_EXPECT_EQ(test, fadt.enable_value, 0xf1);
    KTEST_EXPECT_EQ(test, fadt.disable_value, 0xf0);
    KTEST_EXPECT_EQ(test, fadt.century_index, 0x32);
    KTEST_EXPECT_FALSE(test, fadt.is_reduced);
    expect_register(test, &fadt.pm1a_control, ACPI_PORT, 0x604);
    expect_register(test, &fadt.pm1b_control, ACPI_NOWHERE, 0);
    expect_register(test, &fadt.reset, ACPI_NOWHERE, 0);
    expect_register(test, &fadt.sleep_control, ACPI_NOWHERE, 0);
}

KTEST(acpi_fadt, wider_fields_go_before_the_older_ones)
{
    begin(3, VERSION_3_END);
    set(X_DSDT, 0x123456789abc, 8);
    set_register(X_PM1A_CONTROL, IN_PORTS, 0x1804);
    set_register(X_PM1B_CONTROL, IN_PORTS, 0x1904);
    KTEST_ASSERT_EQ(test, parse(), OK);
    KTEST_EXPECT_EQ(test, fadt.dsdt, 0x123456789abc);
    expect_register(test, &fadt.pm1a_control, ACPI_PORT, 0x1804);
    expect_register(test, &fadt.pm1b_control, ACPI_PORT, 0x1904);
}

KTEST(acpi_fadt, older_fields_count_where_the_wider_are_none)
{
    begin(3, VERSION_3_END);
    set(PM1B_CONTROL, 0x704, 4);
    set_register(X_PM1A_CONTROL, IN_MEMORY, 0x604);
    set_register(X_PM1B_CONTROL, IN_PORTS, 0x10000);
    KTEST_ASSERT_EQ(test, parse(), OK);
    KTEST_EXPECT_EQ(test, fadt.dsdt, 0x7fe0040);
    expect_register(test, &fadt.pm1a_control, ACPI_PORT, 0x604);
    expect_register(test, &fadt.pm1b_control, ACPI_PORT, 0x704);
}

KTEST(acpi_fadt, reset_register_counts_only_with_its_flag)
{
    begin(3, VERSION_3_END);
    set_register(RESET, IN_PORTS, 0xcf9);
    set(RESET_VALUE, 0x0f, 1);
    set(FLAGS, (uint32_t)~BIT(10), 4);
    KTEST_ASSERT_EQ(test, parse(), OK);
    expect_register(test, &fadt.reset, ACPI_NOWHERE, 0);
    set(FLAGS, BIT(10), 4);
    KTEST_ASSERT_EQ(test, parse(), OK);
    expect_register(test, &fadt.reset, ACPI_PORT, 0xcf9);
    KTEST_EXPECT_EQ(test, fadt.reset_value, 0x0f);
}

KTEST(acpi_fadt, registers_where_there_can_be_none_are_none)
{
    static const struct {
        uint8_t space;
        uint64_t address;
    } impossible[] = {{IN_PCI, 0x1000},    {IN_MEMORY, 0}, {IN_MEMORY, BIT(52)},
                      {IN_PORTS, 0x10000}, {IN_PORTS, 0},  {0x7f, 0xcf9}};
    for (size_t i = 0; i < ARRAY_SIZE(impossible); i++) {
        begin(3, VERSION_3_END);
        set(FLAGS, BIT(10), 4);
        set_register(RESET, impossible[i].space, impossible[i].address);
        KTEST_ASSERT_EQ(test, parse(), OK);
        expect_register(test, &fadt.reset, ACPI_NOWHERE, 0);
    }
}

KTEST(acpi_fadt, last_port_is_one)
{
    begin(3, VERSION_3_END);
    set(FLAGS, BIT(10), 4);
    set_register(RESET, IN_PORTS, 0xffff);
    KTEST_ASSERT_EQ(test, parse(), OK);
    expect_register(test, &fadt.reset, ACPI_PORT, 0xffff);
}

KTEST(acpi_fadt, command_port_that_can_be_none_is_none)
{
    begin(1, VERSION_1_END);
    set(SMI_COMMAND, 0x100b2, 4);
    KTEST_ASSERT_EQ(test, parse(), OK);
    KTEST_EXPECT_EQ(test, fadt.smi_command, 0);
}

// As QEMU's microvm has it.
KTEST(acpi_fadt, reduced_hardware_sleeps_by_a_register_of_its_own)
{
    begin(5, VERSION_5_END);
    set(PM1A_CONTROL, 0, 4);
    set(FLAGS, BIT(20) | BIT(10), 4);
    set_register(SLEEP_CONTROL, IN_MEMORY, 0xfea00200);
    set_register(RESET, IN_MEMORY, 0xfea00202);
    KTEST_ASSERT_EQ(test, parse(), OK);
    KTEST_EXPECT_TRUE(test, fadt.is_reduced);
    expect_register(test, &fadt.sleep_control, ACPI_MEMORY, 0xfea00200);
    expect_register(test, &fadt.reset, ACPI_MEMORY, 0xfea00202);
    expect_register(test, &fadt.pm1a_control, ACPI_NOWHERE, 0);
}

// Version 1 has nothing to say of it.
KTEST(acpi_fadt, keyboard_controller_is_there_unless_said_otherwise)
{
    begin(1, VERSION_1_END);
    KTEST_ASSERT_EQ(test, parse(), OK);
    KTEST_EXPECT_TRUE(test, fadt.has_8042);
    begin(2, VERSION_3_END);
    KTEST_ASSERT_EQ(test, parse(), OK);
    KTEST_EXPECT_FALSE(test, fadt.has_8042);
    begin(3, VERSION_3_END);
    KTEST_ASSERT_EQ(test, parse(), OK);
    KTEST_EXPECT_FALSE(test, fadt.has_8042);
    set(BOOT_ARCHITECTURE, BIT(1), 2);
    KTEST_ASSERT_EQ(test, parse(), OK);
    KTEST_EXPECT_TRUE(test, fadt.has_8042);
}

KTEST(acpi_fadt, table_of_any_length_is_read_no_further)
{
    for (size_t size_bytes = ACPI_HEADER_BYTES; size_bytes <= VERSION_5_END + 8; size_bytes++) {
        begin(6, size_bytes);
        set(FLAGS, BIT(10), 4);
        set_register(RESET, IN_PORTS, 0xcf9);
        set(X_DSDT, BIT(40), 8);
        set_register(SLEEP_CONTROL, IN_PORTS, 0x600);
        KTEST_ASSERT_EQ(test, parse(), size_bytes < VERSION_1_END ? EINVAL : OK);
        if (size_bytes >= VERSION_1_END) {
            KTEST_EXPECT_EQ(test, fadt.dsdt, size_bytes < X_DSDT + 6 ? 0x7fe0040 : BIT(40));
            KTEST_EXPECT_EQ(test, fadt.sleep_control.space,
                            size_bytes < SLEEP_CONTROL + 6 ? ACPI_NOWHERE : ACPI_PORT);
        }
    }
}

// --- In words -----------------------------------------------------------------------------------

static char text[512];

static void append(void *context, const char *bytes, size_t size_bytes)
{
    size_t *length = context;
    size_t room = sizeof(text) - 1 - *length;
    size_bytes = size_bytes < room ? size_bytes : room;
    memcpy(text + *length, bytes, size_bytes);
    *length += size_bytes;
    text[*length] = 0;
}

static const char *dumped(void)
{
    size_t length = 0;
    text[0] = 0;
    acpi_fadt_dump(&fadt, &(struct writer){append, &length});
    return text;
}

KTEST(acpi_fadt, dump_says_it_in_words)
{
    begin(3, VERSION_3_END);
    set(PM1B_CONTROL, 0x704, 4);
    set(FLAGS, BIT(10), 4);
    set_register(RESET, IN_PORTS, 0xcf9);
    KTEST_ASSERT_EQ(test, parse(), OK);
    KTEST_EXPECT_STREQ(test, dumped(),
                       "ACPI's interrupt is line 9, no 8042, century at index 50\n"
                       "handed over by 0xf1 to port 0xb2\n"
                       "PM1a control at port 0x604\n"
                       "PM1b control at port 0x704\n"
                       "reset at port 0xcf9\n");
}

KTEST(acpi_fadt, dump_leaves_out_what_is_not_there)
{
    begin(1, VERSION_1_END);
    set(SMI_COMMAND, 0, 4);
    set(PM1A_CONTROL, 0, 4);
    KTEST_ASSERT_EQ(test, parse(), OK);
    fadt.sleep_control = (struct acpi_register){ACPI_MEMORY, 0xfea00200};
    KTEST_EXPECT_STREQ(test, dumped(),
                       "ACPI's interrupt is line 9, an 8042, century at index 50\n"
                       "sleep control at address 0xfea00200\n");
}

// --- HPET ---------------------------------------------------------------------------------------

static enum error parse_hpet(uint8_t space, uint64_t address, size_t size_bytes,
                             phys_addr_t *address_out)
{
    static uint8_t bytes[64];
    test_table_begin(&table, "HPET");
    test_table_put_number(&table, 0x8086a201, 4);
    test_table_put_number(&table, space, 4);
    test_table_put_number(&table, address, 8);
    test_table_put_number(&table, 0, 4);
    uint8_t *start = bytes + sizeof(bytes) - size_bytes;
    memcpy(start, table.bytes, size_bytes);
    return acpi_hpet_parse(&(struct acpi_table){start, (uint32_t)size_bytes}, address_out);
}

KTEST(acpi_fadt, hpet_is_in_memory)
{
    phys_addr_t address = {1};
    KTEST_EXPECT_EQ(test, parse_hpet(IN_PORTS, 0xfed0, 56, &address), EINVAL);
    KTEST_EXPECT_EQ(test, parse_hpet(IN_MEMORY, 0, 56, &address), EINVAL);
    KTEST_EXPECT_EQ(test, parse_hpet(IN_MEMORY, BIT(52), 56, &address), EINVAL);
    for (size_t size_bytes = ACPI_HEADER_BYTES; size_bytes < 56; size_bytes++) {
        KTEST_EXPECT_EQ(test, parse_hpet(IN_MEMORY, 0xfed00000, size_bytes, &address), EINVAL);
    }
    KTEST_EXPECT_EQ(test, address.value, 1);
    KTEST_ASSERT_EQ(test, parse_hpet(IN_MEMORY, 0xfed00000, 56, &address), OK);
    KTEST_EXPECT_EQ(test, address.value, 0xfed00000);
}
