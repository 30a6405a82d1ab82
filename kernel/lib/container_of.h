// SPDX-License-Identifier: MIT
//
// From a member to the structure around it: how intrusive containers, which link nodes inside their
// elements, give the elements back.
#pragma once

#include <stddef.h>
#include <stdint.h>

// The `type_` whose `member_` is at `pointer_`, which is not NULL; a pointer to another type than
// that of the member does not compile. `container_of(node, const struct task, node)` keeps const.
#define container_of(pointer_, type_, member_)                                                     \
    ((type_ *)((uintptr_t)(1 ? (pointer_) : &((type_ *)0)->member_) - offsetof(type_, member_)))
