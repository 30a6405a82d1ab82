// SPDX-License-Identifier: MIT
//
// Run-time arguments for a kernel that has none of its own: words key=value from the file
// opt/faultline/ktest of QEMU's fw_cfg, where the harness puts them. Source: QEMU,
// docs/specs/fw_cfg: a selector port, and a data port that yields the item byte by byte.
#include "port.h"

#define SELECTOR_PORT 0x510
#define DATA_PORT 0x511

#define ITEM_SIGNATURE 0x0000
#define ITEM_DIRECTORY 0x0019

#define FILES_MAX 1024 // more than any QEMU has
#define NAME_BYTES 56
#define ARGUMENTS_MAX 32768

static char arguments[ARGUMENTS_MAX];
static size_t arguments_bytes; // words end in 0
static bool is_read;

static uint8_t read_byte(void)
{
    uint8_t byte;
    __asm__ volatile("inb %1, %0" : "=a"(byte) : "d"((uint16_t)DATA_PORT));
    return byte;
}

static void select_item(uint16_t item)
{
    __asm__ volatile("outw %0, %1" : : "a"(item), "d"((uint16_t)SELECTOR_PORT));
}

// Numbers in the directory are big-endian.
static uint32_t read_number(unsigned size_bytes)
{
    uint32_t value = 0;
    while (size_bytes-- > 0) {
        value = value << 8 | read_byte();
    }
    return value;
}

static bool read_text_is(const char *text, unsigned size_bytes)
{
    bool is_equal = true;
    bool is_over = false;
    for (unsigned i = 0; i < size_bytes; i++) {
        uint8_t byte = read_byte();
        is_equal = is_equal && (is_over || byte == (uint8_t)*text);
        is_over = is_over || *text == 0;
        text += !is_over;
    }
    return is_equal;
}

// Ports are for ring 0; a program of an operating system has none, and a machine without the
// device answers with ones.
static bool is_present(void)
{
    uint16_t cs;
    __asm__("mov %%cs, %0" : "=r"(cs));
    if ((cs & 3) != 0) {
        return false;
    }
    select_item(ITEM_SIGNATURE);
    return read_text_is("QEMU", 4);
}

static void read_file(uint16_t item, uint32_t size_bytes)
{
    if (size_bytes >= ARGUMENTS_MAX) {
        return; // better none than some
    }
    select_item(item);
    for (uint32_t i = 0; i < size_bytes; i++) {
        char c = (char)read_byte();
        arguments[i] = c;
        if (c == ' ' || c == '\n') {
            arguments[i] = 0;
        }
    }
    arguments[size_bytes] = 0;
    arguments_bytes = size_bytes + 1;
}

static void read_arguments(void)
{
    if (!is_present()) {
        return;
    }
    select_item(ITEM_DIRECTORY);
    uint32_t count = read_number(4);
    for (uint32_t i = 0; i < count && i < FILES_MAX; i++) {
        uint32_t size_bytes = read_number(4);
        uint16_t item = (uint16_t)read_number(2);
        (void)read_number(2); // reserved
        if (read_text_is("opt/faultline/ktest", NAME_BYTES)) {
            read_file(item, size_bytes);
            return;
        }
    }
}

// What stands behind "key=" in a word; NULL if it is another key's.
static const char *value_of(const char *word, const char *key)
{
    while (*key != 0 && *word == *key) {
        word++;
        key++;
    }
    return *key == 0 && *word == '=' ? word + 1 : NULL;
}

__attribute__((weak)) const char *ktest_port_argument(const char *key)
{
    if (!is_read) {
        is_read = true;
        read_arguments();
    }
    for (size_t at = 0; at < arguments_bytes;) {
        const char *value = value_of(&arguments[at], key);
        if (value != NULL) {
            return value;
        }
        while (arguments[at++] != 0) {
        }
    }
    return NULL;
}
