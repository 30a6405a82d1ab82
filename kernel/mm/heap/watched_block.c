// SPDX-License-Identifier: MIT
//
// In memory: a head, which ends with the left red zone; the caller's bytes; the right red zone. All
// heads in use are in a list in the order of their allocation. A freed block is filled with poison
// and waits in a queue, so that its memory is not somebody else's at once: when it leaves, the
// poison has to be whole. Memory that is new to its owner is filled as well, with something else.
// With the address sanitizer (lib/kasan.h) red zones and freed blocks are forbidden to all code but
// this.
#include "mm/heap/watched_block.h"

#include "arch/x86_64/layout.h"
#include "lib/kasan.h"
#include "lib/string.h"
#include "mm/heap_window.h"

#define LEFT_ZONE_IN_USE 0xfeedfacecafef00d
#define LEFT_ZONE_FREED 0xdeadfacedeadf00d
#define RIGHT_ZONE_BYTES 16
#define RIGHT_ZONE 0xfd
#define FRESH 0xa5
#define POISON 0xdd
#define QUARANTINE_BYTES_MAX (64 << 10)

struct head {
    struct head *previous; // in its list
    struct head *next;
    uint64_t number; // the how manieth allocation it was
    void *memory;    // the allocator's block
    size_t size_bytes;
    uint64_t allocated_at;
    uint64_t freed_at;
    uint64_t left_zone; // adjoins the caller's bytes
};
_Static_assert(sizeof(struct head) % KMALLOC_ALIGNMENT == 0);

struct block_list {
    struct head *first;
    struct head *last;
};

static struct block_list in_use;
static struct block_list quarantine;
static size_t quarantine_bytes;
static uint64_t last_number;

static void append(struct block_list *list, struct head *head)
{
    head->previous = list->last;
    head->next = NULL;
    *(list->last != NULL ? &list->last->next : &list->first) = head;
    list->last = head;
}

static void take_out(struct block_list *list, struct head *head)
{
    *(head->previous != NULL ? &head->previous->next : &list->first) = head->next;
    *(head->next != NULL ? &head->next->previous : &list->last) = head->previous;
}

static struct head *head_of(const void *block)
{
    return (struct head *)(uintptr_t)block - 1;
}

static uint8_t *bytes_of(const struct head *head)
{
    return (uint8_t *)(uintptr_t)(head + 1);
}

// To the end of the right zone; the sanitizer knows multiples of 8 only.
static size_t watched_bytes(const struct head *head)
{
    return ALIGN_UP(head->size_bytes + RIGHT_ZONE_BYTES, 8);
}

// --- Looking for what is wrong ------------------------------------------------------------------

static struct heap_fault fault_at(const struct head *head, const char *what, size_t offset)
{
    return (struct heap_fault){
        .what = what,
        .block = bytes_of(head),
        .size_bytes = head->size_bytes,
        .offset = (ptrdiff_t)offset,
        .allocated_at = head->allocated_at,
        .freed_at = head->freed_at,
    };
}

// The left zone is forbidden to all others; volatile, or gcc lets its callers read it.
NO_KASAN static uint64_t left_zone_of(const struct head *head)
{
    return *(const volatile uint64_t *)&head->left_zone;
}

NO_KASAN static void set_left_zone(struct head *head, uint64_t value)
{
    head->left_zone = value;
}

// The first byte that is not `expected`, or `size_bytes`.
NO_KASAN static size_t find_other(const uint8_t *bytes, size_t size_bytes, uint8_t expected)
{
    size_t at = 0;
    while (at < size_bytes && bytes[at] == expected) {
        at++;
    }
    return at;
}

static struct heap_fault check_in_use(const struct head *head)
{
    if (left_zone_of(head) != LEFT_ZONE_IN_USE) {
        return fault_at(head, "something was written in front of", -sizeof(head->left_zone));
    }
    size_t at = find_other(bytes_of(head) + head->size_bytes, RIGHT_ZONE_BYTES, RIGHT_ZONE);
    if (at < RIGHT_ZONE_BYTES) {
        return fault_at(head, "something was written behind", head->size_bytes + at);
    }
    return (struct heap_fault){};
}

static struct heap_fault check_freed(const struct head *head)
{
    if (left_zone_of(head) != LEFT_ZONE_FREED) {
        return fault_at(head, "something was written in front of", -sizeof(head->left_zone));
    }
    size_t at = find_other(bytes_of(head), head->size_bytes + RIGHT_ZONE_BYTES, POISON);
    if (at < head->size_bytes + RIGHT_ZONE_BYTES) {
        return fault_at(head, "something was written, after kfree, to", at);
    }
    return (struct heap_fault){};
}

struct heap_fault heap_block_check(void)
{
    struct heap_fault fault = {};
    for (struct head *head = in_use.first; head != NULL && fault.what == NULL; head = head->next) {
        fault = check_in_use(head);
    }
    for (struct head *head = quarantine.first; head != NULL && fault.what == NULL;
         head = head->next) {
        fault = check_freed(head);
    }
    return fault;
}

// --- The queue of the freed ---------------------------------------------------------------------

static struct heap_fault release_first(struct allocator *allocator)
{
    struct head *head = quarantine.first;
    struct heap_fault fault = check_freed(head);
    take_out(&quarantine, head);
    quarantine_bytes -= head->size_bytes;
    kasan_unpoison(&head->left_zone, sizeof(head->left_zone) + watched_bytes(head));
    allocator_free(allocator, head->memory);
    return fault;
}

bool heap_block_release(struct allocator *allocator, struct heap_fault *fault_out)
{
    bool has_some = quarantine.first != NULL;
    while (quarantine.first != NULL) {
        struct heap_fault fault = release_first(allocator);
        *fault_out = fault.what != NULL ? fault : *fault_out;
    }
    return has_some;
}

// --- Allocating and freeing ---------------------------------------------------------------------

void *heap_block_allocate(struct allocator *allocator, size_t size_bytes, size_t alignment,
                          uint64_t site)
{
    if (size_bytes == 0 || size_bytes > ALLOCATION_BYTES_MAX || alignment > ALLOCATION_BYTES_MAX) {
        return NULL;
    }
    alignment = alignment < KMALLOC_ALIGNMENT ? KMALLOC_ALIGNMENT : alignment;
    size_t front_bytes = ALIGN_UP(sizeof(struct head), alignment);
    uint8_t *memory =
        allocator_allocate(allocator, front_bytes + size_bytes + RIGHT_ZONE_BYTES, alignment);
    if (memory == NULL) {
        return NULL;
    }
    struct head *head = head_of(memory + front_bytes);
    *head = (struct head){
        .number = ++last_number,
        .memory = memory,
        .size_bytes = size_bytes,
        .allocated_at = site,
        .left_zone = LEFT_ZONE_IN_USE,
    };
    append(&in_use, head);
    memset(bytes_of(head), FRESH, size_bytes);
    memset(bytes_of(head) + size_bytes, RIGHT_ZONE, RIGHT_ZONE_BYTES);
    kasan_poison(&head->left_zone, sizeof(head->left_zone) + watched_bytes(head),
                 KASAN_HEAP_RED_ZONE);
    kasan_unpoison(bytes_of(head), size_bytes);
    return bytes_of(head);
}

static bool is_in_window(const void *block)
{
    uintptr_t address = (uintptr_t)block;
    return address % KMALLOC_ALIGNMENT == 0 && address >= HEAP_VMA + sizeof(struct head) &&
           address < heap_window_end().value;
}

// Takes long: only where something is wrong.
static bool is_in_use(const struct head *wanted)
{
    const struct head *head = in_use.first;
    while (head != NULL && head != wanted) {
        head = head->next;
    }
    return head != NULL;
}

// What was written over can't be trusted: then nothing is freed.
struct heap_fault heap_block_free(struct allocator *allocator, void *block, uint64_t site)
{
    const struct heap_fault no_block = {"kfree of what is no block of the heap,", .block = block};
    if (!is_in_window(block)) {
        return no_block;
    }
    struct head *head = head_of(block);
    if (left_zone_of(head) == LEFT_ZONE_FREED) {
        return fault_at(head, "second kfree of", 0);
    }
    if (left_zone_of(head) != LEFT_ZONE_IN_USE) {
        return is_in_use(head) ? check_in_use(head) : no_block;
    }
    struct heap_fault fault = check_in_use(head);
    take_out(&in_use, head);
    head->freed_at = site;
    set_left_zone(head, LEFT_ZONE_FREED);
    kasan_unpoison(block, watched_bytes(head));
    memset(block, POISON, head->size_bytes + RIGHT_ZONE_BYTES);
    kasan_poison(block, watched_bytes(head), KASAN_HEAP_FREED);
    append(&quarantine, head);
    quarantine_bytes += head->size_bytes;
    while (quarantine_bytes > QUARANTINE_BYTES_MAX) {
        struct heap_fault older = release_first(allocator);
        fault = fault.what != NULL ? fault : older;
    }
    return fault;
}

// Never in place: who still writes to the old one is found out.
bool heap_block_resize(struct allocator *allocator, void *block, size_t size_bytes)
{
    (void)allocator;
    (void)block;
    (void)size_bytes;
    return false;
}

size_t heap_block_usable_bytes(const struct allocator *allocator, const void *block)
{
    (void)allocator;
    return head_of(block)->size_bytes;
}

// --- For test runners ---------------------------------------------------------------------------

uint64_t heap_mark(void)
{
    return last_number;
}

bool heap_next(uint64_t mark, uint64_t *cursor, struct heap_owner *owner_out)
{
    uint64_t after = *cursor > mark ? *cursor : mark;
    struct head *found = NULL;
    for (struct head *head = in_use.last; head != NULL && head->number > after;
         head = head->previous) {
        found = head;
    }
    if (found == NULL) {
        return false;
    }
    *cursor = found->number;
    *owner_out = (struct heap_owner){bytes_of(found), found->size_bytes, found->allocated_at};
    return true;
}
