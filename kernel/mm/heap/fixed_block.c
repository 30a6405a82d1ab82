// SPDX-License-Identifier: MIT
//
// Pages know each other by their index, for the table moves when it grows.
#include "mm/heap/fixed_block.h"

#include "lib/addr.h"
#include "lib/string.h"

#define NONE UINT32_MAX

static struct fixed_block_allocator *self_of(const struct allocator *allocator)
{
    return (struct fixed_block_allocator *)(uintptr_t)allocator;
}

// The exponent of the smallest power of two that is at least as large as both; 64 for 0 bytes.
static unsigned order_of(size_t size_bytes, size_t alignment)
{
    uint64_t bits = (size_bytes - 1) | (alignment - 1) | (BIT(FIXED_BLOCK_ORDER_MIN) - 1);
    return 64 - (unsigned)__builtin_clzll(bits);
}

static struct fixed_block_size *size_of(struct fixed_block_allocator *self, unsigned order)
{
    return &self->sizes[order - FIXED_BLOCK_ORDER_MIN];
}

// The page that a block was cut from; NULL if it is the list's.
static struct fixed_block_page *page_of(const struct fixed_block_allocator *self, const void *block)
{
    size_t index = ((uintptr_t)block - self->start) >> PAGE_SHIFT;
    if (index >= self->page_count || self->pages[index].order == 0) {
        return NULL;
    }
    return &self->pages[index];
}

static uintptr_t address_of(const struct fixed_block_allocator *self,
                            const struct fixed_block_page *page)
{
    return self->start + ((size_t)(page - self->pages) << PAGE_SHIFT);
}

// --- Pages --------------------------------------------------------------------------------------

static void insert(struct fixed_block_allocator *self, struct fixed_block_page *page)
{
    struct fixed_block_size *size = size_of(self, page->order);
    page->next = size->first;
    page->previous = NONE;
    size->first = (uint32_t)(page - self->pages);
    if (page->next != NONE) {
        self->pages[page->next].previous = size->first;
    }
}

static void unlink(struct fixed_block_allocator *self, struct fixed_block_page *page)
{
    if (page->previous != NONE) {
        self->pages[page->previous].next = page->next;
    } else {
        size_of(self, page->order)->first = page->next;
    }
    if (page->next != NONE) {
        self->pages[page->next].previous = page->previous;
    }
}

// Cuts a page of the list's into blocks, the lowest of which comes first.
[[gnu::noinline]] static bool add_page(struct fixed_block_allocator *self, unsigned order)
{
    void *memory = free_list_take(&self->list.free, PAGE_SIZE, 0, PAGE_SIZE);
    if (memory == NULL) {
        return false;
    }
    void *free = NULL;
    uintptr_t start = (uintptr_t)memory;
    for (uintptr_t block = start + PAGE_SIZE; block > start;) {
        block -= BIT(order);
        *(void **)block = free;
        free = (void *)block;
    }
    struct fixed_block_page *page = &self->pages[(start - self->start) >> PAGE_SHIFT];
    *page = (struct fixed_block_page){.free = free, .order = (uint8_t)order};
    insert(self, page);
    size_of(self, order)->has_empty = true;
    return true;
}

static void remove_page(struct fixed_block_allocator *self, struct fixed_block_page *page)
{
    unlink(self, page);
    page->order = 0;
    free_list_give(&self->list.free, (void *)address_of(self, page), PAGE_SIZE);
}

static void trim(struct allocator *allocator)
{
    struct fixed_block_allocator *self = self_of(allocator);
    for (unsigned i = 0; i < FIXED_BLOCK_ORDER_COUNT; i++) {
        struct fixed_block_size *size = &self->sizes[i];
        if (!size->has_empty) {
            continue;
        }
        struct fixed_block_page *page = &self->pages[size->first];
        while (page->used_count != 0) {
            page = &self->pages[page->next];
        }
        remove_page(self, page);
        size->has_empty = false;
    }
}

// --- Blocks -------------------------------------------------------------------------------------

[[gnu::noinline]] static void *allocate_from_list(struct fixed_block_allocator *self,
                                                  size_t size_bytes, size_t alignment)
{
    void *block = allocator_allocate(&self->list.base, size_bytes, alignment);
    if (block == NULL) {
        trim(&self->base);
        block = allocator_allocate(&self->list.base, size_bytes, alignment);
    }
    return block;
}

static void *allocate(struct allocator *allocator, size_t size_bytes, size_t alignment)
{
    struct fixed_block_allocator *self = self_of(allocator);
    unsigned order = order_of(size_bytes, alignment);
    if (order > FIXED_BLOCK_ORDER_MAX) {
        return allocate_from_list(self, size_bytes, alignment);
    }
    struct fixed_block_size *size = size_of(self, order);
    if (size->first == NONE && !add_page(self, order)) {
        return allocate_from_list(self, size_bytes, alignment);
    }
    struct fixed_block_page *page = &self->pages[size->first];
    void **block = page->free;
    page->free = *block;
    if (page->free == NULL) {
        unlink(self, page);
    }
    if (page->used_count++ == 0) {
        size->has_empty = false;
    }
    return block;
}

static void free(struct allocator *allocator, void *block)
{
    struct fixed_block_allocator *self = self_of(allocator);
    struct fixed_block_page *page = page_of(self, block);
    if (page == NULL) {
        allocator_free(&self->list.base, block);
        return;
    }
    assert(page->used_count != 0 && is_aligned((uintptr_t)block, BIT(page->order)));
    if (page->free == NULL) {
        insert(self, page);
    }
    *(void **)block = page->free;
    page->free = block;
    if (--page->used_count == 0) {
        struct fixed_block_size *size = size_of(self, page->order);
        if (size->has_empty) {
            remove_page(self, page);
        }
        size->has_empty = true;
    }
}

static size_t usable_bytes(const struct allocator *allocator, const void *block)
{
    const struct fixed_block_allocator *self = self_of(allocator);
    const struct fixed_block_page *page = page_of(self, block);
    return page != NULL ? BIT(page->order) : allocator_usable_bytes(&self->list.base, block);
}

static bool resize(struct allocator *allocator, void *block, size_t size_bytes)
{
    struct fixed_block_allocator *self = self_of(allocator);
    const struct fixed_block_page *page = page_of(self, block);
    return page != NULL ? size_bytes <= BIT(page->order)
                        : allocator_resize(&self->list.base, block, size_bytes);
}

// --- The whole ----------------------------------------------------------------------------------

// The new table lies at the end. All in front of it that was not the list's is now, the old table
// too: the free memory stays in one piece.
static enum error extend(struct allocator *allocator, void *start, size_t size_bytes)
{
    struct fixed_block_allocator *self = self_of(allocator);
    assert((uintptr_t)start == self->end && size_bytes <= UINTPTR_MAX - self->end);
    uintptr_t end = self->end + size_bytes;
    size_t page_count = (align_up(end, PAGE_SIZE) - self->start) >> PAGE_SHIFT;
    size_t table_bytes = align_up(page_count * sizeof(struct fixed_block_page), FREE_LIST_GRAIN);
    if (table_bytes + FREE_LIST_GRAIN > size_bytes || page_count >= NONE) {
        return ENOSPC;
    }
    struct fixed_block_page *pages =
        (struct fixed_block_page *)align_down(end - table_bytes, FREE_LIST_GRAIN);
    size_t old_bytes = self->page_count * sizeof(struct fixed_block_page);
    memset(pages, 0, table_bytes);
    memcpy(pages, self->pages, old_bytes);
    void *added = self->page_count != 0 ? self->pages : start;
    self->pages = pages;
    self->page_count = page_count;
    self->end = end;
    return allocator_extend(&self->list.base, added, (uintptr_t)pages - (uintptr_t)added);
}

static size_t free_count_of(const struct fixed_block_page *page)
{
    return (PAGE_SIZE >> page->order) - page->used_count;
}

static void measure(const struct allocator *allocator, struct allocator_statistics *out)
{
    const struct fixed_block_allocator *self = self_of(allocator);
    allocator_measure(&self->list.base, out);
    for (size_t i = 0; i < self->page_count; i++) {
        const struct fixed_block_page *page = &self->pages[i];
        if (page->order != 0) {
            out->free_bytes += free_count_of(page) << page->order;
            out->block_count += page->used_count;
        }
    }
    out->used_bytes = out->managed_bytes - out->free_bytes;
}

static const char *check_page(const struct fixed_block_allocator *self,
                              const struct fixed_block_page *page)
{
    size_t free_count = 0;
    for (void *const *block = page->free; block != NULL; block = *block) {
        if (align_down((uintptr_t)block, PAGE_SIZE) != address_of(self, page) ||
            !is_aligned((uintptr_t)block, BIT(page->order))) {
            return "a free block lies outside of its page, or crooked in it";
        }
        if (++free_count > PAGE_SIZE >> page->order) {
            return "the free blocks of a page are a ring";
        }
    }
    return free_count != free_count_of(page) ? "a page counts its free blocks wrong" : NULL;
}

// The pages with free blocks of one size.
static const char *check_size(const struct fixed_block_allocator *self, unsigned order)
{
    const struct fixed_block_size *size = &self->sizes[order - FIXED_BLOCK_ORDER_MIN];
    size_t listed_count = 0;
    size_t empty_count = 0;
    for (uint32_t index = size->first; index != NONE; index = self->pages[index].next) {
        if (self->pages[index].order != order || ++listed_count > self->page_count) {
            return "a list of pages goes astray";
        }
        empty_count += self->pages[index].used_count == 0;
    }
    for (size_t i = 0; i < self->page_count; i++) {
        listed_count -= self->pages[i].order == order && self->pages[i].free != NULL;
    }
    if (listed_count != 0) {
        return "a page with free blocks is not in its list, or a full one is";
    }
    return empty_count != size->has_empty ? "empty pages are counted wrong" : NULL;
}

static const char *check(const struct allocator *allocator)
{
    const struct fixed_block_allocator *self = self_of(allocator);
    const char *problem = allocator_check(&self->list.base);
    for (size_t i = 0; i < self->page_count && problem == NULL; i++) {
        if (self->pages[i].order != 0) {
            problem = check_page(self, &self->pages[i]);
        }
    }
    for (unsigned order = FIXED_BLOCK_ORDER_MIN; order <= FIXED_BLOCK_ORDER_MAX && problem == NULL;
         order++) {
        problem = check_size(self, order);
    }
    return problem;
}

static void dump(const struct allocator *allocator, const struct writer *writer)
{
    const struct fixed_block_allocator *self = self_of(allocator);
    for (size_t i = 0; i < self->page_count; i++) {
        const struct fixed_block_page *page = &self->pages[i];
        if (page->order != 0) {
            format_write(writer, "page %#lx, blocks of %lu bytes, %u of %lu used\n",
                         address_of(self, page), BIT(page->order), page->used_count,
                         PAGE_SIZE >> page->order);
        }
    }
    allocator_dump(&self->list.base, writer);
}

void fixed_block_allocator_init(struct fixed_block_allocator *allocator_out, void *start,
                                size_t size_bytes)
{
    static const struct allocator_operations operations = {
        .name = "fixed block",
        .allocate = allocate,
        .free = free,
        .resize = resize,
        .usable_bytes = usable_bytes,
        .extend = extend,
        .trim = trim,
        .measure = measure,
        .check = check,
        .dump = dump,
    };
    *allocator_out = (struct fixed_block_allocator){
        .base = {&operations},
        .start = align_down((uintptr_t)start, PAGE_SIZE),
        .end = (uintptr_t)start,
    };
    list_allocator_init(&allocator_out->list, NULL, 0, FIRST_FIT);
    for (unsigned i = 0; i < FIXED_BLOCK_ORDER_COUNT; i++) {
        allocator_out->sizes[i].first = NONE;
    }
    enum error error = extend(&allocator_out->base, start, size_bytes);
    assert(error == OK);
}
