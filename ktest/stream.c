// SPDX-License-Identifier: MIT
//
// One line buffer: tests run one after the other. A fault while a line is put together is followed
// by stream_begin, which drops it; one while it is sent, by the rest of it.
#include "stream.h"

#include "port.h"

#define LINE_MAX 1024

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

static size_t write_decimal(char *digits, uint64_t value)
{
    char reversed[20];
    size_t count = 0;
    do {
        reversed[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    for (size_t i = 0; i < count; i++) {
        digits[i] = reversed[count - 1 - i];
    }
    digits[count] = 0;
    return count;
}

static size_t write_hex(char *digits, uint64_t value)
{
    size_t count = 1;
    while (count < 16 && value >> (4 * count) != 0) {
        count++;
    }
    for (size_t i = 0; i < count; i++) {
        digits[i] = "0123456789abcdef"[value >> (4 * (count - 1 - i)) & 15];
    }
    digits[count] = 0;
    return count;
}

// Byte by byte, so that whoever comes after an interruption knows how far it had got.
static void send_rest(void)
{
    while (sent_bytes < line_bytes) {
        ktest_port_write(&line[sent_bytes], 1);
        sent_bytes++;
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
    write_decimal(digits, value);
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

uint64_t stream_cycles(void)
{
    return cycles;
}

static bool is_plain(char c)
{
    return c > ' ' && c <= '~' && c != '%';
}

void stream_field(const char *key, const char *value)
{
    put(' ');
    stream_text(key);
    put('=');
    for (size_t used = 0; *value != 0; value++) {
        used += is_plain(*value) ? 1 : 3;
        if (used > STREAM_VALUE_MAX) {
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

void stream_field_number(const char *key, uint64_t value)
{
    char digits[21];
    write_decimal(digits, value);
    stream_field(key, digits);
}

void stream_field_hex(const char *key, uint64_t value)
{
    char digits[19] = "0x";
    write_hex(digits + 2, value);
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

struct text {
    char *next;
    char *last; // for the terminating 0
};

static void append(struct text *text, const char *bytes)
{
    while (*bytes != 0 && text->next < text->last) {
        *text->next++ = *bytes++;
    }
    *text->next = 0;
}

enum length { LENGTH_INT, LENGTH_LONG, LENGTH_LONG_LONG, LENGTH_SIZE };

static const char *parse_length(const char *format, enum length *length_out)
{
    *length_out = LENGTH_INT;
    for (;; format++) {
        if (*format == 'l') {
            *length_out = *length_out == LENGTH_LONG ? LENGTH_LONG_LONG : LENGTH_LONG;
        } else if (*format == 'z') {
            *length_out = LENGTH_SIZE;
        } else if (*format != 'h') {
            return format;
        }
    }
}

// A va_list that is passed on by reference.
struct arguments {
    va_list list;
};

static uint64_t next_unsigned(struct arguments *arguments, enum length length)
{
    switch (length) {
    case LENGTH_LONG:
        return va_arg(arguments->list, unsigned long);
    case LENGTH_LONG_LONG:
        return va_arg(arguments->list, unsigned long long);
    case LENGTH_SIZE:
        return va_arg(arguments->list, size_t);
    case LENGTH_INT:
        break;
    }
    return va_arg(arguments->list, unsigned);
}

static int64_t next_signed(struct arguments *arguments, enum length length)
{
    return length == LENGTH_INT ? va_arg(arguments->list, int)
                                : (int64_t)next_unsigned(arguments, length);
}

static void append_conversion(struct text *text, char conversion, enum length length,
                              struct arguments *arguments)
{
    char digits[24] = "";
    if (conversion == 's') {
        const char *string = va_arg(arguments->list, const char *);
        append(text, string != NULL ? string : "(null)");
        return;
    }
    if (conversion == 'c') {
        digits[0] = (char)va_arg(arguments->list, int);
        digits[1] = 0;
    } else if (conversion == 'd' || conversion == 'i') {
        int64_t value = next_signed(arguments, length);
        append(text, value < 0 ? "-" : "");
        write_decimal(digits, value < 0 ? -(uint64_t)value : (uint64_t)value);
    } else if (conversion == 'u') {
        write_decimal(digits, next_unsigned(arguments, length));
    } else if (conversion == 'x') {
        write_hex(digits, next_unsigned(arguments, length));
    } else if (conversion == 'p') {
        append(text, "0x");
        write_hex(digits, (uintptr_t)va_arg(arguments->list, void *));
    } else {
        digits[0] = '%';
        digits[1] = conversion == '%' ? 0 : conversion;
    }
    append(text, digits);
}

void ktest_vformat(char *buffer, size_t size_bytes, const char *format, va_list list)
{
    struct text text = {buffer, buffer + size_bytes - 1};
    struct arguments arguments;
    va_copy(arguments.list, list);
    *buffer = 0;
    for (; *format != 0; format++) {
        if (*format != '%') {
            append(&text, (char[2]){*format, 0});
            continue;
        }
        enum length length;
        format = parse_length(format + 1, &length);
        if (*format == 0) {
            break;
        }
        append_conversion(&text, *format, length, &arguments);
    }
    va_end(arguments.list);
}

void ktest_format(char *buffer, size_t size_bytes, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    ktest_vformat(buffer, size_bytes, format, arguments);
    va_end(arguments);
}
