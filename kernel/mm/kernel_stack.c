// SPDX-License-Identifier: MIT
//
// A slot that was freed is the last to be used again: so what still points into an old stack faults
// for long, and does not find a new one.
#include "mm/kernel_stack.h"

#include "arch/x86_64/layout.h"
#include "arch/x86_64/stack.h"
#include "lib/bits.h"
#include "lib/panic.h"
#include "mm/kasan_map.h"
#include "sync/spinlock.h"

#define WORD_COUNT (STACK_SLOT_COUNT / 64)

static struct spinlock lock = SPINLOCK("kernel stacks", LOCK_RANK_WINDOW);
static unsigned next_slot GUARDED_BY(lock); // where the search begins

// The bits are read without the lock, when a fault is described.
static void set_slot_locked(unsigned slot, bool is_used) REQUIRES(lock)
{
    uint64_t *word = &kernel_stack_slots[slot / 64];
    uint64_t bit = BIT(slot % 64);
    __atomic_store_n(word, is_used ? *word | bit : *word & ~bit, __ATOMIC_RELAXED);
}

// The first free slot from next_slot on, all around; ENOSPC if there is none.
static enum error find_slot_locked(unsigned *slot_out) REQUIRES(lock)
{
    unsigned word = next_slot / 64;
    uint64_t free = ~kernel_stack_slots[word] & GENMASK(63, next_slot % 64);
    for (unsigned left = WORD_COUNT; free == 0 && left > 0; left--) {
        word = (word + 1) % WORD_COUNT;
        free = ~kernel_stack_slots[word];
    }
    if (free == 0) {
        return ENOSPC;
    }
    *slot_out = word * 64 + (unsigned)__builtin_ctzll(free);
    return OK;
}

static virt_addr_t body_of(unsigned slot)
{
    return (virt_addr_t){kernel_stack_top(slot) - STACK_SIZE};
}

static enum error take_slot(unsigned *slot_out)
{
    irq_state_t state = spinlock_lock(&lock);
    enum error error = find_slot_locked(slot_out);
    if (error == OK) {
        set_slot_locked(*slot_out, true);
        next_slot = (*slot_out + 1) % STACK_SLOT_COUNT;
    }
    spinlock_unlock(&lock, state);
    return error;
}

static void put_slot(unsigned slot)
{
    irq_state_t state = spinlock_lock(&lock);
    set_slot_locked(slot, false);
    spinlock_unlock(&lock, state);
}

enum error kernel_stack_alloc(uint64_t *top_out)
{
    unsigned slot;
    enum error error = take_slot(&slot);
    if (error != OK) {
        return error;
    }
    error = kasan_map_memory(body_of(slot), 0, STACK_SIZE, __builtin_return_address(0));
    if (error != OK) {
        put_slot(slot);
        return error;
    }
    *top_out = kernel_stack_top(slot);
    return OK;
}

void kernel_stack_free(uint64_t top)
{
    struct stack_place place = stack_locate(top - 1);
    if (place.stack != KERNEL_STACK || place.part != STACK_PART_BODY || place.top != top) {
        panic("there is no kernel stack with its top at %#lx", top);
    }
    kasan_unmap_memory(body_of(place.slot), 0, STACK_SIZE);
    put_slot(place.slot);
}
