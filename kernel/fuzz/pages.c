// SPDX-License-Identifier: MIT
//
// Page tables under operations from bytes, for libFuzzer, against an array that says for each 4 KiB
// what is mapped there. All happens in 8 MiB around the border of two level-2 tables; allocations
// fail when the bytes say so, and then nothing may have changed.
#include "mm/page_table.h"

#include <string.h>

#include "fuzz/fuzz.h"
#include "lib/bits.h"
#include "mm/address_space.h"
#include "mm/test_frames.h"

#define LARGE_PAGES 4
#define PAGES (LARGE_PAGES * TABLE_ENTRY_COUNT)
#define START ((1ULL << 30) - LARGE_PAGES / 2 * page_size_bytes(PAGE_2MIB))
#define FRAMES (8ULL << 30)

struct model_page {
    enum page_size size; // 0: not mapped
    uint64_t frame;      // of these 4 KiB
    uint64_t flags;
};

static struct model_page model[PAGES];
static struct address_space space;

static virt_addr_t page_at(unsigned index)
{
    return (virt_addr_t){START + index * PAGE_SIZE};
}

static uint64_t next_flags(struct fuzz_input *input)
{
    static const uint64_t flags[] = {0, PTE_WRITABLE, PTE_NO_EXECUTE, PTE_WRITABLE | PTE_USER};
    return flags[fuzz_next(input) % ARRAY_SIZE(flags)];
}

// How many of these pages are mapped.
static unsigned mapped_count(unsigned first, unsigned count)
{
    unsigned mapped = 0;
    for (unsigned i = first; i < first + count; i++) {
        mapped += model[i].size != 0;
    }
    return mapped;
}

// A large page that begins before `boundary` and ends behind it is no longer one.
static void split_at(unsigned boundary)
{
    unsigned first = boundary / TABLE_ENTRY_COUNT * TABLE_ENTRY_COUNT;
    if (boundary != first && model[first].size == PAGE_2MIB) {
        for (unsigned i = first; i < first + TABLE_ENTRY_COUNT; i++) {
            model[i].size = PAGE_4KIB;
        }
    }
}

static bool is_as_planned(enum error error, enum error expected, unsigned failing)
{
    return error == expected || (error == ENOMEM && expected == OK && failing != 0);
}

static void map_range(unsigned first, unsigned count, uint64_t frame, uint64_t flags,
                      unsigned failing)
{
    enum error expected = mapped_count(first, count) == 0 ? OK : EEXIST;
    enum error error = tlb_flush_ignore(
        page_map_range(&space, page_at(first), (phys_addr_t){frame}, count * PAGE_SIZE, flags));
    assert(is_as_planned(error, expected, failing));
    for (unsigned i = 0; error == OK && i < count; i++) {
        unsigned large = (first + i) / TABLE_ENTRY_COUNT * TABLE_ENTRY_COUNT;
        bool is_large = large >= first && large + TABLE_ENTRY_COUNT <= first + count &&
                        is_aligned(frame + (large - first) * PAGE_SIZE, page_size_bytes(PAGE_2MIB));
        model[first + i] =
            (struct model_page){is_large ? PAGE_2MIB : PAGE_4KIB, frame + i * PAGE_SIZE, flags};
    }
}

// Unmaps, or protects.
static void change_range(unsigned first, unsigned count, bool is_unmapped, uint64_t flags,
                         unsigned failing)
{
    enum error expected = mapped_count(first, count) == count ? OK : ENOENT;
    struct tlb_flush flush =
        is_unmapped ? page_unmap_range(&space, page_at(first), count * PAGE_SIZE)
                    : page_protect_range(&space, page_at(first), count * PAGE_SIZE, flags);
    enum error error = tlb_flush_ignore(flush);
    assert(is_as_planned(error, expected, failing));
    if (error != OK) {
        return;
    }
    split_at(first);
    split_at(first + count);
    for (unsigned i = first; i < first + count; i++) {
        model[i].flags = flags;
        model[i].size = is_unmapped ? 0 : model[i].size;
    }
}

static void check_page(unsigned index)
{
    struct page_mapping mapping;
    virt_addr_t address = {page_at(index).value + 123};
    enum error error = page_translate(&space, address, &mapping);
    assert(error == (model[index].size == 0 ? ENOENT : OK));
    if (error == OK) {
        assert(mapping.size == model[index].size && mapping.flags == model[index].flags);
        assert(mapping.frame.value + mapping.offset == model[index].frame + 123);
    }
}

static void operate(struct fuzz_input *input)
{
    unsigned kind = fuzz_next(input);
    unsigned first = (fuzz_next(input) * 256 + fuzz_next(input)) % PAGES;
    unsigned count = 1 + fuzz_next(input) * ((kind & 16) != 0 ? 16 : 1);
    if ((kind & 32) != 0) {
        first &= ~(TABLE_ENTRY_COUNT - 1U);
    }
    count = count < PAGES - first ? count : PAGES - first;
    unsigned failing = (kind & 64) != 0 ? 1 + kind % 4 : 0;
    uint64_t frame = FRAMES + first * PAGE_SIZE + ((kind & 128) != 0 ? PAGE_SIZE : 0);
    test_frames_fail_at(failing);
    switch (kind % 4) {
    case 0:
    case 1:
        map_range(first, count, frame, next_flags(input), failing);
        break;
    case 2:
        change_range(first, count, true, 0, failing);
        break;
    default:
        change_range(first, count, false, next_flags(input), failing);
    }
    test_frames_fail_at(0);
    check_page(first);
    check_page(first + count - 1);
    check_page(fuzz_next(input) * PAGES / 256);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    struct fuzz_input input = {bytes, size_bytes};
    test_frames_make_space(&space);
    memset(model, 0, sizeof(model));
    while (input.left > 0) {
        operate(&input);
    }
    for (unsigned i = 0; i < PAGES; i++) {
        check_page(i);
    }
    for (unsigned i = 0; i < PAGES; i++) {
        if (model[i].size != 0) {
            change_range(i, 1, true, 0, 0);
        }
    }
    assert(test_frames_used_count() == 1); // no table is left but the top
    return 0;
}
