// SPDX-License-Identifier: MIT
#include "mm/heap/locked.h"

#include "ktest.h"
#include "mm/heap/allocators_fixture.h"
#include "mm/heap/test_churn.h"

static struct locked_allocator locked;

// --- An allocator that looks for the lock -------------------------------------------------------

static unsigned call_count; // with the lock held

static void note_call(void)
{
    call_count += spinlock_is_locked(&locked.lock) && !cpu_interrupts_enabled();
}

static void *note_allocate(struct allocator *allocator, size_t size_bytes, size_t alignment)
{
    (void)allocator;
    note_call();
    return (void *)(size_bytes + alignment);
}

static void note_free(struct allocator *allocator, void *block)
{
    (void)allocator;
    (void)block;
    note_call();
}

static bool note_resize(struct allocator *allocator, void *block, size_t size_bytes)
{
    (void)allocator;
    note_call();
    return (size_t)block < size_bytes;
}

static size_t note_usable_bytes(const struct allocator *allocator, const void *block)
{
    (void)allocator;
    note_call();
    return (size_t)block;
}

static enum error note_extend(struct allocator *allocator, void *start, size_t size_bytes)
{
    (void)allocator;
    (void)start;
    note_call();
    return size_bytes == 5 ? ENOSPC : OK;
}

static void note_trim(struct allocator *allocator)
{
    (void)allocator;
    note_call();
}

static void note_measure(const struct allocator *allocator, struct allocator_statistics *out)
{
    (void)allocator;
    note_call();
    out->block_count = 7;
}

static const char *note_check(const struct allocator *allocator)
{
    (void)allocator;
    note_call();
    return "wrong";
}

static void note_dump(const struct allocator *allocator, const struct writer *writer)
{
    (void)allocator;
    (void)writer;
    note_call();
}

static const struct allocator_operations note_operations = {
    "note",      note_allocate, note_free,    note_resize, note_usable_bytes,
    note_extend, note_trim,     note_measure, note_check,  note_dump,
};

KTEST_ATTR(heap_locked, every_call_is_made_with_the_lock_held, .proves = "10.11");
KTEST(heap_locked, every_call_is_made_with_the_lock_held)
{
    static struct allocator inner = {&note_operations};
    locked_allocator_init(&locked, &inner, "test heap");
    struct allocator *allocator = &locked.base;
    struct allocator_statistics statistics;
    void *block = (void *)4;
    call_count = 0;
    cpu_enable_interrupts();
    KTEST_EXPECT_PTR_EQ(test, allocator_allocate(allocator, 40, 2), (void *)42);
    allocator_free(allocator, block);
    KTEST_EXPECT_TRUE(test, allocator_resize(allocator, block, 5));
    KTEST_EXPECT_FALSE(test, allocator_resize(allocator, block, 3));
    KTEST_EXPECT_EQ(test, allocator_usable_bytes(allocator, block), 4);
    KTEST_EXPECT_EQ(test, allocator_extend(allocator, block, 5), ENOSPC);
    allocator_trim(allocator);
    allocator_measure(allocator, &statistics);
    KTEST_EXPECT_EQ(test, statistics.block_count, 7);
    KTEST_EXPECT_STREQ(test, allocator_check(allocator), "wrong");
    allocator_dump(allocator, NULL);
    bool is_enabled = cpu_interrupts_enabled();
    cpu_disable_interrupts();
    KTEST_EXPECT_EQ(test, call_count, 10);
    KTEST_EXPECT_TRUE(test, is_enabled);
    KTEST_EXPECT_FALSE(test, spinlock_is_locked(&locked.lock));
}

// --- Real ones ----------------------------------------------------------------------------------

KTEST_ATTR(heap_locked, lock_goes_around_every_design, .proves = "11.1", .speed = KTEST_SPEED_SLOW);
KTEST_PARAM(heap_locked, lock_goes_around_every_design, test_allocators, test_allocator_describe)
{
    locked_allocator_init(&locked, test_allocator_make(param), "test heap");
    struct allocator_statistics first;
    allocator_measure(&locked.base, &first);
    static struct churn churn;
    churn = (struct churn){.random = 42};
    for (unsigned i = 0; i < CHURN_OPERATIONS; i++) {
        churn_do(&churn, &locked.base, churn_next(&churn));
    }
    KTEST_EXPECT_EQ(test, churn.failure_count == 0, param->reuses);
    for (unsigned i = 0; i < CHURN_SLOTS; i++) {
        allocator_free(&locked.base, churn.slots[i]);
    }
    test_allocator_expect_like_new(test, &locked.base, &first);
}
