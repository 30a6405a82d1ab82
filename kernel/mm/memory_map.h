// SPDX-License-Identifier: MIT
//
// The machine's memory, area by area: sorted, without overlaps, in whole pages. Made of the
// loader's regions and of what has to be kept out of them (boot/boot_info.h).
//
// A page belongs to the strongest of the regions that touch it. From the weakest:
//   usable              only if all of the page is, and nothing else touches it
//   boot information    free once nobody reads it any more
//   ACPI reclaimable    free once the tables are read
//   kernel              ours for good
//   ACPI NVS, reserved  the firmware's and the devices'
//   bad                 nobody's
// So a wrong or a hostile map can take memory away from us, and never makes us write to something
// else. Types and their meaning: ACPI 6.5, 15.2 and table 15.7.
//
// All of it is pure; a map has one owner, who sees to its locking.
#pragma once

#include <stddef.h>

#include "boot/boot_info.h"
#include "lib/addr.h"
#include "lib/error.h"
#include "lib/format.h"

// n regions make at most 2n - 1 areas; the rest is room for memory_map_take and _retype.
#define MEMORY_AREAS_MAX (2 * BOOT_REGIONS_MAX + 16)

struct memory_map {
    struct memory_region areas[MEMORY_AREAS_MAX]; // by address; neighbours differ in type
    size_t area_count;                            // what lies in none is unknown: no memory
};

// Makes the map of any regions, empty, wild or overlapping ones too: what lies beyond 52 bits is
// dropped. ENOSPC if there are more areas than fit: then the map ends where it was full, and what
// it says up to there holds.
//
// For each area one pass over the regions: O(n^2), for the sake of few lines and no memory. With
// n = BOOT_REGIONS_MAX that is 32,768 steps at most, and a PC has 10 regions.
enum error memory_map_make(struct memory_map *map_out, const struct memory_region *regions,
                           size_t region_count);

// The area that `address` lies in, NULL if it lies in none. O(log n).
const struct memory_region *memory_map_lookup(const struct memory_map *map, phys_addr_t address);

// Gives `type` to all that is usable in `range` (whole pages). ENOSPC, and nothing is changed, if
// the areas would become too many.
enum error memory_map_retype(struct memory_map *map, struct phys_range range,
                             enum memory_type type);

// Takes `size_bytes`, rounded up to whole pages, for the kernel: memory for what must exist before
// there are frames. It is the highest that lies below `limit`, as low memory is scarce. EINVAL if
// the size is 0; ENOMEM if no usable area is large enough; ENOSPC as memory_map_retype.
enum error memory_map_take(struct memory_map *map, uint64_t size_bytes, phys_addr_t limit,
                           phys_addr_t *address_out);

// How much there is of a type.
uint64_t memory_map_size_bytes(const struct memory_map *map, enum memory_type type);

// The first address behind the last usable area, 0 if there is none. May be PHYS_ADDR_LIMIT.
phys_addr_t memory_map_usable_end(const struct memory_map *map);

// One line an area.
void memory_map_dump(const struct memory_map *map, const struct writer *writer);
