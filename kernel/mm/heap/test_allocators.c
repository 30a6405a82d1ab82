// SPDX-License-Identifier: MIT
#include "mm/heap/test_allocators.h"

#include "lib/addr.h"
#include "mm/heap/bump.h"

_Alignas(PAGE_SIZE) uint8_t test_heap[TEST_HEAP_BYTES];

static struct allocator *make_bump(void *start, size_t size_bytes)
{
    static struct bump_allocator bump;
    bump_allocator_init(&bump, start, size_bytes);
    return &bump.base;
}

const struct test_allocator test_allocators[TEST_ALLOCATOR_COUNT] = {
    {"bump", make_bump, .reuses = false},
};

struct allocator *test_allocator_make(const struct test_allocator *test_allocator)
{
    return test_allocator->make(test_heap, sizeof(test_heap));
}

void test_allocator_describe(const struct test_allocator *test_allocator, char *text_out,
                             size_t size_bytes)
{
    format_buffer(text_out, size_bytes, "%s", test_allocator->name);
}

size_t test_allocator_largest(struct allocator *allocator)
{
    size_t possible = 0;
    size_t impossible = TEST_HEAP_BYTES + 64;
    while (impossible - possible > 64) {
        size_t size_bytes = (possible + impossible) / 2;
        void *block = allocator_allocate(allocator, size_bytes, 8);
        allocator_free(allocator, block);
        if (block != NULL) {
            possible = size_bytes;
        } else {
            impossible = size_bytes;
        }
    }
    return possible;
}
