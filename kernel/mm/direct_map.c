// SPDX-License-Identifier: MIT
//
// One table of 2 MiB pages for each GiB above the fourth, hung into the level-3 table that
// entry.asm made. Source: Intel SDM vol. 3, 4.5.
#include "mm/direct_map.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/layout.h"
#include "arch/x86_64/pte.h"
#include "debug/log.h"

#define GIB BIT(30)

static phys_addr_t mapped_end = {DIRECT_MAP_BOOT_END};

static uint64_t *table_of(uint64_t entry)
{
    return phys_to_direct((phys_addr_t){entry & PTE_ADDRESS});
}

static uint64_t *level3_table(void)
{
    const uint64_t *level4 = table_of(cpu_read_cr3());
    return table_of(level4[virt_addr_p4_index((virt_addr_t){DIRECT_MAP_VMA})]);
}

// Fills `table` with the 2 MiB pages of the GiB that begins at `start`.
static void fill(uint64_t *table, uint64_t start)
{
    for (unsigned i = 0; i < TABLE_ENTRY_COUNT; i++) {
        table[i] = (start + i * LARGE_PAGE_SIZE) | PTE_PRESENT | PTE_WRITABLE | PTE_LARGE |
                   PTE_NO_EXECUTE;
    }
}

// Only memory that can be reached is usable.
static enum error leave_out(struct memory_map *map, uint64_t end)
{
    log_warn("mm", "memory beyond %llu GiB is not used", DIRECT_MAP_SIZE_MAX / GIB);
    return memory_map_retype(map, (struct phys_range){{end}, {PHYS_ADDR_LIMIT}}, MEMORY_RESERVED);
}

enum error direct_map_init(struct memory_map *map)
{
    uint64_t end = ALIGN_UP(memory_map_usable_end(map).value, GIB);
    enum error error = OK;
    if (end > DIRECT_MAP_SIZE_MAX) {
        end = DIRECT_MAP_SIZE_MAX;
        error = leave_out(map, end);
    }
    if (error != OK || end <= DIRECT_MAP_BOOT_END) {
        return error;
    }
    uint64_t count = (end - DIRECT_MAP_BOOT_END) / GIB;
    phys_addr_t tables;
    error = memory_map_take(map, count * PAGE_SIZE, (phys_addr_t){DIRECT_MAP_BOOT_END}, &tables);
    if (error != OK) {
        return error;
    }
    uint64_t *level3 = level3_table();
    for (uint64_t i = 0; i < count; i++) {
        phys_addr_t table = phys_addr_add(tables, i * PAGE_SIZE);
        fill(phys_to_direct(table), DIRECT_MAP_BOOT_END + i * GIB);
        level3[DIRECT_MAP_BOOT_END / GIB + i] = table.value | PTE_PRESENT | PTE_WRITABLE;
    }
    mapped_end = (phys_addr_t){end};
    return OK;
}

phys_addr_t direct_map_end(void)
{
    return mapped_end;
}
