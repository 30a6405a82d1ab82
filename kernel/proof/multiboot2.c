// SPDX-License-Identifier: MIT
//
// Multiboot2: for any bytes of any size, none outside of them is read.
#include "proof/contracts.acsl"

#include "boot/multiboot2.c"

/*@ requires \valid(info) && sound_info(info);
    requires \valid_read(bytes + (0 .. size_bytes - 1)) && size_bytes <= UINT32_MAX;
    requires \separated(info, bytes + (0 .. size_bytes - 1));
    assigns info->region_count, info->regions[0 .. BOOT_REGIONS_MAX - 1];
    ensures sound_info(info);
*/
static enum error parse_memory_map(struct boot_info *info, const uint8_t *bytes, size_t size_bytes);

/*@ requires \valid(info) && sound_info(info);
    requires \valid_read(bytes + (0 .. size_bytes - 1));
    assigns info->region_count, info->regions[0 .. BOOT_REGIONS_MAX - 1];
    ensures sound_info(info);
*/
static enum error parse_module(struct boot_info *info, const uint8_t *bytes, size_t size_bytes);

/*@ requires \valid(info) && sound_info(info);
    requires \valid_read(bytes + (0 .. size_bytes - 1));
    requires \separated(info, bytes + (0 .. size_bytes - 1));
    assigns info->framebuffer, info->region_count, info->regions[0 .. BOOT_REGIONS_MAX - 1];
    ensures sound_info(info);
*/
static enum error parse_framebuffer(struct boot_info *info, const uint8_t *bytes,
                                    size_t size_bytes);

/*@ requires \valid(info) && sound_info(info);
    requires 8 <= tag.size_bytes && \valid_read(bytes + (0 .. tag.size_bytes - 1));
    requires \separated(info, bytes + (0 .. tag.size_bytes - 1));
    assigns *info;
    ensures sound_info(info);
*/
static enum error parse_tag(struct boot_info *info, const uint8_t *bytes, struct tag tag);

/*@ requires \valid(info) && sound_info(info);
    requires 8 <= total_bytes <= UINT32_MAX && \valid_read(bytes + (0 .. total_bytes - 1));
    requires \separated(info, bytes + (0 .. total_bytes - 1));
    assigns *info;
    ensures sound_info(info);
*/
static enum error parse_tags(struct boot_info *info, const uint8_t *bytes, size_t total_bytes);
