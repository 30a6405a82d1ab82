// SPDX-License-Identifier: MIT
//
// A sweep from address 0 upwards. At each step one pass over the regions tells which of them
// cover the address, the strongest of which is its type, and where the next one begins or ends:
// up to there nothing changes.
#include "mm/memory_map.h"

#include "lib/string.h"

#define STRENGTH_NONE (-1) // no region covers it

// What the header says; only the order counts.
static int strength(enum memory_type type)
{
    switch (type) {
    case MEMORY_USABLE:
        return 0;
    case MEMORY_BOOT_INFO:
        return 1;
    case MEMORY_ACPI_RECLAIMABLE:
        return 2;
    case MEMORY_KERNEL:
        return 3;
    case MEMORY_ACPI_NVS:
        return 4;
    case MEMORY_RESERVED:
        return 5;
    case MEMORY_BAD:
        return 6;
    }
    return 5; // what we don't know is reserved
}

// In whole pages: usable memory loses a page that it has a part of, all else gains it. A range that
// makes no sense comes out empty.
static struct phys_range whole_pages(const struct memory_region *region)
{
    uint64_t start = region->range.start.value;
    uint64_t end = region->range.end.value;
    end = end < PHYS_ADDR_LIMIT ? end : PHYS_ADDR_LIMIT;
    if (start >= end) {
        return (struct phys_range){};
    }
    bool is_usable = region->type == MEMORY_USABLE;
    start = is_usable ? ALIGN_UP(start, PAGE_SIZE) : ALIGN_DOWN(start, PAGE_SIZE);
    end = is_usable ? ALIGN_DOWN(end, PAGE_SIZE) : ALIGN_UP(end, PAGE_SIZE);
    return (struct phys_range){{start}, {start < end ? end : start}};
}

// What begins at an address, up to where something changes.
struct stretch {
    uint64_t end;
    int strength;
    enum memory_type type;
};

static struct stretch stretch_at(const struct memory_region *regions, size_t region_count,
                                 uint64_t address)
{
    struct stretch stretch = {PHYS_ADDR_LIMIT, STRENGTH_NONE, MEMORY_RESERVED};
    /*@ loop invariant i <= region_count && address < stretch.end <= PHYS_ADDR_LIMIT;
        loop invariant stretch.end % PAGE_SIZE == 0;
        loop assigns i, stretch;
        loop variant region_count - i;
    */
    for (size_t i = 0; i < region_count; i++) {
        struct phys_range range = whole_pages(&regions[i]);
        if (range.end.value <= address || phys_range_is_empty(range)) {
            continue;
        }
        bool is_here = range.start.value <= address;
        uint64_t change = is_here ? range.end.value : range.start.value;
        stretch.end = change < stretch.end ? change : stretch.end;
        if (is_here && strength(regions[i].type) > stretch.strength) {
            stretch.strength = strength(regions[i].type);
            stretch.type = regions[i].type;
        }
    }
    return stretch;
}

// Behind all that is there.
static enum error append(struct memory_map *map, struct memory_region area)
{
    struct memory_region *last = map->area_count != 0 ? &map->areas[map->area_count - 1] : NULL;
    if (last != NULL && last->type == area.type &&
        last->range.end.value == area.range.start.value) {
        last->range.end = area.range.end;
        return OK;
    }
    if (map->area_count == MEMORY_AREAS_MAX) {
        return ENOSPC;
    }
    map->areas[map->area_count++] = area;
    return OK;
}

enum error memory_map_make(struct memory_map *map_out, const struct memory_region *regions,
                           size_t region_count)
{
    map_out->area_count = 0;
    /*@ loop invariant address <= PHYS_ADDR_LIMIT && address % PAGE_SIZE == 0;
        loop invariant map_out->area_count <= MEMORY_AREAS_MAX;
        loop assigns address, map_out->area_count,
                     map_out->areas[0 .. MEMORY_AREAS_MAX - 1];
        loop variant PHYS_ADDR_LIMIT - address;
    */
    for (uint64_t address = 0; address < PHYS_ADDR_LIMIT;) {
        struct stretch stretch = stretch_at(regions, region_count, address);
        if (stretch.strength != STRENGTH_NONE) {
            struct phys_range range = {{address}, {stretch.end}};
            enum error error = append(map_out, (struct memory_region){range, stretch.type});
            if (error != OK) {
                return error;
            }
        }
        address = stretch.end;
    }
    return OK;
}

// The index of the first area that ends behind `address`; area_count if none does.
static size_t first_behind(const struct memory_map *map, uint64_t address)
{
    size_t low = 0;
    size_t high = map->area_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (map->areas[middle].range.end.value <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

const struct memory_region *memory_map_lookup(const struct memory_map *map, phys_addr_t address)
{
    size_t index = first_behind(map, address.value);
    bool is_inside = index < map->area_count &&
                     phys_range_contains(map->areas[index].range, address);
    return is_inside ? &map->areas[index] : NULL;
}

// Makes two areas of one, so that one begins at `address`. There is room for one more.
static void split(struct memory_map *map, phys_addr_t address)
{
    size_t index = first_behind(map, address.value);
    if (index == map->area_count || map->areas[index].range.start.value >= address.value) {
        return;
    }
    memmove(&map->areas[index + 1], &map->areas[index],
            (map->area_count - index) * sizeof(map->areas[0]));
    map->area_count++;
    map->areas[index].range.end = address;
    map->areas[index + 1].range.start = address;
}

// Makes one area of neighbours that have become alike.
static void join(struct memory_map *map)
{
    size_t count = map->area_count;
    map->area_count = 0;
    for (size_t i = 0; i < count; i++) {
        enum error error = append(map, map->areas[i]);
        assert(error == OK); // they had room before
    }
}

enum error memory_map_retype(struct memory_map *map, struct phys_range range, enum memory_type type)
{
    assert(phys_addr_is_aligned(range.start, PAGE_SIZE));
    assert(phys_addr_is_aligned(range.end, PAGE_SIZE));
    if (phys_range_is_empty(range)) {
        return OK;
    }
    if (map->area_count + 2 > MEMORY_AREAS_MAX) {
        return ENOSPC;
    }
    split(map, range.start);
    split(map, range.end);
    for (size_t i = first_behind(map, range.start.value);
         i < map->area_count && map->areas[i].range.start.value < range.end.value; i++) {
        if (map->areas[i].type == MEMORY_USABLE) {
            map->areas[i].type = type;
        }
    }
    join(map);
    return OK;
}

enum error memory_map_take(struct memory_map *map, uint64_t size_bytes, phys_addr_t limit,
                           phys_addr_t *address_out)
{
    if (size_bytes == 0) {
        return EINVAL;
    }
    if (size_bytes > PHYS_ADDR_LIMIT) {
        return ENOMEM;
    }
    size_bytes = ALIGN_UP(size_bytes, PAGE_SIZE);
    limit.value = ALIGN_DOWN(limit.value, PAGE_SIZE);
    for (size_t i = map->area_count; i-- > 0;) {
        struct phys_range range = map->areas[i].range;
        range.end = range.end.value < limit.value ? range.end : limit;
        if (map->areas[i].type != MEMORY_USABLE || range.end.value < range.start.value ||
            phys_range_size_bytes(range) < size_bytes) {
            continue;
        }
        range.start = phys_addr(range.end.value - size_bytes);
        enum error error = memory_map_retype(map, range, MEMORY_KERNEL);
        if (error == OK) {
            *address_out = range.start;
        }
        return error;
    }
    return ENOMEM;
}

uint64_t memory_map_size_bytes(const struct memory_map *map, enum memory_type type)
{
    uint64_t size_bytes = 0;
    for (size_t i = 0; i < map->area_count; i++) {
        if (map->areas[i].type == type) {
            size_bytes += phys_range_size_bytes(map->areas[i].range);
        }
    }
    return size_bytes;
}

phys_addr_t memory_map_usable_end(const struct memory_map *map)
{
    for (size_t i = map->area_count; i-- > 0;) {
        if (map->areas[i].type == MEMORY_USABLE) {
            return map->areas[i].range.end;
        }
    }
    return (phys_addr_t){0};
}

void memory_map_dump(const struct memory_map *map, const struct writer *writer)
{
    for (size_t i = 0; i < map->area_count; i++) {
        const struct memory_region *area = &map->areas[i];
        format_write(writer, "0x%013lx to 0x%013lx %s\n", area->range.start.value,
                     area->range.end.value, memory_type_name(area->type));
    }
}
