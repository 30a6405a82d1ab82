// SPDX-License-Identifier: MIT
//
// The local APIC's registers: Intel SDM vol. 3, 11.4.1.
#include "mm/mmio.h"

#include "arch/x86_64/layout.h"
#include "arch/x86_64/msr.h"
#include "ktest.h"
#include "mm/frame.h"
#include "mm/heap_window.h"
#include "mm/kernel_space.h"

#define APIC_ADDRESS GENMASK(35, 12)
#define APIC_VERSION 0x30
#define APIC_TASK_PRIORITY 0x80
#define VIDEO_MEMORY 0xa0000 // reserved on every PC, whether there is a VGA or not

static phys_addr_t apic(void)
{
    return (phys_addr_t){msr_read(MSR_APIC_BASE) & APIC_ADDRESS};
}

static volatile void *map(struct ktest *test, uint64_t start, uint64_t size_bytes)
{
    volatile void *registers = NULL;
    KTEST_ASSERT_EQ(test, mmio_map((phys_addr_t){start}, size_bytes, &registers), OK);
    return registers;
}

static uint32_t read_at(volatile void *registers, uint64_t offset)
{
    return *(volatile uint32_t *)((uint64_t)registers + offset);
}

static void write_at(volatile void *registers, uint64_t offset, uint32_t value)
{
    *(volatile uint32_t *)((uint64_t)registers + offset) = value;
}

KTEST_ATTR(mmio, registers_of_a_device_are_reached, .needs = KTEST_NEEDS_APIC);
KTEST(mmio, registers_of_a_device_are_reached)
{
    volatile void *registers = map(test, apic().value, PAGE_SIZE);
    volatile void *one = map(test, apic().value + APIC_TASK_PRIORITY, sizeof(uint32_t));
    KTEST_EXPECT_EQ(test, read_at(registers, APIC_VERSION) & 0xf0, 0x10); // an integrated one
    write_at(registers, APIC_TASK_PRIORITY, 0x20);
    uint32_t seen = read_at(one, 0);
    write_at(one, 0, 0);
    KTEST_EXPECT_EQ(test, seen, 0x20);
    KTEST_EXPECT_EQ(test, read_at(registers, APIC_TASK_PRIORITY), 0);
    mmio_unmap(one, sizeof(uint32_t));
    mmio_unmap(registers, PAGE_SIZE);
    KTEST_EXPECT_FAULT(test, PF, 0, read_at(registers, APIC_VERSION));
}

KTEST(mmio, registers_are_uncached_data)
{
    volatile void *registers = map(test, VIDEO_MEMORY + 5, 2 * PAGE_SIZE - 10);
    virt_addr_t address = {(uint64_t)registers};
    struct page_mapping mapping = {0};
    KTEST_ASSERT_EQ(test, kernel_translate(address, &mapping), OK);
    KTEST_EXPECT_EQ(test, mapping.frame.value + mapping.offset, VIDEO_MEMORY + 5);
    KTEST_EXPECT_EQ(test, mapping.flags & (PAGE_RIGHTS | PTE_UNCACHED),
                    PTE_WRITABLE | PTE_NO_EXECUTE | PTE_UNCACHED);
    KTEST_EXPECT_GE(test, address.value, MMIO_VMA);
    KTEST_EXPECT_LT(test, address.value, MMIO_VMA + MMIO_SIZE);

    address.value = ALIGN_UP(address.value, PAGE_SIZE);
    KTEST_ASSERT_EQ(test, kernel_translate(address, &mapping), OK); // the second page
    KTEST_EXPECT_EQ(test, mapping.frame.value, VIDEO_MEMORY + PAGE_SIZE);
    address.value += PAGE_SIZE;
    KTEST_EXPECT_EQ(test, kernel_translate(address, &mapping), ENOENT); // and no third
    mmio_unmap(registers, 2 * PAGE_SIZE - 10);
}

KTEST(mmio, large_ranges_take_large_pages)
{
    const uint64_t start = (1ULL << 39) + (2 << 20);                // behind all memory
    uint64_t before = (uint64_t)map(test, VIDEO_MEMORY, PAGE_SIZE); // its neighbour
    volatile void *registers = map(test, start, 4 << 20);
    struct page_mapping mapping = {0};
    KTEST_ASSERT_EQ(test, kernel_translate((virt_addr_t){(uint64_t)registers}, &mapping), OK);
    KTEST_EXPECT_EQ(test, mapping.size, PAGE_2MIB);
    KTEST_EXPECT_EQ(test, mapping.frame.value, start);
    volatile void *second = map(test, start, 4 << 20);
    KTEST_EXPECT_EQ(test, (uint64_t)second, (uint64_t)registers + (6 << 20)); // not in between
    uint64_t small = (uint64_t)map(test, VIDEO_MEMORY, PAGE_SIZE);
    KTEST_EXPECT_EQ(test, small, before + 2 * PAGE_SIZE); // but a small one is
    mmio_unmap((volatile void *)small, PAGE_SIZE);
    mmio_unmap(second, 4 << 20);
    mmio_unmap(registers, 4 << 20);
    registers = map(test, start, 2 << 20);
    KTEST_ASSERT_EQ(test, kernel_translate((virt_addr_t){(uint64_t)registers}, &mapping), OK);
    KTEST_EXPECT_EQ(test, mapping.size, PAGE_2MIB);
    mmio_unmap(registers, 2 << 20);
    mmio_unmap((volatile void *)before, PAGE_SIZE);
}

// The first room that is large enough, with a page to spare.
KTEST(mmio, room_is_found_again)
{
    uint64_t a = (uint64_t)map(test, VIDEO_MEMORY, PAGE_SIZE);
    uint64_t b = (uint64_t)map(test, VIDEO_MEMORY, 3 * PAGE_SIZE);
    uint64_t c = (uint64_t)map(test, VIDEO_MEMORY, PAGE_SIZE);
    KTEST_EXPECT_EQ(test, b, a + 2 * PAGE_SIZE);
    KTEST_EXPECT_EQ(test, c, b + 4 * PAGE_SIZE);

    mmio_unmap((volatile void *)b, 3 * PAGE_SIZE);
    uint64_t larger = (uint64_t)map(test, VIDEO_MEMORY, 4 * PAGE_SIZE);
    uint64_t fitting = (uint64_t)map(test, VIDEO_MEMORY, 3 * PAGE_SIZE);
    KTEST_EXPECT_EQ(test, larger, c + 2 * PAGE_SIZE);
    KTEST_EXPECT_EQ(test, fitting, b);

    mmio_unmap((volatile void *)a, PAGE_SIZE);
    mmio_unmap((volatile void *)c, PAGE_SIZE);
    mmio_unmap((volatile void *)larger, 4 * PAGE_SIZE);
    mmio_unmap((volatile void *)fitting, 3 * PAGE_SIZE);
}

// Whatever their sizes, there is exactly a page between two.
KTEST(mmio, neighbours_have_a_page_between_them)
{
    for (uint64_t count = 1; count <= 4; count++) {
        uint64_t a = (uint64_t)map(test, VIDEO_MEMORY, count * PAGE_SIZE);
        uint64_t b = (uint64_t)map(test, VIDEO_MEMORY, count * PAGE_SIZE);
        KTEST_EXPECT_EQ(test, b, a + (count + 1) * PAGE_SIZE);
        mmio_unmap((volatile void *)a, count * PAGE_SIZE);
        mmio_unmap((volatile void *)b, count * PAGE_SIZE);
    }
}

// The first address behind the first MiB that is the firmware's, or nobody's.
static phys_addr_t behind_memory(void)
{
    const struct memory_map *map = frame_memory_map();
    phys_addr_t end = {1 << 20};
    for (size_t i = 0; i < map->area_count; i++) {
        if (map->areas[i].type != MEMORY_RESERVED && map->areas[i].range.start.value == end.value) {
            end = map->areas[i].range.end;
        }
    }
    return end;
}

KTEST(mmio, memory_is_not_a_device)
{
    volatile void *registers = (volatile void *)7;
    phys_addr_t frame;
    KTEST_ASSERT_EQ(test, frame_alloc(&frame), OK);
    enum error usable = mmio_map(frame, 4, &registers);
    frame_free(frame);
    KTEST_EXPECT_EQ(test, usable, EINVAL);
    phys_addr_t image = {(uint64_t)text_start - KERNEL_VMA};
    KTEST_EXPECT_EQ(test, mmio_map(image, 4, &registers), EINVAL);
    phys_addr_t before = {(uint64_t)boot_start_phys - PAGE_SIZE};
    KTEST_EXPECT_EQ(test, mmio_map(before, PAGE_SIZE + 1, &registers), EINVAL);
    KTEST_EXPECT_EQ(test, registers == (volatile void *)7, true);
    KTEST_ASSERT_EQ(test, mmio_map(before, PAGE_SIZE, &registers), OK); // the first MiB is reserved
    mmio_unmap(registers, PAGE_SIZE);
    KTEST_ASSERT_EQ(test, mmio_map(behind_memory(), PAGE_SIZE, &registers), OK);
    mmio_unmap(registers, PAGE_SIZE);
}

KTEST(mmio, nonsense_is_refused)
{
    volatile void *registers = NULL;
    phys_addr_t video = {VIDEO_MEMORY};
    phys_addr_t beyond = {1ULL << 51};
    KTEST_EXPECT_EQ(test, mmio_map(video, 0, &registers), EINVAL);
    KTEST_EXPECT_EQ(test, mmio_map((phys_addr_t){VIDEO_MEMORY + 5}, 0, &registers), EINVAL);
    KTEST_EXPECT_EQ(test, mmio_map(video, ~0ULL, &registers), EINVAL);
    KTEST_EXPECT_EQ(test, mmio_map(video, ~0ULL - VIDEO_MEMORY + 1, &registers), EINVAL);
    KTEST_EXPECT_EQ(test, mmio_map((phys_addr_t){PHYS_ADDR_LIMIT - 1}, 2, &registers), EINVAL);
    KTEST_EXPECT_EQ(test, mmio_map(beyond, PAGE_SIZE, &registers), EINVAL); // of what the CPU has
    KTEST_EXPECT_EQ(test, mmio_map((phys_addr_t){1ULL << 39}, MMIO_SIZE, &registers), ENOSPC);
    KTEST_EXPECT_EQ(test, registers == NULL, true);
}

KTEST_ATTR(mmio, only_the_whole_is_unmapped, .speed = KTEST_SPEED_SLOW);
KTEST(mmio, only_the_whole_is_unmapped)
{
    volatile void *registers = map(test, VIDEO_MEMORY, 3 * PAGE_SIZE);
    uint64_t start = (uint64_t)registers;
    const uint64_t starts[] = {start, start + PAGE_SIZE, start, start + 16 * PAGE_SIZE,
                               0,     DIRECT_MAP_VMA};
    const uint64_t page_counts[] = {2, 2, 4, 1, 1, 1};
    for (unsigned i = 0; i < ARRAY_SIZE(starts); i++) {
        KTEST_EXPECT_PANIC(test, "no device registers are mapped at *",
                           mmio_unmap((volatile void *)starts[i], page_counts[i] * PAGE_SIZE));
    }
    (void)read_at(registers, 2 * PAGE_SIZE); // all of it is still there
    mmio_unmap(registers, 3 * PAGE_SIZE);

    virt_addr_t heap;
    KTEST_ASSERT_EQ(test, heap_window_grow(PAGE_SIZE, &heap), OK);
    KTEST_EXPECT_PANIC(test, "no device registers are mapped at *",
                       mmio_unmap((volatile void *)heap.value, PAGE_SIZE));
    heap_window_shrink(PAGE_SIZE);
}
