// SPDX-License-Identifier: MIT
#include "mm/heap/counting.h"

static struct counting_allocator *self_of(const struct allocator *allocator)
{
    return (struct counting_allocator *)(uintptr_t)allocator;
}

static size_t inner_bytes(size_t size_bytes)
{
    return align_up(size_bytes, sizeof(size_t)) + sizeof(size_t);
}

static size_t usable_bytes(const struct allocator *allocator, const void *block)
{
    size_t inner_usable = allocator_usable_bytes(self_of(allocator)->inner, block);
    return align_down(inner_usable, sizeof(size_t)) - sizeof(size_t);
}

// Where it stands how many bytes were asked for.
static size_t *note_of(const struct counting_allocator *self, void *block)
{
    return (size_t *)(void *)((uint8_t *)block + usable_bytes(&self->base, block));
}

static void add(struct counting_allocator *self, void *block, size_t size_bytes)
{
    *note_of(self, block) = size_bytes;
    self->requested_bytes += size_bytes;
    if (self->highest_requested_bytes < self->requested_bytes) {
        self->highest_requested_bytes = self->requested_bytes;
    }
}

static void *allocate(struct allocator *allocator, size_t size_bytes, size_t alignment)
{
    struct counting_allocator *self = self_of(allocator);
    void *block = allocator_allocate(self->inner, inner_bytes(size_bytes),
                                     alignment < sizeof(size_t) ? sizeof(size_t) : alignment);
    if (block == NULL) {
        self->failure_count++;
        return NULL;
    }
    self->allocation_count++;
    add(self, block, size_bytes);
    return block;
}

static void free(struct allocator *allocator, void *block)
{
    struct counting_allocator *self = self_of(allocator);
    self->requested_bytes -= *note_of(self, block);
    allocator_free(self->inner, block);
}

static bool resize(struct allocator *allocator, void *block, size_t size_bytes)
{
    struct counting_allocator *self = self_of(allocator);
    size_t before = *note_of(self, block);
    if (!allocator_resize(self->inner, block, inner_bytes(size_bytes))) {
        return false;
    }
    self->requested_bytes -= before;
    add(self, block, size_bytes);
    return true;
}

static enum error extend(struct allocator *allocator, void *start, size_t size_bytes)
{
    return allocator_extend(self_of(allocator)->inner, start, size_bytes);
}

static void trim(struct allocator *allocator)
{
    allocator_trim(self_of(allocator)->inner);
}

static void measure(const struct allocator *allocator, struct allocator_statistics *out)
{
    const struct counting_allocator *self = self_of(allocator);
    allocator_measure(self->inner, out);
    out->requested_bytes = self->requested_bytes;
    out->highest_requested_bytes = self->highest_requested_bytes;
    out->allocation_count = self->allocation_count;
    out->failure_count = self->failure_count;
}

static const char *check(const struct allocator *allocator)
{
    struct allocator_statistics now;
    allocator_measure(allocator, &now);
    if (now.requested_bytes > now.used_bytes ||
        (now.requested_bytes == 0) != (now.block_count == 0)) {
        return "the bytes that were asked for don't match the blocks";
    }
    return allocator_check(self_of(allocator)->inner);
}

static void dump(const struct allocator *allocator, const struct writer *writer)
{
    const struct counting_allocator *self = self_of(allocator);
    format_write(writer, "%lu allocations, %lu failures, %zu bytes asked for, at most %zu\n",
                 self->allocation_count, self->failure_count, self->requested_bytes,
                 self->highest_requested_bytes);
    allocator_dump(self->inner, writer);
}

void counting_allocator_init(struct counting_allocator *counting_out, struct allocator *inner)
{
    static const struct allocator_operations operations = {
        .name = "counting",
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
    *counting_out = (struct counting_allocator){.base = {&operations}, .inner = inner};
}
