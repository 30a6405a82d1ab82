// SPDX-License-Identifier: MIT
//
// Who releases a count has done with the byte behind it; who acquires it may touch that byte.
#include "lib/byte_ring.h"

static uint8_t *place(const struct byte_ring *ring, uint32_t count)
{
    return &ring->bytes[count & (ring->size_bytes - 1)];
}

uint32_t byte_ring_free_bytes(const struct byte_ring *ring)
{
    uint32_t taken_count = __atomic_load_n(&ring->taken_count, __ATOMIC_ACQUIRE);
    return ring->size_bytes - (ring->put_count - taken_count);
}

bool byte_ring_put(struct byte_ring *ring, uint8_t byte)
{
    if (byte_ring_free_bytes(ring) == 0) {
        return false;
    }
    *place(ring, ring->put_count) = byte;
    __atomic_store_n(&ring->put_count, ring->put_count + 1, __ATOMIC_RELEASE);
    return true;
}

bool byte_ring_take(struct byte_ring *ring, uint8_t *byte_out)
{
    if (__atomic_load_n(&ring->put_count, __ATOMIC_ACQUIRE) == ring->taken_count) {
        return false;
    }
    *byte_out = *place(ring, ring->taken_count);
    __atomic_store_n(&ring->taken_count, ring->taken_count + 1, __ATOMIC_RELEASE);
    return true;
}
