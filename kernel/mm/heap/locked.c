// SPDX-License-Identifier: MIT
#include "mm/heap/locked.h"

static struct locked_allocator *self_of(const struct allocator *allocator)
{
    return (struct locked_allocator *)(uintptr_t)allocator;
}

static void *allocate(struct allocator *allocator, size_t size_bytes, size_t alignment)
{
    struct locked_allocator *self = self_of(allocator);
    irq_state_t state = spinlock_lock(&self->lock);
    void *block = allocator_allocate(self->inner, size_bytes, alignment);
    spinlock_unlock(&self->lock, state);
    return block;
}

static void free(struct allocator *allocator, void *block)
{
    struct locked_allocator *self = self_of(allocator);
    irq_state_t state = spinlock_lock(&self->lock);
    allocator_free(self->inner, block);
    spinlock_unlock(&self->lock, state);
}

static bool resize(struct allocator *allocator, void *block, size_t size_bytes)
{
    struct locked_allocator *self = self_of(allocator);
    irq_state_t state = spinlock_lock(&self->lock);
    bool is_resized = allocator_resize(self->inner, block, size_bytes);
    spinlock_unlock(&self->lock, state);
    return is_resized;
}

static size_t usable_bytes(const struct allocator *allocator, const void *block)
{
    struct locked_allocator *self = self_of(allocator);
    irq_state_t state = spinlock_lock(&self->lock);
    size_t size_bytes = allocator_usable_bytes(self->inner, block);
    spinlock_unlock(&self->lock, state);
    return size_bytes;
}

static enum error extend(struct allocator *allocator, void *start, size_t size_bytes)
{
    struct locked_allocator *self = self_of(allocator);
    irq_state_t state = spinlock_lock(&self->lock);
    enum error error = allocator_extend(self->inner, start, size_bytes);
    spinlock_unlock(&self->lock, state);
    return error;
}

static void trim(struct allocator *allocator)
{
    struct locked_allocator *self = self_of(allocator);
    irq_state_t state = spinlock_lock(&self->lock);
    allocator_trim(self->inner);
    spinlock_unlock(&self->lock, state);
}

static void measure(const struct allocator *allocator, struct allocator_statistics *out)
{
    struct locked_allocator *self = self_of(allocator);
    irq_state_t state = spinlock_lock(&self->lock);
    allocator_measure(self->inner, out);
    spinlock_unlock(&self->lock, state);
}

static const char *check(const struct allocator *allocator)
{
    struct locked_allocator *self = self_of(allocator);
    irq_state_t state = spinlock_lock(&self->lock);
    const char *problem = allocator_check(self->inner);
    spinlock_unlock(&self->lock, state);
    return problem;
}

static void dump(const struct allocator *allocator, const struct writer *writer)
{
    struct locked_allocator *self = self_of(allocator);
    irq_state_t state = spinlock_lock(&self->lock);
    allocator_dump(self->inner, writer);
    spinlock_unlock(&self->lock, state);
}

void locked_allocator_init(struct locked_allocator *locked_out, struct allocator *inner,
                           const char *name)
{
    static const struct allocator_operations operations = {
        .name = "locked",
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
    *locked_out = (struct locked_allocator){{&operations}, inner, SPINLOCK(name, LOCK_RANK_HEAP)};
}
