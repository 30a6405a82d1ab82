// SPDX-License-Identifier: MIT
//
// The one instance, its lock, and panics in place of verdicts. Nobody panics with the lock held: a
// wrong call has changed nothing, and a report may want frames.
#include "mm/frame.h"

#include "arch/x86_64/layout.h"
#include "debug/log.h"
#include "debug/symbols.h"
#include "lib/string.h"
#include "mm/allocation_hook.h"
#include "mm/direct_map.h"
#include "sync/spinlock.h"

static struct spinlock lock = SPINLOCK("frames", LOCK_RANK_FRAME);
// By its own name where no lock is taken: in reports, and by test runners, which are alone.
static struct frame_allocator the_frames;
static struct frame_allocator *const frames GUARDED_BY(lock) = &the_frames;
static const struct memory_map *memory_map;

enum error frame_init(struct memory_map *map)
{
    uint64_t metadata_bytes = frame_allocator_metadata_bytes(map);
    phys_addr_t metadata;
    enum error error = memory_map_take(map, metadata_bytes, direct_map_end(), &metadata);
    if (error != OK) {
        return error;
    }
    memset(phys_to_direct(metadata), 0, metadata_bytes);
    irq_state_t state = spinlock_lock(&lock);
    error = frame_allocator_init(frames, map, phys_to_direct(metadata), metadata_bytes);
    spinlock_unlock(&lock, state);
    memory_map = map;
    uint64_t in_use = memory_map_size_bytes(map, MEMORY_KERNEL) +
                      memory_map_size_bytes(map, MEMORY_BOOT_INFO);
    log_info("mm", "%lu KiB usable, %lu KiB in use, of these %lu KiB metadata of frames",
             memory_map_size_bytes(map, MEMORY_USABLE) / 1024, in_use / 1024,
             metadata_bytes / 1024);
    return error;
}

// What can't be had from any allocator is no matter of memory.
static bool has_to_fail(unsigned order, enum frame_zone highest, const void *site)
{
    return order <= FRAME_ORDER_MAX && highest < FRAME_ZONE_COUNT && allocation_has_to_fail(site);
}

static enum error alloc_at(unsigned order, enum frame_zone highest, const void *site,
                           phys_addr_t *frame_out)
{
    irq_state_t state = spinlock_lock(&lock);
    enum error error = ENOMEM;
    if (!has_to_fail(order, highest, site)) {
        error = frame_allocator_alloc(frames, order, highest, (uint64_t)site, frame_out);
    }
    spinlock_unlock(&lock, state);
    return error;
}

[[gnu::noinline]] static enum error refill_and_alloc(irq_state_t state, const void *site,
                                                     phys_addr_t *frame_out) RELEASES(lock)
{
    enum error error = allocation_has_to_fail(site) ? ENOMEM : frame_allocator_refill(frames);
    if (error == OK) {
        *frame_out = frame_allocator_pop(frames, (uint64_t)site);
    }
    spinlock_unlock(&lock, state);
    return error;
}

// Reports are cut when they are too long, so the function's name comes last.
[[gnu::noreturn, gnu::cold, gnu::noinline]] static void
refuse(const char *operation, phys_addr_t frame, unsigned order, enum frame_verdict verdict)
{
    struct frame_owner owner;
    const char *text = frame_verdict_text(verdict);
    if (!frame_allocator_inspect(&the_frames, frame, &owner) || owner.site == 0) {
        panic("%s: frame %#lx (order %u) %s", operation, frame.value, order, text);
    }
    panic("%s: frame %#lx (order %u) %s; taken at %#lx in %s", operation, frame.value, order, text,
          owner.site, symbol_caller(owner.site));
}

// This and frame_free are what the kernel does most: the way for a stack that is neither empty nor
// full has no call but those for the lock.
enum error frame_alloc(phys_addr_t *frame_out)
{
    irq_state_t state = spinlock_lock(&lock);
    if (__builtin_expect(frames->stack_count == 0, 0)) {
        return refill_and_alloc(state, __builtin_return_address(0), frame_out);
    }
    *frame_out = frame_allocator_pop(frames, (uint64_t)__builtin_return_address(0));
    spinlock_unlock(&lock, state);
    return OK;
}

enum error frame_alloc_for(const void *site, phys_addr_t *frame_out)
{
    return alloc_at(0, FRAME_ZONE_REST, site, frame_out);
}

enum error frame_alloc_run(unsigned order, enum frame_zone highest, phys_addr_t *frame_out)
{
    return alloc_at(order, highest, __builtin_return_address(0), frame_out);
}

static inline void free_block(phys_addr_t frame, unsigned order)
{
    irq_state_t state = spinlock_lock(&lock);
    enum frame_verdict verdict = frame_allocator_free(frames, frame, order);
    spinlock_unlock(&lock, state);
    if (verdict != FRAME_FINE) {
        refuse("free", frame, order, verdict);
    }
}

void frame_free_run(phys_addr_t frame, unsigned order)
{
    free_block(frame, order);
}

void frame_free(phys_addr_t frame)
{
    free_block(frame, 0);
}

void frame_get(phys_addr_t frame)
{
    irq_state_t state = spinlock_lock(&lock);
    enum frame_verdict verdict = frame_allocator_get(frames, frame);
    spinlock_unlock(&lock, state);
    if (verdict != FRAME_FINE) {
        refuse("get", frame, 0, verdict);
    }
}

void frame_put(phys_addr_t frame)
{
    irq_state_t state = spinlock_lock(&lock);
    enum frame_verdict verdict = frame_allocator_put(frames, frame);
    spinlock_unlock(&lock, state);
    if (verdict != FRAME_FINE) {
        refuse("put", frame, 0, verdict);
    }
}

static enum error source_alloc(void *context, phys_addr_t *frame_out)
{
    (void)context;
    return alloc_at(0, FRAME_ZONE_REST, __builtin_return_address(0), frame_out);
}

static void source_free(void *context, phys_addr_t frame)
{
    (void)context;
    frame_free(frame);
}

const struct frame_source kernel_frames = {.alloc = source_alloc, .free = source_free};

void frame_statistics_read(struct frame_statistics *statistics_out)
{
    irq_state_t state = spinlock_lock(&lock);
    frame_allocator_statistics(frames, statistics_out);
    spinlock_unlock(&lock, state);
}

const struct memory_map *frame_memory_map(void)
{
    return memory_map;
}

void frame_bypass_stack(void)
{
    frame_allocator_bypass_stack(&the_frames);
}

void frame_use_stack(void)
{
    frame_allocator_use_stack(&the_frames);
}

uint32_t frame_mark(void)
{
    return frame_allocator_mark(&the_frames);
}

uint64_t frame_taken_count(void)
{
    struct frame_statistics statistics;
    frame_allocator_statistics(&the_frames, &statistics);
    return statistics.total_count - statistics.free_count;
}

bool frame_next(uint32_t mark, uint32_t *cursor, struct frame_owner *owner_out)
{
    return frame_allocator_next(&the_frames, mark, cursor, owner_out);
}

uint64_t frame_reclaim(uint32_t mark)
{
    return frame_allocator_reclaim(&the_frames, mark);
}

void frame_dump(void)
{
    static const char *const names[FRAME_ZONE_COUNT] = {"below 16 MiB", "below 4 GiB", "the rest"};
    struct frame_statistics statistics;
    frame_statistics_read(&statistics);
    println("frames: %lu, free %lu, at least %lu at any time, %lu at hand", statistics.total_count,
            statistics.free_count, statistics.lowest_free_count, statistics.single_count);
    for (unsigned zone = 0; zone < FRAME_ZONE_COUNT; zone++) {
        println("  %s: %lu, free %lu", names[zone], statistics.zones[zone].total_count,
                statistics.zones[zone].free_count);
        for (unsigned order = 0; order <= FRAME_ORDER_MAX; order++) {
            if (statistics.zones[zone].block_counts[order] != 0) {
                println("    %lu of order %u", statistics.zones[zone].block_counts[order], order);
            }
        }
    }
}
