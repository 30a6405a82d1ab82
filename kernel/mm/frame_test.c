// SPDX-License-Identifier: MIT
//
// The kernel's own frames: all of them, and what it says to a wrong one. The algorithm is tested in
// frame_allocator_test.c.
#include "mm/frame.h"

#include "arch/x86_64/layout.h"
#include "debug/log_fixture.h"
#include "debug/symbols.h"
#include "ktest.h"
#include "lib/format.h"
#include "lib/string.h"

static struct frame_statistics statistics(void)
{
    struct frame_statistics result;
    frame_statistics_read(&result);
    return result;
}

// Reports name these two, inlined they would name their callers.
[[gnu::noinline]] static phys_addr_t alloc(struct ktest *test)
{
    phys_addr_t frame = {0};
    KTEST_ASSERT_EQ(test, frame_alloc(&frame), OK);
    return frame;
}

[[gnu::noinline]] static phys_addr_t alloc_run(struct ktest *test, unsigned order)
{
    phys_addr_t frame = {0};
    KTEST_ASSERT_EQ(test, frame_alloc_run(order, FRAME_ZONE_REST, &frame), OK);
    return frame;
}

static bool is_usable(phys_addr_t frame)
{
    const struct memory_region *area = memory_map_lookup(frame_memory_map(), frame);
    return area != NULL && area->type == MEMORY_USABLE;
}

// --- All of them --------------------------------------------------------------------------------

// A bit for each frame up to the end of memory, in frames of its own.
struct seen {
    uint64_t *words;
    phys_addr_t run;
    unsigned order;
};

static struct seen seen_create(struct ktest *test)
{
    uint64_t size_bytes = memory_map_usable_end(frame_memory_map()).value / PAGE_SIZE / 8;
    struct seen seen = {};
    while ((PAGE_SIZE << seen.order) < size_bytes) {
        seen.order++;
    }
    seen.run = alloc_run(test, seen.order);
    seen.words = phys_to_direct(seen.run);
    memset(seen.words, 0, PAGE_SIZE << seen.order);
    return seen;
}

static uint64_t take_all(struct ktest *test, const struct seen *seen)
{
    uint64_t count = 0;
    phys_addr_t frame;
    while (frame_alloc(&frame) == OK) {
        uint64_t number = frame.value / PAGE_SIZE;
        if (frame.value % PAGE_SIZE != 0 || !is_usable(frame) ||
            (seen->words[number / 64] & BIT(number % 64)) != 0) {
            KTEST_FAIL(test, "frame 0x%lx is not usable, or was handed out twice", frame.value);
            break;
        }
        seen->words[number / 64] |= BIT(number % 64);
        count++;
    }
    return count;
}

static void give_all(const struct seen *seen)
{
    uint64_t word_count = (PAGE_SIZE << seen->order) / sizeof(uint64_t);
    for (uint64_t i = 0; i < word_count; i++) {
        for (uint64_t word = seen->words[i]; word != 0; word &= word - 1) {
            uint64_t number = i * 64 + (uint64_t)__builtin_ctzll(word);
            frame_free((phys_addr_t){number * PAGE_SIZE});
        }
    }
}

// Every one exactly once, none that is not usable, and then there is an error.
KTEST_ATTR(frame, each_usable_frame_comes_once, .proves = "9.4.1 9.4.2", .speed = KTEST_SPEED_SLOW);
KTEST(frame, each_usable_frame_comes_once)
{
    struct seen seen = seen_create(test);
    struct frame_statistics before = statistics();
    uint64_t count = take_all(test, &seen);
    struct frame_statistics at_the_end = statistics();
    phys_addr_t frame = {7};
    enum error error = frame_alloc(&frame);
    enum error run_error = frame_alloc_run(3, FRAME_ZONE_REST, &frame);
    KTEST_ASSERT_EQ(test, error, ENOMEM);
    KTEST_ASSERT_EQ(test, run_error, ENOMEM);
    give_all(&seen);
    struct frame_statistics after = statistics();
    frame_free_run(seen.run, seen.order);

    KTEST_EXPECT_EQ(test, frame.value, 7);
    KTEST_EXPECT_EQ(test, count, before.free_count);
    KTEST_EXPECT_EQ(test, at_the_end.free_count, 0);
    KTEST_EXPECT_EQ(test, at_the_end.lowest_free_count, 0);
    KTEST_EXPECT_EQ(test, after.free_count, before.free_count);
    KTEST_EXPECT_EQ(test, after.total_count * PAGE_SIZE,
                    memory_map_size_bytes(frame_memory_map(), MEMORY_USABLE));
}

static void expect_kept_out(struct ktest *test, uint64_t start, uint64_t end,
                            enum memory_type expected)
{
    const struct memory_region *area = memory_map_lookup(frame_memory_map(), (phys_addr_t){start});
    KTEST_ASSERT_NOT_NULL(test, area);
    KTEST_EXPECT_EQ(test, area->type, expected);
    KTEST_EXPECT_GE(test, area->range.end.value, end);
}

KTEST_ATTR(frame, what_is_in_use_is_kept_out, .proves = "9.1.3");
KTEST(frame, what_is_in_use_is_kept_out)
{
    expect_kept_out(test, 0, 1 << 20, MEMORY_RESERVED);
    expect_kept_out(test, (uint64_t)boot_start_phys, (uint64_t)kernel_end_phys, MEMORY_KERNEL);
    expect_kept_out(test, 1 << 20, (1 << 20) + 1, MEMORY_KERNEL);
}

// On any machine of these tests there is memory below 16 MiB: that is where the kernel lies.
KTEST_ATTR(frame, frames_for_devices_lie_low, .proves = "9.4.5");
KTEST(frame, frames_for_devices_lie_low)
{
    for (unsigned order = 0; order < 8; order++) {
        phys_addr_t frame = {0};
        KTEST_ASSERT_EQ(test, frame_alloc_run(order, FRAME_ZONE_16_MIB, &frame), OK);
        KTEST_EXPECT_EQ(test, frame.value % (PAGE_SIZE << order), 0);
        KTEST_EXPECT_LE(test, frame.value + (PAGE_SIZE << order), 16 << 20);
        frame_free_run(frame, order);
    }
    phys_addr_t frame = {7};
    KTEST_EXPECT_EQ(test, frame_alloc_run(FRAME_ORDER_MAX + 1, FRAME_ZONE_REST, &frame), EINVAL);
    KTEST_EXPECT_EQ(test, frame.value, 7);
}

// Whoever writes to a frame changes no other, and no metadata.
KTEST(frame, frames_can_be_written)
{
    phys_addr_t frames[40];
    for (uint64_t i = 0; i < ARRAY_SIZE(frames); i++) {
        frames[i] = alloc(test);
        memset(phys_to_direct(frames[i]), (int)i, PAGE_SIZE);
    }
    for (uint64_t i = 0; i < ARRAY_SIZE(frames); i++) {
        const uint8_t *bytes = phys_to_direct(frames[i]);
        KTEST_EXPECT_TRUE(test, bytes[0] == i && bytes[PAGE_SIZE - 1] == i);
        frame_free(frames[i]);
    }
}

KTEST(frame, source_is_the_same_frames)
{
    uint64_t free_count = statistics().free_count;
    phys_addr_t frame = {0};
    KTEST_ASSERT_EQ(test, kernel_frames.alloc(kernel_frames.context, &frame), OK);
    KTEST_EXPECT_EQ(test, statistics().free_count, free_count - 1);
    kernel_frames.free(kernel_frames.context, frame);
    KTEST_EXPECT_EQ(test, statistics().free_count, free_count);
}

KTEST(frame, shared_frame_is_given_back_by_the_last)
{
    phys_addr_t frame = alloc(test);
    uint64_t free_count = statistics().free_count;
    frame_get(frame);
    frame_put(frame);
    KTEST_EXPECT_EQ(test, statistics().free_count, free_count);
    frame_put(frame);
    KTEST_EXPECT_EQ(test, statistics().free_count, free_count + 1);
}

// In the order of the calls, and with the function's name.
KTEST(frame, dump_and_leak_report_name_what_is_taken)
{
    uint32_t mark = frame_mark();
    phys_addr_t run = alloc_run(test, 2);
    struct frame_owner owner = {};
    uint32_t cursor = 0;
    KTEST_ASSERT_TRUE(test, frame_next(mark, &cursor, &owner));
    KTEST_EXPECT_EQ(test, owner.frame.value, run.value);
    KTEST_EXPECT_EQ(test, owner.order, 2);
    KTEST_EXPECT_STREQ(test, symbol_caller(owner.site), "alloc_run");
    KTEST_EXPECT_FALSE(test, frame_next(mark, &cursor, &owner));
    KTEST_EXPECT_EQ(test, frame_reclaim(mark), 4);
}

static bool dump_has_frames(const char *name, uint64_t total_count, uint64_t free_count)
{
    char expected[96];
    format_buffer(expected, sizeof(expected), "  %s: %lu, free %lu\n", name, total_count,
                  free_count);
    return log_fixture_has(expected);
}

static bool dump_has_order(unsigned order)
{
    char expected[32];
    format_buffer(expected, sizeof(expected), " of order %u\n", order);
    return log_fixture_has(expected);
}

// Each zone by its name, and each order of which a block is free, but no other.
KTEST(frame, dump_tells_how_much_is_free_and_where)
{
    static const char *const names[] = {"below 16 MiB", "below 4 GiB", "the rest"};
    phys_addr_t taken = alloc(test); // so that some order is split
    log_fixture_start(test);
    frame_dump();
    struct frame_statistics now = statistics();
    char expected[128];
    format_buffer(expected, sizeof(expected),
                  "frames: %lu, free %lu, at least %lu at any time, %lu at hand\n", now.total_count,
                  now.free_count, now.lowest_free_count, now.single_count);
    KTEST_EXPECT_TRUE_MSG(test, log_fixture_has(expected), "%s", expected);
    for (unsigned zone = 0; zone < FRAME_ZONE_COUNT; zone++) {
        KTEST_EXPECT_TRUE(test, dump_has_frames(names[zone], now.zones[zone].total_count,
                                                now.zones[zone].free_count));
    }
    for (unsigned order = 0; order <= FRAME_ORDER_MAX; order++) {
        uint64_t count = 0;
        for (unsigned zone = 0; zone < FRAME_ZONE_COUNT; zone++) {
            count += now.zones[zone].block_counts[order];
        }
        KTEST_EXPECT_EQ_MSG(test, dump_has_order(order), count != 0, "order %u", order);
    }
    frame_put(taken);
}

// --- Wrong frames -------------------------------------------------------------------------------

KTEST_ATTR(frame, free_frame_is_not_freed_again, .proves = "9.4.3",
           .outcome = KTEST_PANIC("free: frame 0x* (order 0) is free already; "
                                  "taken at 0xffffffff8* in alloc"));
KTEST(frame, free_frame_is_not_freed_again)
{
    phys_addr_t frame = alloc(test);
    frame_free(frame);
    KTEST_ARM(test);
    frame_free(frame);
}

// Nothing changes but the CPU's way, so that these can stand in one test.
KTEST_ATTR(frame, wrong_frames_panic, .speed = KTEST_SPEED_SLOW, .proves = "9.4.3 9.3.6");
KTEST(frame, wrong_frames_panic)
{
    phys_addr_t run = alloc_run(test, 2);
    phys_addr_t second = phys_addr_add(run, PAGE_SIZE);
    KTEST_EXPECT_PANIC(test,
                       "free: frame 0x* (order 0) is not the first of its block; "
                       "taken at 0x* in alloc_run",
                       frame_free(second));
    KTEST_EXPECT_PANIC(test, "free: frame 0x* (order 0) is a block of another order; taken *",
                       frame_free(run));
    KTEST_EXPECT_PANIC(test, "free: frame 0x*1 (order 2) is not the address of a frame*",
                       frame_free_run((phys_addr_t){run.value + 1}, 2));
    KTEST_EXPECT_PANIC(test, "free: frame 0x100000 (order 0) was never free",
                       frame_free((phys_addr_t){1 << 20}));
    KTEST_EXPECT_PANIC(test, "put: frame 0 (order 0) was never free", frame_put((phys_addr_t){0}));
    KTEST_EXPECT_PANIC(test, "get: frame 0xff* (order 0) was never free",
                       frame_get((phys_addr_t){0xff00000000000}));
    frame_get(run);
    KTEST_EXPECT_PANIC(test, "free: frame 0x* (order 2) has other references; taken *",
                       frame_free_run(run, 2));
    frame_put(run);
    frame_free_run(run, 2);
}

// --- Cost ---------------------------------------------------------------------------------------

// One frame taken and given back, with `count` others taken before.
static void bench_pairs(struct ktest *test, unsigned count)
{
    uint32_t mark = frame_mark();
    for (unsigned i = 0; i < count; i++) {
        (void)alloc(test);
    }
    phys_addr_t frame = {0};
    enum error error = OK;
    while (ktest_bench_next(test)) {
        error = frame_alloc(&frame);
        if (error == OK) {
            frame_free(frame);
        }
    }
    KTEST_EXPECT_EQ(test, error, OK);
    KTEST_EXPECT_EQ(test, frame_reclaim(mark), count);
}

// No frame comes back meanwhile, so that each batch is paid for.
KTEST_BENCH(frame, alloc)
{
    phys_addr_t frame = {0};
    enum error error = OK;
    uint32_t mark = frame_mark();
    while (ktest_bench_next(test)) {
        error = frame_alloc(&frame);
    }
    KTEST_EXPECT_EQ(test, error, OK);
    KTEST_EXPECT_GT(test, frame_reclaim(mark), 3400);
}

KTEST_BENCH(frame, alloc_and_free)
{
    bench_pairs(test, 0);
}

KTEST_BENCH(frame, alloc_and_free_at_300)
{
    bench_pairs(test, 300);
}

KTEST_BENCH(frame, alloc_and_free_at_3400)
{
    bench_pairs(test, 3400);
}

// 1,000 times as much in a turn, and through all batches.
KTEST_BENCH(frame, thousand_taken_and_given)
{
    static phys_addr_t frames[1000];
    enum error error = OK;
    while (ktest_bench_next(test)) {
        for (unsigned i = 0; i < ARRAY_SIZE(frames) && error == OK; i++) {
            error = frame_alloc(&frames[i]);
        }
        for (unsigned i = 0; i < ARRAY_SIZE(frames) && error == OK; i++) {
            frame_free(frames[i]);
        }
    }
    KTEST_EXPECT_EQ(test, error, OK);
}

KTEST_BENCH(frame, large_page_taken_and_given)
{
    phys_addr_t run = {0};
    enum error error = OK;
    while (ktest_bench_next(test)) {
        error = frame_alloc_run(9, FRAME_ZONE_REST, &run);
        if (error == OK) {
            frame_free_run(run, 9);
        }
    }
    KTEST_EXPECT_EQ(test, error, OK);
}

// The answer that there is none.
KTEST_BENCH(frame, alloc_when_there_is_none)
{
    struct seen seen = seen_create(test);
    (void)take_all(test, &seen);
    phys_addr_t frame = {0};
    enum error error = OK;
    while (ktest_bench_next(test)) {
        error = frame_alloc(&frame);
    }
    give_all(&seen);
    frame_free_run(seen.run, seen.order);
    KTEST_EXPECT_EQ(test, error, ENOMEM);
}
