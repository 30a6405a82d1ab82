// SPDX-License-Identifier: MIT
#include "mm/heap/heap.h"

#include "arch/x86_64/layout.h"
#include "debug/log.h"
#include "debug/symbols.h"
#include "lib/addr.h"
#include "lib/panic.h"
#include "lib/string.h"
#include "mm/allocation_hook.h"
#include "mm/heap/global.h"
#include "mm/heap/watched_block.h"
#include "mm/heap_window.h"
#include "sync/spinlock.h"

#define FIRST_BYTES (128 << 10)
#define GROW_BYTES (64 << 10) // at a time, or what is asked for
#define DESCRIPTION_BYTES 256

static struct spinlock lock = SPINLOCK("heap", LOCK_RANK_HEAP);
static struct allocator *heap GUARDED_BY(lock);

// Before anybody else has it.
enum error heap_init(void) NO_THREAD_SAFETY_ANALYSIS
{
    virt_addr_t start;
    enum error error = heap_window_grow(FIRST_BYTES, &start);
    if (error == OK) {
        heap = global_allocator_init((void *)start.value, FIRST_BYTES);
    }
    return error;
}

static void append_place(struct text_buffer *text, const char *what, uint64_t site)
{
    text_append(text, ", %s in %s at %#lx", what, symbol_caller(site), site);
}

static void describe(const struct heap_fault *fault, char *text_out, size_t size_bytes)
{
    struct text_buffer text = {text_out, size_bytes, 0};
    text_append(&text, "%s", fault->what);
    if (fault->allocated_at == 0) {
        text_append(&text, " %#lx", (uint64_t)fault->block);
        return;
    }
    text_append(&text, " a block of %zu bytes at %#lx, byte %td", fault->size_bytes,
                (uint64_t)fault->block, fault->offset);
    append_place(&text, "allocated", fault->allocated_at);
    if (fault->freed_at != 0) {
        append_place(&text, "freed", fault->freed_at);
    }
}

// With no lock held: a panic that a test survives would leave it taken.
static void report(const struct heap_fault *fault)
{
    if (fault->what != NULL) {
        char text[DESCRIPTION_BYTES];
        describe(fault, text, sizeof(text));
        panic("heap: %s", text);
    }
}

static enum error grow(size_t size_bytes) REQUIRES(lock)
{
    virt_addr_t start;
    size_bytes = ALIGN_UP(size_bytes, GROW_BYTES);
    enum error error = heap_window_grow(size_bytes, &start);
    if (error != OK) {
        return error;
    }
    error = allocator_extend(heap, (void *)start.value, size_bytes);
    if (error != OK) {
        heap_window_shrink(size_bytes);
    }
    return error;
}

// What is held back comes first, then memory. How much a block needs depends on the design: little
// more than its bytes, or, with buddies, a power of two at a multiple of it.
static void *allocate(size_t size_bytes, size_t alignment, uint64_t site,
                      struct heap_fault *fault_out) REQUIRES(lock)
{
    void *block = heap_block_allocate(heap, size_bytes, alignment, site);
    if (block == NULL && heap_block_release(heap, fault_out)) {
        block = heap_block_allocate(heap, size_bytes, alignment, site);
    }
    for (unsigned times = 1; block == NULL && times <= 4; times *= 4) {
        if (grow(times * (size_bytes + alignment + GROW_BYTES)) != OK) {
            return NULL;
        }
        block = heap_block_allocate(heap, size_bytes, alignment, site);
    }
    return block;
}

static void *allocate_locked(size_t size_bytes, size_t alignment, const void *site)
{
    assert(is_power_of_two(alignment));
    if (size_bytes == 0 || size_bytes > HEAP_SIZE_MAX || allocation_has_to_fail(site)) {
        return NULL;
    }
    struct heap_fault fault = {};
    irq_state_t state = spinlock_lock(&lock);
    void *block = allocate(size_bytes, alignment, (uint64_t)site, &fault);
    spinlock_unlock(&lock, state);
    report(&fault);
    return block;
}

static void *zeroed(void *block, size_t size_bytes)
{
    return block != NULL ? memset(block, 0, size_bytes) : NULL;
}

static void free_locked(void *block, const void *site)
{
    irq_state_t state = spinlock_lock(&lock);
    struct heap_fault fault = heap_block_free(heap, block, (uint64_t)site);
    spinlock_unlock(&lock, state);
    report(&fault);
}

void *kmalloc(size_t size_bytes)
{
    return allocate_locked(size_bytes, KMALLOC_ALIGNMENT, __builtin_return_address(0));
}

void *kmalloc_aligned(size_t size_bytes, size_t alignment)
{
    return allocate_locked(size_bytes, alignment, __builtin_return_address(0));
}

void *kzalloc(size_t size_bytes)
{
    return zeroed(allocate_locked(size_bytes, KMALLOC_ALIGNMENT, __builtin_return_address(0)),
                  size_bytes);
}

void *kcalloc(size_t count, size_t size_bytes)
{
    size_t total_bytes;
    if (__builtin_mul_overflow(count, size_bytes, &total_bytes)) {
        return NULL;
    }
    return zeroed(allocate_locked(total_bytes, KMALLOC_ALIGNMENT, __builtin_return_address(0)),
                  total_bytes);
}

void kfree(void *block)
{
    if (block != NULL) {
        free_locked(block, __builtin_return_address(0));
    }
}

static bool resize_locked(void *block, size_t size_bytes)
{
    irq_state_t state = spinlock_lock(&lock);
    bool is_resized = heap_block_resize(heap, block, size_bytes);
    spinlock_unlock(&lock, state);
    return is_resized;
}

void *krealloc(void *block, size_t size_bytes)
{
    const void *site = __builtin_return_address(0);
    if (block == NULL) {
        return allocate_locked(size_bytes, KMALLOC_ALIGNMENT, site);
    }
    if (size_bytes == 0) {
        free_locked(block, site);
        return NULL;
    }
    if (resize_locked(block, size_bytes)) {
        return block;
    }
    void *moved = allocate_locked(size_bytes, KMALLOC_ALIGNMENT, site);
    if (moved != NULL) {
        size_t old_bytes = kmalloc_usable_bytes(block);
        memcpy(moved, block, old_bytes < size_bytes ? old_bytes : size_bytes);
        free_locked(block, site);
    }
    return moved;
}

static void *resize_for_container(void *context, void *old, size_t old_bytes, size_t new_bytes)
{
    (void)context;
    (void)old_bytes;
    return krealloc(old, new_bytes);
}

const struct memory_source heap_memory = {.resize = resize_for_container};

size_t kmalloc_usable_bytes(const void *block)
{
    irq_state_t state = spinlock_lock(&lock);
    size_t size_bytes = heap_block_usable_bytes(heap, block);
    spinlock_unlock(&lock, state);
    return size_bytes;
}

// --- The whole heap -----------------------------------------------------------------------------

// Who it is never changes.
const char *heap_design(void) NO_THREAD_SAFETY_ANALYSIS
{
    return heap->operations->name;
}

struct allocator_statistics heap_statistics(void)
{
    struct allocator_statistics statistics;
    irq_state_t state = spinlock_lock(&lock);
    allocator_measure(heap, &statistics);
    spinlock_unlock(&lock, state);
    return statistics;
}

bool heap_is_sound(char *problem_out, size_t size_bytes)
{
    struct heap_fault released = {};
    irq_state_t state = spinlock_lock(&lock);
    heap_block_release(heap, &released);
    allocator_trim(heap);
    struct heap_fault fault = heap_block_check();
    const char *damage = allocator_check(heap);
    spinlock_unlock(&lock, state);
    fault = fault.what != NULL ? fault : released;
    if (fault.what != NULL) {
        describe(&fault, problem_out, size_bytes);
    } else if (damage != NULL) {
        format_buffer(problem_out, size_bytes, "%s", damage);
    }
    return fault.what == NULL && damage == NULL;
}

void heap_dump(void)
{
    struct allocator_statistics statistics = heap_statistics();
    println("heap: %s, %zu blocks, %zu of %zu bytes used, %zu free, the largest piece %zu",
            heap_design(), statistics.block_count, statistics.used_bytes, statistics.managed_bytes,
            statistics.free_bytes, statistics.largest_free_bytes);
    irq_state_t state = spinlock_lock(&lock);
    allocator_dump(heap, &log_text_writer);
    spinlock_unlock(&lock, state);
}

// --- For test runners ---------------------------------------------------------------------------

size_t heap_reclaim(uint64_t mark)
{
    struct heap_owner owner;
    uint64_t cursor = 0;
    size_t count = 0;
    while (heap_next(mark, &cursor, &owner)) {
        kfree((void *)(uintptr_t)owner.block);
        count++;
    }
    return count;
}
