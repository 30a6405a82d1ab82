// SPDX-License-Identifier: MIT
//
// Caches of objects of one type. A cache takes memory from its parent by slabs, which are naturally
// aligned, and holds as many objects in each as fit. So an object's slab is known by its address.
//
// A slab begins with a header and a link for each object: the number of the next free object, or
// that this one is in use. So nothing is written into objects: a free one stays as it was
// constructed, and who writes into it can't lead the cache astray. An object that is freed twice,
// or was never one, is noticed at once.
//
// Objects come from the current slab, the one freed last first. The other slabs are in a list of
// those with all, some or none of their objects in use. Of the empty ones some are kept, and the
// rest goes back to the parent.
//
// Source: J. Bonwick, The Slab Allocator: An Object-Caching Kernel Memory Allocator, USENIX Summer
// 1994 (colouring: 4.1).
#pragma once

#include "lib/list.h"
#include "mm/heap/allocator.h"

#define SLAB_BYTES_DEFAULT 4096
#define SLAB_ALIGNMENT_MIN 16
#define SLAB_LINK_TAKEN 254
#define SLAB_LINK_END 255 // no free object follows

struct slab_type {
    const char *name;
    size_t object_bytes;
    size_t alignment;                // a power of two; at least SLAB_ALIGNMENT_MIN is given
    size_t slab_bytes;               // a power of two; 0: SLAB_BYTES_DEFAULT
    size_t empty_max;                // how many empty slabs to keep, not counting the current one
    void (*construct)(void *object); // once when its slab is made; NULL: nothing to do
};

struct slab {
    struct list_node node;
    struct slab_cache *cache;
    uintptr_t first;     // address of the first object
    uint32_t owner;      // lower half of the address of who may free: the cache or its user
    uint16_t free_count; // but of the current slab
    uint8_t shift;       // objects are numbered in steps of 2^shift bytes, some numbers are unused
    uint8_t free;        // the number of the free object that comes next
    uint8_t links[];
};

struct slab_cache {
    struct slab *current; // in none of the lists
    struct slab_type type;
    struct allocator *parent;
    uint32_t owner;
    uint32_t stride_bytes; // from one object to the next
    uint32_t object_count; // in a slab
    uint32_t colour;       // of the next slab: its objects begin as many steps later
    uint32_t colour_count;
    struct list full; // slabs by how many of their objects are in use: all, some, none
    struct list partial;
    struct list empty;
    size_t empty_count;
    size_t slab_count; // in all
};

// Takes no memory yet. EINVAL if not even one object fits into a slab. `cache_out` may not move.
enum error slab_cache_init(struct slab_cache *cache_out, const struct slab_type *type,
                           struct allocator *parent);

// Gives the memory back. Panics if an object is in use.
void slab_cache_destroy(struct slab_cache *cache);

// The empty slabs go back to the parent. Returns how many there were.
size_t slab_cache_shrink(struct slab_cache *cache);

struct slab_cache_statistics {
    size_t slab_count;
    size_t empty_count; // of these
    size_t object_count;
    size_t taken_count; // of these
};

void slab_cache_measure(const struct slab_cache *cache,
                        struct slab_cache_statistics *statistics_out);

// What is wrong with the cache's data, NULL if nothing is.
const char *slab_cache_check(const struct slab_cache *cache);

// One line.
void slab_cache_dump(const struct slab_cache *cache, const struct writer *writer);

// --- Allocating and freeing: inline, for they are short -----------------------------------------

// When the current slab has no free object.
void *slab_cache_allocate_slowly(struct slab_cache *cache);

// When the first or the last object of a slab has become free that is not the current one.
void slab_cache_move(struct slab_cache *cache, struct slab *slab);

static inline bool slab_has_free(const struct slab *slab)
{
    return slab->free != SLAB_LINK_END;
}

static inline void *slab_take(struct slab *slab)
{
    uintptr_t number = slab->free;
    slab->free = slab->links[number];
    slab->links[number] = SLAB_LINK_TAKEN;
    return (void *)(slab->first + (number << slab->shift));
}

// As constructed, or as it was when it was freed last. NULL if the parent has no memory left.
static inline void *slab_cache_allocate(struct slab_cache *cache)
{
    struct slab *slab = cache->current;
    return slab_has_free(slab) ? slab_take(slab) : slab_cache_allocate_slowly(cache);
}

static inline struct slab *slab_of(const void *object, size_t slab_bytes)
{
    return (struct slab *)align_down((uintptr_t)object, slab_bytes);
}

// The object's number. Panics unless it is in use, and of a slab of `owner`.
static inline uintptr_t slab_number_of(const struct slab *slab, const void *object, uint32_t owner)
{
    assert(slab->owner == owner);
    uintptr_t offset = (uintptr_t)object - slab->first;
    unsigned shift = slab->shift;
    uintptr_t number = offset >> shift | offset << (64 - shift); // huge if there is none
    assert(number < SLAB_LINK_TAKEN && slab->links[number] == SLAB_LINK_TAKEN);
    return number;
}

static inline void slab_free(struct slab *slab, const void *object, uint32_t owner)
{
    uintptr_t number = slab_number_of(slab, object, owner);
    struct slab_cache *cache = slab->cache;
    slab->links[number] = slab->free;
    slab->free = (uint8_t)number;
    if (slab != cache->current) {
        slab->free_count++;
        if (slab->free_count == 1 || slab->free_count == cache->object_count) {
            slab_cache_move(cache, slab);
        }
    }
}

static inline void slab_cache_free(struct slab_cache *cache, void *object)
{
    slab_free(slab_of(object, cache->type.slab_bytes), object, cache->owner);
}
