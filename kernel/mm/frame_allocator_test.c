// SPDX-License-Identifier: MIT
//
// The allocator on maps made by hand, and against a model that knows of each frame who has it.
#include "mm/frame_allocator.h"

#include "ktest.h"
#include "lib/string.h"
#include "lib/test_random.h"

#define MIB (1ULL << 20)
#define GIB (1ULL << 30)
#define SECTION_BYTES (16 * MIB)
#define FRAMES_MAX (8 * 4096)

static struct frame_allocator allocator;
static struct memory_map map;
static struct memory_region regions[16];
static size_t region_count;
static _Alignas(16) uint8_t metadata[FRAMES_MAX * sizeof(struct frame) + 4096];

static void init(struct ktest *test)
{
    (void)test;
    region_count = 0;
    allocator = (struct frame_allocator){};
}

KTEST_SUITE(frame_allocator, .init = init);

static void add(uint64_t start, uint64_t end, enum memory_type type)
{
    regions[region_count++] = (struct memory_region){{{start}, {end}}, type};
}

static enum error make(void)
{
    memset(metadata, 0, sizeof(metadata));
    enum error error = memory_map_make(&map, regions, region_count);
    return error != OK ? error : frame_allocator_init(&allocator, &map, metadata, sizeof(metadata));
}

static void make_one(struct ktest *test, uint64_t start, uint64_t end)
{
    region_count = 0;
    add(start, end, MEMORY_USABLE);
    KTEST_ASSERT_EQ(test, make(), OK);
}

static enum error try_alloc(unsigned order, enum frame_zone highest, uint64_t *frame_out)
{
    phys_addr_t frame;
    enum error error =
        frame_allocator_alloc(&allocator, order, highest, 0xffffffff80001234, &frame);
    if (error == OK) {
        *frame_out = frame.value;
    }
    return error;
}

static uint64_t alloc(struct ktest *test, unsigned order)
{
    uint64_t frame = 0;
    KTEST_ASSERT_EQ(test, try_alloc(order, FRAME_ZONE_REST, &frame), OK);
    return frame;
}

static enum frame_verdict give(uint64_t frame, unsigned order)
{
    return frame_allocator_free(&allocator, (phys_addr_t){frame}, order);
}

static struct frame_statistics statistics(void)
{
    struct frame_statistics result;
    frame_allocator_statistics(&allocator, &result);
    return result;
}

// In each zone, blocks and single frames make up what is free.
static void expect_sums(struct ktest *test)
{
    struct frame_statistics now = statistics();
    uint64_t free_count = 0;
    uint64_t blocks_count = 0;
    for (unsigned zone = 0; zone < FRAME_ZONE_COUNT; zone++) {
        uint64_t sum = 0;
        for (unsigned order = 0; order <= FRAME_ORDER_MAX; order++) {
            sum += now.zones[zone].block_counts[order] << order;
        }
        KTEST_ASSERT_LE(test, sum, now.zones[zone].free_count);
        blocks_count += sum;
        free_count += now.zones[zone].free_count;
    }
    KTEST_ASSERT_EQ(test, free_count, now.free_count);
    KTEST_ASSERT_EQ(test, blocks_count + now.single_count, now.free_count);
}

// Everything is free again, and in the same blocks as at the start.
static void expect_like_new(struct ktest *test, const struct frame_statistics *first)
{
    frame_allocator_settle(&allocator);
    struct frame_statistics now = statistics();
    now.lowest_free_count = first->lowest_free_count;
    KTEST_EXPECT_MEMEQ(test, &now, first, sizeof(now));
}

// --- The model ----------------------------------------------------------------------------------

// Up to 64 MiB of the lowest memory and as much from 4 GiB on. What is not usable counts as taken.
static bool is_taken[2][FRAMES_MAX / 2];

static bool *taken_flag(uint64_t frame)
{
    return &is_taken[frame >= 4 * GIB][frame % (4 * GIB) / PAGE_SIZE];
}

static enum frame_zone zone_of_address(uint64_t frame)
{
    return frame >= 4 * GIB    ? FRAME_ZONE_REST
           : frame >= 16 * MIB ? FRAME_ZONE_4_GIB
                               : FRAME_ZONE_16_MIB;
}

static bool is_usable(uint64_t frame)
{
    const struct memory_region *area = memory_map_lookup(&map, (phys_addr_t){frame});
    return area != NULL && area->type == MEMORY_USABLE;
}

static void model_reset(void)
{
    memset(is_taken, true, sizeof(is_taken));
    for (size_t i = 0; i < map.area_count; i++) {
        struct phys_range range = map.areas[i].range;
        for (uint64_t at = range.start.value; at < range.end.value; at += PAGE_SIZE) {
            if (is_usable(at)) {
                *taken_flag(at) = false;
            }
        }
    }
}

// All of the block was free, and is not any more.
static void model_take(struct ktest *test, uint64_t frame, unsigned order, enum frame_zone highest)
{
    uint64_t last = frame + (PAGE_SIZE << order) - PAGE_SIZE;
    KTEST_ASSERT_TRUE(test, is_usable(frame) && is_usable(last));
    KTEST_ASSERT_EQ(test, frame % (PAGE_SIZE << order), 0);
    KTEST_ASSERT_LE(test, zone_of_address(frame), highest);
    KTEST_ASSERT_EQ(test, zone_of_address(frame), zone_of_address(last));
    for (uint64_t each = frame; each <= last; each += PAGE_SIZE) {
        KTEST_ASSERT_FALSE(test, *taken_flag(each));
        *taken_flag(each) = true;
    }
}

static void model_give(uint64_t frame, unsigned order)
{
    for (uint64_t i = 0; i < BIT(order); i++) {
        *taken_flag(frame + i * PAGE_SIZE) = false;
    }
}

static bool is_free_run(uint64_t frame, unsigned order)
{
    for (uint64_t i = 0; i < BIT(order); i++) {
        if (*taken_flag(frame + i * PAGE_SIZE)) {
            return false;
        }
    }
    return true;
}

// Whether the model has a run, aligned as it has to be.
static bool model_has(unsigned order, enum frame_zone highest)
{
    for (size_t i = 0; i < map.area_count; i++) {
        struct phys_range range = map.areas[i].range;
        uint64_t step = PAGE_SIZE << order;
        for (uint64_t frame = ALIGN_UP(range.start.value, step); frame + step <= range.end.value;
             frame += step) {
            if (zone_of_address(frame) <= highest && is_free_run(frame, order)) {
                return true;
            }
        }
    }
    return false;
}

// --- Single frames ------------------------------------------------------------------------------

// Takes all frames of the map, which `test` has made, one by one, and gives them back.
static void expect_each_once(struct ktest *test)
{
    model_reset();
    struct frame_statistics first = statistics();
    uint64_t count = 0;
    uint64_t frame = 0;
    while (try_alloc(0, FRAME_ZONE_REST, &frame) == OK) {
        model_take(test, frame, 0, FRAME_ZONE_REST);
        count++;
    }
    KTEST_EXPECT_EQ(test, count * PAGE_SIZE, memory_map_size_bytes(&map, MEMORY_USABLE));
    KTEST_EXPECT_EQ(test, count, first.total_count);
    KTEST_EXPECT_EQ(test, first.free_count, first.total_count);
    KTEST_EXPECT_EQ(test, statistics().free_count, 0);
    KTEST_EXPECT_EQ(test, try_alloc(0, FRAME_ZONE_REST, &frame), ENOMEM);
    for (size_t i = 0; i < map.area_count; i++) {
        struct phys_range range = map.areas[i].range;
        for (uint64_t at = range.start.value; at < range.end.value; at += PAGE_SIZE) {
            if (is_usable(at)) {
                KTEST_ASSERT_EQ(test, give(at, 0), FRAME_FINE);
            }
        }
    }
    expect_sums(test);
    expect_like_new(test, &first);
}

KTEST_ATTR(frame_allocator, each_usable_frame_comes_once, .proves = "9.4.1");
KTEST(frame_allocator, each_usable_frame_comes_once)
{
    add(0x1000, 0x9f000, MEMORY_USABLE);
    add(0x9f000, 0x100000, MEMORY_RESERVED);
    add(0x100000, 20 * MIB, MEMORY_USABLE);
    add(0x333000, 0x337000, MEMORY_KERNEL);
    add(0x801000, 0x802000, MEMORY_BAD);
    add(4 * GIB - PAGE_SIZE, 4 * GIB, MEMORY_ACPI_NVS);
    add(4 * GIB, 4 * GIB + 3 * MIB, MEMORY_USABLE);
    add(4 * GIB + 5 * MIB, 4 * GIB + 6 * MIB + 0x3000, MEMORY_USABLE);
    KTEST_ASSERT_EQ(test, make(), OK);
    expect_each_once(test);
}

KTEST(frame_allocator, two_frames_are_enough)
{
    make_one(test, 0x7000, 0x9000);
    uint64_t first = alloc(test, 0);
    uint64_t second = alloc(test, 0);
    KTEST_EXPECT_EQ(test, first, 0x7000);
    KTEST_EXPECT_EQ(test, second, 0x8000);
    uint64_t frame = 1;
    KTEST_EXPECT_EQ(test, try_alloc(0, FRAME_ZONE_REST, &frame), ENOMEM);
    KTEST_EXPECT_EQ(test, frame, 1);
    KTEST_EXPECT_EQ(test, give(first, 0), FRAME_FINE);
    KTEST_EXPECT_EQ(test, alloc(test, 0), first);
}

KTEST(frame_allocator, no_memory_is_no_trouble)
{
    uint64_t frame = 0;
    KTEST_EXPECT_EQ(test, try_alloc(0, FRAME_ZONE_REST, &frame), ENOMEM); // not even initialised
    KTEST_EXPECT_EQ(test, try_alloc(3, FRAME_ZONE_REST, &frame), ENOMEM);
    KTEST_EXPECT_EQ(test, give(0x1000, 0), FRAME_FOREIGN);
    add(0x1000, 0x100000, MEMORY_RESERVED);
    KTEST_ASSERT_EQ(test, make(), OK);
    KTEST_EXPECT_EQ(test, try_alloc(0, FRAME_ZONE_REST, &frame), ENOMEM);
    KTEST_EXPECT_EQ(test, try_alloc(3, FRAME_ZONE_REST, &frame), ENOMEM);
    KTEST_EXPECT_EQ(test, give(0x1000, 0), FRAME_FOREIGN);
    KTEST_EXPECT_EQ(test, statistics().total_count, 0);
}

// Each page apart is a block of its own, and the next section begins where a frame ends.
KTEST(frame_allocator, any_map_is_handed_out_in_full)
{
    struct test_random random = {5};
    const unsigned round_count = 5 * test_scale();
    for (unsigned round = 0; round < round_count; round++) {
        region_count = 0;
        for (unsigned i = 0; i < 8; i++) {
            uint64_t base = test_random_below(&random, 3) * 2 * GIB % (6 * GIB);
            base = base == 2 * GIB ? 0 : base;
            uint64_t start = base + test_random_below(&random, 40 * MIB);
            uint64_t size_bytes =
                test_random_below(&random, BIT(10 + test_random_below(&random, 14)));
            add(start, start + size_bytes, i % 3 == 2 ? MEMORY_RESERVED : MEMORY_USABLE);
        }
        KTEST_ASSERT_EQ(test, make(), OK);
        expect_each_once(test);
    }
}

// --- Runs ---------------------------------------------------------------------------------------

KTEST_ATTR(frame_allocator, runs_are_aligned_and_merge_again, .proves = "9.4.5");
KTEST(frame_allocator, runs_are_aligned_and_merge_again)
{
    make_one(test, 0x1000, 4 * SECTION_BYTES);
    model_reset();
    struct frame_statistics first = statistics();
    uint64_t frames[FRAME_ORDER_COUNT];
    for (unsigned order = 0; order <= FRAME_ORDER_MAX; order++) {
        frames[order] = alloc(test, order);
        model_take(test, frames[order], order, FRAME_ZONE_REST);
        expect_sums(test);
    }
    KTEST_EXPECT_EQ(test, statistics().free_count, first.free_count - BIT(FRAME_ORDER_COUNT) + 1);
    for (unsigned order = 0; order <= FRAME_ORDER_MAX; order++) {
        KTEST_EXPECT_EQ(test, give(frames[order], order), FRAME_FINE);
        expect_sums(test);
    }
    expect_like_new(test, &first);
}

KTEST(frame_allocator, orders_and_zones_have_an_end)
{
    make_one(test, 0, 4 * SECTION_BYTES);
    uint64_t frame = 0;
    KTEST_EXPECT_EQ(test, try_alloc(FRAME_ORDER_MAX + 1, FRAME_ZONE_REST, &frame), EINVAL);
    KTEST_EXPECT_EQ(test, try_alloc(UINT32_MAX, FRAME_ZONE_REST, &frame), EINVAL);
    KTEST_EXPECT_EQ(test, try_alloc(0, (enum frame_zone)FRAME_ZONE_COUNT, &frame), EINVAL);
    KTEST_EXPECT_EQ(test, statistics().free_count, statistics().total_count);
}

KTEST(frame_allocator, run_that_is_not_aligned_is_none)
{
    make_one(test, 0x1000, 0x3000); // two frames in a row, but not a pair
    uint64_t frame = 0;
    KTEST_EXPECT_EQ(test, try_alloc(1, FRAME_ZONE_REST, &frame), ENOMEM);
    make_one(test, 0x2000, 0x4000);
    KTEST_EXPECT_EQ(test, try_alloc(1, FRAME_ZONE_REST, &frame), OK);
    KTEST_EXPECT_EQ(test, frame, 0x2000);
}

// The single frames that lie ready are no reason to refuse a run.
KTEST(frame_allocator, single_frames_merge_when_a_run_needs_them)
{
    make_one(test, SECTION_BYTES, SECTION_BYTES + 0x8000);
    for (unsigned i = 0; i < 8; i++) {
        KTEST_EXPECT_EQ(test, alloc(test, 0), SECTION_BYTES + i * PAGE_SIZE);
    }
    for (unsigned i = 0; i < 8; i++) {
        KTEST_EXPECT_EQ(test, give(SECTION_BYTES + i * PAGE_SIZE, 0), FRAME_FINE);
    }
    KTEST_EXPECT_EQ(test, statistics().single_count, 8);
    KTEST_EXPECT_EQ(test, alloc(test, 3), SECTION_BYTES);
    KTEST_EXPECT_EQ(test, statistics().free_count, 0);
}

// Small requests are served from small blocks, and in a batch of single frames at most.
KTEST(frame_allocator, large_blocks_stay_whole_as_long_as_there_are_small_ones)
{
    make_one(test, SECTION_BYTES - 0x7000, 2 * SECTION_BYTES);
    (void)alloc(test, 0);
    KTEST_EXPECT_EQ(test, statistics().single_count, 31);
    for (unsigned i = 1; i < 32; i++) {
        (void)alloc(test, 0);
    }
    KTEST_EXPECT_EQ(test, statistics().single_count, 0);
    uint64_t in_the_large_one = statistics().zones[FRAME_ZONE_4_GIB].block_counts[5];
    KTEST_EXPECT_EQ(test, in_the_large_one, 1); // one split, down to a batch
    uint64_t frame = 0;
    KTEST_EXPECT_EQ(test, try_alloc(0, FRAME_ZONE_16_MIB, &frame), OK);
    KTEST_EXPECT_EQ(test, statistics().zones[FRAME_ZONE_16_MIB].block_counts[2], 1);
    KTEST_EXPECT_EQ(test, statistics().zones[FRAME_ZONE_16_MIB].block_counts[1], 1);
    KTEST_EXPECT_EQ(test, statistics().zones[FRAME_ZONE_16_MIB].block_counts[0], 0);
}

KTEST(frame_allocator, blocks_do_not_merge_over_the_border_of_a_section)
{
    make_one(test, SECTION_BYTES, 3 * SECTION_BYTES); // a pair of the next order, if there was one
    struct frame_statistics now = statistics();
    KTEST_EXPECT_EQ(test, now.zones[FRAME_ZONE_4_GIB].block_counts[FRAME_ORDER_MAX], 2);
    uint64_t first = alloc(test, FRAME_ORDER_MAX);
    KTEST_EXPECT_EQ(test, first, SECTION_BYTES);
    KTEST_EXPECT_EQ(test, give(first, FRAME_ORDER_MAX), FRAME_FINE);
    expect_like_new(test, &now);
}

// --- Zones --------------------------------------------------------------------------------------

static void make_three_zones(struct ktest *test)
{
    region_count = 0;
    add(15 * MIB, 17 * MIB, MEMORY_USABLE);
    add(4 * GIB - MIB, 4 * GIB + MIB, MEMORY_USABLE);
    KTEST_ASSERT_EQ(test, make(), OK);
}

KTEST_ATTR(frame_allocator, normal_requests_spare_the_low_zones, .proves = "9.4.5");
KTEST(frame_allocator, normal_requests_spare_the_low_zones)
{
    make_three_zones(test);
    const struct frame_statistics now = statistics();
    KTEST_EXPECT_EQ(test, now.zones[FRAME_ZONE_16_MIB].total_count, 256);
    KTEST_EXPECT_EQ(test, now.zones[FRAME_ZONE_4_GIB].total_count, 512);
    KTEST_EXPECT_EQ(test, now.zones[FRAME_ZONE_REST].total_count, 256);
    for (unsigned i = 0; i < 1024; i++) {
        enum frame_zone expected = i < 256   ? FRAME_ZONE_REST
                                   : i < 768 ? FRAME_ZONE_4_GIB
                                             : FRAME_ZONE_16_MIB;
        KTEST_ASSERT_EQ(test, zone_of_address(alloc(test, 0)), expected);
    }
    KTEST_EXPECT_EQ(test, statistics().free_count, 0);
}

// Freed, it goes back to its zone, and not to the top of the stack.
KTEST(frame_allocator, low_frame_is_spared_again_when_it_is_free)
{
    make_three_zones(test);
    for (unsigned i = 0; i < 2; i++) { // before the stack was ever filled, and behind that
        uint64_t frame = 0;
        KTEST_ASSERT_EQ(test, try_alloc(0, FRAME_ZONE_16_MIB, &frame), OK);
        KTEST_EXPECT_EQ(test, give(frame, 0), FRAME_FINE);
        KTEST_EXPECT_EQ(test, zone_of_address(alloc(test, 0)), FRAME_ZONE_REST);
    }
}

KTEST_ATTR(frame_allocator, low_requests_never_take_from_above, .proves = "9.4.5");
KTEST(frame_allocator, low_requests_never_take_from_above)
{
    make_three_zones(test);
    uint64_t frame = 0;
    for (unsigned order = 0; order <= 8; order++) {
        KTEST_EXPECT_EQ(test, try_alloc(order, FRAME_ZONE_4_GIB, &frame), OK);
        KTEST_EXPECT_EQ(test, zone_of_address(frame), FRAME_ZONE_4_GIB);
        KTEST_EXPECT_EQ(test, give(frame, order), FRAME_FINE);
    }
    for (unsigned i = 0; i < 256; i++) {
        KTEST_ASSERT_EQ(test, try_alloc(0, FRAME_ZONE_16_MIB, &frame), OK);
        KTEST_ASSERT_EQ(test, zone_of_address(frame), FRAME_ZONE_16_MIB);
    }
    KTEST_EXPECT_EQ(test, try_alloc(0, FRAME_ZONE_16_MIB, &frame), ENOMEM);
    KTEST_EXPECT_EQ(test, try_alloc(4, FRAME_ZONE_16_MIB, &frame), ENOMEM);
    for (unsigned i = 0; i < 512; i++) {
        KTEST_ASSERT_EQ(test, try_alloc(0, FRAME_ZONE_4_GIB, &frame), OK);
        KTEST_ASSERT_EQ(test, zone_of_address(frame), FRAME_ZONE_4_GIB);
    }
    KTEST_EXPECT_EQ(test, try_alloc(0, FRAME_ZONE_4_GIB, &frame), ENOMEM);
    KTEST_EXPECT_EQ(test, statistics().free_count, 256);
}

KTEST(frame_allocator, run_of_a_lower_zone_serves_if_the_higher_ones_are_in_pieces)
{
    make_three_zones(test);
    KTEST_EXPECT_EQ(test, alloc(test, 8), 4 * GIB);
    uint64_t frame = alloc(test, 8);
    KTEST_EXPECT_EQ(test, zone_of_address(frame), FRAME_ZONE_4_GIB);
    KTEST_EXPECT_EQ(test, give(4 * GIB, 8), FRAME_FINE);
    KTEST_EXPECT_EQ(test, alloc(test, 0), 4 * GIB);
    KTEST_EXPECT_EQ(test, zone_of_address(alloc(test, 8)), FRAME_ZONE_4_GIB);
    KTEST_EXPECT_EQ(test, zone_of_address(alloc(test, 8)), FRAME_ZONE_16_MIB);
    KTEST_EXPECT_EQ(test, try_alloc(8, FRAME_ZONE_REST, &frame), ENOMEM);
}

// --- Wrong frames -------------------------------------------------------------------------------

// Nothing has happened: neither what is free nor who owns what.
static void expect_refused(struct ktest *test, uint64_t frame, unsigned order,
                           enum frame_verdict expected)
{
    struct frame_statistics before = statistics();
    KTEST_EXPECT_EQ_MSG(test, give(frame, order), expected, "frame 0x%lx order %u", frame, order);
    struct frame_statistics after = statistics();
    KTEST_EXPECT_MEMEQ(test, &after, &before, sizeof(after));
}

KTEST_ATTR(frame_allocator, frames_that_are_free_are_refused, .proves = "9.4.3");
KTEST(frame_allocator, frames_that_are_free_are_refused)
{
    make_one(test, SECTION_BYTES, 2 * SECTION_BYTES);
    expect_refused(test, SECTION_BYTES, 0, FRAME_IS_FREE);          // the first of a block
    expect_refused(test, SECTION_BYTES + 0x5000, 0, FRAME_IS_FREE); // inside of it
    uint64_t frame = alloc(test, 0);
    uint64_t run = alloc(test, 2);
    KTEST_EXPECT_EQ(test, give(frame, 0), FRAME_FINE);
    expect_refused(test, frame, 0, FRAME_IS_FREE); // lies ready
    KTEST_EXPECT_EQ(test, give(run, 2), FRAME_FINE);
    expect_refused(test, run, 2, FRAME_IS_FREE);
    frame_allocator_settle(&allocator);
    expect_refused(test, frame, 0, FRAME_IS_FREE); // merged
    expect_refused(test, run, 2, FRAME_IS_FREE);
}

KTEST_ATTR(frame_allocator, foreign_frames_are_refused, .proves = "9.4.3");
KTEST(frame_allocator, foreign_frames_are_refused)
{
    add(SECTION_BYTES + 0x3000, SECTION_BYTES + 0x5000, MEMORY_USABLE);
    add(5 * SECTION_BYTES, 5 * SECTION_BYTES + 0x1000, MEMORY_USABLE);
    KTEST_ASSERT_EQ(test, make(), OK);
    const uint64_t foreign[] = {
        0,                                 // before all sections
        SECTION_BYTES + 0x2000,            // in one of ours
        SECTION_BYTES + 0x5000,            //
        2 * SECTION_BYTES - PAGE_SIZE,     //
        3 * SECTION_BYTES,                 // in a hole
        3 * SECTION_BYTES + 0x4000,        // as far behind its start as one of ours
        5 * SECTION_BYTES + 0x1000,        // behind the last
        6 * SECTION_BYTES,                 //
        PHYS_ADDR_LIMIT - PAGE_SIZE,       //
        ALIGN_DOWN(UINT64_MAX, PAGE_SIZE), // not even physical
    };
    for (unsigned taken = 0; taken < 2; taken++) {
        for (size_t i = 0; i < ARRAY_SIZE(foreign); i++) {
            expect_refused(test, foreign[i], 0, FRAME_FOREIGN);
            struct frame_owner owner;
            KTEST_EXPECT_FALSE(
                test, frame_allocator_inspect(&allocator, (phys_addr_t){foreign[i]}, &owner));
        }
        for (unsigned i = 0; i < 3 && taken == 0; i++) { // the same when nothing is free
            (void)alloc(test, 0);
        }
    }
}

KTEST_ATTR(frame_allocator, parts_and_multiples_of_blocks_are_refused, .proves = "9.4.3");
KTEST(frame_allocator, parts_and_multiples_of_blocks_are_refused)
{
    make_one(test, SECTION_BYTES, 2 * SECTION_BYTES);
    uint64_t run = alloc(test, 3);
    expect_refused(test, run + PAGE_SIZE, 0, FRAME_IS_INSIDE);
    expect_refused(test, run + 4 * PAGE_SIZE, 2, FRAME_IS_INSIDE);
    expect_refused(test, run, 0, FRAME_OTHER_ORDER);
    expect_refused(test, run, 2, FRAME_OTHER_ORDER);
    expect_refused(test, run, 4, FRAME_OTHER_ORDER);
    expect_refused(test, run, UINT32_MAX, FRAME_OTHER_ORDER);
    expect_refused(test, run + 1, 3, FRAME_UNALIGNED);
    expect_refused(test, run + PAGE_SIZE - 1, 3, FRAME_UNALIGNED);
    KTEST_EXPECT_EQ(test, give(run, 3), FRAME_FINE);
}

KTEST(frame_allocator, verdicts_have_words)
{
    for (enum frame_verdict verdict = FRAME_FINE; verdict <= FRAME_SHARED; verdict++) {
        KTEST_EXPECT_GT(test, strlen(frame_verdict_text(verdict)), 6);
    }
    KTEST_EXPECT_STREQ(test, frame_verdict_text(FRAME_IS_FREE), "is free already");
    KTEST_EXPECT_STREQ(test, frame_verdict_text((enum frame_verdict)99), "?");
}

// --- References ---------------------------------------------------------------------------------

KTEST_ATTR(frame_allocator, last_reference_gives_back, .proves = "9.4.3");
KTEST(frame_allocator, last_reference_gives_back)
{
    make_one(test, SECTION_BYTES, 2 * SECTION_BYTES);
    for (unsigned order = 0; order < 3; order++) {
        phys_addr_t frame = {alloc(test, order)};
        uint64_t free_count = statistics().free_count;
        KTEST_EXPECT_EQ(test, frame_allocator_get(&allocator, frame), FRAME_FINE);
        KTEST_EXPECT_EQ(test, frame_allocator_get(&allocator, frame), FRAME_FINE);
        expect_refused(test, frame.value, order, FRAME_SHARED);
        KTEST_EXPECT_EQ(test, frame_allocator_put(&allocator, frame), FRAME_FINE);
        KTEST_EXPECT_EQ(test, frame_allocator_put(&allocator, frame), FRAME_FINE);
        KTEST_EXPECT_EQ(test, statistics().free_count, free_count);
        KTEST_EXPECT_EQ(test, frame_allocator_put(&allocator, frame), FRAME_FINE);
        KTEST_EXPECT_EQ(test, statistics().free_count, free_count + BIT(order));
        KTEST_EXPECT_EQ(test, frame_allocator_put(&allocator, frame), FRAME_IS_FREE);
        KTEST_EXPECT_EQ(test, frame_allocator_get(&allocator, frame), FRAME_IS_FREE);
    }
    KTEST_EXPECT_EQ(test, frame_allocator_get(&allocator, (phys_addr_t){1}), FRAME_UNALIGNED);
    KTEST_EXPECT_EQ(test, frame_allocator_put(&allocator, (phys_addr_t){0}), FRAME_FOREIGN);
}

// --- Reports ------------------------------------------------------------------------------------

KTEST(frame_allocator, owner_is_known_while_and_after)
{
    make_one(test, SECTION_BYTES, 2 * SECTION_BYTES);
    phys_addr_t run = {0};
    KTEST_ASSERT_EQ(
        test, frame_allocator_alloc(&allocator, 2, FRAME_ZONE_REST, 0xffffffff81234567, &run), OK);
    struct frame_owner owner = {};
    KTEST_ASSERT_TRUE(test, frame_allocator_inspect(
                                &allocator, (phys_addr_t){run.value + 3 * PAGE_SIZE}, &owner));
    KTEST_EXPECT_EQ(test, owner.frame.value, run.value);
    KTEST_EXPECT_EQ(test, owner.order, 2);
    KTEST_EXPECT_EQ(test, owner.references, 1);
    KTEST_EXPECT_EQ(test, owner.site, 0xffffffff81234567);
    KTEST_EXPECT_EQ(test, frame_allocator_get(&allocator, run), FRAME_FINE);
    KTEST_ASSERT_TRUE(test, frame_allocator_inspect(&allocator, run, &owner));
    KTEST_EXPECT_EQ(test, owner.references, 2);
    KTEST_EXPECT_EQ(test, frame_allocator_put(&allocator, run), FRAME_FINE);
    KTEST_EXPECT_EQ(test, give(run.value, 2), FRAME_FINE);
    KTEST_ASSERT_TRUE(test, frame_allocator_inspect(&allocator, run, &owner));
    KTEST_EXPECT_EQ(test, owner.references, 0);
    KTEST_EXPECT_EQ(test, owner.site, 0xffffffff81234567); // of use for who frees it twice
    KTEST_EXPECT_EQ(test, owner.order, FRAME_ORDER_MAX);
    phys_addr_t untouched = {2 * SECTION_BYTES - PAGE_SIZE};
    alloc(test, 0);
    KTEST_ASSERT_TRUE(test, frame_allocator_inspect(&allocator, untouched, &owner));
    KTEST_EXPECT_EQ(test, owner.site, 0);
}

KTEST(frame_allocator, lowest_free_count_is_kept)
{
    make_one(test, SECTION_BYTES, 2 * SECTION_BYTES);
    KTEST_EXPECT_EQ(test, statistics().lowest_free_count, 4096);
    uint64_t run = alloc(test, 10);
    uint64_t frame = alloc(test, 0);
    KTEST_EXPECT_EQ(test, statistics().lowest_free_count, 3071);
    KTEST_EXPECT_EQ(test, give(run, 10), FRAME_FINE);
    KTEST_EXPECT_EQ(test, give(frame, 0), FRAME_FINE);
    KTEST_EXPECT_EQ(test, statistics().lowest_free_count, 3071);
    (void)alloc(test, 11);
    KTEST_EXPECT_EQ(test, statistics().lowest_free_count, 2048);
}

static unsigned count_since(uint32_t mark, uint64_t *frames_out)
{
    struct frame_owner owner;
    uint32_t cursor = 0;
    unsigned count = 0;
    *frames_out = 0;
    while (frame_allocator_next(&allocator, mark, &cursor, &owner)) {
        *frames_out += BIT(owner.order);
        count++;
    }
    return count;
}

KTEST(frame_allocator, what_was_taken_since_a_mark_is_found)
{
    make_three_zones(test);
    (void)alloc(test, 0);
    (void)alloc(test, 5);
    uint64_t frames;
    uint32_t outer = frame_allocator_mark(&allocator);
    KTEST_EXPECT_EQ(test, count_since(outer, &frames), 0);
    uint64_t run = alloc(test, 6);
    uint32_t inner = frame_allocator_mark(&allocator);
    (void)alloc(test, 0);
    (void)alloc(test, 8);
    KTEST_EXPECT_EQ(test, count_since(inner, &frames), 2);
    KTEST_EXPECT_EQ(test, frames, 257);
    KTEST_EXPECT_EQ(test, count_since(outer, &frames), 3);
    KTEST_EXPECT_EQ(test, frames, 257 + 64);
    KTEST_EXPECT_EQ(test, give(run, 6), FRAME_FINE);
    KTEST_EXPECT_EQ(test, count_since(outer, &frames), 2);
}

KTEST(frame_allocator, marks_may_wrap)
{
    make_three_zones(test);
    uint64_t frames;
    allocator.epoch = UINT32_MAX - 1;
    uint32_t before = frame_allocator_mark(&allocator);
    (void)alloc(test, 0);
    uint32_t behind = frame_allocator_mark(&allocator);
    KTEST_EXPECT_EQ(test, behind, 0);
    (void)alloc(test, 0);
    KTEST_EXPECT_EQ(test, count_since(before, &frames), 2);
    KTEST_EXPECT_EQ(test, count_since(behind, &frames), 1);
}

// What frames were before, in larger blocks, is not seen in them any more.
KTEST(frame_allocator, what_was_taken_is_found_among_former_blocks)
{
    make_one(test, SECTION_BYTES, 2 * SECTION_BYTES);
    uint64_t frames[64];
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 64; i++) {
            frames[i] = alloc(test, i % 5);
        }
        for (unsigned i = 0; i < 64; i++) {
            KTEST_EXPECT_EQ(test, give(frames[i], i % 5), FRAME_FINE);
        }
        frame_allocator_settle(&allocator);
    }
    uint32_t mark = frame_allocator_mark(&allocator);
    for (unsigned i = 0; i < 64; i++) {
        frames[i] = alloc(test, 0);
    }
    uint64_t count;
    for (unsigned i = 0; i < 64; i++) {
        KTEST_EXPECT_EQ(test, count_since(mark, &count), 64 - i);
        KTEST_EXPECT_EQ(test, give(frames[i * 37 % 64], 0), FRAME_FINE);
    }
}

KTEST(frame_allocator, only_so_many_single_frames_lie_ready)
{
    make_one(test, SECTION_BYTES, 2 * SECTION_BYTES);
    uint64_t frames[100];
    for (unsigned i = 0; i < 100; i++) {
        frames[i] = alloc(test, 0);
    }
    for (unsigned i = 0; i < 100; i++) {
        KTEST_EXPECT_EQ(test, give(frames[i], 0), FRAME_FINE);
        KTEST_EXPECT_LE(test, statistics().single_count, 64);
    }
    KTEST_EXPECT_GE(test, statistics().single_count, 32);
}

KTEST(frame_allocator, nothing_lies_on_a_stack_that_is_bypassed)
{
    make_three_zones(test);
    struct frame_statistics first = statistics();
    uint64_t before = alloc(test, 0);
    KTEST_EXPECT_GT(test, statistics().single_count, 0);

    frame_allocator_bypass_stack(&allocator);

    KTEST_EXPECT_EQ(test, statistics().single_count, 0);
    uint64_t meanwhile = alloc(test, 0);
    KTEST_EXPECT_EQ(test, allocator.stack_count, 0);
    KTEST_EXPECT_EQ(test, give(before, 0), FRAME_FINE);
    KTEST_EXPECT_EQ(test, allocator.stack_count, 0);
    KTEST_EXPECT_EQ(test, statistics().free_count, first.free_count - 1);
    expect_sums(test);

    frame_allocator_use_stack(&allocator);

    (void)alloc(test, 0);
    KTEST_EXPECT_EQ(test, give(meanwhile, 0), FRAME_FINE);
    KTEST_EXPECT_GT(test, statistics().single_count, 0);
}

KTEST(frame_allocator, what_was_taken_since_a_mark_can_be_taken_back)
{
    make_three_zones(test);
    uint64_t kept = alloc(test, 1);
    struct frame_statistics before = statistics();
    uint32_t mark = frame_allocator_mark(&allocator);
    for (unsigned order = 0; order < 9; order++) {
        uint64_t frame = alloc(test, order);
        KTEST_EXPECT_EQ(test, frame_allocator_get(&allocator, (phys_addr_t){frame}), FRAME_FINE);
    }
    for (unsigned i = 0; i < 100; i++) {
        (void)alloc(test, 0);
    }
    KTEST_EXPECT_EQ(test, frame_allocator_reclaim(&allocator, mark), 511 + 100);
    KTEST_EXPECT_EQ(test, frame_allocator_reclaim(&allocator, mark), 0);
    expect_like_new(test, &before);
    KTEST_EXPECT_EQ(test, give(kept, 1), FRAME_FINE);
}

// --- Metadata -----------------------------------------------------------------------------------

static uint64_t metadata_for(uint64_t start, uint64_t end)
{
    region_count = 0;
    add(start, end, MEMORY_USABLE);
    (void)!memory_map_make(&map, regions, region_count);
    return frame_allocator_metadata_bytes(&map);
}

#define HEADS_BYTES (3 * 13 * 16)

KTEST(frame_allocator, metadata_is_for_sections_with_memory)
{
    KTEST_EXPECT_EQ(test, metadata_for(MIB, 8 * MIB), 65536 + HEADS_BYTES + 8 + 4);
    KTEST_EXPECT_EQ(test, metadata_for(16 * MIB - PAGE_SIZE, 16 * MIB + PAGE_SIZE),
                    2 * 65536 + HEADS_BYTES + 2 * 8 + 2 * 4);
    KTEST_EXPECT_EQ(test, metadata_for(0, 1024 * GIB), 4 * GIB + HEADS_BYTES + 65536 * (8 + 4));
    // 0 to 3 GiB and one at 1 TiB: the hole costs 4 bytes for each 16 MiB of it.
    region_count = 0;
    add(0, 3 * GIB, MEMORY_USABLE);
    add(1024 * GIB, 1025 * GIB, MEMORY_USABLE);
    KTEST_ASSERT_EQ(test, memory_map_make(&map, regions, region_count), OK);
    KTEST_EXPECT_EQ(test, frame_allocator_metadata_bytes(&map),
                    16 * MIB + HEADS_BYTES + 256 * 8 + 1025 * 64 * 4);
    // Areas that share a section count it once.
    region_count = 0;
    add(0x1000, 0x2000, MEMORY_USABLE);
    add(0x3000, 0x4000, MEMORY_USABLE);
    add(0x5000, 17 * MIB, MEMORY_USABLE);
    KTEST_ASSERT_EQ(test, memory_map_make(&map, regions, region_count), OK);
    KTEST_EXPECT_EQ(test, frame_allocator_metadata_bytes(&map),
                    2 * 65536 + HEADS_BYTES + 2 * 8 + 2 * 4);
}

KTEST(frame_allocator, metadata_may_not_be_too_small)
{
    uint64_t size_bytes = metadata_for(MIB, 20 * MIB);
    memset(metadata, 0, sizeof(metadata));
    KTEST_EXPECT_EQ(test, frame_allocator_init(&allocator, &map, metadata, size_bytes - 1), ENOSPC);
    KTEST_EXPECT_EQ(test, statistics().total_count, 0);
    KTEST_EXPECT_EQ(test, frame_allocator_init(&allocator, &map, metadata, size_bytes), OK);
    KTEST_EXPECT_EQ(test, statistics().total_count, 19 * 256);
}

KTEST(frame_allocator, more_memory_than_indices_is_refused)
{
    (void)metadata_for(0, BIT(44));
    KTEST_EXPECT_EQ(test, frame_allocator_init(&allocator, &map, metadata, UINT64_MAX), ENOSPC);
}

// What is taken for the metadata can empty a section, and never needs another.
KTEST(frame_allocator, metadata_can_come_out_of_the_map)
{
    struct test_random random = {6};
    const unsigned round_count = 20 * test_scale();
    for (unsigned round = 0; round < round_count; round++) {
        uint64_t start = test_random_below(&random, 64) * 0x40000;
        uint64_t size_bytes =
            metadata_for(start, start + MIB + test_random_below(&random, 20 * MIB));
        phys_addr_t taken;
        KTEST_ASSERT_EQ(test, memory_map_take(&map, size_bytes, (phys_addr_t){BIT(40)}, &taken),
                        OK);
        KTEST_ASSERT_LE(test, frame_allocator_metadata_bytes(&map), size_bytes);
        memset(metadata, 0, sizeof(metadata));
        KTEST_ASSERT_EQ(test, frame_allocator_init(&allocator, &map, metadata, size_bytes), OK);
        KTEST_ASSERT_EQ(test, give(taken.value, 0), FRAME_FOREIGN);
        KTEST_ASSERT_EQ(test, statistics().total_count * PAGE_SIZE,
                        memory_map_size_bytes(&map, MEMORY_USABLE));
    }
}

// --- By chance ----------------------------------------------------------------------------------

#define SLOT_COUNT 3000

static struct slot {
    uint64_t frame;
    uint8_t order;
    uint8_t references; // 0: empty
} slots[SLOT_COUNT];

static uint64_t model_free_count;

static void take_into(struct ktest *test, struct test_random *random, struct slot *slot)
{
    unsigned order = test_random_below(random, 4) != 0 ? 0 : (unsigned)test_random_below(random, 8);
    enum frame_zone highest = test_random_below(random, 3) != 0
                                  ? FRAME_ZONE_REST
                                  : (enum frame_zone)test_random_below(random, 3);
    enum error error = try_alloc(order, highest, &slot->frame);
    if (error != OK) {
        KTEST_ASSERT_EQ(test, error, ENOMEM);
        KTEST_ASSERT_FALSE(test, model_has(order, highest));
        return;
    }
    model_take(test, slot->frame, order, highest);
    model_free_count -= BIT(order);
    slot->order = (uint8_t)order;
    slot->references = 1;
}

static void give_from(struct ktest *test, struct slot *slot)
{
    phys_addr_t frame = {slot->frame};
    if (slot->references > 1) {
        KTEST_ASSERT_EQ(test, give(slot->frame, slot->order), FRAME_SHARED);
        KTEST_ASSERT_EQ(test, frame_allocator_put(&allocator, frame), FRAME_FINE);
        slot->references--;
        return;
    }
    KTEST_ASSERT_EQ(test, give(slot->frame, slot->order), FRAME_FINE);
    KTEST_ASSERT_EQ(test, give(slot->frame, slot->order), FRAME_IS_FREE);
    model_give(slot->frame, slot->order);
    model_free_count += BIT(slot->order);
    slot->references = 0;
}

// In waves: for a while more is taken than given, up to the last frame, and then the other way.
static void one_operation(struct ktest *test, struct test_random *random, bool is_rising)
{
    struct slot *slot = &slots[test_random_below(random, SLOT_COUNT)];
    uint64_t dice = test_random_below(random, 100);
    if (slot->references == 0) {
        if (dice < (is_rising ? 95 : 30)) {
            take_into(test, random, slot);
        }
    } else if (dice < 5 && slot->references < 3) {
        KTEST_ASSERT_EQ(test, frame_allocator_get(&allocator, (phys_addr_t){slot->frame}),
                        FRAME_FINE);
        slot->references++;
    } else if (dice < (is_rising ? 30 : 95)) {
        give_from(test, slot);
    }
}

KTEST_ATTR(frame_allocator, agrees_with_a_model, .timeout_ms = 120000, .speed = KTEST_SPEED_SLOW,
           .proves = "9.4.4");
KTEST(frame_allocator, agrees_with_a_model)
{
    add(0x2000, 0x9f000, MEMORY_USABLE);
    add(15 * MIB + 0x5000, 19 * MIB + 0x3000, MEMORY_USABLE);
    add(40 * MIB, 44 * MIB - PAGE_SIZE, MEMORY_USABLE);
    add(4 * GIB + 0x1000, 4 * GIB + 6 * MIB, MEMORY_USABLE);
    KTEST_ASSERT_EQ(test, make(), OK);
    model_reset();
    memset(slots, 0, sizeof(slots));
    const struct frame_statistics first = statistics();
    model_free_count = first.free_count;
    struct test_random random = {7};
    const unsigned round_count = 100000 * test_scale();
    for (unsigned i = 0; i < round_count; i++) {
        if (i % 7000 == 0) {
            frame_allocator_bypass_stack(&allocator);
        } else if (i % 7000 == 2000) {
            frame_allocator_use_stack(&allocator);
        }
        KTEST_ASSERT_TRUE(test, !allocator.is_stack_bypassed || allocator.stack_count == 0);
        one_operation(test, &random, i / 10000 % 2 == 0);
        KTEST_ASSERT_EQ(test, allocator.block_free_count + allocator.stack_count, model_free_count);
        if (i % 1000 == 0) {
            expect_sums(test);
        }
    }
    frame_allocator_use_stack(&allocator);
    KTEST_EXPECT_LT(test, statistics().lowest_free_count, 10); // the waves were high enough
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        while (slots[i].references != 0) {
            give_from(test, &slots[i]);
        }
    }
    expect_like_new(test, &first);
}

KTEST(frame_allocator, verdicts_are_told_in_words)
{
    static const char *const words[] = {
        [FRAME_FINE] = "is fine",
        [FRAME_UNALIGNED] = "is not the address of a frame",
        [FRAME_FOREIGN] = "was never free",
        [FRAME_IS_FREE] = "is free already",
        [FRAME_IS_INSIDE] = "is not the first of its block",
        [FRAME_OTHER_ORDER] = "is a block of another order",
        [FRAME_SHARED] = "has other references",
    };
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        KTEST_EXPECT_STREQ(test, frame_verdict_text((enum frame_verdict)i), words[i]);
    }
    KTEST_EXPECT_STREQ(test, frame_verdict_text((enum frame_verdict)99), "?");
}
