// SPDX-License-Identifier: MIT
#include "mm/heap/fixed_block.h"

#include "lib/addr.h"
#include "lib/string.h"

#define ORDER_MIN FIXED_BLOCK_ORDER_MIN
#define ORDER_MAX FIXED_BLOCK_ORDER_MAX

static struct fixed_block_allocator *self_of(const struct allocator *allocator)
{
    return (struct fixed_block_allocator *)(uintptr_t)allocator;
}

// The exponent of the smallest power of two that is as large as both: the highest bit of twice what
// is less by 1.
static unsigned order_of(size_t size_bytes, size_t alignment)
{
    uint64_t bits = (2 * size_bytes - 2) | (2 * alignment - 2) | BIT(ORDER_MIN);
    return 63 ^ (unsigned)__builtin_clzll(bits);
}

// The page that a block is in.
static struct fixed_block_page *page_of(const struct fixed_block_allocator *self, const void *block)
{
    size_t index = ((uintptr_t)block - self->start) >> PAGE_SHIFT;
    assert(index < self->page_count);
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
    page->next = self->first[page->order];
    page->previous = NULL;
    if (page->next != NULL) {
        page->next->previous = page;
    }
    self->first[page->order] = page;
}

static void unlink(struct fixed_block_allocator *self, struct fixed_block_page *page)
{
    if (page->previous != NULL) {
        page->previous->next = page->next;
    } else {
        self->first[page->order] = page->next;
    }
    if (page->next != NULL) {
        page->next->previous = page->previous;
    }
}

// Cuts a page of the list's into blocks, the lowest of which comes first.
static bool add_page(struct fixed_block_allocator *self, unsigned order)
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
    *page = (struct fixed_block_page){.free = free, .order = order};
    insert(self, page);
    return true;
}

static void remove_page(struct fixed_block_allocator *self, struct fixed_block_page *page)
{
    unlink(self, page);
    *page = (struct fixed_block_page){};
    free_list_give(&self->list.free, (void *)address_of(self, page), PAGE_SIZE);
}

// One empty page stays ready, so that no pattern of calls cuts up a page again and again.
[[gnu::noinline]] static void note_empty(struct fixed_block_allocator *self,
                                         struct fixed_block_page *page)
{
    const struct fixed_block_page *empty = self->empty[page->order];
    if (empty == NULL || empty->used_count != 0) {
        self->empty[page->order] = page;
    } else {
        remove_page(self, page);
    }
}

static void trim(struct allocator *allocator)
{
    struct fixed_block_allocator *self = self_of(allocator);
    for (unsigned order = ORDER_MIN; order <= ORDER_MAX; order++) {
        struct fixed_block_page *empty = self->empty[order];
        self->empty[order] = NULL;
        if (empty != NULL && empty->used_count == 0) {
            remove_page(self, empty);
        }
    }
}

// --- Blocks -------------------------------------------------------------------------------------

static void *take_first(struct fixed_block_allocator *self, struct fixed_block_page *page)
{
    void **block = page->free;
    page->free = *block;
    page->used_count++;
    if (page->free == NULL) {
        unlink(self, page);
    }
    return block;
}

// Where no block lies ready.
[[gnu::noinline]] static void *allocate_anew(struct fixed_block_allocator *self, size_t size_bytes,
                                             size_t alignment)
{
    unsigned order = order_of(size_bytes, alignment);
    if (order <= ORDER_MAX && add_page(self, order)) {
        return take_first(self, self->first[order]);
    }
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
    if (order > ORDER_MAX || self->first[order] == NULL) {
        return allocate_anew(self, size_bytes, alignment);
    }
    return take_first(self, self->first[order]);
}

static void free(struct allocator *allocator, void *block)
{
    struct fixed_block_allocator *self = self_of(allocator);
    struct fixed_block_page *page = page_of(self, block);
    unsigned order = page->order;
    if (order == 0) {
        allocator_free(&self->list.base, block);
        return;
    }
    *(void **)block = page->free;
    if (page->free == NULL) {
        insert(self, page);
    }
    page->free = block;
    if (--page->used_count == 0 && page != self->empty[order]) {
        note_empty(self, page);
    }
}

static size_t usable_bytes(const struct allocator *allocator, const void *block)
{
    const struct fixed_block_allocator *self = self_of(allocator);
    const struct fixed_block_page *page = page_of(self, block);
    return page->order != 0 ? BIT(page->order) : allocator_usable_bytes(&self->list.base, block);
}

static bool resize(struct allocator *allocator, void *block, size_t size_bytes)
{
    struct fixed_block_allocator *self = self_of(allocator);
    const struct fixed_block_page *page = page_of(self, block);
    return page->order != 0 ? size_bytes <= BIT(page->order)
                            : allocator_resize(&self->list.base, block, size_bytes);
}

// --- The whole ----------------------------------------------------------------------------------

// Their table has moved.
static void list_pages(struct fixed_block_allocator *self)
{
    memset(self->first, 0, sizeof(self->first));
    memset(self->empty, 0, sizeof(self->empty));
    for (size_t i = 0; i < self->page_count; i++) {
        struct fixed_block_page *page = &self->pages[i];
        if (page->free != NULL) {
            insert(self, page);
        }
        if (page->order != 0 && page->used_count == 0) {
            self->empty[page->order] = page;
        }
    }
}

// The new table lies at the end. All in front of it that was not the list's is now, the old table
// too: the free memory stays in one piece.
static enum error extend(struct allocator *allocator, void *start, size_t size_bytes)
{
    struct fixed_block_allocator *self = self_of(allocator);
    assert((uintptr_t)start == self->end && size_bytes <= UINTPTR_MAX - self->end);
    uintptr_t end = self->end + size_bytes;
    size_t page_count = (align_up(end, PAGE_SIZE) - self->start) >> PAGE_SHIFT;
    size_t table_bytes = align_up(page_count * sizeof(struct fixed_block_page), FREE_LIST_GRAIN);
    if (table_bytes + FREE_LIST_GRAIN > size_bytes) {
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
    list_pages(self);
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
    size_t listed_count = 0;
    for (const struct fixed_block_page *page = self->first[order]; page != NULL;
         page = page->next) {
        if (page < self->pages || page >= self->pages + self->page_count || page->order != order ||
            ++listed_count > self->page_count) {
            return "a list of pages goes astray";
        }
        if (page->used_count == 0 && page != self->empty[order]) {
            return "a page is empty and nobody knows";
        }
    }
    for (size_t i = 0; i < self->page_count; i++) {
        listed_count -= self->pages[i].order == order && self->pages[i].free != NULL;
    }
    return listed_count != 0 ? "a page with free blocks is not in its list, or a full one is"
                             : NULL;
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
    enum error error = extend(&allocator_out->base, start, size_bytes);
    assert(error == OK);
}
