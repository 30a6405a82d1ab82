// SPDX-License-Identifier: MIT
//
// Words of four cells: the fewer stores, the better, for each is a transaction of its own.
#include "boot/vga_memory.h"

#include <stdint.h>

#include "arch/x86_64/layout.h"
#include "lib/assert.h"

#define VGA_TEXT_ADDRESS 0xb8000
#define CELLS_PER_WORD 4
#define CELLS (VGA_ROWS * VGA_COLUMNS)

struct vga_memory {
    volatile uint64_t words[CELLS / CELLS_PER_WORD];
};

_Static_assert(VGA_COLUMNS % CELLS_PER_WORD == 0); // no word has cells of two rows
_Static_assert(sizeof(struct vga_memory) == 4000);

// The one way to write it; the compiler keeps it as it stands. Some 30 cycles to start on hardware,
// next to nothing beside what a word takes on its way to a VGA.
static void write_words(volatile uint64_t *to, const struct text_cell *cells, size_t count)
{
    __asm__ volatile("rep movsq" : "+D"(to), "+S"(cells), "+c"(count) : : "memory");
}

void vga_memory_show(void *context, size_t first, const struct text_cell *cells, size_t count)
{
    (void)context;
    assert(first <= CELLS && count <= CELLS - first);
    struct vga_memory *memory = phys_to_direct((phys_addr_t){VGA_TEXT_ADDRESS});
    size_t before = first % CELLS_PER_WORD;
    size_t word_count = (before + count + CELLS_PER_WORD - 1) / CELLS_PER_WORD;
    write_words(&memory->words[first / CELLS_PER_WORD], cells - before, word_count);
}
