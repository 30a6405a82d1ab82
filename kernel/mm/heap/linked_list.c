// SPDX-License-Identifier: MIT
#include "mm/heap/linked_list.h"

#define GRAIN FREE_LIST_GRAIN

struct header {
    size_t size_bytes;                  // of header and block
    const struct list_allocator *owner; // once it is free, the piece's next stands here
};
_Static_assert(sizeof(struct header) == GRAIN);

static struct list_allocator *list_of(const struct allocator *allocator)
{
    return (struct list_allocator *)(uintptr_t)allocator;
}

static struct header *header_of(const struct allocator *allocator, const void *block)
{
    struct header *header = (struct header *)(uintptr_t)block - 1;
    assert(header->owner == list_of(allocator));
    return header;
}

// With its header.
static size_t total_bytes(size_t size_bytes)
{
    return align_up(size_bytes, GRAIN) + GRAIN;
}

static void *allocate(struct allocator *allocator, size_t size_bytes, size_t alignment)
{
    struct list_allocator *list = list_of(allocator);
    size_t total = total_bytes(size_bytes);
    struct header *header = free_list_take(&list->free, total, GRAIN, alignment);
    if (header == NULL) {
        return NULL;
    }
    *header = (struct header){total, list};
    list->block_count++;
    return header + 1;
}

static void free(struct allocator *allocator, void *block)
{
    struct list_allocator *list = list_of(allocator);
    struct header *header = header_of(allocator, block);
    list->block_count--;
    free_list_give(&list->free, header, header->size_bytes);
}

static bool resize(struct allocator *allocator, void *block, size_t size_bytes)
{
    struct list_allocator *list = list_of(allocator);
    struct header *header = header_of(allocator, block);
    size_t total = total_bytes(size_bytes);
    void *old_end = (uint8_t *)header + header->size_bytes;
    if (total > header->size_bytes &&
        !free_list_take_at(&list->free, old_end, total - header->size_bytes)) {
        return false;
    }
    if (total < header->size_bytes) {
        free_list_give(&list->free, (uint8_t *)header + total, header->size_bytes - total);
    }
    header->size_bytes = total;
    return true;
}

static size_t usable_bytes(const struct allocator *allocator, const void *block)
{
    return header_of(allocator, block)->size_bytes - GRAIN;
}

// Whole grains only.
static enum error extend(struct allocator *allocator, void *start, size_t size_bytes)
{
    struct list_allocator *list = list_of(allocator);
    assert(size_bytes <= UINTPTR_MAX - (uintptr_t)start);
    uintptr_t first = align_up((uintptr_t)start, GRAIN);
    uintptr_t end = align_down((uintptr_t)start + size_bytes, GRAIN);
    if (first < end) {
        list->managed_bytes += end - first;
        free_list_give(&list->free, (void *)first, end - first);
    }
    return OK;
}

static void trim(struct allocator *allocator)
{
    (void)allocator;
}

static void measure(const struct allocator *allocator, struct allocator_statistics *out)
{
    const struct list_allocator *list = list_of(allocator);
    for (const struct free_piece *piece = list->free.head.next; piece != NULL;
         piece = piece->next) {
        out->free_bytes += piece->size_bytes;
        if (out->largest_free_bytes < piece->size_bytes) {
            out->largest_free_bytes = piece->size_bytes;
        }
    }
    out->managed_bytes = list->managed_bytes;
    out->used_bytes = list->managed_bytes - out->free_bytes;
    out->block_count = list->block_count;
}

static const char *check(const struct allocator *allocator)
{
    const struct list_allocator *list = list_of(allocator);
    size_t free_bytes = 0;
    uintptr_t end = 0; // of the last piece
    for (const struct free_piece *piece = list->free.head.next; piece != NULL;
         piece = piece->next) {
        if ((uintptr_t)piece <= end && end != 0) {
            return "free pieces overlap, adjoin or are out of order";
        }
        if (piece->size_bytes == 0 || !is_aligned((uintptr_t)piece | piece->size_bytes, GRAIN)) {
            return "a free piece is not made of grains";
        }
        free_bytes += piece->size_bytes;
        end = (uintptr_t)piece + piece->size_bytes;
    }
    if (list->managed_bytes < free_bytes + 2 * GRAIN * list->block_count) {
        return "more is free and used than there is";
    }
    return NULL;
}

static void dump(const struct allocator *allocator, const struct writer *writer)
{
    const struct list_allocator *list = list_of(allocator);
    for (const struct free_piece *piece = list->free.head.next; piece != NULL;
         piece = piece->next) {
        format_write(writer, "free %p, %zu bytes\n", (const void *)piece, piece->size_bytes);
    }
    format_write(writer, "%zu blocks\n", list->block_count);
}

void list_allocator_init(struct list_allocator *list_out, void *start, size_t size_bytes,
                         enum fit fit)
{
    static const struct allocator_operations operations = {
        .name = "linked list",
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
    *list_out = (struct list_allocator){.base = {&operations}, .free = {.fit = fit}};
    enum error error = extend(&list_out->base, start, size_bytes);
    assert(error == OK);
}
