// SPDX-License-Identifier: MIT
#include "mm/test_frames.h"

#include "arch/x86_64/layout.h"
#include "lib/assert.h"
#include "lib/string.h"

#define GARBAGE 0xa5 // as an entry: present, writable, user, large; a malformed address
#define HOST_PHYSICAL 0x10000000

static _Alignas(PAGE_SIZE) uint8_t memory[TEST_FRAME_COUNT][PAGE_SIZE];
static bool is_used[TEST_FRAME_COUNT];
static unsigned free_frames[TEST_FRAME_COUNT]; // a stack of indexes
static unsigned free_count;
static unsigned fail_at;

static uint64_t physical_start(void)
{
    uint64_t start = (uintptr_t)memory;
    return start >= KERNEL_VMA ? start - KERNEL_VMA : HOST_PHYSICAL;
}

uint64_t test_frames_offset(void)
{
    return (uintptr_t)memory - physical_start();
}

void *test_frame_memory(phys_addr_t frame)
{
    return (void *)(uintptr_t)(test_frames_offset() + frame.value);
}

phys_addr_t test_frame(unsigned index)
{
    return (phys_addr_t){physical_start() + index * PAGE_SIZE};
}

void test_frames_reset(void)
{
    fail_at = 0;
    free_count = TEST_FRAME_COUNT;
    for (unsigned i = 0; i < TEST_FRAME_COUNT; i++) {
        is_used[i] = false;
        free_frames[i] = TEST_FRAME_COUNT - 1 - i;
    }
    memset(memory, GARBAGE, sizeof(memory));
}

void test_frames_make_space(struct address_space *space_out)
{
    const struct paging_features features = {true, true, 40};
    phys_addr_t top;
    test_frames_reset();
    enum error error = test_frames.alloc(NULL, &top);
    assert(error == OK);
    memset(test_frame_memory(top), 0, PAGE_SIZE);
    address_space_adopt(space_out, top, features, test_frames_offset(), &test_frames);
}

unsigned test_frames_used_count(void)
{
    return TEST_FRAME_COUNT - free_count;
}

void test_frames_fail_at(unsigned nth)
{
    fail_at = nth;
}

static enum error alloc(void *context, phys_addr_t *frame_out)
{
    (void)context;
    if ((fail_at != 0 && --fail_at == 0) || free_count == 0) {
        return ENOMEM;
    }
    unsigned index = free_frames[--free_count];
    is_used[index] = true;
    *frame_out = test_frame(index);
    return OK;
}

static void give_back(void *context, phys_addr_t frame)
{
    (void)context;
    uint64_t index = (frame.value - physical_start()) / PAGE_SIZE;
    assert(is_aligned(frame.value, PAGE_SIZE) && index < TEST_FRAME_COUNT && is_used[index]);
    is_used[index] = false;
    free_frames[free_count++] = (unsigned)index;
    memset(memory[index], GARBAGE, PAGE_SIZE);
}

const struct frame_source test_frames = {.alloc = alloc, .free = give_back};
