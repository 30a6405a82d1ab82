// SPDX-License-Identifier: MIT
//
// A selector port and a data port that yields the selected item byte by byte. The directory of
// files is an item itself: a count and entries, big-endian.
#include "boot/fw_cfg.h"

#include <stdbool.h>
#include <stdint.h>

#include "arch/x86_64/port.h"
#include "lib/string.h"

enum fw_cfg_port {
    FW_CFG_SELECTOR = 0x510,
    FW_CFG_DATA = 0x511,
};

#define FW_CFG_SIGNATURE 0x0000
#define FW_CFG_FILE_DIRECTORY 0x0019

// More than any QEMU has; a machine that answers with garbage is not walked for ever.
#define FW_CFG_FILES_MAX 1024

struct directory_entry {
    uint32_t size_bytes;
    uint16_t selector;
    uint16_t reserved;
    char name[56];
};

_Static_assert(sizeof(struct directory_entry) == 64);

static void select(uint16_t item)
{
    port_write16(FW_CFG_SELECTOR, item);
}

static void read_bytes(void *bytes_out, size_t size_bytes)
{
    port_read8_string(FW_CFG_DATA, bytes_out, size_bytes);
}

static bool is_present(void)
{
    char signature[4];
    select(FW_CFG_SIGNATURE);
    read_bytes(signature, sizeof(signature));
    return memcmp(signature, "QEMU", sizeof(signature)) == 0;
}

static enum error find_file(const char *name, struct directory_entry *entry_out)
{
    uint32_t count;
    select(FW_CFG_FILE_DIRECTORY);
    read_bytes(&count, sizeof(count));
    count = __builtin_bswap32(count);
    for (uint32_t i = 0; i < count && i < FW_CFG_FILES_MAX; i++) {
        struct directory_entry entry;
        read_bytes(&entry, sizeof(entry));
        if (strncmp(entry.name, name, sizeof(entry.name)) == 0) {
            entry.size_bytes = __builtin_bswap32(entry.size_bytes);
            entry.selector = __builtin_bswap16(entry.selector);
            *entry_out = entry;
            return OK;
        }
    }
    return ENOENT;
}

enum error fw_cfg_read(const char *name, char *buffer, size_t buffer_bytes)
{
    if (!is_present()) {
        return ENODEV;
    }
    struct directory_entry entry;
    enum error error = find_file(name, &entry);
    if (error != OK) {
        return error;
    }
    if (entry.size_bytes >= buffer_bytes) {
        return ENOSPC;
    }
    select(entry.selector);
    read_bytes(buffer, entry.size_bytes);
    buffer[entry.size_bytes] = 0;
    return OK;
}
