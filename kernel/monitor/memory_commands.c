// SPDX-License-Identifier: MIT
#include "arch/x86_64/layout.h"
#include "arch/x86_64/stack.h"
#include "debug/log.h"
#include "debug/symbols.h"
#include "mm/frame.h"
#include "mm/heap/heap.h"
#include "mm/kernel_space.h"
#include "monitor/commands.h"

void command_memory(size_t argument_count, char *const *arguments)
{
    (void)argument_count;
    (void)arguments;
    memory_map_dump(frame_memory_map(), &log_text_writer);
}

void command_frames(size_t argument_count, char *const *arguments)
{
    (void)argument_count;
    (void)arguments;
    frame_dump();
}

void command_heap(size_t argument_count, char *const *arguments)
{
    (void)argument_count;
    (void)arguments;
    heap_dump();
}

void command_pages(size_t argument_count, char *const *arguments)
{
    (void)argument_count;
    (void)arguments;
    kernel_space_dump();
}

// --- What lies where ----------------------------------------------------------------------------

static void describe_stack(const struct stack_place *place)
{
    static const char *const parts[] = {
        [STACK_PART_GUARD] = "the guard of the ",
        [STACK_PART_BODY] = "in the ",
        [STACK_PART_FREE] = "an unused ",
    };
    print("%s%s", parts[place->part], stack_name(place->stack));
    if (place->stack == KERNEL_STACK) {
        print(" %u", place->slot);
    }
    print("\n");
}

static void describe_direct_map(phys_addr_t address)
{
    const struct memory_region *area = memory_map_lookup(frame_memory_map(), address);
    println("the direct map's view of %#lx, %s", address.value,
            area != NULL ? memory_type_name(area->type) : "no memory");
}

static void describe_image(uint64_t address)
{
    uint64_t offset;
    const struct symbol *symbol = symbol_lookup(address, &offset);
    if (symbol != NULL) {
        println("the kernel's code: %s+%#lx", symbol->name, offset);
    } else if (address < (uint64_t)text_end) {
        println("the kernel's code");
    } else {
        println("the kernel's %s", address < (uint64_t)rodata_end ? "constants" : "data");
    }
}

static const struct {
    uint64_t start;
    uint64_t size_bytes;
    const char *name;
} windows[] = {
    {0, PAGE_SIZE, "the null page"},
    {HEAP_VMA, HEAP_SIZE_MAX, "the heap's window"},
    {STACKS_VMA, STACKS_SIZE, "the kernel stacks' window"},
    {MMIO_VMA, MMIO_SIZE, "the window of devices' registers"},
    {KASAN_SHADOW_VMA, KASAN_SHADOW_SIZE, "the address sanitizer's shadow"},
};

static void describe_window(uint64_t address)
{
    for (size_t i = 0; i < ARRAY_SIZE(windows); i++) {
        if (address - windows[i].start < windows[i].size_bytes) {
            println("%s", windows[i].name);
            return;
        }
    }
}

static void describe(uint64_t address)
{
    struct stack_place place = stack_locate(address);
    if (place.part != STACK_PART_NONE) {
        describe_stack(&place);
    } else if (address - DIRECT_MAP_VMA < DIRECT_MAP_SIZE_MAX) {
        describe_direct_map((phys_addr_t){address - DIRECT_MAP_VMA});
    } else if (address >= (uint64_t)text_start && address < (uint64_t)kernel_end) {
        describe_image(address);
    } else {
        describe_window(address);
    }
}

void command_page(size_t argument_count, char *const *arguments)
{
    (void)argument_count;
    uint64_t address;
    if (!command_number(arguments[0], &address)) {
        return;
    }
    if (!virt_addr_is_canonical(address)) {
        println("0x%016lx is not canonical: bits 48 to 63 have to be as bit 47 is", address);
        return;
    }
    kernel_walk_dump((virt_addr_t){address});
    describe(address);
}
