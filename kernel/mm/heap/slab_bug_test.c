// SPDX-License-Identifier: MIT
//
// What slabs notice of our own bugs.
#include "ktest.h"
#include "lib/string.h"
#include "mm/heap/allocators_fixture.h"
#include "mm/heap/buddy.h"
#include "mm/heap/slab_allocator.h"

#define PAGE 4096

static struct buddy_allocator parent;
static struct slab_cache cache;
static struct slab_cache other_cache;
static struct slab_allocator heap;

static const struct slab_type type = {.name = "thing", .object_bytes = 40};

static void init(struct ktest *test)
{
    buddy_allocator_init(&parent, test_heap, TEST_HEAP_BYTES);
    KTEST_ASSERT_EQ(test, slab_cache_init(&cache, &type, &parent.base), OK);
    KTEST_ASSERT_EQ(test, slab_cache_init(&other_cache, &type, &parent.base), OK);
    slab_allocator_init(&heap, &parent.base);
}

KTEST_SUITE(heap_slab_bug, .init = init);

KTEST_ATTR(heap_slab_bug, freeing_what_is_not_in_use_panics, .speed = KTEST_SPEED_SLOW);
KTEST(heap_slab_bug, freeing_what_is_not_in_use_panics)
{
    uint8_t *object = slab_cache_allocate(&cache);
    uint8_t *next = slab_cache_allocate(&cache);
    void *other = slab_cache_allocate(&other_cache);
    uint8_t *slab = (uint8_t *)slab_of(object, PAGE);
    void *const wrong[] = {object + 1,  object + 16, object - 16, slab, next + 48, // never given
                           slab + 4080, other,       test_heap};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        KTEST_EXPECT_PANIC(test, "assertion failed: *", slab_cache_free(&cache, wrong[i]));
    }
    slab_cache_free(&cache, object);
    KTEST_EXPECT_PANIC(test, "assertion failed: *", slab_cache_free(&cache, object));
    slab_cache_free(&cache, next);
    slab_cache_shrink(&cache);
    KTEST_EXPECT_PANIC(test, "assertion failed: *", slab_cache_free(&cache, next));
    KTEST_EXPECT_NULL(test, slab_cache_check(&cache));
}

KTEST_ATTR(heap_slab_bug, destroying_a_cache_in_use_panics, .proves = "11.15.1");
KTEST(heap_slab_bug, destroying_a_cache_in_use_panics)
{
    void *object = slab_cache_allocate(&cache);
    (void)!slab_cache_allocate(&cache);
    KTEST_EXPECT_PANIC(test, "cache thing is destroyed with 2 objects in use",
                       slab_cache_destroy(&cache));
    slab_cache_free(&cache, object);
    KTEST_EXPECT_PANIC(test, "cache thing is destroyed with 1 objects in use",
                       slab_cache_destroy(&cache));
}

KTEST_ATTR(heap_slab_bug, freeing_what_is_not_of_the_heap_panics, .speed = KTEST_SPEED_SLOW);
KTEST(heap_slab_bug, freeing_what_is_not_of_the_heap_panics)
{
    struct allocator *allocator = &heap.base;
    uint8_t *small = allocator_allocate(allocator, 40, 8);
    uint8_t *large = allocator_allocate(allocator, 3 * PAGE, 8);
    memset(large, 0, 3 * PAGE);
    void *typed = slab_cache_allocate(&cache);
    void *const wrong[] = {small + 1, small + 8, small + 48, typed, large + 16, large + PAGE};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        KTEST_EXPECT_PANIC(test, "assertion failed: *", allocator_free(allocator, wrong[i]));
        KTEST_EXPECT_PANIC(test, "assertion failed: *",
                           (void)allocator_usable_bytes(allocator, wrong[i]));
    }
    allocator_free(allocator, small);
    allocator_free(allocator, large);
    KTEST_EXPECT_PANIC(test, "assertion failed: *", allocator_free(allocator, small));
    KTEST_EXPECT_PANIC(test, "assertion failed: *", allocator_free(allocator, large));
}

// One byte of a slab's header, another value, and what is said of it.
static void expect_problem(struct ktest *test, void *byte, uint8_t value, const char *problem)
{
    uint8_t before = *(uint8_t *)byte;
    *(uint8_t *)byte = value;
    KTEST_EXPECT_STREQ(test, slab_cache_check(&cache), problem);
    *(uint8_t *)byte = before;
}

KTEST(heap_slab_bug, damage_is_found)
{
    enum { COUNT = 2 };
    void *kept = NULL;
    for (uint32_t i = 0; i < COUNT * cache.object_count; i++) {
        void *object = slab_cache_allocate(&cache);
        if (i == 0) {
            kept = object;
        }
    }
    slab_cache_free(&cache, kept); // a partial slab, which is not the current one
    struct slab *slab = slab_of(kept, PAGE);
    KTEST_ASSERT_NULL(test, slab_cache_check(&cache));
    uint32_t step = cache.stride_bytes >> slab->shift;
    slab->links[0] = 0; // the only free one follows itself
    KTEST_EXPECT_STREQ(test, slab_cache_check(&cache), "the links are a circle");
    slab->links[0] = SLAB_LINK_END;
    expect_problem(test, &slab->free, (uint8_t)(step * cache.object_count),
                   "a link leads to no object");
    expect_problem(test, &slab->free, (uint8_t)(step - 1), "a link leads to no object");
    expect_problem(test, &slab->free, SLAB_LINK_END, "a free object is missing");
    expect_problem(test, &slab->links[step], 7, "a free object is missing");
    expect_problem(test, &slab->free_count, 2, "a slab is in the wrong list");
    expect_problem(test, &slab->shift, 0, "a slab is not of its cache");
    expect_problem(test, &slab->owner, 1, "a slab is not of its cache");
    expect_problem(test, &slab->cache, 1, "a slab is not of its cache");
    expect_problem(test, &slab->first, 1, "the objects are not inside of their slab");
    expect_problem(test, &cache.slab_count, 3, "the counts contradict the lists");
    expect_problem(test, &cache.empty_count, 1, "the counts contradict the lists");
    KTEST_EXPECT_NULL(test, slab_cache_check(&cache));
    KTEST_EXPECT_NULL(test, allocator_check(&heap.base));
    heap.classes[3].slab_count++;
    KTEST_EXPECT_STREQ(test, allocator_check(&heap.base), "the counts contradict the lists");
}
