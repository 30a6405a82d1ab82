// SPDX-License-Identifier: MIT
#include "mm/allocation_hook.h"

allocation_hook_t *allocation_hook;
