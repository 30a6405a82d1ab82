// SPDX-License-Identifier: MIT
#include "mm/heap/free_list.h"

#include "lib/assert.h"
#include "lib/bits.h"

_Static_assert(IS_POWER_OF_TWO(FREE_LIST_GRAIN));

static uintptr_t end_of(const struct free_piece *piece)
{
    return (uintptr_t)piece + piece->size_bytes;
}

static struct free_piece *make_piece(uintptr_t start, size_t size_bytes, struct free_piece *next)
{
    struct free_piece *piece = (struct free_piece *)start;
    *piece = (struct free_piece){size_bytes, next};
    return piece;
}

void free_list_give(struct free_list *list, void *start, size_t size_bytes)
{
    uintptr_t end = (uintptr_t)start + size_bytes;
    struct free_piece *before = NULL;
    struct free_piece *after = list->first;
    while (after != NULL && (void *)after < start) {
        before = after;
        after = after->next;
    }
    assert(before == NULL || end_of(before) <= (uintptr_t)start);
    assert(after == NULL || end <= (uintptr_t)after);
    if (after != NULL && end == (uintptr_t)after) {
        size_bytes += after->size_bytes;
        after = after->next;
    }
    if (before == NULL) {
        list->first = make_piece((uintptr_t)start, size_bytes, after);
    } else if (end_of(before) == (uintptr_t)start) {
        before->size_bytes += size_bytes;
        before->next = after;
    } else {
        before->next = make_piece((uintptr_t)start, size_bytes, after);
    }
}

// Takes what begins `padding_bytes` behind the start of the piece that `link` points to. What is
// in front of it and behind it stays in the list.
static void *cut(struct free_piece **link, size_t padding_bytes, size_t size_bytes)
{
    struct free_piece *piece = *link;
    uintptr_t start = (uintptr_t)piece + padding_bytes;
    size_t rest_bytes = piece->size_bytes - padding_bytes - size_bytes;
    struct free_piece *after = piece->next;
    if (rest_bytes != 0) {
        after = make_piece(start + size_bytes, rest_bytes, after);
    }
    if (padding_bytes != 0) {
        *piece = (struct free_piece){padding_bytes, after};
    } else {
        *link = after;
    }
    return (void *)start;
}

// What has to be skipped for the byte at `lead_bytes` to be aligned.
static size_t padding_of(const struct free_piece *piece, size_t lead_bytes, size_t alignment)
{
    return -((uintptr_t)piece + lead_bytes) & (alignment - 1);
}

void *free_list_take(struct free_list *list, size_t size_bytes, size_t lead_bytes, size_t alignment)
{
    struct free_piece **found = NULL;
    for (struct free_piece **link = &list->first; *link != NULL; link = &(*link)->next) {
        struct free_piece *piece = *link;
        if (piece->size_bytes < size_bytes ||
            piece->size_bytes - size_bytes < padding_of(piece, lead_bytes, alignment)) {
            continue;
        }
        if (found == NULL || piece->size_bytes < (*found)->size_bytes) {
            found = link;
        }
        if (list->fit == FIRST_FIT) {
            break;
        }
    }
    return found != NULL ? cut(found, padding_of(*found, lead_bytes, alignment), size_bytes) : NULL;
}

bool free_list_take_at(struct free_list *list, void *start, size_t size_bytes)
{
    struct free_piece **link = &list->first;
    while (*link != NULL && end_of(*link) <= (uintptr_t)start) {
        link = &(*link)->next;
    }
    size_t padding_bytes = (uintptr_t)start - (uintptr_t)*link;
    if (*link == NULL || (void *)*link > start ||
        (*link)->size_bytes - padding_bytes < size_bytes) {
        return false;
    }
    cut(link, padding_bytes, size_bytes);
    return true;
}
