// SPDX-License-Identifier: MIT
//
// Page tables against a model, by chance: a list of pages in order of their addresses, changed in
// the plainest way. Each call is tried on both, a part of them with an allocation that fails;
// errors have to agree, and so have all pages and the number of tables.
#include "mm/page_table.h"

#include "ktest.h"
#include "lib/assert.h"
#include "lib/string.h"
#include "lib/test_random.h"
#include "mm/address_space.h"
#include "mm/test_frames.h"

#define ROUNDS 100000
#define ROUNDS_BETWEEN_LOOKS 1000

#define MIB (1ULL << 20)
#define GIB (1ULL << 30)

#define PAGES_MAX 4096
#define PAGES_MANY 1500 // too many for another split; everything goes then

struct model_page {
    uint64_t start;
    uint64_t frame;
    uint64_t flags;
    enum page_size size;
};

struct model {
    struct model_page pages[PAGES_MAX];
    unsigned count;
};

static struct model model;
static struct model spare; // to try something out
static struct address_space space;
static struct test_random random;

static uint64_t chance(uint64_t limit)
{
    return test_random_below(&random, limit);
}

// --- The model ---------------------------------------------------------------------------------

static uint64_t end_of(const struct model_page *page)
{
    return page->start + page_size_bytes(page->size); // 0 for the last page there is
}

// The first page that does not end before `address`.
static unsigned model_find(const struct model *in, uint64_t address)
{
    unsigned low = 0;
    unsigned high = in->count;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (end_of(&in->pages[middle]) - 1 < address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static const struct model_page *model_at(const struct model *in, uint64_t address)
{
    unsigned index = model_find(in, address);
    bool is_hit = index < in->count && in->pages[index].start <= address;
    return is_hit ? &in->pages[index] : NULL;
}

static void model_make_room(struct model *in, unsigned index, unsigned count)
{
    assert(in->count + count <= PAGES_MAX);
    memmove(&in->pages[index + count], &in->pages[index],
            (in->count - index) * sizeof(in->pages[0]));
    in->count += count;
}

static void model_drop(struct model *in, unsigned index, unsigned count)
{
    memmove(&in->pages[index], &in->pages[index + count],
            (in->count - index - count) * sizeof(in->pages[0]));
    in->count -= count;
}

// Tables that these pages take: at each level one for every block with a page below it.
static unsigned model_table_count(const struct model *in)
{
    unsigned count = 0;
    for (unsigned level = 1; level < PTE_LEVEL_MAX; level++) {
        uint64_t last_block = ~0ULL;
        for (unsigned i = 0; i < in->count; i++) {
            uint64_t block = in->pages[i].start >> pte_shift(level + 1);
            if ((unsigned)in->pages[i].size <= level && block != last_block) {
                count++;
                last_block = block;
            }
        }
    }
    return count;
}

// The upper half's one level-3 table that these tests use stays.
static unsigned tables_with_kept(const struct model *in)
{
    bool has_upper = in->count > 0 && in->pages[in->count - 1].start >> 63 != 0;
    return model_table_count(in) + (has_upper ? 0 : 1);
}

static void model_split(struct model *in, uint64_t boundary)
{
    for (;;) {
        unsigned index = model_find(in, boundary);
        if (index == in->count || in->pages[index].start >= boundary) {
            return;
        }
        struct model_page page = in->pages[index];
        page.size--;
        model_make_room(in, index, TABLE_ENTRY_COUNT - 1);
        for (unsigned i = 0; i < TABLE_ENTRY_COUNT; i++) {
            in->pages[index + i] = page;
            page.start += page_size_bytes(page.size);
            page.frame += page_size_bytes(page.size);
        }
    }
}

static enum page_size model_size(struct model_page page, uint64_t offset, uint64_t left,
                                 enum page_size largest)
{
    enum page_size size = largest;
    while (!is_aligned(page.start + offset, page_size_bytes(size)) ||
           !is_aligned(page.frame + offset, page_size_bytes(size)) ||
           page_size_bytes(size) > left) {
        size--;
    }
    return size;
}

static enum error model_map(struct model *in, struct model_page page, uint64_t size_bytes,
                            enum page_size largest)
{
    unsigned index = model_find(in, page.start);
    if (index < in->count && in->pages[index].start - page.start < size_bytes) {
        return EEXIST;
    }
    if (model_at(in, page.start) != NULL) {
        return EEXIST;
    }
    unsigned count = 0;
    for (uint64_t offset = 0; offset < size_bytes; count++) {
        offset += page_size_bytes(model_size(page, offset, size_bytes - offset, largest));
    }
    model_make_room(in, index, count);
    for (uint64_t offset = 0; offset < size_bytes; index++) {
        enum page_size size = model_size(page, offset, size_bytes - offset, largest);
        in->pages[index] =
            (struct model_page){page.start + offset, page.frame + offset, page.flags, size};
        offset += page_size_bytes(size);
    }
    return OK;
}

static bool model_is_mapped(const struct model *in, uint64_t start, uint64_t size_bytes)
{
    for (uint64_t offset = 0; offset < size_bytes;) {
        const struct model_page *page = model_at(in, start + offset);
        if (page == NULL) {
            return false;
        }
        offset = end_of(page) - start;
    }
    return true;
}

// All pages of the range, of which no page goes beyond it: unmapped, or given new flags.
static void model_change(struct model *in, uint64_t start, uint64_t size_bytes, bool is_unmapped,
                         uint64_t flags)
{
    unsigned first = model_find(in, start);
    unsigned count = 0;
    while (first + count < in->count && in->pages[first + count].start - start < size_bytes) {
        in->pages[first + count].flags = flags;
        count++;
    }
    if (is_unmapped) {
        model_drop(in, first, count);
    }
}

// --- Both --------------------------------------------------------------------------------------

// One of six calls has an allocation that fails. Only then it takes a copy to know what would be.
static unsigned failing_nth(void)
{
    return chance(6) == 0 ? 1 + (unsigned)chance(4) : 0;
}

static struct model *copy_for(unsigned nth)
{
    if (nth == 0) {
        return &model;
    }
    memcpy(spare.pages, model.pages, model.count * sizeof(model.pages[0]));
    spare.count = model.count;
    return &spare;
}

static void adopt(const struct model *changed)
{
    if (changed != &model) {
        memcpy(model.pages, changed->pages, changed->count * sizeof(model.pages[0]));
        model.count = changed->count;
    }
}

// Somewhere in 4 GiB at either end of the address space, mostly near to where others are.
static uint64_t random_address(void)
{
    uint64_t gib = chance(3) * GIB;
    uint64_t mib = chance(4) == 0 ? chance(512) : chance(3) + (chance(2) != 0 ? 509 : 0);
    uint64_t page = chance(4) == 0 ? chance(512) : chance(3) + (chance(2) != 0 ? 509 : 0);
    uint64_t base = chance(2) == 0 ? 0 : 0 - 3 * GIB;
    switch (chance(8)) {
    case 0:
        return base + gib;
    case 1:
    case 2:
        return base + gib + mib * 2 * MIB;
    default:
        return base + gib + mib * 2 * MIB + page * PAGE_SIZE;
    }
}

static uint64_t random_size(uint64_t start)
{
    uint64_t size_bytes;
    switch (chance(8)) {
    case 0:
        size_bytes = (1 + chance(2)) * GIB;
        break;
    case 1:
    case 2:
        size_bytes = (1 + chance(3)) * 2 * MIB;
        break;
    case 3:
        size_bytes = (1 + chance(600)) * PAGE_SIZE;
        break;
    default:
        size_bytes = (1 + chance(4)) * PAGE_SIZE;
    }
    bool is_too_long = start + size_bytes < start && start + size_bytes != 0;
    return is_too_long ? 0 - start : size_bytes;
}

static uint64_t random_flags(void)
{
    const uint64_t flags[] = {
        0, PTE_WRITABLE, PTE_NO_EXECUTE, PTE_WRITABLE | PTE_NO_EXECUTE, PTE_UNCACHED, PTE_SYSTEM_2};
    return flags[chance(ARRAY_SIZE(flags))];
}

static void try_map(struct ktest *test)
{
    uint64_t start = random_address();
    bool is_one = chance(2) == 0;
    enum page_size size = chance(4) == 0 ? PAGE_2MIB : PAGE_4KIB;
    start = is_one ? align_down(start, page_size_bytes(size)) : start;
    uint64_t size_bytes = is_one ? page_size_bytes(size) : random_size(start);
    uint64_t step = chance(4) == 0 ? PAGE_SIZE : 0; // frames out of step: small pages
    if (size_bytes >= 600 * PAGE_SIZE || size == PAGE_2MIB) {
        step = 0;
    }
    uint64_t frame = (start & (4 * GIB - 1)) + 8 * GIB + step;
    if (size_bytes > 4 * MIB && size_bytes < GIB && !is_aligned(start, 2 * MIB)) {
        return; // a crowd of small pages
    }
    struct model_page page = {start, frame, random_flags(), PAGE_4KIB};
    unsigned nth = failing_nth();
    struct model *changed = copy_for(nth);
    enum error expected = model_map(changed, page, size_bytes, is_one ? size : PAGE_1GIB);
    if (expected == OK && nth != 0 && nth <= tables_with_kept(changed) - tables_with_kept(&model)) {
        expected = ENOMEM;
    }
    test_frames_fail_at(nth);

    struct tlb_flush flush =
        is_one ? page_map(&space, (virt_addr_t){start}, (phys_addr_t){frame}, size, page.flags)
               : page_map_range(&space, (virt_addr_t){start}, (phys_addr_t){frame}, size_bytes,
                                page.flags);
    KTEST_ASSERT_EQ(test, tlb_flush_ignore(flush), expected);
    if (expected == OK) {
        adopt(changed);
    }
}

static void try_change(struct ktest *test, bool is_unmapped)
{
    uint64_t start = random_address();
    uint64_t size_bytes = random_size(start);
    if (chance(2) == 0 && model.count > 0) { // something that is there
        const struct model_page *page = &model.pages[chance(model.count)];
        start = page->start;
        size_bytes = page_size_bytes(page->size);
        if (chance(3) == 0) {
            start += chance(size_bytes / PAGE_SIZE) * PAGE_SIZE;
            size_bytes = PAGE_SIZE;
        }
    }
    uint64_t flags = random_flags();
    enum error expected = model_is_mapped(&model, start, size_bytes) ? OK : ENOENT;
    unsigned nth = failing_nth();
    struct model *changed = copy_for(nth);
    const struct model_page *there = model_at(&model, start);
    const struct model_page before = there != NULL ? *there : (struct model_page){0};
    if (expected == OK) {
        model_split(changed, start);
        model_split(changed, start + size_bytes);
        if (nth != 0 && nth <= model_table_count(changed) - model_table_count(&model)) {
            expected = ENOMEM;
        }
        model_change(changed, start, size_bytes, is_unmapped, flags);
    }
    test_frames_fail_at(nth);

    virt_addr_t page = {start};
    struct page_mapping mapping = {0};
    bool is_one = is_unmapped && size_bytes == PAGE_SIZE;
    bool is_curious = chance(2) == 0;
    struct tlb_flush flush = is_one
                                 ? page_unmap(&space, page, PAGE_4KIB, is_curious ? &mapping : NULL)
                             : is_unmapped ? page_unmap_range(&space, page, size_bytes)
                                           : page_protect_range(&space, page, size_bytes, flags);
    KTEST_ASSERT_EQ(test, tlb_flush_ignore(flush), expected);
    if (expected == OK) {
        if (is_one && is_curious) {
            KTEST_ASSERT_EQ(test, mapping.frame.value, before.frame + (start - before.start));
            KTEST_ASSERT_EQ(test, mapping.flags, before.flags);
        }
        adopt(changed);
    }
}

static void look_up(struct ktest *test, uint64_t address)
{
    struct page_mapping mapping;
    const struct model_page *page = model_at(&model, address);
    enum error error = page_translate(&space, (virt_addr_t){address}, &mapping);
    KTEST_ASSERT_EQ(test, error, page == NULL ? ENOENT : OK);
    if (page != NULL) {
        KTEST_ASSERT_EQ(test, mapping.frame.value, page->frame);
        KTEST_ASSERT_EQ(test, mapping.offset, address - page->start);
        KTEST_ASSERT_EQ(test, mapping.size, page->size);
        KTEST_ASSERT_EQ(test, mapping.flags, page->flags);
    }
}

static void look_at_everything(struct ktest *test)
{
    virt_addr_t at = {0};
    struct page_mapping mapping;
    unsigned count = 0;
    while (page_find(&space, &at, &mapping) == OK) {
        KTEST_ASSERT_LT(test, count, model.count);
        const struct model_page *page = &model.pages[count++];
        KTEST_ASSERT_EQ(test, at.value, page->start);
        KTEST_ASSERT_EQ(test, mapping.frame.value, page->frame);
        KTEST_ASSERT_EQ(test, mapping.size, page->size);
        KTEST_ASSERT_EQ(test, mapping.flags, page->flags);
        at.value += page_size_bytes(mapping.size);
        if (at.value == 0) {
            break;
        }
    }
    KTEST_ASSERT_EQ(test, count, model.count);
    KTEST_ASSERT_EQ(test, test_frames_used_count(), 1 + tables_with_kept(&model));
}

static void unmap_everything(struct ktest *test)
{
    test_frames_fail_at(0);
    while (model.count > 0) {
        const struct model_page *page = &model.pages[model.count - 1];
        KTEST_ASSERT_EQ(
            test,
            tlb_flush_ignore(page_unmap(&space, (virt_addr_t){page->start}, page->size, NULL)), OK);
        model.count--;
    }
    KTEST_ASSERT_EQ(test, test_frames_used_count(), 2);
}

KTEST_ATTR(page_model, agrees_by_chance, .timeout_ms = 120000, .speed = KTEST_SPEED_SLOW,
           .proves = "9.3.2 9.3.3");
KTEST(page_model, agrees_by_chance)
{
    test_frames_make_space(&space);
    KTEST_ASSERT_EQ(test, address_space_prepare(&space, (virt_addr_t){~0ULL << 12}, PAGE_SIZE), OK);
    random.state = 0x5eed;
    model.count = 0;
    const unsigned round_count = ROUNDS * test_scale();
    for (unsigned round = 0; round < round_count; round++) {
        uint64_t kind = chance(8);
        if (model.count > PAGES_MANY || chance(5000) == 0) {
            unmap_everything(test);
        } else if (kind < 3) {
            try_map(test);
        } else if (kind < 6) {
            try_change(test, kind < 5);
        } else {
            look_up(test, random_address() + chance(PAGE_SIZE));
        }
        if (round % ROUNDS_BETWEEN_LOOKS == 0) {
            look_at_everything(test);
        }
    }
    look_at_everything(test);
    unmap_everything(test);
    look_at_everything(test);
}
