// SPDX-License-Identifier: MIT
//
// For tests: the churn that designs are compared by. 256 slots; each operation draws a slot and a
// size, frees what the slot holds, or puts a block of 16 to 512 bytes into it if it is empty. The
// numbers are Knuth's: D. E. Knuth, The Art of Computer Programming 2, 3.3.4, table 1, line 26.
#pragma once

#include "mm/heap/allocator.h"

#define CHURN_SLOTS 256
#define CHURN_OPERATIONS 20000

struct churn {
    uint64_t random; // 42 at first
    unsigned failure_count;
    void *slots[CHURN_SLOTS];
};

struct churn_operation {
    void **slot;
    size_t size_bytes;
};

static inline uint64_t churn_draw(struct churn *churn)
{
    churn->random = churn->random * 6364136223846793005 + 1442695040888963407;
    return churn->random >> 33;
}

static inline struct churn_operation churn_next(struct churn *churn)
{
    void **slot = &churn->slots[churn_draw(churn) % CHURN_SLOTS];
    return (struct churn_operation){slot, 16 + churn_draw(churn) % 497};
}

static inline void churn_do(struct churn *churn, struct allocator *allocator,
                            struct churn_operation operation)
{
    if (*operation.slot != NULL) {
        allocator_free(allocator, *operation.slot);
        *operation.slot = NULL;
    } else {
        *operation.slot = allocator_allocate(allocator, operation.size_bytes, 8);
        churn->failure_count += *operation.slot == NULL;
    }
}
