// SPDX-License-Identifier: MIT
#include "task/serial_stream.h"

static void receive(void *context, uint8_t byte)
{
    struct serial_stream *stream = context;
    (void)byte_stream_put(&stream->stream, byte); // which counts what it has no room for
}

enum error serial_stream_open(struct serial_stream *stream, struct uart *uart)
{
    if (stream->uart != NULL) {
        return EBUSY;
    }
    byte_stream_init(&stream->stream, "serial", stream->bytes, sizeof(stream->bytes));
    enum error error = uart_start_receiving(uart, receive, stream);
    if (error == OK) {
        stream->uart = uart;
    }
    return error;
}

void serial_stream_close(struct serial_stream *stream)
{
    if (stream->uart != NULL) {
        uart_stop_receiving(stream->uart);
        stream->uart = NULL;
        byte_stream_end(&stream->stream);
    }
}
