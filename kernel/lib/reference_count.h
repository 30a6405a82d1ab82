// SPDX-License-Identifier: MIT
//
// How many hold an object; who puts the last reference back releases it. On any CPU and in any
// context in which the release is allowed, without a lock.
//
//     struct file { ...; struct reference_count references; };
//     file->references = (struct reference_count){1, release_file};
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/assert.h"

// So many at most: far from where it would wrap, however many CPUs are past the check.
#define REFERENCES_MAX (UINT32_MAX / 2)

struct reference_count {
    uint32_t count; // atomic; 0: released
    // Frees the object that `references` lies in. Nobody else can reach it any more.
    void (*release)(struct reference_count *references);
};

// One more for someone who holds one, or is given one by a holder.
static inline void reference_get(struct reference_count *references)
{
    uint32_t count = __atomic_fetch_add(&references->count, 1, __ATOMIC_RELAXED);
    assert(count != 0 && count < REFERENCES_MAX);
}

// For someone who found the object without holding one, in a table for example, and has seen to it
// that its memory is still there: false if it is released already.
static inline bool reference_try_get(struct reference_count *references)
{
    uint32_t count = __atomic_load_n(&references->count, __ATOMIC_RELAXED);
    while (count != 0) {
        assert(count < REFERENCES_MAX);
        if (__atomic_compare_exchange_n(&references->count, &count, count + 1, true,
                                        __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
            return true;
        }
    }
    return false;
}

// The caller's goes; if it was the last, the object is released. What the holders wrote before is
// seen by the release.
static inline void reference_put(struct reference_count *references)
{
    uint32_t count = __atomic_fetch_sub(&references->count, 1, __ATOMIC_ACQ_REL);
    assert(count != 0 && count <= REFERENCES_MAX);
    if (count == 1) {
        references->release(references);
    }
}
