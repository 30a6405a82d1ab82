// SPDX-License-Identifier: MIT
//
// The map is made of any regions, wild ones too, without a wrong access, a failed assertion or an
// endless sweep. Rounding is proved to take the right way; that the areas are sorted and honest is
// left to the tests and the fuzzer.
#include "proof/contracts.acsl"

#include "mm/memory_map.h"

/*@ assigns ((uint8_t *)to)[0 .. size_bytes - 1]; */
void *memmove(void *to, const void *from, size_t size_bytes);

/*@ assigns \nothing; */
void proof_write(const struct writer *writer);
/*@ assigns \nothing; */
const char *memory_type_name(enum memory_type type);

#define format_write(writer_, ...) proof_write(writer_)

#include "mm/memory_map.c"

/*@ assigns \nothing;
    ensures 0 <= \result <= 6;
    ensures \result == 0 <==> type == MEMORY_USABLE;
*/
static int strength(enum memory_type type);

/*@ predicate contains(struct memory_region *region, integer address) =
      region->range.start.value <= address < region->range.end.value;
*/

/*@ requires \valid_read(region);
    assigns \nothing;
    ensures \result.start.value <= \result.end.value <= PHYS_ADDR_LIMIT;
    ensures \result.start.value % PAGE_SIZE == 0 && \result.end.value % PAGE_SIZE == 0;
    ensures outwards: region->type != MEMORY_USABLE ==>
              \forall integer address; 0 <= address < PHYS_ADDR_LIMIT &&
                                       contains(region, address) ==>
                                       \result.start.value <= address < \result.end.value;
    ensures inwards: region->type == MEMORY_USABLE ==>
              \forall integer address; \result.start.value <= address < \result.end.value ==>
                                       contains(region, address);
*/
static struct phys_range whole_pages(const struct memory_region *region);

/*@ requires \valid_read(regions + (0 .. region_count - 1));
    requires address < PHYS_ADDR_LIMIT && address % PAGE_SIZE == 0;
    assigns \nothing;
    ensures address < \result.end <= PHYS_ADDR_LIMIT && \result.end % PAGE_SIZE == 0;
*/
static struct stretch stretch_at(const struct memory_region *regions, size_t region_count,
                                 uint64_t address);

/*@ requires \valid(map) && map->area_count <= MEMORY_AREAS_MAX;
    assigns map->area_count, map->areas[0 .. MEMORY_AREAS_MAX - 1];
    ensures \old(map->area_count) <= map->area_count <= MEMORY_AREAS_MAX;
    ensures \result == OK || \result == ENOSPC;
*/
static enum error append(struct memory_map *map, struct memory_region area);

/*@ requires \valid(map_out) && \valid_read(regions + (0 .. region_count - 1));
    requires \separated(map_out, regions + (0 .. region_count - 1));
    assigns map_out->area_count, map_out->areas[0 .. MEMORY_AREAS_MAX - 1];
    ensures map_out->area_count <= MEMORY_AREAS_MAX;
    ensures \result == OK || \result == ENOSPC;
*/
enum error memory_map_make(struct memory_map *map_out, const struct memory_region *regions,
                           size_t region_count);
