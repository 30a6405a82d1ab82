// SPDX-License-Identifier: MIT
#include "lib/byte_ring.h"

uint32_t byte_ring_free_bytes(const struct byte_ring *ring)
{
    return ring_free_count(&ring->ring);
}

bool byte_ring_put(struct byte_ring *ring, uint8_t byte)
{
    uint32_t place;
    if (!ring_begin_put(&ring->ring, &place)) {
        return false;
    }
    ring->bytes[place] = byte;
    ring_end_put(&ring->ring);
    return true;
}

bool byte_ring_take(struct byte_ring *ring, uint8_t *byte_out)
{
    uint32_t place;
    if (!ring_begin_take(&ring->ring, &place)) {
        return false;
    }
    *byte_out = ring->bytes[place];
    ring_end_take(&ring->ring);
    return true;
}
