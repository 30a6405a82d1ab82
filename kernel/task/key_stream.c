// SPDX-License-Identifier: MIT
#include "task/key_stream.h"

#include "debug/log.h"
#include "lib/container_of.h"

// In the interrupt, behind what it has stored.
static void on_stored(void *context)
{
    struct key_stream *stream = context;
    atomic_waker_wake(&stream->reader);
}

enum error key_stream_open(struct key_stream *stream, struct ps2_keyboard *keyboard)
{
    if (stream->keyboard != NULL) {
        return EBUSY;
    }
    enum error error = ps2_keyboard_listen(keyboard, on_stored, stream);
    if (error == OK) {
        stream->keyboard = keyboard;
    }
    return error;
}

void key_stream_close(struct key_stream *stream)
{
    if (stream->keyboard != NULL) {
        ps2_keyboard_stop_listening(stream->keyboard);
        stream->keyboard = NULL;
        atomic_waker_wake(&stream->reader);
    }
}

// With the ring empty, so that it is said once for each time that it was full.
static void report_drops(struct ps2_keyboard *keyboard)
{
    uint64_t dropped_bytes = ps2_keyboard_dropped_bytes(keyboard);
    if (dropped_bytes != keyboard->reported_bytes) {
        log_warn("keyboard", "the queue was full, dropped bytes: %lu",
                 dropped_bytes - keyboard->reported_bytes);
        keyboard->reported_bytes = dropped_bytes;
    }
}

static bool look(void *object)
{
    struct key_stream_next *next = object;
    struct key_stream *stream = next->stream;
    if (stream->keyboard == NULL) {
        return true;
    }
    next->has_key = ps2_keyboard_read(stream->keyboard, &next->input);
    if (!next->has_key) {
        report_drops(stream->keyboard);
    }
    return next->has_key;
}

static enum poll poll(struct future *future, struct poll_context *context)
{
    struct key_stream_next *next = container_of(future, struct key_stream_next, future);
    return atomic_waker_poll(&next->stream->reader, context, look, next);
}

static void drop(struct future *future)
{
    struct key_stream_next *next = container_of(future, struct key_stream_next, future);
    atomic_waker_clear(&next->stream->reader);
}

void key_stream_next_init(struct key_stream_next *next, struct key_stream *stream)
{
    *next = (struct key_stream_next){.stream = stream};
    future_init(&next->future, poll, drop);
}
