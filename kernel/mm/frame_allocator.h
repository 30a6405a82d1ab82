// SPDX-License-Identifier: MIT
//
// A buddy allocator of physical frames: runs of 2^order frames, naturally aligned. Pure: it works
// on the memory map and on metadata that the caller gives it, and knows no lock and no hardware.
// The kernel's own instance is mm/frame.h's.
//
// Metadata is 16 bytes a frame, for sections of 16 MiB that hold usable memory at all: a hole costs
// 4 bytes a section. That makes 64 KiB for a machine of 8 MiB, and 4 GiB for one of 1 TiB (0.4 %).
// A section is also the largest block, so that a block's buddy is always in the same section, and
// no block lies in two zones.
//
// Single frames from anywhere go over a small stack, which is filled from and emptied into the
// buddies by 32 frames: most calls touch one frame's metadata. No call depends on how much memory
// there is. The longest ones move 32 frames, each by at most 12 merges.
//
// Source: K. C. Knowlton, A fast storage allocator, CACM 8 (1965); the lists and the bit of each
// order are those of D. E. Knuth, The Art of Computer Programming 1, 2.5.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/addr.h"
#include "lib/error.h"
#include "mm/memory_map.h"

#define FRAME_ORDER_MAX 12 // 16 MiB
#define FRAME_ORDER_COUNT (FRAME_ORDER_MAX + 1)

// By what a device can reach: ISA's DMA has 24 address bits, many a PCI device 32.
enum frame_zone {
    FRAME_ZONE_16_MIB, // below
    FRAME_ZONE_4_GIB,  // from there to 4 GiB
    FRAME_ZONE_REST,
};
#define FRAME_ZONE_COUNT 3

enum frame_state {
    FRAME_INNER, // not the first of a block, or not ours
    FRAME_FREE,  // in the list of its zone and order
    FRAME_READY, // on the stack of single frames
    FRAME_TAKEN,
};

// What is known of a frame. The first frame of a block speaks for all of it.
struct frame {
    union {
        struct { // free: the neighbours in its list; on the stack, the one below
            uint32_t next;
            uint32_t previous;
        };
        struct { // taken
            uint32_t references;
            uint32_t epoch; // when: frame_allocator_mark
        };
    };
    uint32_t site; // lower half of the return address of the last call that took it
    uint8_t state; // enum frame_state
    uint8_t order;
    uint16_t unused;
};
_Static_assert(sizeof(struct frame) == 16);

struct frame_zone_state {
    uint64_t total_count; // in frames
    uint32_t start;       // index of the first frame
    uint32_t heads;       // index of the first list's head
    uint32_t orders;      // bit n: there are blocks of order n
    uint32_t block_counts[FRAME_ORDER_COUNT];
};

// All zero bits: an allocator without memory.
struct frame_allocator {
    struct frame *frames;       // section by section; behind them the heads of the lists
    const uint64_t *offsets;    // of each section here: its address less that of its first index
    const uint32_t *bases;      // of each section in memory: the index of its first frame
    uint64_t section_limit;     // in memory
    uint64_t block_free_count;  // all but the frames on the stack
    uint64_t lowest_free_count; // when it last rose
    uint32_t frame_count;
    uint32_t epoch;
    uint32_t stack; // the single frame that comes next
    uint32_t stack_count;
    uint32_t stack_start; // frames below go back to the buddies at once: index
    bool is_stack_bypassed;
    struct frame_zone_state zones[FRAME_ZONE_COUNT];
};

// What is wrong with a frame that a caller gives.
enum [[nodiscard]] frame_verdict{
    FRAME_FINE,
    FRAME_UNALIGNED,   // the address is no frame's
    FRAME_FOREIGN,     // it was never ours to give
    FRAME_IS_FREE,     // nobody has it
    FRAME_IS_INSIDE,   // of a taken block, which does not begin there
    FRAME_OTHER_ORDER, // the block begins there, but has another size
    FRAME_SHARED,      // others hold references
};

// "is free already"
const char *frame_verdict_text(enum frame_verdict verdict);

// How much metadata the usable memory of `map` needs.
uint64_t frame_allocator_metadata_bytes(const struct memory_map *map);

// Makes all usable memory free. `metadata` is zeroed, aligned to 16 bytes, and stays the
// allocator's; taking it out of the map never makes the map need more. ENOSPC if it is too small,
// or if there is more memory than 32-bit indices can count (16 TiB).
enum error frame_allocator_init(struct frame_allocator *allocator_out, const struct memory_map *map,
                                void *metadata, uint64_t metadata_bytes);

// Takes 2^order frames, from the zone `highest` if it has them, else from the ones below it, never
// from above. `site` is the caller's, for reports. ENOMEM if there is no such block; EINVAL if the
// order or the zone does not exist.
enum error frame_allocator_alloc(struct frame_allocator *allocator, unsigned order,
                                 enum frame_zone highest, uint64_t site, phys_addr_t *frame_out);

// Puts single frames on the empty stack. ENOMEM if there are none.
enum error frame_allocator_refill(struct frame_allocator *allocator);

static inline phys_addr_t frame_allocator_address(const struct frame_allocator *allocator,
                                                  uint32_t index)
{
    uint64_t offset = allocator->offsets[index >> FRAME_ORDER_MAX];
    return (phys_addr_t){offset + ((uint64_t)index << PAGE_SHIFT)};
}

static inline void frame_note_owner(struct frame *frame, unsigned order, uint32_t epoch,
                                    uint64_t site)
{
    frame->references = 1;
    frame->epoch = epoch;
    frame->site = (uint32_t)site;
    frame->state = FRAME_TAKEN;
    frame->order = (uint8_t)order;
}

// Takes the frame on top of the stack, which is not empty. Inline, for it is most of what the
// kernel asks for.
static inline phys_addr_t frame_allocator_pop(struct frame_allocator *allocator, uint64_t site)
{
    uint32_t index = allocator->stack;
    struct frame *frame = &allocator->frames[index];
    allocator->stack = frame->next;
    allocator->stack_count--;
    frame_note_owner(frame, 0, allocator->epoch, site);
    return frame_allocator_address(allocator, index);
}

// Gives a block back that has one reference. If the verdict is not fine, nothing has happened.
enum frame_verdict frame_allocator_free(struct frame_allocator *allocator, phys_addr_t frame,
                                        unsigned order);

// One more, one less reference to a taken block; the last one gives it back.
enum frame_verdict frame_allocator_get(struct frame_allocator *allocator, phys_addr_t frame);
enum frame_verdict frame_allocator_put(struct frame_allocator *allocator, phys_addr_t frame);

// From the first of these calls to the second no frame lies ready on the stack: each single frame
// comes by frame_allocator_refill, and goes back to the buddies.
void frame_allocator_bypass_stack(struct frame_allocator *allocator);
void frame_allocator_use_stack(struct frame_allocator *allocator);

// Merges the single frames that lie ready. Not needed: a run that can't be had otherwise does so.
void frame_allocator_settle(struct frame_allocator *allocator);

struct frame_statistics {
    uint64_t total_count; // in frames
    uint64_t free_count;
    uint64_t lowest_free_count; // ever
    uint64_t single_count;      // of the free ones, those that lie ready
    struct {
        uint64_t total_count;
        uint64_t free_count;
        uint64_t block_counts[FRAME_ORDER_COUNT]; // of those that don't
    } zones[FRAME_ZONE_COUNT];
};

void frame_allocator_statistics(const struct frame_allocator *allocator,
                                struct frame_statistics *statistics_out);

// A block that is taken.
struct frame_owner {
    phys_addr_t frame; // the first
    unsigned order;
    uint32_t references;
    uint64_t site; // of the last call that took it, also if it is free by now; the kernel's half
};

// The block that a frame is in; false if it is in none of ours.
bool frame_allocator_inspect(const struct frame_allocator *allocator, phys_addr_t frame,
                             struct frame_owner *owner_out);

// Begins an epoch: what is taken from here on can be told from what was taken before, for 2^31
// further marks.
uint32_t frame_allocator_mark(struct frame_allocator *allocator);

// The next block that was taken since `mark` and still is; *cursor is 0 at first. Looks at every
// block once.
bool frame_allocator_next(const struct frame_allocator *allocator, uint32_t mark, uint32_t *cursor,
                          struct frame_owner *owner_out);

// Gives back all that was taken since `mark`, whoever holds references: for a test runner whose
// test has died. Returns how many frames.
uint64_t frame_allocator_reclaim(struct frame_allocator *allocator, uint32_t mark);
