// SPDX-License-Identifier: MIT
//
// Bytes from an interrupt handler to a task that awaits them, one after the other:
//
//     byte_stream_next_init(&self->next, &stream);
//     AWAIT(self, &self->next.future);
//     if (self->next.has_byte) { ... self->next.byte ... } else { the stream has ended }
//
// It is bounded: what comes while it is full is dropped and counted, and the task is warned of it
// in the log when it has caught up.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/byte_ring.h"
#include "task/atomic_waker.h"
#include "task/future.h"

struct byte_stream {
    const char *name;
    struct byte_ring ring;
    struct atomic_waker reader;
    bool has_ended;          // atomic
    uint64_t dropped_bytes;  // atomic; the producer's
    uint64_t reported_bytes; // the reader's: of those that were dropped
};

// An open stream in the caller's memory, whose size is a power of two. The name is for the log, and
// has to live as long.
void byte_stream_init(struct byte_stream *stream, const char *name, uint8_t *bytes,
                      uint32_t size_bytes);

// The producer, one at a time, in any context but NMI, #DF and #MC. Neither waits nor allocates.
// False, and the byte is dropped, if there is no room.
bool byte_stream_put(struct byte_stream *stream, uint8_t byte);

// Nothing more will be put. What has been can still be taken.
void byte_stream_end(struct byte_stream *stream);

static inline uint64_t byte_stream_dropped_bytes(const struct byte_stream *stream)
{
    return __atomic_load_n(&stream->dropped_bytes, __ATOMIC_RELAXED);
}

// The next byte, or the end. One task may wait at a time.
struct byte_stream_next {
    struct future future;
    struct byte_stream *stream;
    bool has_byte; // when it is ready; false: the stream has ended
    uint8_t byte;
};

void byte_stream_next_init(struct byte_stream_next *next, struct byte_stream *stream);
