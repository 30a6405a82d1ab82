// SPDX-License-Identifier: MIT
#include "mm/kasan_map.h"

#include "arch/x86_64/stack.h"
#include "ktest.h"
#include "lib/kasan.h"
#include "lib/string.h"
#include "mm/heap_window.h"
#include "mm/kernel_stack.h"

[[gnu::noinline]] static uint8_t touch(const uint8_t *address)
{
    return *(const volatile uint8_t *)address;
}

KTEST(kasan_map, memory_of_the_heap_has_a_shadow)
{
    virt_addr_t start;
    KTEST_ASSERT_EQ(test, heap_window_grow(9 * PAGE_SIZE, &start), OK);
    uint8_t *memory = (uint8_t *)start.value;
    memset(memory, 0, 9 * PAGE_SIZE);
    kasan_poison(memory, 9 * PAGE_SIZE, KASAN_HEAP_FREED);
    KTEST_EXPECT_PANIC(test, "KASAN: * freed memory of the heap*", touch(memory));
    KTEST_EXPECT_PANIC(test, "KASAN: * freed memory of the heap*",
                       touch(memory + 9 * PAGE_SIZE - 1));
    KTEST_EXPECT_FAULT(test, PF, 0, touch(memory + 9 * PAGE_SIZE));

    heap_window_shrink(8 * PAGE_SIZE);
    KTEST_EXPECT_PANIC(test, "KASAN: * freed memory of the heap*", touch(memory));
    KTEST_EXPECT_FAULT(test, PF, 0, touch(memory + PAGE_SIZE));
    heap_window_shrink(PAGE_SIZE);
    KTEST_ASSERT_EQ(test, heap_window_grow(PAGE_SIZE, &start), OK);
    memset((void *)start.value, 0, PAGE_SIZE);
    heap_window_shrink(PAGE_SIZE);
}

KTEST(kasan_map, kernel_stack_has_a_shadow)
{
    uint64_t top = 0;
    KTEST_ASSERT_EQ(test, kernel_stack_alloc(&top), OK);
    uint8_t *bottom = (uint8_t *)(top - STACK_SIZE);
    memset(bottom, 0, STACK_SIZE);
    kasan_poison(bottom, 16, KASAN_STACK_LEFT);
    KTEST_EXPECT_PANIC(test, "KASAN: * below a variable on the stack*", touch(bottom + 15));
    KTEST_EXPECT_EQ(test, touch(bottom + 16), 0);
    KTEST_EXPECT_FAULT(test, PF, 0, touch(bottom - 1));
    kasan_check((const void *)(top - 16), 128, KASAN_READ); // beyond it, a fault will say it
    kernel_stack_free(top);
}
