// SPDX-License-Identifier: MIT
//
// Tables that somebody wants to break us with. From sound ones on, bytes are changed by chance and
// all checksums made right again, so that the parsers see them: whatever they read is in bounds
// (the reader and the sanitizers see to that), and what they return holds.
#include "drivers/acpi/fadt.h"
#include "drivers/acpi/madt.h"
#include "drivers/acpi/sleep.h"
#include "drivers/acpi/test_tables.h"
#include "ktest.h"
#include "lib/bits.h"
#include "lib/string.h"
#include "lib/test_random.h"

#define ROUNDS 3000
#define POINTER_AT TEST_BIOS
#define TABLES_AT (TEST_BIOS + 0x100)
#define TABLE_STEP 0x200

enum place { RSDT, XSDT, MADT, FADT, HPET, DSDT, SSDT, PLACES };

static const char *const signatures[PLACES] = {"RSDT", "XSDT", "APIC", "FACP",
                                               "HPET", "DSDT", "SSDT"};

static const uint8_t madt_content[] = {
    0, 0,  0xe0, 0xfe, 1, 0, 0,    0,                            // the fixed part
    0, 8,  0,    0,    1, 0, 0,    0,                            // a CPU
    9, 16, 0,    0,    1, 0, 0,    0,    1, 0, 0, 0, 1, 0, 0, 0, // another one, with an x2APIC
    1, 12, 0,    0,    0, 0, 0xc0, 0xfe, 0, 0, 0, 0,             // an I/O APIC
    2, 10, 0,    0,    2, 0, 0,    0,    0, 0,                   // an override
    4, 6,  0xff, 0,    0, 1, 10,   12,   0, 0, 1, 0, 0, 0, 1, 0, 0, 0, // NMIs
    5, 12, 0,    0,    0, 0, 0xe0, 0xfe, 0, 0, 0, 0,                   // the local APICs' address
};
static const uint8_t fadt_content[232] = {[4] = 0x40, [12] = 0xb2};
static const uint8_t hpet_content[20] = {[10] = 0xd0, [11] = 0xfe};
static const uint8_t aml_content[] = {0x10, 5,    '_', 'S', 'B',  '_', 8, '_', 'S', '5',
                                      '_',  0x12, 7,   4,   0x0a, 5,   0, 0,   0};

static uint64_t place_of(size_t index)
{
    return TABLES_AT + index * TABLE_STEP;
}

static void put_roots_content(struct test_table *table, size_t entry_bytes)
{
    for (size_t i = MADT; i < PLACES; i++) {
        test_table_put_number(table, place_of(i), entry_bytes);
    }
}

static void make_table(struct test_table *table, size_t index)
{
    test_table_begin(table, signatures[index]);
    switch (index) {
    case RSDT:
    case XSDT:
        put_roots_content(table, index == RSDT ? 4 : 8);
        break;
    case MADT:
        test_table_put(table, madt_content, sizeof(madt_content));
        break;
    case FADT:
        test_table_put(table, fadt_content, sizeof(fadt_content));
        break;
    case HPET:
        test_table_put(table, hpet_content, sizeof(hpet_content));
        break;
    default:
        test_table_put(table, aml_content, sizeof(aml_content));
    }
    test_table_seal(table);
}

static void change(struct test_random *random, uint8_t *bytes, size_t size_bytes)
{
    static const uint8_t favourites[] = {0, 1, 2, 0x12, 0x3f, 0x7f, 0x80, 0xff};
    for (uint64_t count = test_random_below(random, 4); count > 0; count--) {
        uint8_t any = (uint8_t)test_random_next(random);
        bool is_favourite = test_random_below(random, 2) == 0;
        bytes[test_random_below(random, size_bytes)] =
            is_favourite ? favourites[any % sizeof(favourites)] : any;
    }
}

// The checksum that is right for the length that the table claims, as far as it is in memory.
static void repair(uint64_t address)
{
    uint8_t *bytes = test_memory_at(address);
    uint32_t size_bytes;
    memcpy(&size_bytes, bytes + ACPI_SIGNATURE_BYTES, sizeof(size_bytes));
    if (size_bytes <= TEST_BIOS + TEST_PIECE_BYTES - address) {
        bytes[9] = 0;
        bytes[9] = test_checksum(bytes, size_bytes);
    }
}

// The pointer keeps its signature, and the tables mostly theirs.
static void make_memory(struct test_random *random)
{
    static struct test_table table;
    uint8_t pointer[36] = "RSD PTR ";
    test_memory_clear();
    for (size_t i = 0; i < PLACES; i++) {
        make_table(&table, i);
        size_t from = test_random_below(random, 8) == 0 ? 0 : ACPI_SIGNATURE_BYTES;
        change(random, table.bytes + from, table.size_bytes - from);
        test_memory_write(place_of(i), table.bytes, table.size_bytes);
    }
    for (size_t i = PLACES; i-- > 0;) {
        repair(place_of(i)); // where they claim to overlap, the first ones win
    }
    pointer[15] = 2;
    memcpy(pointer + 16, &(uint32_t){(uint32_t)place_of(RSDT)}, 4);
    pointer[20] = sizeof(pointer);
    memcpy(pointer + 24, &(uint64_t){place_of(XSDT)}, 8);
    change(random, pointer + 9, sizeof(pointer) - 9);
    pointer[8] = 0;
    pointer[8] = test_checksum(pointer, 20);
    pointer[32] = 0;
    pointer[32] = test_checksum(pointer, sizeof(pointer));
    test_memory_write(POINTER_AT, pointer, sizeof(pointer));
}

// How often each got as far as to be parsed well: a test that never does shows nothing.
static struct {
    unsigned roots, madts, fadts, hpets, sleeps, refused;
} seen;

static void note(unsigned *count, enum error error)
{
    (*count) += error == OK;
    seen.refused += error != OK;
}

static void check_madt(struct ktest *test, const struct acpi_table *table)
{
    static struct acpi_madt madt;
    enum error error = acpi_madt_parse(table, &madt);
    note(&seen.madts, error);
    if (error == OK) {
        KTEST_ASSERT_LE(test, madt.cpu_count, ACPI_CPUS_MAX);
        KTEST_ASSERT_LE(test, madt.io_apic_count, ACPI_IO_APICS_MAX);
        KTEST_ASSERT_LE(test, madt.nmi_count, ACPI_NMIS_MAX);
        KTEST_ASSERT_TRUE(test, phys_addr_is_valid(madt.local_apic.value));
    }
}

static bool is_possible(const struct acpi_register *at)
{
    uint64_t limit = at->space == ACPI_PORT ? 0x10000 : PHYS_ADDR_LIMIT;
    return (at->space == ACPI_NOWHERE) == (at->address == 0) && at->address < limit;
}

static void check_fadt(struct ktest *test, const struct acpi_table *table)
{
    struct acpi_fadt fadt;
    enum error error = acpi_fadt_parse(table, &fadt);
    note(&seen.fadts, error);
    if (error == OK) {
        KTEST_ASSERT_TRUE(test, is_possible(&fadt.reset) && is_possible(&fadt.sleep_control));
        KTEST_ASSERT_TRUE(test, is_possible(&fadt.pm1a_control) && is_possible(&fadt.pm1b_control));
        KTEST_ASSERT_NE(test, fadt.pm1a_control.space, ACPI_MEMORY);
        KTEST_ASSERT_NE(test, fadt.pm1b_control.space, ACPI_MEMORY);
    }
}

static void check_hpet(struct ktest *test, const struct acpi_table *table)
{
    phys_addr_t address;
    enum error error = acpi_hpet_parse(table, &address);
    note(&seen.hpets, error);
    if (error == OK) {
        KTEST_ASSERT_TRUE(test, phys_addr_is_valid(address.value) && address.value != 0);
    }
}

static void check_sleep(struct ktest *test, const struct acpi_table *table)
{
    struct acpi_sleep_type type;
    enum error error = acpi_sleep_find(table->bytes + ACPI_HEADER_BYTES,
                                       table->size_bytes - ACPI_HEADER_BYTES, &type);
    note(&seen.sleeps, error);
    if (error == OK) {
        KTEST_ASSERT_TRUE(test, type.a < 8 && type.b < 8);
    }
}

typedef void check_t(struct ktest *test, const struct acpi_table *table);

static void check_all(struct ktest *test, const struct acpi_root *root, const char *signature,
                      check_t *check)
{
    struct acpi_table table;
    size_t cursor = 0;
    while (acpi_table_find(root, signature, &cursor, &table) == OK) {
        KTEST_ASSERT_LE(test, cursor, ACPI_TABLES_MAX);
        check(test, &table);
    }
}

KTEST_ATTR(acpi_hostile, tables_of_any_bytes_are_refused_or_sound, .speed = KTEST_SPEED_SLOW,
           .timeout_ms = 60000, .proves = "7.7.2");
KTEST(acpi_hostile, tables_of_any_bytes_are_refused_or_sound)
{
    struct test_random random = {0xac91};
    memset(&seen, 0, sizeof(seen));
    for (unsigned round = 0; round < ROUNDS * test_scale(); round++) {
        struct acpi_root root;
        make_memory(&random);
        enum error error = acpi_root_scan(test_memory_read, &root);
        note(&seen.roots, error);
        if (error == OK) {
            check_all(test, &root, "APIC", check_madt);
            check_all(test, &root, "FACP", check_fadt);
            check_all(test, &root, "HPET", check_hpet);
            check_all(test, &root, "DSDT", check_sleep);
            check_all(test, &root, "SSDT", check_sleep);
        }
    }
    KTEST_EXPECT_GT(test, seen.roots, ROUNDS / 2);
    KTEST_EXPECT_GT(test, seen.madts, ROUNDS / 8);
    KTEST_EXPECT_GT(test, seen.fadts, ROUNDS / 8);
    KTEST_EXPECT_GT(test, seen.hpets, ROUNDS / 8);
    KTEST_EXPECT_GT(test, seen.sleeps, ROUNDS / 8);
    KTEST_EXPECT_GT(test, seen.refused, ROUNDS / 2);
}
