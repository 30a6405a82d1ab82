// SPDX-License-Identifier: MIT
//
// For tests of what code does without memory: who sets the hook hears of each allocation that the
// kernel makes, of whatever kind, and may have it fail as if there was none left. An allocator asks
// once for each, by a way that costs nothing as long as there is no hook.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Whether the allocation has to fail; `site` is the return address of the call. Called in any
// context that allocates, with the allocator's lock held: takes no lock, and allocates nothing.
typedef bool allocation_hook_t(uint64_t site);

// NULL: none. Set by whoever has the machine for himself.
extern allocation_hook_t *allocation_hook;

static inline bool allocation_has_to_fail(const void *site)
{
    return __builtin_expect(allocation_hook != NULL, 0) && allocation_hook((uint64_t)site);
}
