// SPDX-License-Identifier: MIT
//
// A bounded queue of bytes from one producer to one consumer, without a lock: an interrupt handler
// may put what a thread takes. The producer moves `put_count` only, the consumer `taken_count`;
// both run on for ever and wrap, and their difference is what the ring holds.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct byte_ring {
    uint8_t *bytes;
    uint32_t size_bytes;  // a power of two, at most 2^31
    uint32_t put_count;   // atomic
    uint32_t taken_count; // atomic
};

// An empty ring in the caller's memory.
#define BYTE_RING(bytes_, size_bytes_)                                                             \
    (struct byte_ring)                                                                             \
    {                                                                                              \
        .bytes = (bytes_), .size_bytes = (size_bytes_)                                             \
    }

// The producer: false, and nothing is kept, if there is no room. In any context.
bool byte_ring_put(struct byte_ring *ring, uint8_t byte);

// How many bytes the producer may put at least; the consumer only makes it more.
uint32_t byte_ring_free_bytes(const struct byte_ring *ring);

// The consumer: false, and *byte_out untouched, if the ring is empty. In any context.
bool byte_ring_take(struct byte_ring *ring, uint8_t *byte_out);
