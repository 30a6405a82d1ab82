// SPDX-License-Identifier: MIT
//
// Registers of devices in memory: mapped uncached and not executable, each with an unmapped page
// behind it.
//
// In any context but NMI, #DF and #MC, with no lock held of a rank above LOCK_RANK_WINDOW.
#pragma once

#include <stdint.h>

#include "lib/addr.h"
#include "lib/error.h"

// The bytes from `start` on, which need not be aligned; with them come the others of their pages.
// EINVAL if there are none, if memory is among them (what the caches hold of it would be lost), or
// if the CPU has no such addresses; ENOMEM without frames for tables; ENOSPC if there is no room.
enum error mmio_map(phys_addr_t start, uint64_t size_bytes, volatile void **registers_out);

// Unmaps what mmio_map has mapped, as a whole. Panics for anything else.
void mmio_unmap(volatile void *registers, uint64_t size_bytes);
