// SPDX-License-Identifier: MIT
//
// What the designs cost, in instructions, each counted by a single-step trap; what the caller
// spends on the call counts too. The limits are blog_os's figures: of its designs of the same kind,
// and for the churn of a list that merges, of the linked_list_allocator crate.
#include "arch/x86_64/step_counter.h"
#include "debug/log.h"
#include "ktest.h"
#include "mm/heap/allocators_fixture.h"
#include "mm/heap/test_churn.h"
#include "sync/irq_state.h"

#define OPERATIONS_BETWEEN_COUNTS 32

struct cost_limits {
    unsigned pair[5]; // allocating and freeing 8, 64, 1024, 2048, 4096 bytes; 0: no figure
    unsigned churn;   // mean of the operations
};

#ifdef __OPTIMIZE__
#define BUMP_LIMITS                                                                                \
    {                                                                                              \
        {44, 44, 44, 44, 44}, 0                                                                    \
    }
#define LIST_LIMITS                                                                                \
    {                                                                                              \
        {99, 99, 99, 99, 99}, 654                                                                  \
    }
#define BEST_FIT_LIMITS                                                                            \
    {                                                                                              \
        {219, 219, 219, 219, 219}, 654                                                             \
    } // the crate's
#define FIXED_BLOCK_LIMITS                                                                         \
    {                                                                                              \
        {56, 72, 96, 102, 347}, 46                                                                 \
    }
#define BUDDY_LIMITS                                                                               \
    {                                                                                              \
        {654, 654, 654, 654, 654}, 654                                                             \
    } // the crate's in the churn, also where the whole heap is split for a block
#else // blog_os's dev build
#define BUMP_LIMITS                                                                                \
    {                                                                                              \
        {799, 799, 799, 799, 799}, 0                                                               \
    }
#define LIST_LIMITS                                                                                \
    {                                                                                              \
        {2199, 2199, 2199, 2199, 2199}, 7973                                                       \
    }
#define BEST_FIT_LIMITS                                                                            \
    {                                                                                              \
        {3008, 3008, 3008, 3008, 3008}, 7973                                                       \
    }
#define FIXED_BLOCK_LIMITS                                                                         \
    {                                                                                              \
        {1845, 2349, 3021, 3189, 6382}, 1339                                                       \
    }
#define BUDDY_LIMITS                                                                               \
    {                                                                                              \
        {7973, 7973, 7973, 7973, 7973}, 7973                                                       \
    }
#endif

// gcc's code has to stay below. clang's makes a frame in functions that need none.
#ifdef __clang__
#define SLACK 10
#else
#define SLACK 0
#endif

static const struct cost_limits limits[TEST_ALLOCATOR_COUNT] = {
    [TEST_BUMP] = BUMP_LIMITS,
    [TEST_BUMP_LAST_AT_ONCE] = BUMP_LIMITS,
    [TEST_LIST_FIRST_FIT] = LIST_LIMITS,
    [TEST_LIST_BEST_FIT] = BEST_FIT_LIMITS,
    [TEST_FIXED_BLOCK] = FIXED_BLOCK_LIMITS,
    [TEST_BUDDY] = BUDDY_LIMITS,
    [TEST_SLAB] = FIXED_BLOCK_LIMITS,
};

static irq_state_t irqs;
static struct churn churn;
static struct allocator *allocator;

static void prepare(struct ktest *test) ACQUIRES(interrupts_off)
{
    (void)test;
    irqs = irq_save();
}

static void clean_up(struct ktest *test) RELEASES(interrupts_off)
{
    (void)test;
    irq_restore(irqs);
}

KTEST_SUITE(heap_cost, .init = prepare, .exit = clean_up);

static void expect_below(struct ktest *test, unsigned cost, unsigned limit)
{
    KTEST_EXPECT_LT(test, cost, limit != 0 ? limit + SLACK : UINT32_MAX);
}

static inline void allocate_and_free(size_t size_bytes)
{
    void *block = allocator_allocate(allocator, size_bytes, 8);
    allocator_free(allocator, block);
}

// The second time, when there is nothing to prepare; size is a constant, as it is for most callers.
#define PAIR_COST(size_bytes_)                                                                     \
    ({                                                                                             \
        allocate_and_free(size_bytes_);                                                            \
        step_counter_start();                                                                      \
        allocate_and_free(size_bytes_);                                                            \
        step_counter_stop();                                                                       \
    })

KTEST_ATTR(heap_cost, allocating_and_freeing_is_cheap, .proves = "11.17");
KTEST_PARAM(heap_cost, allocating_and_freeing_is_cheap, test_allocators, test_allocator_describe)
{
    allocator = test_allocator_make(param);
    const unsigned *limit = limits[param - test_allocators].pair;
    unsigned costs[5];
    expect_below(test, costs[0] = PAIR_COST(8), limit[0]);
    expect_below(test, costs[1] = PAIR_COST(64), limit[1]);
    expect_below(test, costs[2] = PAIR_COST(1024), limit[2]);
    expect_below(test, costs[3] = PAIR_COST(2048), limit[3]);
    expect_below(test, costs[4] = PAIR_COST(4096), limit[4]);
    println("heap table: %s: pairs %u %u %u %u %u", param->name, costs[0], costs[1], costs[2],
            costs[3], costs[4]);
}

// Not inlined: what gcc moves between the two calls would be counted.
[[gnu::noinline]] static unsigned count(struct churn_operation operation)
{
    unsigned result;
    if (*operation.slot != NULL) {
        step_counter_start();
        allocator_free(allocator, *operation.slot);
        result = step_counter_stop();
        *operation.slot = NULL;
    } else {
        step_counter_start();
        *operation.slot = allocator_allocate(allocator, operation.size_bytes, 8);
        result = step_counter_stop();
        churn.failure_count += *operation.slot == NULL;
    }
    return result;
}

static void free_all(void)
{
    for (unsigned i = 0; i < CHURN_SLOTS; i++) {
        allocator_free(allocator, churn.slots[i]);
    }
}

// Every so many operations are counted: steps take long.
KTEST_ATTR(heap_cost, churn_is_cheap, .proves = "11.10", .speed = KTEST_SPEED_SLOW);
KTEST_PARAM(heap_cost, churn_is_cheap, test_allocators, test_allocator_describe)
{
    unsigned limit = limits[param - test_allocators].churn;
    allocator = test_allocator_make(param);
    churn = (struct churn){.random = 42};
    unsigned sum = 0;
    for (unsigned i = 0; i < CHURN_OPERATIONS; i++) {
        struct churn_operation operation = churn_next(&churn);
        if (i % OPERATIONS_BETWEEN_COUNTS == 0) {
            sum += count(operation);
        } else {
            churn_do(&churn, allocator, operation);
        }
    }
    unsigned mean = sum / (CHURN_OPERATIONS / OPERATIONS_BETWEEN_COUNTS);
    free_all();
    println("heap table: %s: churn %u, %u failed, %zu of %u in one piece", param->name, mean,
            churn.failure_count, test_allocator_largest(allocator), TEST_HEAP_BYTES);
    expect_below(test, mean, limit);
}

// --- Benchmarks ---------------------------------------------------------------------------------

struct recorded_operation {
    uint16_t slot;
    uint16_t size_bytes;
};
static struct recorded_operation recorded[CHURN_OPERATIONS];

static void record_churn(void)
{
    churn = (struct churn){.random = 42};
    for (unsigned i = 0; i < CHURN_OPERATIONS; i++) {
        struct churn_operation operation = churn_next(&churn);
        recorded[i].slot = (uint16_t)(operation.slot - churn.slots);
        recorded[i].size_bytes = (uint16_t)operation.size_bytes;
    }
}

// A turn is one operation, with some 10 instructions to find out which; each CHURN_OPERATIONS there
// is a fresh heap.
static void bench_churn(struct ktest *test, unsigned index)
{
    record_churn();
    const struct recorded_operation *end = recorded + CHURN_OPERATIONS;
    const struct recorded_operation *operation = end;
    while (ktest_bench_next(test)) {
        if (operation == end) {
            allocator = test_allocator_make(&test_allocators[index]);
            churn = (struct churn){};
            operation = recorded;
        }
        void **slot = &churn.slots[operation->slot];
        if (*slot != NULL) {
            allocator_free(allocator, *slot);
            *slot = NULL;
        } else {
            *slot = allocator_allocate(allocator, operation->size_bytes, 8);
        }
        operation++;
    }
    KTEST_EXPECT_NULL(test, allocator_check(allocator));
}

static void bench_pair(struct ktest *test, unsigned index, size_t size_bytes)
{
    allocator = test_allocator_make(&test_allocators[index]);
    while (ktest_bench_next(test)) {
        allocate_and_free(size_bytes);
    }
    KTEST_EXPECT_NULL(test, allocator_check(allocator));
}

#define PAIR(name_, design_, size_bytes_)                                                          \
    KTEST_BENCH(heap_cost, name_)                                                                  \
    {                                                                                              \
        bench_pair(test, design_, size_bytes_);                                                    \
    }
#define CHURN(name_, design_)                                                                      \
    KTEST_BENCH(heap_cost, name_)                                                                  \
    {                                                                                              \
        bench_churn(test, design_);                                                                \
    }
PAIR(bump_64, TEST_BUMP, 64)
PAIR(list_64, TEST_LIST_FIRST_FIT, 64)
PAIR(list_best_fit_64, TEST_LIST_BEST_FIT, 64)
PAIR(fixed_block_8, TEST_FIXED_BLOCK, 8)
PAIR(fixed_block_2048, TEST_FIXED_BLOCK, 2048)
PAIR(fixed_block_4096, TEST_FIXED_BLOCK, 4096)
CHURN(list_churn, TEST_LIST_FIRST_FIT)
CHURN(list_best_fit_churn, TEST_LIST_BEST_FIT)
CHURN(fixed_block_churn, TEST_FIXED_BLOCK)
PAIR(buddy_64, TEST_BUDDY, 64)
PAIR(slab_8, TEST_SLAB, 8)
PAIR(slab_2048, TEST_SLAB, 2048)
PAIR(slab_4096, TEST_SLAB, 4096)
CHURN(buddy_churn, TEST_BUDDY)
CHURN(slab_churn, TEST_SLAB)
