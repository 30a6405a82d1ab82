// SPDX-License-Identifier: MIT
#include "drivers/acpi/madt.h"

#include "drivers/acpi/test_tables.h"
#include "ktest.h"
#include "lib/bits.h"
#include "lib/string.h"

static struct test_table table;
static struct acpi_madt madt;

static void begin(uint32_t flags)
{
    test_table_begin(&table, "APIC");
    test_table_put_number(&table, 0xfee00000, 4);
    test_table_put_number(&table, flags, 4);
}

#define PUT(...) put((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void put(const uint8_t *bytes, size_t size_bytes)
{
    test_table_put(&table, bytes, size_bytes);
}

static void put_cpu(uint8_t uid, uint8_t apic_id, uint8_t flags)
{
    PUT(0, 8, uid, apic_id, flags, 0, 0, 0);
}

static void put_x2apic(uint32_t uid, uint32_t apic_id, uint32_t flags)
{
    PUT(9, 16, 0, 0);
    test_table_put_number(&table, apic_id, 4);
    test_table_put_number(&table, flags, 4);
    test_table_put_number(&table, uid, 4);
}

static enum error parse(void)
{
    // At the end of an array: the sanitizers see what is read beyond it.
    static uint8_t bytes[TEST_TABLE_BYTES];
    uint8_t *start = bytes + sizeof(bytes) - table.size_bytes;
    memcpy(start, table.bytes, table.size_bytes);
    memset(&madt, 0xff, sizeof(madt));
    return acpi_madt_parse(&(struct acpi_table){start, (uint32_t)table.size_bytes}, &madt);
}

// What QEMU 7.2's PC with two CPUs has.
static void put_pc(void)
{
    begin(1);
    put_cpu(0, 0, 1);
    put_cpu(1, 1, 1);
    PUT(1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0);
    PUT(2, 10, 0, 0, 2, 0, 0, 0, 0, 0);
    PUT(2, 10, 0, 5, 5, 0, 0, 0, 0x0d, 0);
    PUT(2, 10, 0, 9, 9, 0, 0, 0, 0x0d, 0);
    PUT(4, 6, 0xff, 0, 0, 1);
}

KTEST_ATTR(acpi_madt, whole_table_is_read, .proves = "7.7.2");
KTEST(acpi_madt, whole_table_is_read)
{
    put_pc();
    KTEST_ASSERT_EQ(test, parse(), OK);
    KTEST_EXPECT_EQ(test, madt.local_apic.value, 0xfee00000);
    KTEST_EXPECT_TRUE(test, madt.has_pics);
    KTEST_ASSERT_EQ(test, madt.cpu_count, 2);
    KTEST_EXPECT_EQ(test, madt.cpus[1].uid, 1);
    KTEST_EXPECT_EQ(test, madt.cpus[1].apic_id, 1);
    KTEST_ASSERT_EQ(test, madt.io_apic_count, 1);
    KTEST_EXPECT_EQ(test, madt.io_apics[0].address.value, 0xfec00000);
    KTEST_EXPECT_EQ(test, madt.io_apics[0].first_interrupt, 0);
    KTEST_ASSERT_EQ(test, madt.nmi_count, 1);
    KTEST_EXPECT_EQ(test, madt.nmis[0].cpu_uid, ACPI_EVERY_CPU);
    KTEST_EXPECT_EQ(test, madt.nmis[0].pin, 1);
    KTEST_EXPECT_EQ(test, madt.left_out, 0);
}

KTEST(acpi_madt, lines_without_an_override_are_as_isa_has_them)
{
    put_pc();
    KTEST_ASSERT_EQ(test, parse(), OK);
    KTEST_EXPECT_EQ(test, madt.isa_lines[0].interrupt, 2);
    KTEST_EXPECT_EQ(test, madt.isa_lines[9].interrupt, 9);
    KTEST_EXPECT_EQ(test, madt.isa_lines[9].polarity, ACPI_ACTIVE_HIGH);
    KTEST_EXPECT_EQ(test, madt.isa_lines[9].trigger, ACPI_LEVEL);
    for (uint32_t line = 10; line < ACPI_ISA_LINES; line++) {
        KTEST_EXPECT_EQ(test, madt.isa_lines[line].interrupt, line);
        KTEST_EXPECT_EQ(test, madt.isa_lines[line].polarity, ACPI_ACTIVE_HIGH);
        KTEST_EXPECT_EQ(test, madt.isa_lines[line].trigger, ACPI_EDGE);
    }
}

KTEST(acpi_madt, polarity_and_trigger_are_two_bits_each)
{
    for (uint8_t signal = 0; signal < 16; signal++) {
        begin(0);
        PUT(2, 10, 0, 7, 0x44, 0x33, 0x22, 0x11, signal, 0xff);
        KTEST_ASSERT_EQ(test, parse(), OK);
        const struct acpi_isa_line *line = &madt.isa_lines[7];
        KTEST_EXPECT_EQ(test, line->interrupt, 0x11223344);
        KTEST_EXPECT_EQ(test, line->polarity, signal % 4 == 3 ? ACPI_ACTIVE_LOW : ACPI_ACTIVE_HIGH);
        KTEST_EXPECT_EQ(test, line->trigger, signal / 4 == 3 ? ACPI_LEVEL : ACPI_EDGE);
    }
}

KTEST(acpi_madt, overrides_of_what_isa_does_not_have_are_passed_over)
{
    begin(0);
    PUT(2, 10, 0, 16, 99, 0, 0, 0, 0, 0);
    PUT(2, 10, 0, 255, 99, 0, 0, 0, 0, 0);
    PUT(2, 10, 1, 3, 99, 0, 0, 0, 0, 0);
    KTEST_ASSERT_EQ(test, parse(), OK);
    KTEST_EXPECT_EQ(test, madt.isa_lines[3].interrupt, 3);
    KTEST_EXPECT_EQ(test, madt.cpu_count, 0);
    KTEST_EXPECT_FALSE(test, madt.has_pics);
}

KTEST(acpi_madt, only_cpus_that_can_be_used_count)
{
    begin(1);
    put_cpu(1, 10, 0);
    put_cpu(2, 11, 2); // could be turned on later
    put_cpu(3, 0xff, 1);
    put_cpu(4, 12, 3);
    put_x2apic(5, 0x12345, 1);
    put_x2apic(6, 0x12346, 0);
    KTEST_ASSERT_EQ(test, parse(), OK);
    KTEST_ASSERT_EQ(test, madt.cpu_count, 2);
    KTEST_EXPECT_EQ(test, madt.cpus[0].uid, 4);
    KTEST_EXPECT_EQ(test, madt.cpus[1].uid, 5);
    KTEST_EXPECT_EQ(test, madt.cpus[1].apic_id, 0x12345);
}

KTEST(acpi_madt, cpu_that_is_named_twice_counts_once)
{
    begin(1);
    put_cpu(1, 10, 1);
    put_x2apic(1, 10, 1);
    put_x2apic(2, 11, 1);
    put_cpu(2, 11, 1);
    KTEST_ASSERT_EQ(test, parse(), OK);
    KTEST_EXPECT_EQ(test, madt.cpu_count, 2);
}

KTEST(acpi_madt, local_apic_may_be_elsewhere)
{
    begin(1);
    PUT(5, 12, 0, 0, 0, 0, 0xe0, 0xfe, 1, 0, 0, 0);
    KTEST_ASSERT_EQ(test, parse(), OK);
    KTEST_EXPECT_EQ(test, madt.local_apic.value, 0x1fee00000);
    begin(1);
    PUT(5, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0); // bit 52
    KTEST_EXPECT_EQ(test, parse(), EINVAL);
}

KTEST(acpi_madt, nmi_of_an_x2apic_is_read)
{
    begin(1);
    PUT(10, 12, 3, 0, 0x78, 0x56, 0x34, 0x12, 1, 0, 0, 0);
    PUT(4, 6, 7, 0, 0, 0);
    KTEST_ASSERT_EQ(test, parse(), OK);
    KTEST_ASSERT_EQ(test, madt.nmi_count, 2);
    KTEST_EXPECT_EQ(test, madt.nmis[0].cpu_uid, 0x12345678);
    KTEST_EXPECT_EQ(test, madt.nmis[0].pin, 1);
    KTEST_EXPECT_EQ(test, madt.nmis[0].polarity, ACPI_ACTIVE_LOW);
    KTEST_EXPECT_EQ(test, madt.nmis[1].cpu_uid, 7);
    KTEST_EXPECT_EQ(test, madt.nmis[1].pin, 0);
}

KTEST(acpi_madt, unknown_entries_are_passed_over)
{
    begin(1);
    PUT(77, 2);
    PUT(255, 5, 1, 2, 3);
    put_cpu(1, 10, 1);
    PUT(0); // half a header
    KTEST_ASSERT_EQ(test, parse(), OK);
    KTEST_EXPECT_EQ(test, madt.cpu_count, 1);
}

KTEST(acpi_madt, entry_without_a_size_is_refused)
{
    for (uint8_t size_bytes = 0; size_bytes < 2; size_bytes++) {
        begin(1);
        PUT(77, size_bytes);
        KTEST_EXPECT_EQ(test, parse(), EINVAL);
    }
}

KTEST(acpi_madt, entry_that_is_too_short_for_its_type_is_refused)
{
    static const struct {
        uint8_t type, size_bytes;
    } known[] = {{0, 8}, {1, 12}, {2, 10}, {4, 6}, {5, 12}, {9, 16}, {10, 12}};
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        for (uint8_t size_bytes = 0; size_bytes <= known[i].size_bytes + 1; size_bytes++) {
            begin(1);
            PUT(known[i].type, size_bytes);
            for (uint8_t more = 2; more < size_bytes; more++) {
                PUT(0);
            }
            KTEST_EXPECT_EQ_MSG(test, parse(), size_bytes < known[i].size_bytes ? EINVAL : OK,
                                "type %u, %u bytes", known[i].type, size_bytes);
        }
    }
}

// Where it is cut between two entries, what is left is a table as well.
KTEST(acpi_madt, table_that_is_cut_off_is_not_read_beyond_its_end)
{
    put_pc();
    size_t whole_bytes = table.size_bytes;
    for (size_t size_bytes = ACPI_HEADER_BYTES; size_bytes < whole_bytes; size_bytes++) {
        put_pc();
        table.size_bytes = size_bytes;
        enum error error = parse();
        KTEST_EXPECT_TRUE(test, error == EINVAL || (error == OK && size_bytes >= 44));
    }
}

KTEST(acpi_madt, what_there_is_no_room_for_is_counted)
{
    begin(1);
    for (uint8_t i = 0; i < ACPI_CPUS_MAX - 1; i++) {
        put_cpu(i, i, 1);
    }
    for (unsigned i = 0; i < 1 + 2; i++) {
        put_x2apic(i, 1000 + i, 1);
    }
    for (unsigned i = 0; i < ACPI_IO_APICS_MAX + 3; i++) {
        PUT(1, 12, (uint8_t)i, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0);
    }
    for (unsigned i = 0; i < ACPI_NMIS_MAX + 4; i++) {
        PUT(4, 6, 0xff, 0, 0, 1);
    }
    KTEST_ASSERT_EQ(test, parse(), OK);
    KTEST_EXPECT_EQ(test, madt.cpu_count, ACPI_CPUS_MAX);
    KTEST_EXPECT_EQ(test, madt.io_apic_count, ACPI_IO_APICS_MAX);
    KTEST_EXPECT_EQ(test, madt.nmi_count, ACPI_NMIS_MAX);
    KTEST_EXPECT_EQ(test, madt.left_out, 2 + 3 + 4);
}

static char text[1024];

static void append(void *context, const char *bytes, size_t size_bytes)
{
    size_t *length = context;
    size_t room = sizeof(text) - 1 - *length;
    size_bytes = size_bytes < room ? size_bytes : room;
    memcpy(text + *length, bytes, size_bytes);
    *length += size_bytes;
    text[*length] = 0;
}

KTEST(acpi_madt, dump_says_it_in_words)
{
    size_t length = 0;
    put_pc();
    PUT(4, 6, 3, 3, 0, 0);
    KTEST_ASSERT_EQ(test, parse(), OK);
    acpi_madt_dump(&madt, &(struct writer){append, &length});
    KTEST_EXPECT_STREQ(test, text,
                       "local APICs at 0xfee00000, beside 8259 PICs\n"
                       "CPU 0 has local APIC 0\n"
                       "CPU 1 has local APIC 1\n"
                       "I/O APIC 0 at 0xfec00000 from interrupt 0 on\n"
                       "ISA line 0 is interrupt 2, active high, edge\n"
                       "ISA line 5 is interrupt 5, active high, level\n"
                       "ISA line 9 is interrupt 9, active high, level\n"
                       "NMI at LINT1 of every CPU, active high\n"
                       "NMI at LINT0 of CPU 3, active low\n");
}

KTEST(acpi_madt, dump_tells_ids_from_addresses_and_what_was_left_out)
{
    size_t length = 0;
    begin(0);
    put_cpu(1, 7, 1);
    PUT(1, 12, 4, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0);
    PUT(1, 12, 5, 0, 0, 0x10, 0xc0, 0xfe, 24, 0, 0, 0);
    PUT(2, 10, 0, 5, 5, 0, 0, 0, 3, 0); // low, and triggered by the edge
    KTEST_ASSERT_EQ(test, parse(), OK);
    madt.left_out = 2;
    acpi_madt_dump(&madt, &(struct writer){append, &length});
    KTEST_EXPECT_STREQ(test, text,
                       "local APICs at 0xfee00000, without 8259 PICs\n"
                       "CPU 1 has local APIC 7\n"
                       "I/O APIC 4 at 0xfec00000 from interrupt 0 on\n"
                       "I/O APIC 5 at 0xfec01000 from interrupt 24 on\n"
                       "ISA line 5 is interrupt 5, active low, edge\n"
                       "and 2 more that there is no room for\n");
}

KTEST(acpi_madt, table_may_have_no_entries)
{
    begin(1);
    KTEST_EXPECT_EQ(test, parse(), OK);
    KTEST_EXPECT_EQ(test, madt.cpu_count, 0);
}

KTEST(acpi_madt, reserved_bits_of_a_signal_say_nothing)
{
    begin(1);
    PUT(2, 10, 0, 5, 5, 0, 0, 0, 0xff, 0xff);
    KTEST_ASSERT_EQ(test, parse(), OK);
    KTEST_EXPECT_EQ(test, madt.isa_lines[5].trigger, ACPI_LEVEL);
    KTEST_EXPECT_EQ(test, madt.isa_lines[5].polarity, ACPI_ACTIVE_LOW);
}
