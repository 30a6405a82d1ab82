// SPDX-License-Identifier: MIT
#include "drivers/acpi/sleep.h"

#include "drivers/acpi/test_tables.h"
#include "ktest.h"
#include "lib/bits.h"
#include "lib/string.h"

static struct acpi_sleep_type found;

static enum error find(const uint8_t *aml, size_t size_bytes)
{
    static uint8_t bytes[8192]; // the sanitizers see what is read beyond its end
    uint8_t *start = bytes + sizeof(bytes) - size_bytes;
    memcpy(start, aml, size_bytes);
    found = (struct acpi_sleep_type){99, 99};
    return acpi_sleep_find(start, size_bytes, &found);
}

#define FIND(...) find((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))
#define S5 '_', 'S', '5', '_'

static void expect(struct ktest *test, uint8_t a, uint8_t b)
{
    KTEST_EXPECT_EQ(test, found.a, a);
    KTEST_EXPECT_EQ(test, found.b, b);
}

// As QEMU's PC has it, between its neighbours; and its microvm, without those.
KTEST(acpi_sleep, package_is_found)
{
    KTEST_ASSERT_EQ(test, FIND(2, 10, 2, 0, 0, 8, S5, 0x12, 6, 4, 0, 0, 0, 0, 0x10, 0x3b), OK);
    expect(test, 0, 0);
    KTEST_ASSERT_EQ(test, FIND(8, S5, 0x12, 7, 4, 0x0a, 5, 0, 0, 0), OK);
    expect(test, 5, 0);
}

KTEST(acpi_sleep, root_character_may_stand_before_the_name)
{
    KTEST_ASSERT_EQ(test, FIND(8, '\\', S5, 0x12, 6, 4, 1, 0, 0, 0), OK);
    expect(test, 1, 0);
    KTEST_EXPECT_EQ(test, FIND('\\', S5, 0x12, 6, 4, 1, 0, 0, 0), ENOENT);
    KTEST_EXPECT_EQ(test, FIND(8, '\\', '\\', S5, 0x12, 6, 4, 1, 0, 0, 0), ENOENT);
}

KTEST(acpi_sleep, integers_have_any_size)
{
    KTEST_ASSERT_EQ(test, FIND(8, S5, 0x12, 7, 4, 0x0a, 7, 0x0a, 6, 0), OK);
    expect(test, 7, 6);
    KTEST_ASSERT_EQ(test, FIND(8, S5, 0x12, 7, 2, 0x0b, 5, 0, 0x0a, 4), OK);
    expect(test, 5, 4);
    KTEST_ASSERT_EQ(test, FIND(8, S5, 0x12, 16, 2, 0x0c, 3, 0, 0, 0, 0x0e, 2, 0, 0, 0, 0, 0, 0, 0),
                    OK);
    expect(test, 3, 2);
    KTEST_ASSERT_EQ(test, FIND(8, S5, 0x12, 13, 2, 0x0e, 4, 0, 0, 0, 0, 0, 0, 0, 0x0a, 6), OK);
    expect(test, 4, 6);
}

KTEST(acpi_sleep, package_length_has_up_to_four_bytes)
{
    KTEST_ASSERT_EQ(test, FIND(8, S5, 0x12, 0x47, 0, 4, 0x0a, 5, 0x0a, 4), OK);
    expect(test, 5, 4);
    KTEST_ASSERT_EQ(test, FIND(8, S5, 0x12, 0x88, 0, 0, 4, 0x0a, 5, 0x0a, 4), OK);
    expect(test, 5, 4);
    KTEST_ASSERT_EQ(test, FIND(8, S5, 0x12, 0xc9, 0, 0, 0, 4, 0x0a, 5, 0x0a, 4), OK);
    expect(test, 5, 4);
}

KTEST(acpi_sleep, package_length_of_more_than_63_bytes_counts)
{
    uint8_t aml[5 + 1 + 70] = {8,  S5,   0x12, 0x46, 4,
                               60, 0x0a, 6,    1}; // 6 | 4 << 4 bytes, and zeroes
    KTEST_ASSERT_EQ(test, find(aml, sizeof(aml)), OK);
    expect(test, 6, 1);
    KTEST_EXPECT_EQ(test, find(aml, sizeof(aml) - 1), ENOENT); // the package is cut off
}

KTEST(acpi_sleep, package_length_of_a_byte_has_six_bits)
{
    uint8_t aml[6 + 63] = {8, S5, 0x12, 63, 4, 0x0a, 6, 0x0a, 2};
    KTEST_ASSERT_EQ(test, find(aml, 6 + 63), OK);
    expect(test, 6, 2);
    KTEST_EXPECT_EQ(test, find(aml, 6 + 62), ENOENT); // the package is cut off
}

KTEST(acpi_sleep, package_length_of_three_bytes_counts)
{
    static uint8_t aml[6 + 0x1006] = {8, S5, 0x12, 0x86, 0, 1, 4, 0x0a, 6, 1};
    KTEST_ASSERT_EQ(test, find(aml, sizeof(aml)), OK);
    expect(test, 6, 1);
    KTEST_EXPECT_EQ(test, find(aml, sizeof(aml) - 1), ENOENT); // the package is cut off
}

KTEST(acpi_sleep, definition_does_not_begin_before_the_table)
{
    static const uint8_t bytes[] = {8, '\\', S5, 0x12, 6, 4, 1, 0, 0, 0};
    KTEST_EXPECT_EQ(test, acpi_sleep_find(bytes + 2, sizeof(bytes) - 2, &found), ENOENT);
    KTEST_EXPECT_EQ(test, acpi_sleep_find(bytes, sizeof(bytes), &found), OK);
}

KTEST(acpi_sleep, what_does_not_decode_is_passed_over)
{
    KTEST_EXPECT_EQ(test, FIND(8, S5, 0x12, 0, 4, 0, 0, 0, 0), ENOENT);       // no length
    KTEST_EXPECT_EQ(test, FIND(8, S5, 0x12, 7, 4, 0, 0, 0, 0), ENOENT);       // beyond the end
    KTEST_EXPECT_EQ(test, FIND(8, S5, 0x12, 3, 4, 0, 0, 0, 0), ENOENT);       // room for one
    KTEST_EXPECT_EQ(test, FIND(8, S5, 0x12, 6, 1, 0, 0, 0, 0), ENOENT);       // one element
    KTEST_EXPECT_EQ(test, FIND(8, S5, 0x12, 6, 0, 0, 0, 0, 0), ENOENT);       // none
    KTEST_EXPECT_EQ(test, FIND(8, S5, 0x12, 5, 2, 0, 0x0b, 0, 0), ENOENT);    // half a word
    KTEST_EXPECT_EQ(test, FIND(8, S5, 0x12, 0x57, 0, 4, 0, 0, 0, 0), ENOENT); // bits that are 0
    KTEST_EXPECT_EQ(test, FIND(8, S5, 0x12, 0x67, 0, 4, 0, 0, 0, 0), ENOENT); // the other bit
    KTEST_EXPECT_EQ(test, FIND(8, S5, 0x12, 0x41, 0, 4, 0, 0, 0, 0), ENOENT); // ends in its length
    KTEST_EXPECT_EQ(test, FIND(8, S5, 0x11, 6, 4, 0, 0, 0, 0), ENOENT);       // a buffer
    KTEST_EXPECT_EQ(test, FIND(8, S5, 0x12, 8, 4, 'A', 'B', 'C', 'D', 0, 0), ENOENT);
    KTEST_EXPECT_EQ(test, FIND(8, S5, 0x12, 6, 4, 0xff, 0, 0, 0), ENOENT);        // all ones
    KTEST_EXPECT_EQ(test, FIND(0x14, 10, S5, 0, 0xa4, 0x12, 4, 2, 0, 0), ENOENT); // a method
    KTEST_EXPECT_EQ(test, FIND(S5, 0x12, 6, 4, 0, 0, 0, 0), ENOENT);              // no definition
    KTEST_EXPECT_EQ(test, found.a, 99);
}

KTEST(acpi_sleep, values_have_three_bits)
{
    KTEST_EXPECT_EQ(test, FIND(8, S5, 0x12, 7, 4, 0x0a, 8, 0x0a, 7, 0), ENOENT);
    KTEST_EXPECT_EQ(test, FIND(8, S5, 0x12, 7, 4, 0x0a, 7, 0x0a, 8, 0), ENOENT);
    KTEST_EXPECT_EQ(test, FIND(8, S5, 0x12, 8, 4, 0x0b, 0, 1, 0x0a, 7, 0), ENOENT);
}

KTEST(acpi_sleep, search_goes_on_behind_what_is_none)
{
    KTEST_ASSERT_EQ(test, FIND(S5, S5, 8, S5, 0x12, 8, S5, 8, S5, 0x12, 5, 2, 0x0a, 3, 0), OK);
    expect(test, 3, 0);
    KTEST_ASSERT_EQ(test, FIND(8, S5, 0x12, 5, 2, 0x0a, 3, 0, 8, S5, 0x12, 5, 2, 0x0a, 4, 0), OK);
    expect(test, 3, 0);
}

KTEST(acpi_sleep, bytes_that_are_cut_off_are_not_read_beyond_their_end)
{
    const uint8_t aml[] = {2, 8, S5, 0x12, 7, 4, 0x0a, 5, 0, 0, 0};
    for (size_t size_bytes = 0; size_bytes < sizeof(aml); size_bytes++) {
        KTEST_EXPECT_EQ_MSG(test, find(aml, size_bytes), ENOENT, "%zu bytes", size_bytes);
    }
    KTEST_EXPECT_EQ(test, find(aml, sizeof(aml)), OK);
}

// --- Which table --------------------------------------------------------------------------------

#define DSDT_AT TEST_HIGH
#define SSDTS_AT (TEST_HIGH + 0x100)
#define SSDT_STEP 0x80
#define ROOT_AT (TEST_HIGH + 0x800)
#define NO_TYPE 0xff

static struct test_table table;

// With a definition of that type, or without one.
static void write_aml(uint64_t address, const char *signature, uint8_t type)
{
    test_table_begin(&table, signature);
    if (type != NO_TYPE) {
        test_table_put(&table, (const uint8_t[]){8, S5, 0x12, 6, 2, 0x0a, type, 0x0a, 1}, 12);
    }
    test_table_seal(&table);
    test_memory_write(address, table.bytes, table.size_bytes);
}

static enum error find_in_tables(uint8_t dsdt_type, uint8_t first_type, uint8_t second_type)
{
    struct acpi_root root = {test_memory_read, ROOT_AT, 8, 2};
    test_memory_clear();
    write_aml(DSDT_AT, "DSDT", dsdt_type);
    write_aml(SSDTS_AT, "SSDT", first_type);
    write_aml(SSDTS_AT + SSDT_STEP, "SSDT", second_type);
    test_memory_write(ROOT_AT + ACPI_HEADER_BYTES,
                      (const uint64_t[]){SSDTS_AT, SSDTS_AT + SSDT_STEP}, 16);
    found = (struct acpi_sleep_type){99, 99};
    return acpi_soft_off_find(&root, DSDT_AT, &found);
}

KTEST(acpi_sleep, dsdt_goes_before_the_ssdts)
{
    KTEST_ASSERT_EQ(test, find_in_tables(5, 6, 7), OK);
    KTEST_EXPECT_EQ(test, found.a, 5);
    KTEST_ASSERT_EQ(test, find_in_tables(NO_TYPE, 6, 7), OK);
    KTEST_EXPECT_EQ(test, found.a, 6);
    KTEST_ASSERT_EQ(test, find_in_tables(NO_TYPE, NO_TYPE, 7), OK);
    KTEST_EXPECT_EQ(test, found.a, 7);
    KTEST_EXPECT_EQ(test, find_in_tables(NO_TYPE, NO_TYPE, NO_TYPE), ENOENT);
    KTEST_EXPECT_EQ(test, found.a, 99);
}
