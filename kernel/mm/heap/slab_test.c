// SPDX-License-Identifier: MIT
//
// Caches over a heap of a few pages.
#include "mm/heap/slab.h"

#include "ktest.h"
#include "lib/string.h"
#include "lib/test_random.h"
#include "mm/heap/allocators_fixture.h"
#include "mm/heap/buddy.h"

#define PAGE 4096
#define PAGE_COUNT (TEST_HEAP_BYTES / PAGE - 1) // a page has the buddies' states
#define OBJECTS_MAX 1024

struct point {
    uint64_t x;
    uint64_t y;
    uint64_t z;
};

static struct buddy_allocator parent;
static struct slab_cache cache;
static uint8_t *objects[OBJECTS_MAX];

static void init(struct ktest *test)
{
    (void)test;
    buddy_allocator_init(&parent, test_heap, TEST_HEAP_BYTES);
}

KTEST_SUITE(heap_slab, .init = init);

static void make(struct ktest *test, const struct slab_type *type)
{
    KTEST_ASSERT_EQ(test, slab_cache_init(&cache, type, &parent.base), OK);
}

static void expect_sound(struct ktest *test)
{
    const char *problem = slab_cache_check(&cache);
    KTEST_ASSERT_TRUE_MSG(test, problem == NULL, "%s", problem != NULL ? problem : "");
}

static struct slab_cache_statistics measure(void)
{
    struct slab_cache_statistics statistics;
    slab_cache_measure(&cache, &statistics);
    return statistics;
}

static size_t parent_block_count(void)
{
    struct allocator_statistics statistics;
    allocator_measure(&parent.base, &statistics);
    return statistics.block_count;
}

// All of so many slabs.
static uint32_t take_slabs(struct ktest *test, uint32_t slab_count)
{
    uint32_t count = slab_count * cache.object_count;
    KTEST_ASSERT_LE(test, count, OBJECTS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        objects[i] = slab_cache_allocate(&cache);
        KTEST_ASSERT_NOT_NULL(test, objects[i]);
    }
    KTEST_EXPECT_EQ(test, measure().slab_count, slab_count);
    return count;
}

static void give_all(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        slab_cache_free(&cache, objects[i]);
    }
}

// --- Objects ------------------------------------------------------------------------------------

static const struct slab_type types[] = {
    {.name = "bytes", .object_bytes = 1},
    {.name = "words", .object_bytes = 8, .alignment = 8},
    {.name = "triples", .object_bytes = 24},
    {.name = "lines", .object_bytes = 100, .alignment = 64},
    {.name = "stacks", .object_bytes = 256, .alignment = 256, .empty_max = 1},
    {.name = "thirds", .object_bytes = 1344, .alignment = 16},
    {.name = "whole", .object_bytes = 3900, .empty_max = 3},
    {.name = "large slabs", .object_bytes = 1000, .slab_bytes = 32 << 10},
    {.name = "small slabs", .object_bytes = 20, .slab_bytes = 256},
    {.name = "largest slabs", .object_bytes = 300, .slab_bytes = 64 << 10},
};

static void describe_type(const struct slab_type *type, char *text_out, size_t size_bytes)
{
    format_buffer(text_out, size_bytes, "%s", type->name);
}

static void expect_own_bytes(struct ktest *test, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        for (size_t at = 0; at < cache.type.object_bytes; at++) {
            if (objects[i][at] != (uint8_t)i) {
                KTEST_ASSERT_EQ(test, objects[i][at], (uint8_t)i);
            }
        }
    }
}

// Every object can be written to its end, and harms neither another one nor the cache.
KTEST_PARAM(heap_slab, objects_of_a_slab_are_apart, types, describe_type)
{
    make(test, param);
    uint32_t slab_count = cache.object_count * 3 <= OBJECTS_MAX ? 3 : 1;
    slab_count = cache.type.slab_bytes <= 16 << 10 ? slab_count : 1;
    uint32_t count = take_slabs(test, slab_count);
    for (uint32_t i = 0; i < count; i++) {
        size_t offset = (size_t)(objects[i] - test_heap);
        KTEST_ASSERT_LE(test, offset + cache.type.object_bytes, TEST_HEAP_BYTES);
        KTEST_ASSERT_TRUE(test, is_aligned((uintptr_t)objects[i], cache.type.alignment));
        memset(objects[i], (int)i, cache.type.object_bytes);
    }
    expect_own_bytes(test, count);
    expect_sound(test);
    KTEST_EXPECT_EQ(test, measure().taken_count, count);
    give_all(count);
    expect_sound(test);
    slab_cache_destroy(&cache);
    KTEST_EXPECT_EQ(test, parent_block_count(), 0);
}

KTEST_ATTR(heap_slab, any_order_leaves_nothing_behind, .speed = KTEST_SPEED_SLOW);
KTEST_PARAM(heap_slab, any_order_leaves_nothing_behind, types, describe_type)
{
    enum { SLOT_COUNT = 48 };
    make(test, param);
    struct test_random random = {81};
    memset(objects, 0, sizeof(objects));
    uint32_t taken_count = 0;
    for (unsigned i = 0; i < 1000 * test_scale(); i++) {
        uint8_t **slot = &objects[test_random_below(&random, SLOT_COUNT)];
        if (*slot != NULL) {
            slab_cache_free(&cache, *slot);
            *slot = NULL;
            taken_count--;
        } else {
            *slot = slab_cache_allocate(&cache);
            taken_count += *slot != NULL;
        }
        expect_sound(test);
        KTEST_ASSERT_EQ(test, measure().taken_count, taken_count);
        KTEST_ASSERT_LE(test, measure().empty_count, cache.type.empty_max + 1);
    }
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        if (objects[i] != NULL) {
            slab_cache_free(&cache, objects[i]);
        }
    }
    slab_cache_destroy(&cache);
    KTEST_EXPECT_EQ(test, parent_block_count(), 0);
}

static void append(void *context, const char *bytes, size_t size_bytes)
{
    text_append(context, "%.*s", (int)size_bytes, bytes);
}

KTEST(heap_slab, state_is_one_line)
{
    make(test, &types[4]);
    KTEST_ASSERT_EQ(test, cache.object_count, 15);
    take_slabs(test, 3);
    give_all(cache.object_count + 1);
    char text[128];
    struct text_buffer buffer = {text, sizeof(text), 0};
    const struct writer writer = {append, &buffer};
    slab_cache_dump(&cache, &writer);
    KTEST_EXPECT_STREQ(test, text,
                       "stacks: 29 of 45 objects of 256 bytes in use, 3 slabs, 1 of them empty\n");
}

KTEST(heap_slab, object_freed_last_comes_first)
{
    make(test, &types[2]);
    take_slabs(test, 1);
    slab_cache_free(&cache, objects[5]);
    slab_cache_free(&cache, objects[3]);
    KTEST_EXPECT_PTR_EQ(test, slab_cache_allocate(&cache), objects[3]);
    KTEST_EXPECT_PTR_EQ(test, slab_cache_allocate(&cache), objects[5]);
}

KTEST(heap_slab, what_does_not_fit_is_refused)
{
    static const struct slab_type refused[] = {
        {.name = "larger than a slab", .object_bytes = PAGE + 1},
        {.name = "no room for the header", .object_bytes = PAGE},
        {.name = "alignment of a slab", .object_bytes = 8, .alignment = PAGE},
        {.name = "behind the end", .object_bytes = 2049, .alignment = 2048},
        {.name = "wraps around", .object_bytes = SIZE_MAX},
        {.name = "too large a slab", .object_bytes = 8, .slab_bytes = 128 << 10},
        {.name = "too small a slab", .object_bytes = 8, .slab_bytes = 16},
        {.name = "only the header", .object_bytes = 1, .slab_bytes = 32},
    };
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
        enum error error = slab_cache_init(&cache, &refused[i], &parent.base);
        KTEST_EXPECT_EQ_MSG(test, error, EINVAL, "%s", refused[i].name);
    }
    const struct slab_type largest = {.name = "half", .object_bytes = 2048, .alignment = 2048};
    make(test, &largest);
    KTEST_EXPECT_EQ(test, cache.object_count, 1);
}

KTEST(heap_slab, sizes_are_powers_of_two)
{
    const struct slab_type slab = {.name = "slab", .object_bytes = 8, .slab_bytes = 3 * PAGE};
    const struct slab_type object = {.name = "object", .object_bytes = 8, .alignment = 48};
    enum error error = OK;
    KTEST_EXPECT_PANIC(test, "*slab_bytes*", error = slab_cache_init(&cache, &slab, &parent.base));
    KTEST_EXPECT_PANIC(test, "*alignment*", error = slab_cache_init(&cache, &object, &parent.base));
    KTEST_EXPECT_EQ(test, error, OK);
}

// --- Constructor and colour ---------------------------------------------------------------------

static uint32_t constructed_count;

static void construct(void *object)
{
    *(struct point *)object = (struct point){1, 2, 3};
    constructed_count++;
}

static const struct slab_type points = {
    .name = "point",
    .object_bytes = sizeof(struct point),
    .alignment = _Alignof(struct point),
    .construct = construct,
};

KTEST_ATTR(heap_slab, objects_are_constructed_once, .proves = "11.15.1");
KTEST(heap_slab, objects_are_constructed_once)
{
    constructed_count = 0;
    make(test, &points);
    KTEST_EXPECT_EQ(test, constructed_count, 0);
    struct point *one = slab_cache_allocate(&cache);
    KTEST_EXPECT_EQ(test, constructed_count, cache.object_count); // all of the slab
    KTEST_EXPECT_EQ(test, one->z, 3);
    one->z = 4;
    slab_cache_free(&cache, one);
    KTEST_EXPECT_EQ(test, one->z, 4); // neither constructed again nor overwritten
    KTEST_ASSERT_PTR_EQ(test, slab_cache_allocate(&cache), one);
    KTEST_EXPECT_EQ(test, one->x + one->y + one->z, 7);
    one->z = 3; // as its user has to leave it
    slab_cache_free(&cache, one);
    uint32_t count = take_slabs(test, 2);
    KTEST_EXPECT_EQ(test, constructed_count, count);
    for (uint32_t i = 0; i < count; i++) {
        struct point *point = (void *)objects[i];
        KTEST_ASSERT_EQ(test, point->z, 3);
    }
}

KTEST_ATTR(heap_slab, slabs_have_different_colours, .proves = "11.15.1");
KTEST(heap_slab, slabs_have_different_colours)
{
    const struct slab_type type = {.name = "coloured", .object_bytes = 1248};
    make(test, &type);
    KTEST_ASSERT_EQ(test, cache.colour_count, 3);
    take_slabs(test, 6);
    for (unsigned i = 0; i < 6; i++) {
        uintptr_t offset = (uintptr_t)objects[i * cache.object_count] % PAGE;
        uintptr_t first = (uintptr_t)objects[0] % PAGE;
        KTEST_EXPECT_EQ(test, offset, first + i % 3 * 64);
    }
}

// --- Empty slabs --------------------------------------------------------------------------------

KTEST_ATTR(heap_slab, empty_slabs_are_kept_up_to_a_bound, .proves = "11.15.1");
KTEST(heap_slab, empty_slabs_are_kept_up_to_a_bound)
{
    const struct slab_type type = {.name = "kept", .object_bytes = 500, .empty_max = 2};
    make(test, &type);
    give_all(take_slabs(test, 6));
    KTEST_EXPECT_EQ(test, measure().slab_count, 3); // and the current one
    KTEST_EXPECT_EQ(test, measure().empty_count, 3);
    KTEST_EXPECT_EQ(test, parent_block_count(), 3);
    expect_sound(test);
    take_slabs(test, 3); // without the parent
    give_all(3 * cache.object_count);
    KTEST_EXPECT_EQ(test, slab_cache_shrink(&cache), 3);
    KTEST_EXPECT_EQ(test, slab_cache_shrink(&cache), 0);
    KTEST_EXPECT_EQ(test, parent_block_count(), 0);
    expect_sound(test);
    KTEST_EXPECT_NOT_NULL(test, slab_cache_allocate(&cache));
}

KTEST(heap_slab, slab_with_an_object_in_use_is_not_shrunk)
{
    make(test, &types[3]);
    uint32_t count = take_slabs(test, 2);
    for (uint32_t i = 0; i < count; i++) {
        if (i % cache.object_count != 7) {
            slab_cache_free(&cache, objects[i]);
        }
    }
    KTEST_EXPECT_EQ(test, slab_cache_shrink(&cache), 0);
    KTEST_EXPECT_EQ(test, measure().taken_count, 2);
}

KTEST(heap_slab, without_memory_there_is_none)
{
    make(test, &types[6]); // one in a page
    uint32_t count = 0;
    while ((objects[count] = slab_cache_allocate(&cache)) != NULL) {
        count++;
    }
    KTEST_EXPECT_EQ(test, count, PAGE_COUNT);
    expect_sound(test);
    slab_cache_free(&cache, objects[4]);
    KTEST_EXPECT_PTR_EQ(test, slab_cache_allocate(&cache), objects[4]);
    KTEST_EXPECT_NULL(test, slab_cache_allocate(&cache));
    give_all(count);
    slab_cache_destroy(&cache);
    KTEST_EXPECT_EQ(test, parent_block_count(), 0);
}
