// SPDX-License-Identifier: MIT
//
// The direct map: all physical memory at DIRECT_MAP_VMA, writable and not executable.
// boot/entry.asm maps the first 4 GiB; this adds what usable memory lies above.
#pragma once

#include "lib/error.h"
#include "mm/memory_map.h"

// Once, before anybody touches memory above 4 GiB. Takes its tables from the map's usable memory.
// ENOMEM or ENOSPC if there is none left. Memory beyond DIRECT_MAP_SIZE_MAX is left out, and said
// so: the map calls it reserved then.
enum error direct_map_init(struct memory_map *map);

// The first physical address that is not mapped.
phys_addr_t direct_map_end(void);
