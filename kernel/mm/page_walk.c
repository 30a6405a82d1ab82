// SPDX-License-Identifier: MIT
//
// Reading page tables, and what all changes check first.
#include "mm/page_walk.h"

#define LAST_OF_HALF GENMASK(VIRT_ADDR_BITS - 2, 0)

static inline enum error describe(const struct address_space *space, uint64_t address,
                                  const struct page_walk *at, struct page_mapping *mapping_out)
{
    if (!pte_is_present(at->entry)) {
        return ENOENT;
    }
    if (page_is_malformed(space, at)) {
        return EFAULT;
    }
    page_describe(at, at->entry, address, mapping_out);
    return OK;
}

enum error page_translate(const struct address_space *space, virt_addr_t address,
                          struct page_mapping *mapping_out)
{
    if (!virt_addr_is_canonical(address.value)) {
        return EINVAL;
    }
    const struct page_walk found = page_walk(space, address.value, 1);
    return describe(space, address.value, &found, mapping_out);
}

enum error page_find(const struct address_space *space, virt_addr_t *address,
                     struct page_mapping *mapping_out)
{
    uint64_t at = address->value;
    if (!virt_addr_is_canonical(at)) {
        return EINVAL;
    }
    do {
        const struct page_walk found = page_walk(space, at, 1);
        uint64_t size_bytes = pte_size_bytes(found.level);
        at = align_down(at, size_bytes);
        enum error error = describe(space, at, &found, mapping_out);
        if (error != ENOENT) {
            address->value = at;
            return error;
        }
        at = virt_addr_truncate(at + size_bytes).value; // over the hole between the halves
    } while (at != 0);
    return ENOENT;
}

enum error page_check_range(const struct address_space *space, virt_addr_t page,
                            uint64_t size_bytes)
{
    uint64_t start = page.value;
    if (!virt_addr_is_canonical(start) || !is_aligned(start | size_bytes, PAGE_SIZE) ||
        size_bytes - 1 > (start | LAST_OF_HALF) - start) {
        return EINVAL;
    }
    return is_upper(start) && !space->is_kernel ? EINVAL : OK;
}
