// SPDX-License-Identifier: MIT
//
// A ring of bytes; producer, consumer and contexts are as in lib/ring.h.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/ring.h"

struct byte_ring {
    uint8_t *bytes;
    struct ring ring;
};

// An empty ring in the caller's memory, whose size is a power of two, at most 2^31.
#define BYTE_RING(bytes_, size_bytes_)                                                             \
    (struct byte_ring)                                                                             \
    {                                                                                              \
        .bytes = (bytes_), .ring = ring_empty(size_bytes_)                                         \
    }

// The producer: false, and nothing is kept, if there is no room.
bool byte_ring_put(struct byte_ring *ring, uint8_t byte);

// How many bytes the producer may put at least.
uint32_t byte_ring_free_bytes(const struct byte_ring *ring);

// The consumer: false, and *byte_out untouched, if the ring is empty.
bool byte_ring_take(struct byte_ring *ring, uint8_t *byte_out);
