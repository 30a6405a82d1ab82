// SPDX-License-Identifier: MIT
//
// Behind each block stands a guard, where `old_bytes` and the block's start say that it ends: it
// tells writes beyond the end, and a wrong size.
#include "lib/test_memory.h"

#include "lib/assert.h"
#include "lib/bits.h"
#include "lib/string.h"

#define GUARD "the block's end"
#define POISON 0xdd

static void *take(struct test_memory *memory, size_t size_bytes)
{
    size_t block_bytes = align_up(size_bytes + sizeof(GUARD), 16);
    memory->calls++;
    if (memory->calls == memory->fail_at || size_bytes > TEST_MEMORY_BYTES ||
        block_bytes > TEST_MEMORY_BYTES - memory->used_bytes) {
        return NULL;
    }
    unsigned char *block = &memory->bytes[memory->used_bytes];
    memcpy(block + size_bytes, GUARD, sizeof(GUARD));
    memory->used_bytes += block_bytes;
    memory->block_count++;
    return block;
}

static void give_back(struct test_memory *memory, unsigned char *block, size_t size_bytes)
{
    assert(block >= memory->bytes && block + size_bytes < memory->bytes + memory->used_bytes);
    assert(memcmp(block + size_bytes, GUARD, sizeof(GUARD)) == 0);
    memset(block, POISON, size_bytes + sizeof(GUARD));
    if (--memory->block_count == 0) {
        memory->used_bytes = 0;
    }
}

static void *resize(void *context, void *old, size_t old_bytes, size_t new_bytes)
{
    struct test_memory *memory = context;
    unsigned char *new = NULL;
    if (new_bytes > 0) {
        new = take(memory, new_bytes);
        if (new == NULL) {
            return NULL;
        }
    }
    if (new != NULL && old != NULL) {
        memcpy(new, old, old_bytes < new_bytes ? old_bytes : new_bytes);
    }
    if (old != NULL) {
        give_back(memory, old, old_bytes);
    }
    return new;
}

void test_memory_init(struct test_memory *memory)
{
    memory->source = (struct memory_source){resize, memory};
    memory->calls = 0;
    memory->fail_at = 0;
    memory->block_count = 0;
    memory->used_bytes = 0;
}
