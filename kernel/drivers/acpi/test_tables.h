// SPDX-License-Identifier: MIT
//
// For tests: tables made by hand, and physical memory for them of which not a byte more is read
// than was asked for.
#pragma once

#include "drivers/acpi/table.h"

#define TEST_TABLE_BYTES 4096

struct test_table {
    uint8_t bytes[TEST_TABLE_BYTES];
    size_t size_bytes;
};

// A header and nothing else; its checksum is right behind test_table_seal.
void test_table_begin(struct test_table *table, const char *signature);
void test_table_put(struct test_table *table, const void *bytes, size_t size_bytes);
void test_table_put_number(struct test_table *table, uint64_t value, size_t size_bytes);
void test_table_seal(struct test_table *table);
struct acpi_table test_table_view(const struct test_table *table);

// The byte that makes the others sum up to 0.
uint8_t test_checksum(const uint8_t *bytes, size_t size_bytes);

// Pieces of memory: where the scan begins and ends, where EBDAs are, and elsewhere.
#define TEST_PIECE_BYTES 8192
#define TEST_BIOS 0xe0000
#define TEST_BIOS_END (0x100000 - TEST_PIECE_BYTES)
#define TEST_EBDA 0x9e000
#define TEST_HIGH 0xfffffffff000

void test_memory_clear(void);
void test_memory_write(uint64_t address, const void *bytes, size_t size_bytes);
uint8_t *test_memory_at(uint64_t address);
void test_memory_set_ebda(uint16_t segment);

// The most bytes that were asked for at once since the memory was cleared.
uint64_t test_memory_largest_read(void);

// A boot_reader_t. What it returns is valid up to the fourth call from then on.
const void *test_memory_read(uint64_t address, uint64_t size_bytes);
