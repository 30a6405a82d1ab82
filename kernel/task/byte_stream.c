// SPDX-License-Identifier: MIT
#include "task/byte_stream.h"

#include "debug/log.h"
#include "lib/container_of.h"

void byte_stream_init(struct byte_stream *stream, const char *name, uint8_t *bytes,
                      uint32_t size_bytes)
{
    *stream = (struct byte_stream){.name = name, .ring = BYTE_RING(bytes, size_bytes)};
}

// The reader of a full one has been woken by those that are in it.
bool byte_stream_put(struct byte_stream *stream, uint8_t byte)
{
    if (!byte_ring_put(&stream->ring, byte)) {
        __atomic_store_n(&stream->dropped_bytes, stream->dropped_bytes + 1, __ATOMIC_RELAXED);
        return false;
    }
    atomic_waker_wake(&stream->reader);
    return true;
}

void byte_stream_end(struct byte_stream *stream)
{
    __atomic_store_n(&stream->has_ended, true, __ATOMIC_RELEASE);
    atomic_waker_wake(&stream->reader);
}

// With the ring empty, so that it is said once for each time that it was full.
static void report_drops(struct byte_stream *stream)
{
    uint64_t dropped_bytes = byte_stream_dropped_bytes(stream);
    if (dropped_bytes != stream->reported_bytes) {
        log_warn(stream->name, "the queue was full, dropped bytes: %lu",
                 dropped_bytes - stream->reported_bytes);
        stream->reported_bytes = dropped_bytes;
    }
}

// The end is looked at first: bytes that were put before it are taken before it.
static bool look(void *object)
{
    struct byte_stream_next *next = object;
    bool has_ended = __atomic_load_n(&next->stream->has_ended, __ATOMIC_ACQUIRE);
    next->has_byte = byte_ring_take(&next->stream->ring, &next->byte);
    if (!next->has_byte) {
        report_drops(next->stream);
    }
    return next->has_byte || has_ended;
}

static enum poll poll(struct future *future, struct poll_context *context)
{
    struct byte_stream_next *next = container_of(future, struct byte_stream_next, future);
    return atomic_waker_poll(&next->stream->reader, context, look, next);
}

static void drop(struct future *future)
{
    struct byte_stream_next *next = container_of(future, struct byte_stream_next, future);
    atomic_waker_clear(&next->stream->reader);
}

void byte_stream_next_init(struct byte_stream_next *next, struct byte_stream *stream)
{
    *next = (struct byte_stream_next){.stream = stream};
    future_init(&next->future, poll, drop);
}
