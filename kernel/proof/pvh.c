// SPDX-License-Identifier: MIT
//
// PVH: whatever the start information points at, however much of it, is read only where it is.
#include "proof/contracts.acsl"

#include "boot/pvh.c"

/*@ requires \valid(info) && sound_info(info);
    assigns *info;
    ensures sound_info(info);
*/
static enum error parse_command_line(struct boot_info *info, boot_reader_t *reader,
                                     uint64_t address);

/*@ requires \valid(info) && sound_info(info);
    assigns *info;
    ensures sound_info(info);
*/
static enum error parse_memory_map(struct boot_info *info, boot_reader_t *reader, uint64_t address,
                                   uint32_t count);

/*@ requires \valid(info) && sound_info(info);
    assigns *info;
    ensures sound_info(info);
*/
static enum error parse_modules(struct boot_info *info, boot_reader_t *reader, uint64_t address,
                                uint32_t count);

/*@ requires \valid(info) && sound_info(info);
    assigns *info;
    ensures sound_info(info);
*/
static void parse_acpi_pointer(struct boot_info *info, boot_reader_t *reader, uint64_t address);

/*@ requires \valid(info) && sound_info(info) && \valid_read(start) && \separated(info, start);
    assigns *info;
    ensures sound_info(info);
*/
static enum error parse_parts(struct boot_info *info, boot_reader_t *reader,
                              const struct start_info *start);
