// SPDX-License-Identifier: MIT
//
// What a serial port receives, as a stream of bytes for a task (task/byte_stream.h).
#pragma once

#include <stdint.h>

#include "drivers/uart_16550.h"
#include "lib/error.h"
#include "task/byte_stream.h"

#define SERIAL_STREAM_BYTES 4096 // what a task may be behind: a third of a second at 115,200 baud

// Zeroed it is closed.
struct serial_stream {
    struct byte_stream stream; // for byte_stream_next
    struct uart *uart;         // NULL: closed
    uint8_t bytes[SERIAL_STREAM_BYTES];
};

// What the port holds already comes first. EBUSY: it has a stream, or this one is open;
// ENODEV: as uart_start_receiving says. For tasks and threads.
enum error serial_stream_open(struct serial_stream *stream, struct uart *uart);

// The port receives no more, and the stream ends behind what has come. Nothing if it is closed.
void serial_stream_close(struct serial_stream *stream);
