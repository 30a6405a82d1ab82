// SPDX-License-Identifier: MIT
//
// The way from the loader's bytes to the frames, for libFuzzer: the first byte chooses the loader,
// the others are what it left. They lie in a block of exactly their size, so that the sanitizers
// see a read of one byte more. Whatever the map says must hold of all regions, and the frames be
// as many as it says.
#include <sys/mman.h>

#include "boot/multiboot2.h"
#include "boot/pvh.h"
#include "fuzz/fuzz.h"
#include "mm/frame_allocator.h"
#include "mm/memory_map.h"

#define BASE 0x100000 // the address that the bytes stand for
#define METADATA_BYTES (64 << 20)

static const uint8_t *memory;
static size_t memory_bytes;

static const void *reader(uint64_t address, uint64_t size_bytes)
{
    uint64_t offset = address - BASE;
    bool is_inside = offset <= memory_bytes && size_bytes <= memory_bytes - offset;
    return is_inside ? memory + offset : NULL;
}

// One region calls all of the page usable.
static bool is_vouched_for(const struct boot_info *info, uint64_t page)
{
    for (size_t i = 0; i < info->region_count; i++) {
        const struct memory_region *region = &info->regions[i];
        if (region->type == MEMORY_USABLE && region->range.start.value <= page &&
            page + PAGE_SIZE <= region->range.end.value) {
            return true;
        }
    }
    return false;
}

static void check_area(const struct boot_info *info, const struct memory_map *map, size_t index)
{
    const struct memory_region *area = &map->areas[index];
    assert(area->range.start.value < area->range.end.value);
    assert(area->range.end.value <= PHYS_ADDR_LIMIT);
    assert((area->range.start.value | area->range.end.value) % PAGE_SIZE == 0);
    assert(index == 0 || area[-1].range.end.value <= area->range.start.value);
    if (area->type != MEMORY_USABLE) {
        return;
    }
    assert(is_vouched_for(info, area->range.start.value));
    assert(is_vouched_for(info, area->range.end.value - PAGE_SIZE));
    for (size_t i = 0; i < info->region_count; i++) {
        assert(info->regions[i].type == MEMORY_USABLE ||
               !phys_range_overlaps(info->regions[i].range, area->range));
    }
}

// The metadata are zero pages that nobody else has touched.
static void check_frames(const struct memory_map *map)
{
    static struct frame_allocator allocator;
    if (frame_allocator_metadata_bytes(map) > METADATA_BYTES) {
        return;
    }
    void *metadata = mmap(NULL, METADATA_BYTES, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert(metadata != MAP_FAILED);
    enum error error = frame_allocator_init(&allocator, map, metadata, METADATA_BYTES);
    assert(error == OK);
    assert(allocator.block_free_count * PAGE_SIZE == memory_map_size_bytes(map, MEMORY_USABLE));
    phys_addr_t frame;
    if (frame_allocator_alloc(&allocator, 0, FRAME_ZONE_REST, 1, &frame) == OK) {
        const struct memory_region *area = memory_map_lookup(map, frame);
        assert(area != NULL && area->type == MEMORY_USABLE);
    }
    munmap(metadata, METADATA_BYTES);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    static struct boot_info info;
    static struct memory_map map;
    if (size_bytes == 0) {
        return 0;
    }
    memory = bytes + 1;
    memory_bytes = size_bytes - 1;
    info = (struct boot_info){};
    enum error error = bytes[0] % 2 == 0 ? multiboot2_parse(&info, reader, BASE)
                                         : pvh_parse(&info, reader, BASE);
    assert(info.region_count <= BOOT_REGIONS_MAX);
    if (error != OK) {
        return 0;
    }
    error = memory_map_make(&map, info.regions, info.region_count);
    assert(error == OK && memory_map_usable_end(&map).value <= PHYS_ADDR_LIMIT);
    for (size_t i = 0; i < map.area_count; i++) {
        check_area(&info, &map, i);
    }
    check_frames(&map);
    return 0;
}
