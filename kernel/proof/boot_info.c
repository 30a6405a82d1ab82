// SPDX-License-Identifier: MIT
//
// What both parsers share.
#include "proof/contracts.acsl"

/*@ requires \valid_read(string + (0 .. limit - 1));
    assigns \nothing;
    ensures \result <= limit;
*/
size_t strnlen(const char *string, size_t limit);

/*@ requires \valid_read(from + (0 .. size_bytes - 1));
    requires \valid(to + (0 .. size_bytes - 1));
    requires \separated(to + (0 .. size_bytes - 1), from + (0 .. size_bytes - 1));
    assigns to[0 .. size_bytes - 1];
*/
void proof_copy(char *to, const char *from, size_t size_bytes);
#undef memcpy
#define memcpy(to_, from_, size_bytes_) proof_copy(to_, from_, size_bytes_)

// It sets the structure to zero.
/*@ requires \valid(info);
    assigns *info;
    ensures info->region_count == 0;
*/
void proof_clear(struct boot_info *info);
#define memset(info_, zero_, size_bytes_) proof_clear(info_)

#include "boot/boot_info.c"

/*@ requires \valid(info_out);
    requires \separated(info_out, memory_at(address.value) + (0 ..));
    assigns *info_out;
    ensures sound_info(info_out);
*/
enum error boot_info_read(struct boot_info *info_out, uint32_t protocol, phys_addr_t address);
