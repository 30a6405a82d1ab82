// SPDX-License-Identifier: MIT
#include "mm/heap/slab_allocator.h"

#define SLAB_BYTES SLAB_BYTES_DEFAULT
#define EMPTY_MAX 1 // of each class

static struct slab_allocator *slab_allocator_of(const struct allocator *allocator)
{
    return (struct slab_allocator *)(uintptr_t)allocator;
}

static uint32_t owner_of(const struct slab_allocator *self)
{
    return (uint32_t)(uintptr_t)self;
}

static bool is_large(const void *block)
{
    return is_aligned((uintptr_t)block, SLAB_BYTES);
}

// --- Allocating and freeing ---------------------------------------------------------------------

static void trim(struct allocator *allocator)
{
    struct slab_allocator *self = slab_allocator_of(allocator);
    for (unsigned i = 0; i < SLAB_CLASS_COUNT; i++) {
        (void)slab_cache_shrink(&self->classes[i]);
    }
    allocator_trim(self->parent);
}

[[gnu::noinline]] static void *allocate_large(struct slab_allocator *self, size_t size_bytes,
                                              size_t alignment)
{
    alignment = alignment > SLAB_BYTES ? alignment : SLAB_BYTES;
    void *block = allocator_allocate(self->parent, size_bytes, alignment);
    if (block == NULL) {
        trim(&self->base);
        block = allocator_allocate(self->parent, size_bytes, alignment);
    }
    return block;
}

// From another slab of the class, after all classes have given back what they kept, or from a
// larger class.
[[gnu::noinline]] static void *allocate_slowly(struct slab_allocator *self,
                                               struct slab_cache *size_class, size_t alignment)
{
    void *block = slab_cache_allocate_slowly(size_class);
    if (block == NULL) {
        trim(&self->base);
    }
    for (; block == NULL && size_class < &self->classes[SLAB_CLASS_COUNT]; size_class++) {
        if (size_class->type.alignment >= alignment) {
            block = slab_cache_allocate(size_class);
        }
    }
    return block;
}

static void *allocate(struct allocator *allocator, size_t size_bytes, size_t alignment)
{
    struct slab_allocator *self = slab_allocator_of(allocator);
    // A class at or above a multiple of an alignment is one too: 2^n, or 3 * 2^n.
    size_t last = (size_bytes - 1) | (alignment - 1);
    if (last >= SLAB_CLASS_BYTES_MAX) {
        return allocate_large(self, size_bytes, alignment);
    }
    struct slab_cache *size_class = self->classes_by_size[last / SLAB_CLASS_BYTES_MIN];
    struct slab *slab = size_class->current;
    return slab_has_free(slab) ? slab_take(slab) : allocate_slowly(self, size_class, alignment);
}

static void free(struct allocator *allocator, void *block)
{
    struct slab_allocator *self = slab_allocator_of(allocator);
    if (is_large(block)) {
        allocator_free(self->parent, block);
    } else {
        slab_free(slab_of(block, SLAB_BYTES), block, owner_of(self));
    }
}

static size_t usable_bytes(const struct allocator *allocator, const void *block)
{
    const struct slab_allocator *self = slab_allocator_of(allocator);
    if (is_large(block)) {
        return allocator_usable_bytes(self->parent, block);
    }
    const struct slab *slab = slab_of(block, SLAB_BYTES);
    (void)slab_number_of(slab, block, owner_of(self));
    return slab->cache->stride_bytes;
}

static bool resize(struct allocator *allocator, void *block, size_t size_bytes)
{
    struct slab_allocator *self = slab_allocator_of(allocator);
    return is_large(block) ? allocator_resize(self->parent, block, size_bytes)
                           : size_bytes <= usable_bytes(allocator, block);
}

static enum error extend(struct allocator *allocator, void *start, size_t size_bytes)
{
    return allocator_extend(slab_allocator_of(allocator)->parent, start, size_bytes);
}

// --- Reports ------------------------------------------------------------------------------------

// Used is what is not free: also the headers of slabs.
static void measure(const struct allocator *allocator, struct allocator_statistics *out)
{
    const struct slab_allocator *self = slab_allocator_of(allocator);
    allocator_measure(self->parent, out);
    for (unsigned i = 0; i < SLAB_CLASS_COUNT; i++) {
        const struct slab_cache *size_class = &self->classes[i];
        struct slab_cache_statistics slabs;
        slab_cache_measure(size_class, &slabs);
        out->block_count += slabs.taken_count - slabs.slab_count;
        out->free_bytes += (slabs.object_count - slabs.taken_count) * size_class->stride_bytes;
    }
    out->used_bytes = out->managed_bytes - out->free_bytes;
}

static const char *check(const struct allocator *allocator)
{
    const struct slab_allocator *self = slab_allocator_of(allocator);
    const char *problem = allocator_check(self->parent);
    for (unsigned i = 0; i < SLAB_CLASS_COUNT && problem == NULL; i++) {
        problem = slab_cache_check(&self->classes[i]);
    }
    return problem;
}

static void dump(const struct allocator *allocator, const struct writer *writer)
{
    const struct slab_allocator *self = slab_allocator_of(allocator);
    for (unsigned i = 0; i < SLAB_CLASS_COUNT; i++) {
        slab_cache_dump(&self->classes[i], writer);
    }
    allocator_dump(self->parent, writer);
}

// --- Classes ------------------------------------------------------------------------------------

static const struct slab_type types[SLAB_CLASS_COUNT] = {
#define CLASS(bytes_, alignment_)                                                                  \
    {                                                                                              \
#bytes_ " bytes", bytes_, alignment_, SLAB_BYTES, EMPTY_MAX, NULL                          \
    }
    CLASS(16, 16),   CLASS(32, 32),     CLASS(48, 16),    CLASS(64, 64),     CLASS(96, 32),
    CLASS(128, 128), CLASS(192, 64),    CLASS(256, 256),  CLASS(384, 128),   CLASS(512, 512),
    CLASS(768, 256), CLASS(1024, 1024), CLASS(1536, 512), CLASS(2048, 2048),
#undef CLASS
};

void slab_allocator_init(struct slab_allocator *slab_out, struct allocator *parent)
{
    static const struct allocator_operations operations = {
        .name = "slab",
        .allocate = allocate,
        .free = free,
        .resize = resize,
        .usable_bytes = usable_bytes,
        .extend = extend,
        .trim = trim,
        .measure = measure,
        .check = check,
        .dump = dump,
    };
    slab_out->base.operations = &operations;
    slab_out->parent = parent;
    size_t size_bytes = 0;
    for (unsigned i = 0; i < SLAB_CLASS_COUNT; i++) {
        struct slab_cache *size_class = &slab_out->classes[i];
        enum error error = slab_cache_init(size_class, &types[i], parent);
        assert(error == OK);
        size_class->owner = owner_of(slab_out);
        for (; size_bytes < types[i].object_bytes; size_bytes += SLAB_CLASS_BYTES_MIN) {
            slab_out->classes_by_size[size_bytes / SLAB_CLASS_BYTES_MIN] = size_class;
        }
    }
}
