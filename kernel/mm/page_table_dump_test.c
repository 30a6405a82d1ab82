// SPDX-License-Identifier: MIT
#include "ktest.h"
#include "lib/string.h"
#include "mm/address_space.h"
#include "mm/page_walk.h"
#include "mm/test_frames.h"

#define MIB (1ULL << 20)
#define GIB (1ULL << 30)
#define TOP_PAGE (~0ULL - PAGE_SIZE + 1)

static struct address_space space;
static char text[2048];
static size_t text_used;

static void append(void *context, const char *bytes, size_t size_bytes)
{
    (void)context;
    if (size_bytes < sizeof(text) - text_used) {
        memcpy(text + text_used, bytes, size_bytes);
        text_used += size_bytes;
    }
    text[text_used] = 0;
}

static const struct writer to_text = {.write = append};

static void make_space(struct ktest *test)
{
    (void)test;
    text_used = 0;
    test_frames_make_space(&space);
}

KTEST_SUITE(page_table_dump, .init = make_space);

static void map(struct ktest *test, uint64_t page, uint64_t frame, uint64_t size_bytes,
                uint64_t flags)
{
    KTEST_ASSERT_EQ(test,
                    tlb_flush_ignore(page_map_range(&space, (virt_addr_t){page},
                                                    (phys_addr_t){frame}, size_bytes, flags)),
                    OK);
}

// What stands behind the lines of the level-4 table, whose addresses are the frame source's.
static const char *pages_of_dump(struct ktest *test, unsigned top_entry_count)
{
    page_table_dump(&space, &to_text);
    const char *line = text;
    for (unsigned i = 0; i < 1 + top_entry_count; i++) {
        KTEST_ASSERT_EQ(test, strncmp(line, i == 0 ? "level-4 table at 0x" : "entry ", 6), 0);
        while (*line != '\n') {
            line++;
        }
        line++;
    }
    return line;
}

KTEST_ATTR(page_table_dump, neighbours_are_one_line, .proves = "9.2.2");
KTEST(page_table_dump, neighbours_are_one_line)
{
    map(test, 0, 8 * GIB, 4 * PAGE_SIZE, PTE_WRITABLE | PTE_NO_EXECUTE);
    map(test, 4 * PAGE_SIZE, 8 * GIB + 4 * PAGE_SIZE, PAGE_SIZE, 0);         // other rights
    map(test, 5 * PAGE_SIZE, 9 * GIB, PAGE_SIZE, PTE_USER | PTE_NO_EXECUTE); // other frames
    map(test, 7 * PAGE_SIZE, 9 * GIB + 2 * PAGE_SIZE, PAGE_SIZE, PTE_UNCACHED | PTE_WRITABLE);
    map(test, GIB, 2 * GIB, 2 * GIB + 4 * MIB, PTE_WRITE_THROUGH | PTE_NO_EXECUTE);
    KTEST_ASSERT_EQ(test, address_space_prepare(&space, (virt_addr_t){TOP_PAGE}, PAGE_SIZE), OK);
    map(test, TOP_PAGE, 0, PAGE_SIZE, PTE_GLOBAL | PTE_NO_EXECUTE);
    const char *expected =
        "0x0000000000000000 to 0x0000000000003fff -> 0x000200000000 rw-, 4 x 4 KiB\n"
        "0x0000000000004000 to 0x0000000000004fff -> 0x000200004000 r-x, 1 x 4 KiB\n"
        "0x0000000000005000 to 0x0000000000005fff -> 0x000240000000 r-- user, 1 x 4 KiB\n"
        "0x0000000000007000 to 0x0000000000007fff -> 0x000240002000 rwx uncached, 1 x 4 KiB\n"
        "0x0000000040000000 to 0x00000000bfffffff -> 0x000080000000 r-- write-through, 2 x 1 GiB\n"
        "0x00000000c0000000 to 0x00000000c03fffff -> 0x000100000000 r-- write-through, 2 x 2 MiB\n"
        "0xfffffffffffff000 to 0xffffffffffffffff -> 0x000000000000 r-- global, 1 x 4 KiB\n";
    KTEST_EXPECT_STREQ(test, pages_of_dump(test, 2), expected);
}

KTEST(page_table_dump, entries_of_level_4_are_printed_with_their_flags)
{
    pte_t *top = test_frame_memory(space.top);
    phys_addr_t empty;
    KTEST_ASSERT_EQ(test, test_frames.alloc(NULL, &empty), OK);
    memset(test_frame_memory(empty), 0, PAGE_SIZE);
    top[3].value = empty.value | PTE_PRESENT | PTE_NO_EXECUTE | PTE_USER | PTE_WRITABLE;
    top[4].value = empty.value | PTE_PRESENT | PTE_ACCESSED;
    char expected[200];
    format_buffer(expected, sizeof(expected),
                  "level-4 table at %#lx\nentry 3: %#lx present writable user no-execute\n"
                  "entry 4: %#lx present accessed\n",
                  space.top.value, empty.value, empty.value);
    page_table_dump(&space, &to_text);
    KTEST_EXPECT_STREQ(test, text, expected);
}

KTEST(page_table_dump, nothing_is_said_of_nothing)
{
    KTEST_EXPECT_STREQ(test, pages_of_dump(test, 0), "");
}

KTEST(page_table_dump, malformed_entry_ends_it)
{
    map(test, 0, 0, PAGE_SIZE, PTE_WRITABLE | PTE_NO_EXECUTE);
    ((pte_t *)test_frame_memory(space.top))[1].value = PTE_PRESENT | PTE_LARGE;
    KTEST_EXPECT_STREQ(test, pages_of_dump(test, 2),
                       "0x0000000000000000 to 0x0000000000000fff -> 0x000000000000 rw-, 1 x 4 KiB\n"
                       "0x0000008000000000: the entry is malformed\n");
}

// --- The way to one page ------------------------------------------------------------------------

// From this line on, counted from 0: those before have the frame source's addresses.
static const char *walk_from(uint64_t address, unsigned line_count)
{
    page_walk_dump(&space, (virt_addr_t){address}, &to_text);
    const char *line = text;
    for (; line_count > 0 && *line != 0; line++) {
        line_count -= *line == '\n';
    }
    return line;
}

KTEST(page_table_dump, walk_leads_to_a_page_and_what_it_maps)
{
    map(test, 0x201000, 0x5000, PAGE_SIZE, PTE_WRITABLE | PTE_NO_EXECUTE);
    const char *end = walk_from(0x201123, 3);
    KTEST_EXPECT_EQ(test, strncmp(text, "level 4, entry   0: 0x", 22), 0);
    KTEST_EXPECT_STREQ(test, end,
                       "level 1, entry   1: 0x8000000000005003, page\n"
                       "0x0000000000201123 -> 0x000000005123 rw-, in a page of 4 KiB\n");
}

KTEST(page_table_dump, walk_ends_at_a_large_page)
{
    map(test, 3 * GIB, GIB, GIB, PTE_USER);
    KTEST_EXPECT_STREQ(test, walk_from(3 * GIB + 5, 1),
                       "level 3, entry   3: 0x0000000040000085, page\n"
                       "0x00000000c0000005 -> 0x000040000005 r-x user, in a page of 1 GiB\n");
}

KTEST(page_table_dump, walk_ends_where_nothing_is)
{
    map(test, 0x201000, 0x5000, PAGE_SIZE, PTE_WRITABLE);
    KTEST_EXPECT_STREQ(test, walk_from(0x202000, 3),
                       "level 1, entry   2: 0x0000000000000000, not present\n");
    text_used = 0;
    KTEST_EXPECT_STREQ(test, walk_from(512 * GIB, 0),
                       "level 4, entry   1: 0x0000000000000000, not present\n");
}

KTEST(page_table_dump, walk_ends_at_a_malformed_entry)
{
    map(test, 2 * MIB, 4 * MIB, 2 * MIB, PTE_WRITABLE);
    struct page_walk walk = page_walk(&space, 2 * MIB, PAGE_2MIB);
    walk.place->value |= BIT(13); // reserved in a page of 2 MiB
    KTEST_EXPECT_STREQ(test, walk_from(2 * MIB, 2),
                       "level 2, entry   1: 0x0000000000402083, malformed\n");
}
