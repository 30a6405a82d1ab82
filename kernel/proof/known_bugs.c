// SPDX-License-Identifier: MIT
//
// What has to be refused, or the proofs prove nothing: one bug in each function.
#include "proof/contracts.acsl"

/*@ requires \valid_read(bytes + (0 .. size_bytes - 1));
    assigns \nothing;
*/
static uint32_t reads_one_byte_too_many(const uint8_t *bytes, size_t size_bytes)
{
    uint32_t word = 0;
    if (size_bytes >= sizeof(word) - 1) {
        memcpy(&word, bytes, sizeof(word));
    }
    return word;
}

/*@ requires \valid_read(bytes + (0 .. size_bytes - 1));
    assigns \nothing;
*/
static uint32_t writes_more_than_there_is_room_for(const uint8_t *bytes, size_t size_bytes)
{
    uint32_t word;
    memcpy(&word, bytes, size_bytes);
    return word;
}

/*@ requires \valid_read(bytes + (0 .. size_bytes - 1)) && size_bytes <= UINT32_MAX;
    assigns \nothing;
*/
static void stays_at_a_size_of_zero(const uint8_t *bytes, size_t size_bytes)
{
    size_t offset = 0;
    /*@ loop invariant offset <= size_bytes;
        loop assigns offset;
        loop variant size_bytes - offset;
    */
    while (size_bytes - offset >= sizeof(uint32_t)) {
        uint32_t step_bytes;
        memcpy(&step_bytes, bytes + offset, sizeof(step_bytes));
        if (step_bytes > size_bytes - offset) {
            return;
        }
        offset += step_bytes;
    }
}

/*@ assigns \nothing; */
static int overflows(int32_t from_outside)
{
    return from_outside + 1;
}

/*@ assigns \nothing; */
static void asserts_what_may_fail(uint64_t from_outside)
{
    assert(from_outside < PHYS_ADDR_LIMIT);
}

/*@ requires size_bytes < 0;
    assigns \nothing;
*/
static void is_never_called(size_t size_bytes)
{
    (void)size_bytes;
}
