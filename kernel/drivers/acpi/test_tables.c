// SPDX-License-Identifier: MIT
//
// What is read is copied to the end of an array, so that the sanitizers see a byte too many.
#include "drivers/acpi/test_tables.h"

#include "lib/assert.h"
#include "lib/bits.h"
#include "lib/string.h"

#define CHECKSUM_OFFSET 9
#define EBDA_SEGMENT 0x40e

void test_table_begin(struct test_table *table, const char *signature)
{
    memset(table, 0, sizeof(*table));
    memcpy(table->bytes, signature, ACPI_SIGNATURE_BYTES);
    table->size_bytes = ACPI_HEADER_BYTES;
}

void test_table_put(struct test_table *table, const void *bytes, size_t size_bytes)
{
    assert(size_bytes <= sizeof(table->bytes) - table->size_bytes);
    memcpy(table->bytes + table->size_bytes, bytes, size_bytes);
    table->size_bytes += size_bytes;
}

void test_table_put_number(struct test_table *table, uint64_t value, size_t size_bytes)
{
    test_table_put(table, &value, size_bytes);
}

uint8_t test_checksum(const uint8_t *bytes, size_t size_bytes)
{
    uint8_t sum = 0;
    for (size_t i = 0; i < size_bytes; i++) {
        sum = (uint8_t)(sum + bytes[i]);
    }
    return (uint8_t)-sum;
}

void test_table_seal(struct test_table *table)
{
    uint32_t size_bytes = (uint32_t)table->size_bytes;
    memcpy(table->bytes + ACPI_SIGNATURE_BYTES, &size_bytes, sizeof(size_bytes));
    table->bytes[CHECKSUM_OFFSET] = 0;
    table->bytes[CHECKSUM_OFFSET] = test_checksum(table->bytes, table->size_bytes);
}

struct acpi_table test_table_view(const struct test_table *table)
{
    return (struct acpi_table){table->bytes, (uint32_t)table->size_bytes};
}

// --- Memory -------------------------------------------------------------------------------------

static const uint64_t piece_starts[] = {TEST_BIOS, TEST_BIOS_END, TEST_EBDA, TEST_HIGH};
static uint8_t pieces[ARRAY_SIZE(piece_starts)][TEST_PIECE_BYTES];

static uint16_t ebda_segment;
static uint8_t copy0[TEST_PIECE_BYTES];
static uint8_t copy1[TEST_PIECE_BYTES];
static uint8_t copy2[TEST_PIECE_BYTES];
static uint8_t copy3[TEST_PIECE_BYTES];
static uint8_t *const copies[] = {copy0, copy1, copy2, copy3};
static unsigned next_copy;
static uint64_t largest_read;

void test_memory_clear(void)
{
    memset(pieces, 0, sizeof(pieces));
    ebda_segment = 0;
    largest_read = 0;
}

// NULL if these bytes are in no piece.
static uint8_t *find(uint64_t address, uint64_t size_bytes)
{
    for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
        uint64_t offset = address - piece_starts[i];
        if (offset <= TEST_PIECE_BYTES && size_bytes <= TEST_PIECE_BYTES - offset) {
            return pieces[i] + offset;
        }
    }
    return NULL;
}

uint8_t *test_memory_at(uint64_t address)
{
    return find(address, 1);
}

void test_memory_write(uint64_t address, const void *bytes, size_t size_bytes)
{
    uint8_t *to = find(address, size_bytes);
    assert(to != NULL);
    memcpy(to, bytes, size_bytes);
}

void test_memory_set_ebda(uint16_t segment)
{
    ebda_segment = segment;
}

uint64_t test_memory_largest_read(void)
{
    return largest_read;
}

const void *test_memory_read(uint64_t address, uint64_t size_bytes)
{
    largest_read = size_bytes > largest_read ? size_bytes : largest_read;
    bool is_segment = address == EBDA_SEGMENT && size_bytes == sizeof(ebda_segment);
    const void *from = is_segment ? &ebda_segment : (const void *)find(address, size_bytes);
    if (from == NULL) {
        return NULL;
    }
    uint8_t *copy = copies[next_copy++ % ARRAY_SIZE(copies)];
    return memcpy(copy + TEST_PIECE_BYTES - size_bytes, from, size_bytes);
}
