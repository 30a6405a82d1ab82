// SPDX-License-Identifier: MIT
//
// One line buffer: tests run one after the other. A fault while a line is put together is followed
// by stream_begin, which drops it; one while it is sent, by the rest of it.
#include "stream.h"

#include "format.h"
#include "port.h"

#define LINE_MAX 1024
#define PIECE_BYTES 16 // the FIFO of a serial port

static char line[LINE_MAX];
static size_t line_bytes;
static uint64_t line_count;
static uint32_t crc = 0xffffffff;
static uint64_t cycles;

static bool is_sending;
static size_t sent_bytes; // of the line
static bool is_group_open;

// CRC-32 of IEEE 802.3, four bits a step: a table of 16 words instead of 256.
static void update_crc(const char *bytes, size_t size_bytes)
{
    static const uint32_t table[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };
    for (size_t i = 0; i < size_bytes; i++) {
        crc ^= (uint8_t)bytes[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
}

static void put(char c)
{
    if (line_bytes < LINE_MAX - 1) { // room for the newline
        line[line_bytes++] = c;
    }
}

// Piece by piece, so that whoever comes after an interruption knows how far it had got. A stack
// that overflows does so before the first byte of a piece is out.
static void send_rest(void)
{
    while (sent_bytes < line_bytes) {
        size_t rest_bytes = line_bytes - sent_bytes;
        size_t piece_bytes = rest_bytes < PIECE_BYTES ? rest_bytes : PIECE_BYTES;
        ktest_port_write(&line[sent_bytes], piece_bytes);
        sent_bytes += piece_bytes;
    }
    is_sending = false;
}

void stream_begin(const char *text)
{
    if (is_sending) {
        send_rest();
    }
    line_bytes = 0;
    stream_text(text);
}

void stream_text(const char *text)
{
    while (*text != 0) {
        put(*text++);
    }
}

void stream_number(uint64_t value)
{
    char digits[21];
    ktest_write_decimal(digits, value);
    stream_text(digits);
}

void stream_end(void)
{
    uint64_t start = ktest_port_cycles();
    line[line_bytes++] = '\n';
    update_crc(line, line_bytes);
    line_count++;
    sent_bytes = 0;
    is_sending = true;
    send_rest();
    cycles += ktest_port_cycles() - start;
}

void stream_hold(void)
{
    is_group_open = true;
}

void stream_release(void)
{
    is_group_open = false;
}

bool stream_is_held(void)
{
    return is_group_open || is_sending;
}

void stream_settle(void)
{
    sent_bytes = line_bytes;
    is_sending = false;
}

uint64_t stream_cycles(void)
{
    return cycles;
}

static bool is_plain(char c)
{
    return c > ' ' && c <= '~' && c != '%';
}

static void put_field(const char *key, const char *value, size_t escaped_max)
{
    put(' ');
    stream_text(key);
    put('=');
    for (size_t used = 0; *value != 0; value++) {
        used += is_plain(*value) ? 1 : 3;
        if (used > escaped_max) {
            stream_text("...");
            return;
        }
        if (is_plain(*value)) {
            put(*value);
        } else {
            put('%');
            put("0123456789ABCDEF"[(uint8_t)*value >> 4]);
            put("0123456789ABCDEF"[(uint8_t)*value & 15]);
        }
    }
}

void stream_field(const char *key, const char *value)
{
    put_field(key, value, STREAM_VALUE_MAX);
}

void stream_field_text(const char *key, const char *value)
{
    put_field(key, value, STREAM_TEXT_MAX);
}

void stream_field_number(const char *key, uint64_t value)
{
    char digits[21];
    ktest_write_decimal(digits, value);
    stream_field(key, digits);
}

void stream_field_hex(const char *key, uint64_t value)
{
    char digits[19] = "0x";
    ktest_write_hex(digits + 2, value);
    stream_field(key, digits);
}

void stream_printable(const char *text)
{
    for (size_t i = 0; text[i] != 0; i++) {
        if (i == STREAM_VALUE_MAX) {
            stream_text("...");
            return;
        }
        put(text[i] >= ' ' && text[i] <= '~' ? text[i] : '?');
    }
}

uint64_t stream_line_count(void)
{
    return line_count;
}

uint32_t stream_crc32(void)
{
    return ~crc;
}
