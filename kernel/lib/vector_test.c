// SPDX-License-Identifier: MIT
#include "lib/vector.h"

#include "ktest.h"
#include "lib/bits.h"
#include "lib/string.h"
#include "lib/test_memory.h"
#include "lib/test_random.h"

struct numbers {
    VECTOR(uint64_t);
};

struct pair {
    uint8_t small;
    uint64_t large;
};

static struct test_memory memory;
static struct numbers numbers;

static void init(struct ktest *test)
{
    (void)test;
    test_memory_init(&memory);
    numbers = (struct numbers){.vector = {.memory = &memory.source}};
}

KTEST_SUITE(vector, .init = init);

KTEST_ATTR(vector, holds_what_was_pushed, .proves = "10.6.1");
KTEST(vector, holds_what_was_pushed)
{
    uint64_t sum = 0;
    for (uint64_t i = 0; i < 1000; i++) {
        KTEST_ASSERT_EQ(test, vector_push(&numbers, i), OK);
    }
    for (size_t i = 0; i < numbers.vector.count; i++) {
        sum += vector_at(&numbers, i);
    }
    KTEST_EXPECT_EQ(test, sum, 999 * 1000 / 2);
    KTEST_EXPECT_EQ(test, memory.calls, 8); // 8, 16, ... 1,024: doubled each time
    vector_free(&numbers);
    KTEST_EXPECT_EQ(test, memory.block_count, 0);
}

KTEST(vector, takes_structures)
{
    struct {
        VECTOR(struct pair);
    } pairs = {.vector = {.memory = &memory.source}};
    struct pair pair = {1, UINT64_MAX};
    KTEST_ASSERT_EQ(test, vector_push(&pairs, pair), OK);
    KTEST_ASSERT_EQ(test, vector_push(&pairs, {2, 3}), OK);
    KTEST_EXPECT_EQ(test, vector_at(&pairs, 1).large, 3);
    KTEST_EXPECT_EQ(test, vector_pop(&pairs).small, 2);
    KTEST_EXPECT_EQ(test, vector_pop(&pairs).large, UINT64_MAX);
    vector_free(&pairs);
}

KTEST(vector, own_element_may_be_pushed_while_it_grows)
{
    for (uint64_t i = 0; i < 8; i++) {
        KTEST_ASSERT_EQ(test, vector_push(&numbers, i), OK);
    }
    KTEST_ASSERT_EQ(test, vector_push(&numbers, vector_at(&numbers, 7)), OK);
    KTEST_EXPECT_EQ(test, vector_at(&numbers, 8), 7);
}

KTEST(vector, reserved_pushes_take_no_memory)
{
    KTEST_ASSERT_EQ(test, vector_reserve(&numbers, 100), OK);
    KTEST_ASSERT_EQ(test, vector_reserve(&numbers, 50), OK);
    memory.fail_at = memory.calls + 1;
    for (uint64_t i = 0; i < 100; i++) {
        KTEST_ASSERT_EQ(test, vector_push(&numbers, i), OK);
    }
    KTEST_EXPECT_EQ(test, memory.calls, 1);
    KTEST_EXPECT_EQ(test, vector_push(&numbers, 100), ENOMEM);
}

KTEST(vector, freed_one_is_empty_and_can_be_used_again)
{
    vector_free(&numbers);
    KTEST_EXPECT_EQ(test, memory.calls, 0);
    KTEST_ASSERT_EQ(test, vector_push(&numbers, 1), OK);
    vector_free(&numbers);
    KTEST_EXPECT_NULL(test, numbers.elements);
    KTEST_EXPECT_EQ(test, numbers.vector.count, 0);
    KTEST_ASSERT_EQ(test, vector_push(&numbers, 2), OK);
    KTEST_EXPECT_EQ(test, vector_at(&numbers, 0), 2);
}

// --- Errors -------------------------------------------------------------------------------------

KTEST_ATTR(vector, failed_growth_leaves_all_as_it_was, .proves = "10.6.1");
KTEST(vector, failed_growth_leaves_all_as_it_was)
{
    for (uint64_t i = 0; i < 16; i++) {
        KTEST_ASSERT_EQ(test, vector_push(&numbers, i), OK);
    }
    const struct vector before = numbers.vector;
    memory.fail_at = memory.calls + 1;
    KTEST_EXPECT_EQ(test, vector_push(&numbers, 16), ENOMEM);
    KTEST_EXPECT_MEMEQ(test, &numbers.vector, &before, sizeof(before));
    for (uint64_t i = 0; i < 16; i++) {
        KTEST_EXPECT_EQ(test, vector_at(&numbers, i), i);
    }
    KTEST_ASSERT_EQ(test, vector_push(&numbers, 16), OK);
    KTEST_EXPECT_EQ(test, vector_at(&numbers, 16), 16);
}

KTEST_ATTR(vector, sizes_beyond_memory_are_refused, .proves = "10.6.1");
KTEST(vector, sizes_beyond_memory_are_refused)
{
    KTEST_EXPECT_EQ(test, vector_reserve(&numbers, SIZE_MAX), ENOMEM);
    KTEST_EXPECT_EQ(test, vector_reserve(&numbers, PTRDIFF_MAX / 8 + 1), ENOMEM);
    KTEST_EXPECT_EQ(test, vector_reserve(&numbers, BIT(61)), ENOMEM); // * 8 is 0
    KTEST_EXPECT_EQ(test, memory.calls, 0);
    KTEST_EXPECT_EQ(test, vector_reserve(&numbers, PTRDIFF_MAX / 8), ENOMEM);
    KTEST_EXPECT_EQ(test, memory.calls, 1);
    KTEST_EXPECT_EQ(test, numbers.vector.capacity, 0);
}

KTEST_ATTR(vector, wrong_indices_panic, .proves = "10.6.1");
KTEST(vector, wrong_indices_panic)
{
    KTEST_EXPECT_PANIC(test, "*vector->count > 0*", (void)vector_pop(&numbers));
    KTEST_ASSERT_EQ(test, vector_push(&numbers, 1), OK);
    KTEST_EXPECT_PANIC(test, "*index < vector->count*", (void)vector_at(&numbers, 1));
    KTEST_EXPECT_PANIC(test, "*index < vector->count*", (void)vector_at(&numbers, SIZE_MAX));
}

KTEST(vector, write_beyond_its_memory_is_noticed)
{
    KTEST_ASSERT_EQ(test, vector_push(&numbers, 1), OK);
    numbers.elements[numbers.vector.capacity] = 0;
    KTEST_EXPECT_PANIC(test, "*GUARD*", vector_free(&numbers));
}

// --- Against a model: an array ------------------------------------------------------------------

#define MODEL_MAX 2000

KTEST_ATTR(vector, agrees_with_a_model, .proves = "10.6.1", .speed = KTEST_SPEED_SLOW);
KTEST(vector, agrees_with_a_model)
{
    static uint64_t model[MODEL_MAX];
    size_t count = 0;
    size_t failed_count = 0;
    struct test_random random = {11};
    for (unsigned round = 0; round < 20'000 * test_scale(); round++) {
        uint64_t choice = test_random_below(&random, 100);
        if (choice == 0 && count > MODEL_MAX / 2) {
            vector_free(&numbers);
            count = 0;
        } else if (choice < 20 || count == MODEL_MAX) {
            KTEST_ASSERT_TRUE(test, count == 0 || vector_pop(&numbers) == model[count - 1]);
            count -= count > 0;
        } else {
            memory.fail_at = test_random_below(&random, 2) == 0 ? memory.calls + 1 : 0;
            bool fails = memory.fail_at != 0 && count == numbers.vector.capacity;
            KTEST_ASSERT_EQ(test, vector_push(&numbers, round), fails ? ENOMEM : OK);
            failed_count += fails;
            model[count] = round;
            count += !fails;
        }
        KTEST_ASSERT_EQ(test, numbers.vector.count, count);
        if (round % 64 == 0 && count > 0) {
            KTEST_ASSERT_MEMEQ(test, numbers.elements, model, count * sizeof(model[0]));
        }
    }
    KTEST_EXPECT_GT(test, failed_count, 5);
    vector_free(&numbers);
    KTEST_EXPECT_EQ(test, memory.block_count, 0);
}

// A block is moved to the other place, as a heap does it at worst.
static void *move(void *context, void *old, size_t old_bytes, size_t new_bytes)
{
    static uint64_t places[2][1024];
    (void)context;
    if (new_bytes > sizeof(places[0])) {
        return NULL;
    }
    void *new = old == places[0] ? places[1] : places[0];
    if (old != NULL && new_bytes != 0) {
        memcpy(new, old, old_bytes);
    }
    return new;
}

// A turn is a new vector, a thousand pushes with all the growing, and its end.
KTEST_BENCH(vector, thousand_pushes)
{
    static const struct memory_source source = {.resize = move};
    numbers.vector.memory = &source;
    uint64_t failed_count = 0;
    while (ktest_bench_next(test)) {
        for (uint64_t i = 0; i < 1000; i++) {
            failed_count += vector_push(&numbers, i) != OK;
        }
        vector_free(&numbers);
    }
    KTEST_EXPECT_EQ(test, failed_count, 0);
}
