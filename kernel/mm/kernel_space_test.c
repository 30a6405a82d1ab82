// SPDX-License-Identifier: MIT
//
// The kernel's address space as the CPU uses it: what the boot code has mapped, and mappings of our
// own, with the faults that they raise.
#include "mm/kernel_space.h"

#include "arch/x86_64/cpu.h"
#include "debug/log.h"
#include "ktest.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/address_space.h"
#include "mm/kernel_space_fixture.h"

#define OPCODE_RET 0xc3

static _Alignas(PAGE_SIZE) uint8_t first_page[PAGE_SIZE];
static _Alignas(PAGE_SIZE) uint8_t second_page[PAGE_SIZE];

static enum error protect(uint64_t page, uint64_t flags)
{
    return tlb_flush_now(page_protect(&kernel_space, (virt_addr_t){page}, PAGE_4KIB, flags));
}

[[gnu::noinline]] static void poke_word(uint64_t address, uint64_t value)
{
    __asm__("" : "+r"(address));
    *(volatile uint64_t *)address = value;
}

[[gnu::noinline]] static void jump(uint64_t address)
{
    __asm__ volatile("call *%0" : : "r"(address) : "memory");
}

static struct page_mapping translate(struct ktest *test, const volatile void *address)
{
    struct page_mapping mapping = {0};
    KTEST_EXPECT_EQ_MSG(test, page_translate(&kernel_space, virt_addr_of(address), &mapping), OK,
                        "%p", address);
    return mapping;
}

static uint64_t physical(struct page_mapping mapping)
{
    return mapping.frame.value + mapping.offset;
}

// --- What the boot code has mapped -------------------------------------------------------------

KTEST_ATTR(kernel_space, is_what_cr3_says, .proves = "8.10 9.2.1");
KTEST(kernel_space, is_what_cr3_says)
{
    struct paging_root root = paging_root_read();
    KTEST_EXPECT_EQ(test, root.table.value, kernel_space.top.value);
    KTEST_EXPECT_EQ(test, root.flags, 0);
    KTEST_EXPECT_EQ(test, root.table.value | root.flags, cpu_read_cr3());
    const uint64_t *top = phys_to_direct(root.table);
    KTEST_EXPECT_NE(test, top[virt_addr_p4_index((virt_addr_t){KERNEL_VMA})], 0);
}

KTEST_ATTR(kernel_space, second_owner_panics,
           .outcome = KTEST_PANIC("the kernel's address space is taken over already"),
           .proves = "9.2.1");
KTEST(kernel_space, second_owner_panics)
{
    KTEST_ARM(test);
    (void)!kernel_space_init(&test_frames);
}

KTEST_ATTR(kernel_space, translates_what_the_post_translates, .proves = "9.2.3 9.2.4");
KTEST(kernel_space, translates_what_the_post_translates)
{
    struct page_mapping code = translate(test, (const void *)(uintptr_t)peek);
    KTEST_EXPECT_EQ(test, physical(code), (uint64_t)peek - KERNEL_VMA);
    KTEST_EXPECT_EQ(test, code.flags & PAGE_RIGHTS, 0); // read-only, executable
    KTEST_EXPECT_EQ(test, code.size, PAGE_4KIB);

    volatile char on_the_stack = 0;
    struct page_mapping stack = translate(test, &on_the_stack);
    KTEST_EXPECT_EQ(test, physical(stack), (uint64_t)&on_the_stack - KERNEL_VMA);
    KTEST_EXPECT_EQ(test, stack.flags & PAGE_RIGHTS, RIGHTS);

    struct page_mapping video = translate(test, phys_to_direct((phys_addr_t){0xb8000}));
    KTEST_EXPECT_EQ(test, physical(video), 0xb8000);
    KTEST_EXPECT_EQ(test, video.flags & PAGE_RIGHTS, RIGHTS);

    struct page_mapping direct = translate(test, phys_to_direct((phys_addr_t){0}));
    KTEST_EXPECT_EQ(test, physical(direct), 0);
    struct page_mapping large = translate(test, phys_to_direct((phys_addr_t){0x40123456}));
    KTEST_EXPECT_EQ(test, physical(large), 0x40123456);
    KTEST_EXPECT_EQ(test, large.offset, 0x123456);
    KTEST_EXPECT_EQ(test, large.size, PAGE_2MIB);
    KTEST_EXPECT_EQ(test, large.flags & PAGE_RIGHTS, RIGHTS);
}

KTEST_ATTR(kernel_space, has_nothing_where_nothing_is, .proves = "9.2.3 8.12");
KTEST(kernel_space, has_nothing_where_nothing_is)
{
    const uint64_t addresses[] = {0, 0xb8000, 0xdeadbeaf, PAGE, KERNEL_VMA, ~0ULL};
    struct page_mapping mapping;
    for (unsigned i = 0; i < ARRAY_SIZE(addresses); i++) {
        KTEST_EXPECT_EQ_MSG(test,
                            page_translate(&kernel_space, (virt_addr_t){addresses[i]}, &mapping),
                            ENOENT, "%lx", addresses[i]);
    }
}

// Every page of the kernel's upper half obeys W^X, and none is the user's.
KTEST(kernel_space, nothing_is_both_writable_and_executable)
{
    struct page_mapping mapping;
    unsigned count = 0;
    for (virt_addr_t page = {0}; page_find(&kernel_space, &page, &mapping) == OK;
         page.value += page_size_bytes(mapping.size)) {
        KTEST_ASSERT_NE_MSG(test, mapping.flags & RIGHTS, PTE_WRITABLE,
                            "the page at 0x%lx can be written and executed", page.value);
        KTEST_ASSERT_EQ_MSG(test, mapping.flags & PTE_USER, 0, "the page at 0x%lx is the user's",
                            page.value);
        count++;
    }
    KTEST_EXPECT_GT(test, count, 4096); // the direct map of 4 GiB, and the first 16 MiB twice
}

// --- Mappings of our own -----------------------------------------------------------------------

KTEST_ATTR(kernel_space, example_of_the_post_says_new, .needs = KTEST_NEEDS_VGA,
           .proves = "9.3.4 9.3.1");
KTEST(kernel_space, example_of_the_post_says_new)
{
    volatile uint64_t *video = phys_to_direct((phys_addr_t){0xb8000});
    uint64_t before = video[400];
    KTEST_ASSERT_EQ(test,
                    tlb_flush_now(page_map(&kernel_space, (virt_addr_t){0}, (phys_addr_t){0xb8000},
                                           PAGE_4KIB, RIGHTS | PTE_UNCACHED)),
                    OK);

    poke_word(3200, 0xf021f077f065f04e); // index 400 of page 0: "New!", black on white

    uint64_t seen = video[400];
    video[400] = before;
    KTEST_EXPECT_EQ(test, seen, 0xf021f077f065f04e);
    KTEST_EXPECT_EQ(test, peek(3200), before & 0xff);
    KTEST_EXPECT_EQ(test, unmap(0), OK);
    KTEST_EXPECT_FAULT(test, PF, 2, poke_word(3200, 1));
}

// There are no tables for the second page, and none to be had: the post's panic is our error.
KTEST_ATTR(kernel_space, without_frames_only_existing_tables_serve, .proves = "9.3.5 9.3.2");
KTEST(kernel_space, without_frames_only_existing_tables_serve)
{
    KTEST_ASSERT_EQ(test, map(PAGE_SIZE, first_page, RIGHTS), OK);
    kernel_space.frames = &frame_source_empty;

    enum error near = map(0, first_page, RIGHTS);
    enum error far = map(0xdeadbeaf000, first_page, RIGHTS);

    kernel_space.frames = &test_frames;
    KTEST_EXPECT_EQ(test, near, OK);
    KTEST_EXPECT_EQ(test, far, ENOMEM);
    poke(7, 0x77);
    KTEST_EXPECT_EQ(test, first_page[7], 0x77);
    KTEST_EXPECT_FAULT(test, PF, 0, peek(0xdeadbeaf007));
}

// The last page of a table, with which the table goes, and one that leaves a neighbour behind.
struct neighbour_case {
    bool has_neighbour;
};

static const struct neighbour_case neighbours[] = {{false}, {true}};

static void map_neighbour(struct ktest *test, const struct neighbour_case *param)
{
    if (param->has_neighbour) {
        KTEST_ASSERT_EQ(test, map(PAGE + PAGE_SIZE, second_page, RIGHTS), OK);
    }
}

KTEST_ATTR(kernel_space, use_after_unmap_faults_at_once, .proves = "8.11 9.3.3");
KTEST_PARAM(kernel_space, use_after_unmap_faults_at_once, neighbours, NULL)
{
    map_neighbour(test, param);
    KTEST_ASSERT_EQ(test, map(PAGE, first_page, RIGHTS), OK);
    poke(PAGE + 9, 1); // now it is in the TLB
    KTEST_ASSERT_EQ(test, unmap(PAGE), OK);
    KTEST_EXPECT_FAULT(test, PF, 0, peek(PAGE + 9));
    KTEST_EXPECT_EQ(test, ktest_last_fault(test)->address, PAGE + 9);
    KTEST_EXPECT_FAULT(test, PF, 2, poke(PAGE + 9, 2));
}

KTEST_ATTR(kernel_space, other_frame_is_seen_at_once, .proves = "8.11");
KTEST_PARAM(kernel_space, other_frame_is_seen_at_once, neighbours, NULL)
{
    map_neighbour(test, param);
    first_page[3] = 1;
    second_page[3] = 2;
    KTEST_ASSERT_EQ(test, map(PAGE, first_page, RIGHTS), OK);
    KTEST_EXPECT_EQ(test, peek(PAGE + 3), 1);
    KTEST_ASSERT_EQ(test, unmap(PAGE), OK);
    KTEST_ASSERT_EQ(test, map(PAGE, second_page, RIGHTS), OK);
    KTEST_EXPECT_EQ(test, peek(PAGE + 3), 2);
}

KTEST_ATTR(kernel_space, write_protection_holds, .proves = "8.5");
KTEST(kernel_space, write_protection_holds)
{
    KTEST_ASSERT_EQ(test, map(PAGE, first_page, RIGHTS), OK);
    poke(PAGE, 1);
    KTEST_ASSERT_EQ(test, protect(PAGE, PTE_NO_EXECUTE), OK);
    KTEST_EXPECT_FAULT(test, PF, 3, poke(PAGE, 2));
    KTEST_EXPECT_EQ(test, peek(PAGE), 1);
    KTEST_ASSERT_EQ(test, protect(PAGE, RIGHTS), OK);
    poke(PAGE, 3);
    KTEST_EXPECT_EQ(test, first_page[0], 3);
}

KTEST_ATTR(kernel_space, execution_protection_holds, .proves = "8.5");
KTEST(kernel_space, execution_protection_holds)
{
    first_page[0] = OPCODE_RET;
    KTEST_ASSERT_EQ(test, map(PAGE, first_page, RIGHTS), OK);
    KTEST_EXPECT_FAULT(test, PF, 0x11, jump(PAGE));
    KTEST_ASSERT_EQ(test, protect(PAGE, 0), OK);
    jump(PAGE);
    KTEST_ASSERT_EQ(test, protect(PAGE, PTE_NO_EXECUTE), OK);
    KTEST_EXPECT_FAULT(test, PF, 0x11, jump(PAGE));
}

// A level above takes the right away: the CPU and translate agree.
KTEST_ATTR(kernel_space, read_only_level_3_entry_makes_the_page_read_only, .proves = "8.4");
KTEST(kernel_space, read_only_level_3_entry_makes_the_page_read_only)
{
    virt_addr_t page = {PAGE};
    KTEST_ASSERT_EQ(test, map(PAGE, first_page, RIGHTS), OK);
    poke(PAGE, 1);
    pte_t *level4 = phys_to_direct(kernel_space.top);
    pte_t *level3 = phys_to_direct(pte_table(level4[virt_addr_p4_index(page)]));
    level3[virt_addr_p3_index(page)].value &= ~PTE_WRITABLE;
    paging_flush_all();

    KTEST_EXPECT_FAULT(test, PF, 3, poke(PAGE, 2));
    KTEST_EXPECT_EQ(test, translate(test, (void *)PAGE).flags & PAGE_RIGHTS, PTE_NO_EXECUTE);
}

KTEST_ATTR(kernel_space, cpu_notes_what_it_uses, .proves = "8.13");
KTEST(kernel_space, cpu_notes_what_it_uses)
{
    const uint64_t used = PTE_ACCESSED | PTE_DIRTY;
    virt_addr_t page = {PAGE};
    KTEST_ASSERT_EQ(test, map(PAGE, first_page, RIGHTS), OK);
    for (unsigned round = 0; round < 2; round++) { // the second: after a flush they are set anew
        KTEST_EXPECT_EQ(test, translate(test, (void *)PAGE).flags & used, 0);
        peek(PAGE);
        KTEST_EXPECT_EQ(test, translate(test, (void *)PAGE).flags & used, PTE_ACCESSED);
        poke(PAGE, 1);
        KTEST_EXPECT_EQ(test, translate(test, (void *)PAGE).flags & used, used);
        KTEST_ASSERT_EQ(test, tlb_flush_now(page_clear_used(&kernel_space, page, used)), OK);
    }
}

// A part of the direct map goes and comes back: the CPU walks tables that a split has made.
KTEST_ATTR(kernel_space, part_of_a_large_page_is_unmapped_under_the_cpu, .proves = "9.3.3");
KTEST(kernel_space, part_of_a_large_page_is_unmapped_under_the_cpu)
{
    phys_addr_t hole = {0x40005000}; // no memory on a small machine: it is the mapping that counts
    virt_addr_t page = virt_addr_of(phys_to_direct(hole));
    peek(page.value);
    KTEST_ASSERT_EQ(test, tlb_flush_now(page_unmap(&kernel_space, page, PAGE_4KIB, NULL)), OK);

    KTEST_EXPECT_FAULT(test, PF, 0, peek(page.value));
    peek(page.value - 1);
    peek(page.value + PAGE_SIZE);
    KTEST_EXPECT_EQ(test, test_frames_used_count(), 1);

    // Back to one page of 2 MiB.
    virt_addr_t large = virt_addr_align_down(page, page_size_bytes(PAGE_2MIB));
    phys_addr_t frame = {align_down(hole.value, page_size_bytes(PAGE_2MIB))};
    uint64_t before = hole.value - frame.value;
    uint64_t behind = page_size_bytes(PAGE_2MIB) - before - PAGE_SIZE;
    KTEST_EXPECT_EQ(test, tlb_flush_now(page_unmap_range(&kernel_space, large, before)), OK);
    KTEST_EXPECT_EQ(test,
                    tlb_flush_now(page_unmap_range(&kernel_space,
                                                   (virt_addr_t){page.value + PAGE_SIZE}, behind)),
                    OK);
    KTEST_EXPECT_EQ(test, tlb_flush_now(page_map(&kernel_space, large, frame, PAGE_2MIB, RIGHTS)),
                    OK);
    peek(page.value);
}

// --- Address spaces ----------------------------------------------------------------------------

KTEST(kernel_space, other_spaces_have_a_lower_half_of_their_own)
{
    struct address_space other;
    first_page[0] = 1;
    second_page[0] = 2;
    KTEST_ASSERT_EQ(test, address_space_create(&kernel_space, &other), OK);
    KTEST_ASSERT_EQ(test, map(PAGE, first_page, RIGHTS), OK);
    KTEST_ASSERT_EQ(test,
                    tlb_flush_ignore(page_map(&other, (virt_addr_t){PAGE}, phys_of(second_page),
                                              PAGE_4KIB, RIGHTS)),
                    OK);

    uint8_t seen_before = peek(PAGE);
    tlb_load(&other);
    uint8_t seen = peek(PAGE);
    tlb_load(&kernel_space);
    uint8_t seen_after = peek(PAGE);

    KTEST_EXPECT_EQ(test, seen_before, 1);
    KTEST_EXPECT_EQ(test, seen, 2);
    KTEST_EXPECT_EQ(test, seen_after, 1);
    address_space_destroy(&other);
}

// --- By the kernel's own calls -----------------------------------------------------------------

KTEST(kernel_space, calls_map_find_and_count)
{
    virt_addr_t page = {SPARE};
    uint64_t count = kernel_space_page_count();
    KTEST_ASSERT_EQ(test, kernel_map(page, test_frame(0), 2 * PAGE_SIZE, RIGHTS), OK);
    KTEST_EXPECT_EQ(test, kernel_space_page_count(), count + 2);
    KTEST_EXPECT_EQ(test, kernel_map(page, test_frame(0), PAGE_SIZE, RIGHTS), EEXIST);
    poke(SPARE + PAGE_SIZE, 0x5a);
    KTEST_EXPECT_EQ(test, *(uint8_t *)test_frame_memory(test_frame(1)), 0x5a);

    struct page_mapping mapping = {0};
    KTEST_EXPECT_EQ(test, kernel_translate((virt_addr_t){SPARE + PAGE_SIZE + 7}, &mapping), OK);
    KTEST_EXPECT_EQ(test, physical(mapping), test_frame(1).value + 7);
    virt_addr_t found = {SPARE - PAGE_SIZE};
    KTEST_EXPECT_EQ(test, kernel_find_page(&found, &mapping), OK);
    KTEST_EXPECT_EQ(test, found.value, SPARE);
    KTEST_EXPECT_EQ(test, kernel_space_page_count(), count + 2);

    KTEST_EXPECT_EQ(test, kernel_unmap(page, 3 * PAGE_SIZE), ENOENT);
    KTEST_EXPECT_EQ(test, kernel_unmap(page, 2 * PAGE_SIZE), OK);
    KTEST_EXPECT_EQ(test, kernel_space_page_count(), count);
    KTEST_EXPECT_FAULT(test, PF, 0, peek(SPARE));
    KTEST_EXPECT_EQ(test, kernel_translate(page, &mapping), ENOENT);
}

KTEST(kernel_space, memory_comes_with_frames_of_its_own)
{
    virt_addr_t page = {SPARE};
    struct page_mapping first = {0};
    struct page_mapping second = {0};
    KTEST_ASSERT_EQ(test, kernel_map_memory(page, 2 * PAGE_SIZE, NULL), OK);
    poke(SPARE, 1);
    poke(SPARE + PAGE_SIZE, 2);
    KTEST_EXPECT_EQ(test, peek(SPARE), 1);
    KTEST_EXPECT_EQ(test, kernel_translate(page, &first), OK);
    KTEST_EXPECT_EQ(test, kernel_translate((virt_addr_t){SPARE + PAGE_SIZE}, &second), OK);
    KTEST_EXPECT_NE(test, first.frame.value, second.frame.value);
    KTEST_EXPECT_EQ(test, first.flags & PAGE_FLAGS, RIGHTS);

    // What is in the way is found before the end, and what came before it is given back.
    KTEST_EXPECT_EQ(test, kernel_map_memory((virt_addr_t){SPARE - PAGE_SIZE}, 2 * PAGE_SIZE, NULL),
                    EEXIST);
    KTEST_EXPECT_FAULT(test, PF, 0, peek(SPARE - PAGE_SIZE));
    kernel_unmap_memory(page, 2 * PAGE_SIZE);
    KTEST_EXPECT_FAULT(test, PF, 0, peek(SPARE + PAGE_SIZE));
    KTEST_EXPECT_PANIC(test, "kernel memory at 0x* can't be unmapped: ENOENT",
                       kernel_unmap_memory(page, PAGE_SIZE));
}

// What is not prepared at the start can't be mapped later.
KTEST(kernel_space, windows_can_be_mapped_to_their_ends)
{
    const uint64_t pages[] = {HEAP_VMA + HEAP_SIZE_MAX - PAGE_SIZE,
                              STACKS_VMA + STACKS_SIZE - PAGE_SIZE,
                              MMIO_VMA + MMIO_SIZE - PAGE_SIZE};
    for (unsigned i = 0; i < ARRAY_SIZE(pages); i++) {
        KTEST_EXPECT_EQ(test, map(pages[i], first_page, RIGHTS), OK);
        KTEST_EXPECT_EQ(test, unmap(pages[i]), OK);
    }
    KTEST_EXPECT_EQ(test, map(MMIO_VMA + MMIO_SIZE, first_page, RIGHTS), EINVAL);
}

static char dumped[4096];
static size_t dumped_bytes;

static void overhear(void *context, const char *bytes, size_t size_bytes)
{
    (void)context;
    for (size_t i = 0; i < size_bytes && dumped_bytes < sizeof(dumped) - 1; i++) {
        dumped[dumped_bytes++] = bytes[i];
    }
}

static const struct writer eavesdropper = {.write = overhear};

static void forget_console(void *unused)
{
    (void)unused;
    log_remove_console(&eavesdropper);
}

static bool is_dumped(const char *line)
{
    size_t length = strlen(line);
    for (size_t at = 0; at + length <= dumped_bytes; at++) {
        if (strncmp(dumped + at, line, length) == 0) {
            return true;
        }
    }
    return false;
}

KTEST_ATTR(kernel_space, dump_goes_to_the_consoles, .proves = "9.2.2");
KTEST(kernel_space, dump_goes_to_the_consoles)
{
    char line[80];
    KTEST_ASSERT_EQ(test, map(PAGE, first_page, RIGHTS), OK);
    log_add_console(&eavesdropper);
    ktest_add_action(test, forget_console, NULL);
    dumped_bytes = 0;

    kernel_space_dump();

    format_buffer(line, sizeof(line), "level-4 table at %#lx\n", kernel_space.top.value);
    KTEST_EXPECT_EQ(test, strncmp(dumped, line, strlen(line)), 0);
    format_buffer(line, sizeof(line), "%#018lx to %#018lx -> %#014lx rw-, 1 x 4 KiB\n", PAGE,
                  PAGE + PAGE_SIZE - 1, phys_of(first_page).value);
    KTEST_EXPECT_TRUE_MSG(test, is_dumped(line), "%s", line);
}
