// SPDX-License-Identifier: MIT
//
// The current slab is replaced only when it is full. So it is in no list and needs no count, and
// most calls touch nothing but its header.
#include "mm/heap/slab.h"

#include "lib/container_of.h"

#define CACHE_LINE_BYTES 64
#define NUMBER_COUNT_MAX 256 // of a slab; the header takes those that are none
#define SLAB_BYTES_MAX (64 << 10)

// In place of a current slab: it has no free object. Never written.
static struct slab no_slab = {.free = SLAB_LINK_END};

static bool has_current(const struct slab_cache *cache)
{
    return cache->current != &no_slab;
}

static struct slab *slab_at(const struct list_node *node)
{
    return container_of(node, struct slab, node);
}

// --- Slabs --------------------------------------------------------------------------------------

static size_t max_of(size_t one, size_t other)
{
    return one > other ? one : other;
}

static unsigned shift_of(const struct slab_cache *cache)
{
    return (unsigned)__builtin_ctz(cache->stride_bytes);
}

// Where the first object of an uncoloured slab is.
static size_t first_offset(const struct slab_cache *cache)
{
    size_t link_count = cache->type.slab_bytes >> shift_of(cache);
    return align_up(sizeof(struct slab) + link_count, cache->type.alignment);
}

static size_t colour_bytes(const struct slab_cache *cache)
{
    return max_of(cache->type.alignment, CACHE_LINE_BYTES);
}

// Chains all objects, and constructs them.
static void fill_slab(const struct slab_cache *cache, struct slab *slab)
{
    uint32_t step = cache->stride_bytes >> slab->shift;
    for (uint32_t i = 0; i < cache->object_count; i++) {
        slab->links[i * step] = (uint8_t)((i + 1) * step);
        if (cache->type.construct != NULL) {
            cache->type.construct((void *)(slab->first + i * cache->stride_bytes));
        }
    }
    slab->links[(cache->object_count - 1) * step] = SLAB_LINK_END;
}

static struct slab *make_slab(struct slab_cache *cache)
{
    size_t slab_bytes = cache->type.slab_bytes;
    struct slab *slab = allocator_allocate(cache->parent, slab_bytes, slab_bytes);
    if (slab == NULL) {
        return NULL;
    }
    *slab = (struct slab){
        .cache = cache,
        .first = (uintptr_t)slab + first_offset(cache) + cache->colour * colour_bytes(cache),
        .owner = cache->owner,
        .free_count = (uint16_t)cache->object_count,
        .shift = (uint8_t)shift_of(cache),
    };
    fill_slab(cache, slab);
    cache->colour = (cache->colour + 1) % cache->colour_count;
    cache->slab_count++;
    return slab;
}

static void drop_slab(struct slab_cache *cache, struct slab *slab)
{
    cache->slab_count--;
    allocator_free(cache->parent, slab);
}

static struct slab *take_empty(struct slab_cache *cache)
{
    struct list_node *node = list_take_first(&cache->empty);
    if (node == NULL) {
        return NULL;
    }
    cache->empty_count--;
    return slab_at(node);
}

void *slab_cache_allocate_slowly(struct slab_cache *cache)
{
    struct list_node *node = list_take_first(&cache->partial);
    struct slab *slab = node != NULL ? slab_at(node) : take_empty(cache);
    if (slab == NULL) {
        slab = make_slab(cache);
    }
    if (slab == NULL) {
        return NULL;
    }
    if (has_current(cache)) {
        cache->current->free_count = 0;
        list_add_first(&cache->full, &cache->current->node);
    }
    cache->current = slab;
    return slab_take(slab);
}

void slab_cache_move(struct slab_cache *cache, struct slab *slab)
{
    list_remove(&slab->node);
    if (slab->free_count < cache->object_count) {
        list_add_first(&cache->partial, &slab->node);
    } else if (cache->empty_count < cache->type.empty_max) {
        list_add_first(&cache->empty, &slab->node);
        cache->empty_count++;
    } else {
        drop_slab(cache, slab);
    }
}

// --- Caches -------------------------------------------------------------------------------------

// How objects lie in a slab. False if not even one fits.
static bool lay_out(struct slab_cache *cache)
{
    const struct slab_type *type = &cache->type;
    size_t step_bytes = max_of(type->alignment, type->slab_bytes / NUMBER_COUNT_MAX);
    if (type->slab_bytes > SLAB_BYTES_MAX || step_bytes >= type->slab_bytes ||
        type->object_bytes > type->slab_bytes) {
        return false;
    }
    cache->stride_bytes = (uint32_t)align_up(max_of(type->object_bytes, 1), step_bytes);
    if (first_offset(cache) + cache->stride_bytes > type->slab_bytes) {
        return false;
    }
    uint32_t room_bytes = (uint32_t)(type->slab_bytes - first_offset(cache));
    uint32_t rest_bytes = room_bytes % cache->stride_bytes;
    cache->object_count = room_bytes / cache->stride_bytes;
    cache->colour_count = rest_bytes / (uint32_t)colour_bytes(cache) + 1;
    return true;
}

enum error slab_cache_init(struct slab_cache *cache_out, const struct slab_type *type,
                           struct allocator *parent)
{
    *cache_out = (struct slab_cache){
        .current = &no_slab,
        .type = *type,
        .parent = parent,
        .owner = (uint32_t)(uintptr_t)cache_out,
    };
    list_init(&cache_out->full);
    list_init(&cache_out->partial);
    list_init(&cache_out->empty);
    cache_out->type.alignment = max_of(type->alignment, SLAB_ALIGNMENT_MIN);
    cache_out->type.slab_bytes = type->slab_bytes != 0 ? type->slab_bytes : SLAB_BYTES_DEFAULT;
    assert(is_power_of_two(cache_out->type.alignment));
    assert(is_power_of_two(cache_out->type.slab_bytes));
    return lay_out(cache_out) ? OK : EINVAL;
}

static size_t free_count_of(const struct slab *slab)
{
    size_t count = 0;
    for (uint8_t number = slab->free; number != SLAB_LINK_END; number = slab->links[number]) {
        count++;
    }
    return count;
}

size_t slab_cache_shrink(struct slab_cache *cache)
{
    size_t count_before = cache->slab_count;
    struct slab *slab;
    while ((slab = take_empty(cache)) != NULL) {
        drop_slab(cache, slab);
    }
    if (has_current(cache) && free_count_of(cache->current) == cache->object_count) {
        drop_slab(cache, cache->current);
        cache->current = &no_slab;
    }
    return count_before - cache->slab_count;
}

void slab_cache_destroy(struct slab_cache *cache)
{
    slab_cache_shrink(cache);
    if (cache->slab_count != 0) {
        struct slab_cache_statistics statistics;
        slab_cache_measure(cache, &statistics);
        panic("cache %s is destroyed with %zu objects in use", cache->type.name,
              statistics.taken_count);
    }
}

// --- Reports ------------------------------------------------------------------------------------

static void add_slab(const struct slab *slab, struct slab_cache_statistics *statistics)
{
    size_t free_count = free_count_of(slab);
    statistics->empty_count += free_count == slab->cache->object_count;
    statistics->object_count += slab->cache->object_count;
    statistics->taken_count += slab->cache->object_count - free_count;
}

static void add_list(const struct list *list, struct slab_cache_statistics *statistics)
{
    LIST_FOR_EACH(node, list)
    {
        add_slab(slab_at(node), statistics);
    }
}

void slab_cache_measure(const struct slab_cache *cache,
                        struct slab_cache_statistics *statistics_out)
{
    *statistics_out = (struct slab_cache_statistics){.slab_count = cache->slab_count};
    add_list(&cache->full, statistics_out);
    add_list(&cache->partial, statistics_out);
    add_list(&cache->empty, statistics_out);
    if (has_current(cache)) {
        add_slab(cache->current, statistics_out);
    }
}

// Each object is either in use, or in the chain of free ones, once.
static const char *check_links(const struct slab_cache *cache, const struct slab *slab)
{
    uint32_t step = cache->stride_bytes >> slab->shift;
    uint32_t free_count = 0;
    for (uint32_t number = slab->free; number != SLAB_LINK_END; number = slab->links[number]) {
        if (number % step != 0 || number / step >= cache->object_count) {
            return "a link leads to no object";
        }
        if (++free_count > cache->object_count) {
            return "the links are a circle";
        }
    }
    uint32_t taken_count = 0;
    for (uint32_t i = 0; i < cache->object_count; i++) {
        taken_count += slab->links[i * step] == SLAB_LINK_TAKEN;
    }
    return free_count + taken_count == cache->object_count ? NULL : "a free object is missing";
}

static const char *check_slab(const struct slab_cache *cache, const struct slab *slab)
{
    size_t offset = slab->first - (uintptr_t)slab;
    if (!is_aligned((uintptr_t)slab, cache->type.slab_bytes) || slab->cache != cache ||
        slab->owner != cache->owner || slab->shift != shift_of(cache)) {
        return "a slab is not of its cache";
    }
    if (!is_aligned(offset, cache->type.alignment) || offset < first_offset(cache) ||
        offset + cache->object_count * cache->stride_bytes > cache->type.slab_bytes) {
        return "the objects are not inside of their slab";
    }
    return check_links(cache, slab);
}

// Slabs with so many free objects, from the least to the most.
static const char *check_list(const struct slab_cache *cache, const struct list *list,
                              uint32_t least, uint32_t most, size_t *slab_count)
{
    LIST_FOR_EACH(node, list)
    {
        const struct slab *slab = slab_at(node);
        const char *problem = check_slab(cache, slab);
        if (problem != NULL) {
            return problem;
        }
        size_t free_count = free_count_of(slab);
        if (free_count != slab->free_count || free_count < least || free_count > most) {
            return "a slab is in the wrong list";
        }
        ++*slab_count;
    }
    return NULL;
}

const char *slab_cache_check(const struct slab_cache *cache)
{
    uint32_t all = cache->object_count;
    size_t empty_count = 0;
    size_t other_count = has_current(cache);
    const char *problem = has_current(cache) ? check_slab(cache, cache->current) : NULL;
    if (problem == NULL) {
        problem = check_list(cache, &cache->full, 0, 0, &other_count);
    }
    if (problem == NULL) {
        problem = check_list(cache, &cache->partial, 1, all - 1, &other_count);
    }
    if (problem == NULL) {
        problem = check_list(cache, &cache->empty, all, all, &empty_count);
    }
    if (problem == NULL &&
        (empty_count != cache->empty_count || empty_count + other_count != cache->slab_count)) {
        problem = "the counts contradict the lists";
    }
    return problem;
}

void slab_cache_dump(const struct slab_cache *cache, const struct writer *writer)
{
    struct slab_cache_statistics statistics;
    slab_cache_measure(cache, &statistics);
    format_write(writer,
                 "%s: %zu of %zu objects of %zu bytes in use, %zu slabs, %zu of them empty\n",
                 cache->type.name, statistics.taken_count, statistics.object_count,
                 cache->type.object_bytes, statistics.slab_count, statistics.empty_count);
}
