// SPDX-License-Identifier: MIT
//
// A bounded queue from one producer to one consumer, without a lock: an interrupt handler may put
// what a thread takes. The ring tells the places; the elements lie in an array of its owner's, so
// that they can be of any type:
//
//     uint32_t place;
//     if (!ring_begin_put(&ring, &place)) { full }
//     events[place] = event;
//     ring_end_put(&ring);
//
// The producer moves `put_count` only, the consumer `taken_count`; both run on for ever and wrap,
// and their difference is what the ring holds. Who releases a count has done with the element
// behind it; who acquires it may touch that element.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/assert.h"
#include "lib/bits.h"

struct ring {
    uint32_t size;        // elements of the array: a power of two
    uint32_t put_count;   // atomic
    uint32_t taken_count; // atomic
};

static inline struct ring ring_empty(uint32_t size)
{
    assert(is_power_of_two(size));
    return (struct ring){.size = size};
}

// The producer: how many it may put at least; the consumer only makes it more.
static inline uint32_t ring_free_count(const struct ring *ring)
{
    uint32_t taken_count = __atomic_load_n(&ring->taken_count, __ATOMIC_ACQUIRE);
    return ring->size - (ring->put_count - taken_count);
}

// The producer: false, and *place_out untouched, if there is no room. The place is the producer's
// until ring_end_put.
static inline bool ring_begin_put(const struct ring *ring, uint32_t *place_out)
{
    if (ring_free_count(ring) == 0) {
        return false;
    }
    *place_out = ring->put_count & (ring->size - 1);
    return true;
}

static inline void ring_end_put(struct ring *ring)
{
    __atomic_store_n(&ring->put_count, ring->put_count + 1, __ATOMIC_RELEASE);
}

// The consumer: false, and *place_out untouched, if the ring is empty. The place is the consumer's
// until ring_end_take.
static inline bool ring_begin_take(const struct ring *ring, uint32_t *place_out)
{
    if (__atomic_load_n(&ring->put_count, __ATOMIC_ACQUIRE) == ring->taken_count) {
        return false;
    }
    *place_out = ring->taken_count & (ring->size - 1);
    return true;
}

static inline void ring_end_take(struct ring *ring)
{
    __atomic_store_n(&ring->taken_count, ring->taken_count + 1, __ATOMIC_RELEASE);
}
