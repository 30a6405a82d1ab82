// SPDX-License-Identifier: MIT
//
// Reading page tables, and what all changes check first.
#include "mm/page_walk.h"

#define LAST_OF_HALF GENMASK(VIRT_ADDR_BITS - 2, 0)

enum error page_translate(const struct address_space *space, virt_addr_t address,
                          struct page_mapping *mapping_out)
{
    if (!virt_addr_is_canonical(address.value)) {
        return EINVAL;
    }
    struct page_walk found;
    page_walk(space, address.value, 1, &found);
    return page_describe(space, address.value, &found, mapping_out);
}

enum error page_find(const struct address_space *space, virt_addr_t *address,
                     struct page_mapping *mapping_out)
{
    uint64_t at = address->value;
    if (!virt_addr_is_canonical(at)) {
        return EINVAL;
    }
    do {
        struct page_walk found;
        page_walk(space, at, 1, &found);
        uint64_t size_bytes = pte_size_bytes(found.level);
        at = align_down(at, size_bytes);
        enum error error = page_describe(space, at, &found, mapping_out);
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
    return is_upper(start) && space->kernel != space ? EINVAL : OK;
}

enum error page_check_flags(const struct address_space *space, virt_addr_t page, uint64_t flags)
{
    uint64_t refused = ~PAGE_FLAGS | (is_upper(page.value) ? PTE_USER : PTE_GLOBAL);
    if ((flags & refused) != 0) {
        return EINVAL;
    }
    return (flags & PTE_NO_EXECUTE) != 0 && !space->features.has_no_execute ? ENOTSUP : OK;
}
