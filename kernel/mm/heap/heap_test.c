// SPDX-License-Identifier: MIT
//
// The kernel's own heap, whichever design it has.
#include "mm/heap/heap.h"

#include "arch/x86_64/layout.h"
#include "debug/log.h"
#include "ktest.h"
#include "lib/container_of.h"
#include "lib/reference_count.h"
#include "lib/string.h"
#include "lib/test_random.h"
#include "lib/vector.h"
#include "mm/heap_window.h"
#include "sync/spinlock.h"

static bool is_in_window(const void *block, size_t size_bytes)
{
    uint64_t start = (uint64_t)block;
    return start >= HEAP_VMA && start + size_bytes <= heap_window_end().value;
}

KTEST_ATTR(heap, blocks_are_aligned_memory_of_the_window, .proves = "10.3 10.5");
KTEST(heap, blocks_are_aligned_memory_of_the_window)
{
    static const size_t sizes[] = {1, 7, 8, 16, 24, 100, 512, 2048, 2049, 4096, 10000};
    uint8_t *blocks[ARRAY_SIZE(sizes)];
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        blocks[i] = kmalloc(sizes[i]);
        KTEST_ASSERT_NOT_NULL(test, blocks[i]);
        KTEST_EXPECT_TRUE(test, is_in_window(blocks[i], sizes[i]));
        KTEST_EXPECT_EQ(test, (uintptr_t)blocks[i] % KMALLOC_ALIGNMENT, 0);
        KTEST_EXPECT_GE(test, kmalloc_usable_bytes(blocks[i]), sizes[i]);
        memset(blocks[i], (int)i, sizes[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        KTEST_EXPECT_TRUE(test, blocks[i][0] == i && blocks[i][sizes[i] - 1] == i);
        kfree(blocks[i]);
    }
}

KTEST_ATTR(heap, block_is_aligned_as_asked_for, .proves = "10.1");
KTEST(heap, block_is_aligned_as_asked_for)
{
    for (size_t alignment = 1; alignment <= 2 * PAGE_SIZE; alignment *= 2) {
        void *block = kmalloc_aligned(40, alignment);
        KTEST_ASSERT_NOT_NULL(test, block);
        KTEST_EXPECT_EQ(test, (uintptr_t)block % alignment, 0);
        kfree(block);
    }
}

KTEST_ATTR(heap, alignment_has_to_be_a_power_of_two, .proves = "11.2");
KTEST(heap, alignment_has_to_be_a_power_of_two)
{
    static const size_t wrong[] = {0, 3, 24, 4095};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        volatile size_t alignment = wrong[i];
        KTEST_EXPECT_PANIC(test, "assertion failed: is_power_of_two(alignment)",
                           kfree(kmalloc_aligned(16, alignment)));
    }
    KTEST_EXPECT_EQ(test, spinlock_held_count(), 0);
}

KTEST_ATTR(heap, zeroed_block_is_zero_in_used_memory, .proves = "10.1");
KTEST(heap, zeroed_block_is_zero_in_used_memory)
{
    static const uint8_t zeros[300];
    for (int i = 0; i < 20; i++) {
        uint8_t *block = i % 2 == 0 ? kzalloc(300) : kcalloc(100, 3);
        KTEST_ASSERT_NOT_NULL(test, block);
        KTEST_EXPECT_MEMEQ(test, block, zeros, sizeof(zeros));
        memset(block, 0xff, 300);
        kfree(block);
    }
}

KTEST_ATTR(heap, what_is_too_much_is_none, .proves = "10.1 10.14");
KTEST(heap, what_is_too_much_is_none)
{
    uint64_t end = heap_window_end().value;
    volatile size_t half = SIZE_MAX / 2 + 1; // or the compiler refuses it
    KTEST_EXPECT_NULL(test, kmalloc(0));
    KTEST_EXPECT_NULL(test, kzalloc(0));
    KTEST_EXPECT_NULL(test, kcalloc(0, 8));
    KTEST_EXPECT_NULL(test, kcalloc(8, 0));
    KTEST_EXPECT_NULL(test, kmalloc(half));
    KTEST_EXPECT_NULL(test, kzalloc(half + half - 1));
    KTEST_EXPECT_NULL(test, kcalloc(half, 2));
    KTEST_EXPECT_NULL(test, kcalloc(half / 4 + 1, 8));
    KTEST_EXPECT_NULL(test, kmalloc_aligned(16, half));
    KTEST_EXPECT_NULL(test, kmalloc(HEAP_SIZE_MAX));
    kfree(NULL);
    KTEST_EXPECT_EQ(test, heap_window_end().value, end);
}

KTEST_ATTR(heap, resized_block_keeps_what_fits, .proves = "10.1 10.9", .speed = KTEST_SPEED_SLOW);
KTEST(heap, resized_block_keeps_what_fits)
{
    uint32_t total = strcmp(heap_design(), "bump") != 0 ? 1000 : 200; // that takes no memory back
    uint32_t *numbers = NULL;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < total; i++) {
        numbers = krealloc(numbers, (i + 1) * sizeof(*numbers));
        KTEST_ASSERT_NOT_NULL(test, numbers);
        numbers[i] = i;
    }
    numbers = krealloc(numbers, total / 2 * sizeof(*numbers));
    KTEST_ASSERT_NOT_NULL(test, numbers);
    for (uint32_t i = 0; i < total / 2; i++) {
        sum += numbers[i];
    }
    KTEST_EXPECT_EQ(test, sum, total / 2 * (total / 2 - 1) / 2);
    KTEST_EXPECT_NULL(test, krealloc(numbers, SIZE_MAX));
    KTEST_EXPECT_EQ(test, numbers[total / 2 - 1], total / 2 - 1);
    KTEST_EXPECT_NULL(test, krealloc(numbers, 0));
    KTEST_EXPECT_NULL(test, krealloc(NULL, 0));
}

// As many as the heap of the post has bytes.
KTEST_ATTR(heap, memory_is_used_again, .proves = "10.8 10.10", .speed = KTEST_SPEED_SLOW);
KTEST(heap, memory_is_used_again)
{
    uint64_t end = heap_window_end().value;
    uint64_t *first = kmalloc(sizeof(*first));
    KTEST_ASSERT_NOT_NULL(test, first);
    *first = 41;
    for (uint64_t i = 0; i < 102400; i++) {
        uint64_t *block = kmalloc(sizeof(*block));
        KTEST_ASSERT_NOT_NULL(test, block);
        *block = i;
        KTEST_ASSERT_EQ(test, *block, i);
        kfree(block);
    }
    KTEST_EXPECT_EQ(test, *first, 41);
    KTEST_EXPECT_EQ(test, heap_window_end().value, end);
    kfree(first);
}

// Every one of the allocations fails once.
KTEST_ATTR(heap, failed_allocation_changes_nothing, .fail_nth = 5, .proves = "10.14");
KTEST(heap, failed_allocation_changes_nothing)
{
    struct allocator_statistics before = heap_statistics();
    uint8_t *block = kzalloc(100);
    uint8_t *bigger = block != NULL ? krealloc(block, 5000) : NULL;
    bool is_kept = block == NULL || bigger != NULL || block[99] == 0;
    KTEST_EXPECT_EQ(test, bigger == NULL, ktest_allocation_failed(test));
    KTEST_EXPECT_TRUE(test, is_kept);
    kfree(bigger != NULL ? bigger : block);
    char problem[200];
    KTEST_EXPECT_TRUE(test, heap_is_sound(problem, sizeof(problem)));
    KTEST_EXPECT_EQ(test, heap_statistics().used_bytes, before.used_bytes);
}

// The test runner has had a block that is larger than the heap was, and has given it back.
KTEST_ATTR(heap, has_grown_for_what_it_had_not, .proves = "10.3 10.4");
KTEST(heap, has_grown_for_what_it_had_not)
{
    uint64_t end = heap_window_end().value;
    KTEST_EXPECT_EQ(test, heap_statistics().managed_bytes >= 1 << 20, true);
    uint8_t *block = kmalloc(1 << 20);
    KTEST_ASSERT_NOT_NULL(test, block);
    memset(block, 1, 1 << 20);
    kfree(block);
    KTEST_EXPECT_EQ(test, heap_window_end().value, end);
}

struct shared {
    struct reference_count references;
    bool *is_released;
};

static void release(struct reference_count *references)
{
    struct shared *shared = container_of(references, struct shared, references);
    *shared->is_released = true;
    kfree(shared);
}

KTEST_ATTR(heap, carries_the_example_of_the_post, .proves = "10.7");
KTEST(heap, carries_the_example_of_the_post)
{
    struct {
        VECTOR(int);
    } numbers = {.vector = {.memory = &heap_memory}};
    bool is_released = false;
    int *value = kmalloc(sizeof(*value));
    struct shared *shared = kmalloc(sizeof(*shared));
    KTEST_ASSERT_TRUE(test, value != NULL && shared != NULL);
    *value = 41;
    *shared = (struct shared){{1, release}, &is_released};
    for (int i = 0; i < 500; i++) {
        KTEST_ASSERT_EQ(test, vector_push(&numbers, i), OK);
    }
    KTEST_EXPECT_TRUE(test, is_in_window(value, sizeof(*value)));
    KTEST_EXPECT_TRUE(test, is_in_window(numbers.elements, 500 * sizeof(int)));
    KTEST_EXPECT_EQ(test, vector_at(&numbers, 499), 499);
    reference_get(&shared->references);
    KTEST_EXPECT_EQ(test, shared->references.count, 2);
    reference_put(&shared->references);
    KTEST_EXPECT_EQ(test, shared->references.count, 1);
    KTEST_EXPECT_FALSE(test, is_released);
    reference_put(&shared->references);
    KTEST_EXPECT_TRUE(test, is_released);
    vector_free(&numbers);
    kfree(value);
}

static char printed[400];

static void collect(void *context, const char *bytes, size_t size_bytes)
{
    (void)context;
    size_t used_bytes = strlen(printed);
    for (size_t i = 0; i < size_bytes && used_bytes + 1 < sizeof(printed); i++) {
        printed[used_bytes++] = bytes[i];
    }
}

static const struct writer collector = {.write = collect};

KTEST(heap, dump_begins_with_the_figures)
{
    char expected[100];
    memset(printed, 0, sizeof(printed));
    log_add_console(&collector);
    heap_dump();
    log_remove_console(&collector);
    struct allocator_statistics now = heap_statistics();
    KTEST_EXPECT_EQ(test, now.used_bytes + now.free_bytes, now.managed_bytes);
    format_buffer(expected, sizeof(expected), "%zu blocks, %zu of %zu bytes used", now.block_count,
                  now.used_bytes, now.managed_bytes);
    char *comma = printed;
    while (*comma != 0 && *comma != ',') {
        comma++;
    }
    KTEST_EXPECT_EQ(test, strncmp(comma, ", ", 2), 0);
    KTEST_EXPECT_EQ(test, strncmp(comma + 2, expected, strlen(expected)), 0);
}

#define SLOTS 64

static struct {
    uint8_t *block;
    size_t size_bytes;
    uint8_t first;
} slots[SLOTS];

static void change_slot(struct ktest *test, struct test_random *random, size_t at)
{
    size_t size_bytes = 1 + test_random_below(random, at % 8 == 0 ? 5000 : 300);
    uint8_t *block = slots[at].block;
    bool is_whole = block == NULL || (block[0] == slots[at].first &&
                                      block[slots[at].size_bytes - 1] == slots[at].first);
    KTEST_ASSERT_TRUE(test, is_whole);
    if (block != NULL && test_random_below(random, 3) == 0) {
        block = krealloc(block, size_bytes);
        size_t kept = size_bytes < slots[at].size_bytes ? size_bytes : slots[at].size_bytes;
        KTEST_ASSERT_TRUE(test, block != NULL && block[kept - 1] == slots[at].first);
    } else {
        kfree(block);
        block = block == NULL ? kmalloc(size_bytes) : NULL;
    }
    slots[at].block = block;
    slots[at].size_bytes = size_bytes;
    slots[at].first = (uint8_t)(1 + test_random_below(random, 255));
    if (block != NULL) {
        memset(block, slots[at].first, size_bytes);
    }
}

KTEST_ATTR(heap, agrees_with_a_model, .timeout_ms = 120000);
KTEST(heap, agrees_with_a_model)
{
    struct test_random random = {1};
    struct allocator_statistics before = heap_statistics();
    char problem[200] = "";
    memset(slots, 0, sizeof(slots));
    for (uint64_t i = 0; i < 3000 * test_scale(); i++) {
        change_slot(test, &random, test_random_below(&random, SLOTS));
    }
    for (size_t at = 0; at < SLOTS; at++) {
        kfree(slots[at].block);
    }
    KTEST_EXPECT_TRUE_MSG(test, heap_is_sound(problem, sizeof(problem)), "%s", problem);
    KTEST_EXPECT_EQ(test, heap_statistics().used_bytes, before.used_bytes);
}
