// SPDX-License-Identifier: MIT
//
// The page tables in words.
#include "mm/page_walk.h"

// Pages that follow each other with nothing different but their addresses.
struct run {
    uint64_t start;
    uint64_t size_bytes; // 0: there is none yet
    struct page_mapping first;
};

// What the CPU notes in the entries makes no difference.
static uint64_t flags_of(const struct page_mapping *mapping)
{
    return mapping->flags & PAGE_FLAGS;
}

static bool run_takes(const struct run *run, uint64_t page, const struct page_mapping *mapping)
{
    return run->size_bytes != 0 && page == run->start + run->size_bytes &&
           mapping->frame.value == run->first.frame.value + run->size_bytes &&
           mapping->size == run->first.size && flags_of(mapping) == flags_of(&run->first);
}

static const char *size_name(enum page_size size)
{
    switch (size) {
    case PAGE_4KIB:
        return "4 KiB";
    case PAGE_2MIB:
        return "2 MiB";
    case PAGE_1GIB:
        return "1 GiB";
    }
    return "?";
}

static const char *rights_name(uint64_t flags)
{
    static const char *const names[] = {"r--", "rw-", "r-x", "rwx"};
    return names[((flags & PTE_WRITABLE) != 0) | ((flags & PTE_NO_EXECUTE) == 0) << 1];
}

static void print_flags(const struct writer *writer, uint64_t flags)
{
    format_write(writer, "%s%s%s%s", rights_name(flags), (flags & PTE_USER) != 0 ? " user" : "",
                 (flags & PTE_CACHE_DISABLE) != 0   ? " uncached"
                 : (flags & PTE_WRITE_THROUGH) != 0 ? " write-through"
                                                    : "",
                 (flags & PTE_GLOBAL) != 0 ? " global" : "");
}

static void print_run(const struct writer *writer, const struct run *run)
{
    if (run->size_bytes == 0) {
        return;
    }
    uint64_t count = run->size_bytes / page_size_bytes(run->first.size);
    format_write(writer, "0x%016lx to 0x%016lx -> 0x%012lx ", run->start,
                 run->start + run->size_bytes - 1, run->first.frame.value);
    print_flags(writer, run->first.flags);
    format_write(writer, ", %lu x %s\n", count, size_name(run->first.size));
}

static void print_top(const struct address_space *space, const struct writer *writer)
{
    const pte_t *table = (const pte_t *)(uintptr_t)(space->physical_offset + space->top.value);
    format_write(writer, "level-4 table at %#lx\n", space->top.value);
    for (unsigned i = 0; i < TABLE_ENTRY_COUNT; i++) {
        uint64_t entry = table[i].value;
        if (entry != 0) {
            format_write(writer, "entry %u: %#lx%s%s%s%s%s\n", i, entry & PTE_ADDRESS,
                         (entry & PTE_PRESENT) != 0 ? " present" : "",
                         (entry & PTE_WRITABLE) != 0 ? " writable" : "",
                         (entry & PTE_USER) != 0 ? " user" : "",
                         (entry & PTE_ACCESSED) != 0 ? " accessed" : "",
                         (entry & PTE_NO_EXECUTE) != 0 ? " no-execute" : "");
        }
    }
}

void page_table_dump(const struct address_space *space, const struct writer *writer)
{
    print_top(space, writer);
    struct run run = {0};
    struct page_mapping mapping;
    virt_addr_t page = {0};
    enum error error;
    while ((error = page_find(space, &page, &mapping)) == OK) {
        if (!run_takes(&run, page.value, &mapping)) {
            print_run(writer, &run);
            run = (struct run){.start = page.value, .first = mapping};
        }
        run.size_bytes += page_size_bytes(mapping.size);
        page = virt_addr_truncate(page.value + page_size_bytes(mapping.size));
        if (page.value == 0) {
            break; // that was the last page there can be
        }
    }
    print_run(writer, &run);
    if (error != OK && error != ENOENT) {
        format_write(writer, "0x%016lx: the entry is malformed\n", page.value);
    }
}

// --- The way to one page ------------------------------------------------------------------------

static void print_entry(const struct address_space *space, const struct writer *writer,
                        const struct page_walk *at, uint64_t address)
{
    uint64_t index = address >> pte_shift(at->level) & (TABLE_ENTRY_COUNT - 1);
    format_write(writer, "level %u, entry %3lu: 0x%016lx, ", at->level, index, at->entry.value);
    if (!pte_is_present(at->entry)) {
        format_write(writer, "not present\n");
    } else if (pte_is_table(at->entry, at->level)) {
        format_write(writer, "table at %#lx\n", pte_table(at->entry).value);
    } else {
        format_write(writer, "%s\n", page_is_malformed(space, at) ? "malformed" : "page");
    }
}

void page_walk_dump(const struct address_space *space, virt_addr_t address,
                    const struct writer *writer)
{
    struct page_walk walk;
    unsigned level = PTE_LEVEL_MAX;
    do {
        walk = page_walk(space, address.value, level);
        print_entry(space, writer, &walk, address.value);
        level--;
    } while (level > 0 && pte_is_table(walk.entry, walk.level));

    struct page_mapping mapping;
    if (page_translate(space, address, &mapping) == OK) {
        format_write(writer, "0x%016lx -> 0x%012lx ", address.value,
                     mapping.frame.value + mapping.offset);
        print_flags(writer, mapping.flags);
        format_write(writer, "%s%s, in a page of %s\n",
                     (mapping.flags & PTE_ACCESSED) != 0 ? " accessed" : "",
                     (mapping.flags & PTE_DIRTY) != 0 ? " dirty" : "", size_name(mapping.size));
    }
}
