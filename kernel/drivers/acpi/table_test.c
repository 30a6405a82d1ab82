// SPDX-License-Identifier: MIT
#include "drivers/acpi/table.h"

#include "drivers/acpi/test_tables.h"
#include "ktest.h"
#include "lib/bits.h"
#include "lib/string.h"

#define RSDT_AT (TEST_BIOS + 0x101)
#define XSDT_AT (TEST_HIGH + 0x203)
#define TABLES_AT (TEST_HIGH + 0x800)
#define POINTER_V1 20
#define POINTER_V2 36

static struct test_table table;
static uint8_t pointer[POINTER_V2];
static struct acpi_root root;

// At TABLES_AT and every 64 bytes from there on.
static uint64_t table_at(size_t index)
{
    return TABLES_AT + 64 * index;
}

static void write_table(size_t index, const char *signature, uint8_t content)
{
    test_table_begin(&table, signature);
    test_table_put(&table, &content, 1);
    test_table_seal(&table);
    test_memory_write(table_at(index), table.bytes, table.size_bytes);
}

static void write_root(uint64_t at, const char *signature, size_t entry_bytes, size_t count)
{
    test_table_begin(&table, signature);
    for (size_t i = 0; i < count; i++) {
        test_table_put_number(&table, table_at(i), entry_bytes);
    }
    test_table_seal(&table);
    test_memory_write(at, table.bytes, table.size_bytes);
}

static void seal_pointer(void)
{
    pointer[8] = 0;
    pointer[8] = test_checksum(pointer, POINTER_V1);
    pointer[32] = 0;
    pointer[32] = test_checksum(pointer, POINTER_V2);
}

static void make_pointer(void)
{
    memset(pointer, 0, sizeof(pointer));
    memcpy(pointer, "RSD PTR ", 8); // NOLINT(bugprone-not-null-terminated-result): no string
    pointer[15] = 2;
    memcpy(pointer + 16, &(uint32_t){RSDT_AT}, 4);
    memcpy(pointer + 20, &(uint32_t){POINTER_V2}, 4);
    memcpy(pointer + 24, &(uint64_t){XSDT_AT}, 8);
    seal_pointer();
}

static void init(struct ktest *test)
{
    (void)test;
    test_memory_clear();
    write_root(RSDT_AT, "RSDT", 4, 2);
    write_root(XSDT_AT, "XSDT", 8, 3);
    make_pointer();
    memset(&root, 0, sizeof(root));
}

KTEST_SUITE(acpi_table, .init = init);

static enum error read_root(size_t pointer_bytes)
{
    return acpi_root_read(test_memory_read, pointer, pointer_bytes, &root);
}

static void expect_rsdt(struct ktest *test, size_t pointer_bytes)
{
    KTEST_ASSERT_EQ(test, read_root(pointer_bytes), OK);
    KTEST_EXPECT_EQ(test, root.address, RSDT_AT);
    KTEST_EXPECT_EQ(test, root.entry_bytes, 4);
    KTEST_EXPECT_EQ(test, root.entry_count, 2);
}

KTEST(acpi_table, xsdt_is_preferred)
{
    KTEST_ASSERT_EQ(test, read_root(POINTER_V2), OK);
    KTEST_EXPECT_EQ(test, root.address, XSDT_AT);
    KTEST_EXPECT_EQ(test, root.entry_bytes, 8);
    KTEST_EXPECT_EQ(test, root.entry_count, 3);
}

KTEST(acpi_table, pointer_of_acpi_1_leads_to_the_rsdt)
{
    pointer[15] = 0;
    seal_pointer();
    expect_rsdt(test, POINTER_V2);
    expect_rsdt(test, POINTER_V1);
}

KTEST(acpi_table, rsdt_counts_where_the_xsdt_is_not_sound)
{
    expect_rsdt(test, POINTER_V2 - 1);
    pointer[32]++;
    expect_rsdt(test, POINTER_V2);
    make_pointer();
    memset(pointer + 24, 0, 8);
    seal_pointer();
    expect_rsdt(test, POINTER_V2);
    make_pointer();
    pointer[20] = POINTER_V2 + 1; // a checksum over more than there is
    seal_pointer();
    expect_rsdt(test, POINTER_V2);
    make_pointer();
    (*test_memory_at(XSDT_AT + 40))++;
    expect_rsdt(test, POINTER_V2);
}

KTEST(acpi_table, neither_root_is_sound)
{
    (*test_memory_at(XSDT_AT + 40))++;
    (*test_memory_at(RSDT_AT + 40))++;
    KTEST_EXPECT_EQ(test, read_root(POINTER_V2), EINVAL);
    KTEST_EXPECT_EQ(test, root.address, 0);
}

KTEST(acpi_table, later_pointer_without_a_space_is_none)
{
    pointer[7] = 'x';
    seal_pointer();
    KTEST_EXPECT_EQ(test, read_root(POINTER_V2), EINVAL);
}

KTEST(acpi_table, xsdt_comes_with_revision_2)
{
    pointer[15] = 1;
    seal_pointer();
    expect_rsdt(test, POINTER_V2);
}

KTEST(acpi_table, rsdt_is_no_xsdt)
{
    memcpy(pointer + 24, &(uint64_t){RSDT_AT}, 8);
    memcpy(pointer + 16, &(uint32_t){RSDT_AT + 1}, 4);
    seal_pointer();
    KTEST_EXPECT_EQ(test, read_root(POINTER_V2), EINVAL);
}

KTEST(acpi_table, pointer_with_any_byte_changed_is_refused)
{
    for (size_t i = 0; i < POINTER_V1; i++) {
        make_pointer();
        pointer[i] ^= 0x10;
        KTEST_ASSERT_EQ_MSG(test, read_root(POINTER_V2), EINVAL, "byte %zu", i);
    }
    make_pointer();
    pointer[0] = 'r';
    seal_pointer();
    KTEST_EXPECT_EQ(test, read_root(POINTER_V2), EINVAL);
}

KTEST(acpi_table, pointer_that_is_cut_off_is_refused)
{
    for (size_t size_bytes = 0; size_bytes < POINTER_V1; size_bytes++) {
        KTEST_ASSERT_EQ_MSG(test, read_root(size_bytes), EINVAL, "%zu bytes", size_bytes);
    }
    KTEST_EXPECT_EQ(test, acpi_root_read(test_memory_read, NULL, 0, &root), EINVAL);
}

// --- The scan -----------------------------------------------------------------------------------

static void expect_scan(struct ktest *test, uint64_t pointer_at, enum error error)
{
    init(test);
    test_memory_set_ebda(TEST_EBDA >> 4);
    test_memory_write(pointer_at, pointer, sizeof(pointer));
    KTEST_EXPECT_EQ_MSG(test, acpi_root_scan(test_memory_read, &root), error, "0x%lx", pointer_at);
}

KTEST(acpi_table, scan_looks_where_the_firmware_puts_it)
{
    expect_scan(test, TEST_BIOS, OK);
    expect_scan(test, TEST_BIOS + 16, OK);
    expect_scan(test, TEST_BIOS + 8, ENOENT);
    expect_scan(test, TEST_BIOS_END + TEST_PIECE_BYTES - 48, OK);
    expect_scan(test, TEST_EBDA, OK);
    expect_scan(test, TEST_EBDA + 1024 - 16, OK);
    expect_scan(test, TEST_EBDA + 1024, ENOENT);
    expect_scan(test, TEST_HIGH, ENOENT);
}

KTEST(acpi_table, scan_finds_a_short_pointer_at_the_very_end)
{
    pointer[15] = 0;
    seal_pointer();
    test_memory_write(TEST_BIOS_END + TEST_PIECE_BYTES - 32, pointer, POINTER_V1);
    KTEST_ASSERT_EQ(test, acpi_root_scan(test_memory_read, &root), OK);
    KTEST_EXPECT_EQ(test, root.address, RSDT_AT);
}

KTEST(acpi_table, scan_goes_on_behind_a_pointer_to_nothing)
{
    memset(pointer + 16, 0, 4);
    memset(pointer + 24, 0, 8);
    seal_pointer();
    test_memory_write(TEST_BIOS, pointer, sizeof(pointer));
    make_pointer();
    test_memory_write(TEST_BIOS + 48, pointer, sizeof(pointer));
    KTEST_ASSERT_EQ(test, acpi_root_scan(test_memory_read, &root), OK);
    KTEST_EXPECT_EQ(test, root.address, XSDT_AT);
}

KTEST(acpi_table, scan_of_a_machine_without_a_pointer_ends)
{
    KTEST_EXPECT_EQ(test, acpi_root_scan(test_memory_read, &root), ENOENT);
    test_memory_set_ebda(0xffff);
    KTEST_EXPECT_EQ(test, acpi_root_scan(test_memory_read, &root), ENOENT);
}

// --- Tables -------------------------------------------------------------------------------------

static struct acpi_table view;

static enum error read_test_table(void)
{
    return acpi_table_read(test_memory_read, table_at(0), "TEST", &view);
}

KTEST(acpi_table, table_is_read_whole)
{
    write_table(0, "TEST", 99);
    KTEST_ASSERT_EQ(test, read_test_table(), OK);
    KTEST_EXPECT_EQ(test, view.size_bytes, ACPI_HEADER_BYTES + 1);
    KTEST_EXPECT_EQ(test, view.bytes[ACPI_HEADER_BYTES], 99);
}

KTEST_ATTR(acpi_table, table_with_any_byte_changed_is_refused, .proves = "7.7.2");
KTEST(acpi_table, table_with_any_byte_changed_is_refused)
{
    for (size_t i = 0; i <= ACPI_HEADER_BYTES; i++) {
        write_table(0, "TEST", 99);
        *test_memory_at(table_at(0) + i) ^= 0x80;
        KTEST_ASSERT_EQ_MSG(test, read_test_table(), EINVAL, "byte %zu", i);
    }
}

static void write_size(uint32_t size_bytes)
{
    write_table(0, "TEST", 0);
    test_memory_write(table_at(0) + 4, &size_bytes, sizeof(size_bytes));
    *test_memory_at(table_at(0) + 9) = 0;
    *test_memory_at(table_at(0) + 9) =
        test_checksum(test_memory_at(table_at(0)), ACPI_HEADER_BYTES + 1);
}

KTEST(acpi_table, table_of_an_impossible_size_is_refused)
{
    uint32_t left = (uint32_t)(TEST_HIGH + TEST_PIECE_BYTES - table_at(0));
    const uint32_t sizes[] = {
        0, 1, ACPI_HEADER_BYTES - 1, left + 1, ACPI_TABLE_BYTES_MAX + 1, UINT32_MAX};
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        write_size(sizes[i]);
        KTEST_EXPECT_EQ_MSG(test, read_test_table(), EINVAL, "%u bytes", sizes[i]);
    }
    KTEST_EXPECT_EQ(test, test_memory_largest_read(), left + 1); // the others were not even tried
    write_size(left);                                            // what lies behind it here is 0
    KTEST_EXPECT_EQ(test, read_test_table(), OK);
}

KTEST(acpi_table, table_may_be_its_header_alone)
{
    test_table_begin(&table, "TEST");
    test_table_seal(&table);
    test_memory_write(table_at(0), table.bytes, table.size_bytes);
    KTEST_ASSERT_EQ(test, read_test_table(), OK);
    KTEST_EXPECT_EQ(test, view.size_bytes, ACPI_HEADER_BYTES);
}

KTEST(acpi_table, header_at_the_end_of_memory_is_refused)
{
    write_table(0, "TEST", 0);
    uint64_t at = TEST_HIGH + TEST_PIECE_BYTES - ACPI_HEADER_BYTES + 1;
    test_memory_write(at, test_memory_at(table_at(0)), ACPI_HEADER_BYTES - 1);
    KTEST_EXPECT_EQ(test, acpi_table_read(test_memory_read, at, "TEST", &view), EINVAL);
    KTEST_EXPECT_EQ(test, acpi_table_read(test_memory_read, UINT64_MAX, "TEST", &view), EINVAL);
}

// Entries that lead to other tables, broken ones or nowhere are no obstacle.
KTEST(acpi_table, all_of_a_signature_are_found_in_order)
{
    write_root(XSDT_AT, "XSDT", 8, 6);
    write_table(0, "ELSE", 0);
    write_table(1, "TEST", 11);
    write_table(2, "TEST", 22);
    (*test_memory_at(table_at(2) + 20))++;
    write_table(4, "TEST", 44);
    KTEST_ASSERT_EQ(test, read_root(POINTER_V2), OK);
    size_t cursor = 0;
    KTEST_ASSERT_EQ(test, acpi_table_find(&root, "TEST", &cursor, &view), OK);
    KTEST_EXPECT_EQ(test, view.bytes[ACPI_HEADER_BYTES], 11);
    KTEST_ASSERT_EQ(test, acpi_table_find(&root, "TEST", &cursor, &view), OK);
    KTEST_EXPECT_EQ(test, view.bytes[ACPI_HEADER_BYTES], 44);
    KTEST_EXPECT_EQ(test, acpi_table_find(&root, "TEST", &cursor, &view), ENOENT);
    KTEST_EXPECT_EQ(test, cursor, 6);
}

KTEST(acpi_table, half_an_entry_is_none)
{
    test_table_begin(&table, "XSDT");
    test_table_put_number(&table, table_at(0), 8);
    test_table_put_number(&table, table_at(0), 7);
    test_table_seal(&table);
    test_memory_write(XSDT_AT, table.bytes, table.size_bytes);
    KTEST_ASSERT_EQ(test, read_root(POINTER_V2), OK);
    KTEST_EXPECT_EQ(test, root.entry_count, 1);
}

KTEST(acpi_table, entries_beyond_the_limit_are_not_looked_at)
{
    test_table_begin(&table, "RSDT");
    for (size_t i = 0; i <= ACPI_TABLES_MAX; i++) {
        test_table_put_number(&table, i < ACPI_TABLES_MAX ? 0 : TEST_BIOS, 4);
    }
    test_table_seal(&table);
    test_memory_write(TEST_BIOS + 0x200, table.bytes, table.size_bytes);
    memcpy(pointer + 16, &(uint32_t){TEST_BIOS + 0x200}, 4);
    pointer[15] = 0;
    seal_pointer();
    test_table_begin(&table, "TEST");
    test_table_seal(&table);
    test_memory_write(TEST_BIOS, table.bytes, table.size_bytes);
    KTEST_ASSERT_EQ(test, read_root(POINTER_V1), OK);
    KTEST_EXPECT_EQ(test, root.entry_count, ACPI_TABLES_MAX);
    size_t cursor = 0;
    KTEST_EXPECT_EQ(test, acpi_table_find(&root, "TEST", &cursor, &view), ENOENT);
}

// --- Where tables may lie -----------------------------------------------------------------------

static bool is_firmware_memory(uint64_t address, uint64_t size_bytes)
{
    static const struct memory_map map = {
        .areas = {{{{0x0000}, {0x1000}}, MEMORY_RESERVED},
                  {{{0x1000}, {0x2000}}, MEMORY_USABLE},
                  {{{0x2000}, {0x3000}}, MEMORY_ACPI_RECLAIMABLE},
                  {{{0x3000}, {0x4000}}, MEMORY_ACPI_NVS},
                  {{{0x4000}, {0x5000}}, MEMORY_RESERVED},
                  {{{0x5000}, {0x6000}}, MEMORY_BAD},
                  {{{0x6000}, {0x7000}}, MEMORY_KERNEL},
                  {{{0x7000}, {0x8000}}, MEMORY_BOOT_INFO},
                  {{{0x9000}, {0xb000}}, MEMORY_RESERVED}},
        .area_count = 9,
    };
    return acpi_is_firmware_memory(&map, (phys_addr_t){0xa000}, address, size_bytes);
}

KTEST(acpi_table, tables_lie_in_the_firmwares_memory)
{
    KTEST_EXPECT_TRUE(test, is_firmware_memory(0, 0x1000));
    KTEST_EXPECT_TRUE(test, is_firmware_memory(0x2000, 0x3000)); // over three areas
    KTEST_EXPECT_TRUE(test, is_firmware_memory(0x2fff, 2));
    KTEST_EXPECT_TRUE(test, is_firmware_memory(0x9000, 0x1000));
}

KTEST(acpi_table, tables_lie_nowhere_else)
{
    KTEST_EXPECT_FALSE(test, is_firmware_memory(0, 0x1001));
    KTEST_EXPECT_FALSE(test, is_firmware_memory(0x1fff, 2));
    KTEST_EXPECT_FALSE(test, is_firmware_memory(0x4fff, 2));
    for (uint64_t address = 0x5000; address < 0x9000; address += 0x1000) {
        KTEST_EXPECT_FALSE(test, is_firmware_memory(address, 1));
    }
    KTEST_EXPECT_FALSE(test, is_firmware_memory(0x9fff, 2)); // beyond what is mapped
    KTEST_EXPECT_FALSE(test, is_firmware_memory(0xa000, 1));
    KTEST_EXPECT_FALSE(test, is_firmware_memory(0x2000, UINT64_MAX));
    KTEST_EXPECT_FALSE(test, is_firmware_memory(UINT64_MAX, 1));
    KTEST_EXPECT_FALSE(test, is_firmware_memory(UINT64_MAX, UINT64_MAX));
}
