// SPDX-License-Identifier: MIT
//
// A heap of slabs: a cache for each class of sizes, 2^n and 3 * 2^n bytes up to 2048, as in
// mm/heap/slab.h. So a block is at most half as large again as what was asked for (but the
// smallest), at any alignment, and comes from a slab of one page. What is larger comes from the
// parent, at a multiple of a page: so no block of a slab looks like it, for there is the header.
//
// Empty slabs go back to the parent when it has no memory left; and if that does not help, a block
// of a larger class serves.
#pragma once

#include "mm/heap/slab.h"

#define SLAB_CLASS_BYTES_MIN 16
#define SLAB_CLASS_BYTES_MAX 2048
#define SLAB_CLASS_COUNT 14

struct slab_allocator {
    struct allocator base;
    struct allocator *parent;
    // By (size - 1) / SLAB_CLASS_BYTES_MIN: the class that fits best.
    struct slab_cache *classes_by_size[SLAB_CLASS_BYTES_MAX / SLAB_CLASS_BYTES_MIN];
    struct slab_cache classes[SLAB_CLASS_COUNT];
};

// Over a parent that is for this one only: its other blocks would count as ours. It should need no
// room for a page but the page, as buddies do. Neither may move. Takes no memory yet.
void slab_allocator_init(struct slab_allocator *slab_out, struct allocator *parent);
