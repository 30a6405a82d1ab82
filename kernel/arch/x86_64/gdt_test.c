// SPDX-License-Identifier: MIT
#include "arch/x86_64/gdt.h"

#include "arch/x86_64/stack.h"
#include "ktest.h"
#include "lib/bits.h"

#define DESCRIPTOR_A 0x00af9a000000ffff
#define DESCRIPTOR_B 0x00cf92000000ffff
#define DESCRIPTOR_USER 0x00cff2000000ffff

#define READ_SEGMENT(name_)                                                                        \
    ({                                                                                             \
        uint16_t value_;                                                                           \
        __asm__ volatile("mov %%" #name_ ", %0" : "=r"(value_));                                   \
        value_;                                                                                    \
    })

// A loader's selector left in SS makes the next iretq raise #GP: the most common crash of kernels
// that load a new table.
KTEST_ATTR(gdt, segment_registers_are_reloaded, .proves = "6.8");
KTEST(gdt, segment_registers_are_reloaded)
{
    KTEST_EXPECT_EQ(test, READ_SEGMENT(cs), SELECTOR_KERNEL_CODE.value);
    KTEST_EXPECT_EQ(test, READ_SEGMENT(ss), SELECTOR_KERNEL_DATA.value);
    KTEST_EXPECT_EQ(test, READ_SEGMENT(ds), SELECTOR_KERNEL_DATA.value);
    KTEST_EXPECT_EQ(test, READ_SEGMENT(es), SELECTOR_KERNEL_DATA.value);
    KTEST_EXPECT_EQ(test, READ_SEGMENT(fs), 0);
    KTEST_EXPECT_EQ(test, READ_SEGMENT(gs), 0);
}

KTEST_ATTR(gdt, own_table_and_task_register_are_loaded, .proves = "6.7 6.8 2.3.3");
KTEST(gdt, own_table_and_task_register_are_loaded)
{
    struct table_pointer pointer;
    uint16_t task;
    __asm__ volatile("sgdt %0" : "=m"(pointer));
    __asm__ volatile("str %0" : "=r"(task));

    KTEST_EXPECT_EQ(test, pointer.base, (uint64_t)gdt_current()->entries);
    KTEST_EXPECT_EQ(test, pointer.limit, gdt_current()->count * 8 - 1);
    KTEST_EXPECT_EQ(test, task, SELECTOR_TSS.value);
}

// Access byte and flags as the manual encodes them, for the order that syscall and sysret want.
KTEST_ATTR(gdt, descriptors_stand_in_the_order_of_sysret, .proves = "6.7 6.9");
KTEST(gdt, descriptors_stand_in_the_order_of_sysret)
{
    const uint64_t *entries = gdt_current()->entries;
    KTEST_EXPECT_EQ(test, entries[0], 0);
    KTEST_EXPECT_EQ(test, entries[1], 0x00af9b000000ffff); // kernel code, 64-bit
    KTEST_EXPECT_EQ(test, entries[2], 0x00cf93000000ffff); // kernel data
    KTEST_EXPECT_EQ(test, entries[3], 0x00cffb000000ffff); // user code, 32-bit
    KTEST_EXPECT_EQ(test, entries[4], 0x00cff3000000ffff); // user data
    KTEST_EXPECT_EQ(test, entries[5], 0x00affb000000ffff); // user code, 64-bit
    KTEST_EXPECT_EQ(test, SELECTOR_USER_DATA.value, SELECTOR_USER_CODE32.value + 8);
    KTEST_EXPECT_EQ(test, SELECTOR_USER_CODE.value, SELECTOR_USER_CODE32.value + 16);
}

KTEST_ATTR(gdt, tss_descriptor_covers_the_tss, .proves = "6.7");
KTEST(gdt, tss_descriptor_covers_the_tss)
{
    uint64_t low = gdt_current()->entries[6];
    uint64_t high = gdt_current()->entries[7];
    uint64_t base = (low >> 16 & 0xffffff) | (low >> 56) << 24 | high << 32;
    KTEST_EXPECT_EQ(test, base, (uint64_t)gdt_tss());
    KTEST_EXPECT_EQ(test, low & 0xffff, sizeof(struct tss) - 1);
    KTEST_EXPECT_EQ(test, low >> 40 & 0xff, 0x8b); // present, ring 0, 64-bit TSS, busy since ltr
    KTEST_EXPECT_EQ(test, low >> 48 & 0xff, 0);
}

KTEST_ATTR(gdt, interrupt_stacks_have_tops_of_their_own, .proves = "6.4 6.5 6.15");
KTEST(gdt, interrupt_stacks_have_tops_of_their_own)
{
    const struct tss *tss = gdt_tss();
    KTEST_EXPECT_EQ(test, tss->rsp[0], stack_top(BOOT_STACK_MAIN));
    KTEST_EXPECT_EQ(test, tss->ist[IST_DOUBLE_FAULT - 1], stack_top(BOOT_STACK_DOUBLE_FAULT));
    KTEST_EXPECT_EQ(test, tss->ist[IST_NMI - 1], stack_top(BOOT_STACK_NMI));
    KTEST_EXPECT_EQ(test, tss->ist[IST_MACHINE_CHECK - 1], stack_top(BOOT_STACK_MACHINE_CHECK));
    KTEST_EXPECT_EQ(test, tss->ist[3], 0);
    KTEST_EXPECT_EQ(test, tss->io_map_base, 104);
}

KTEST_ATTR(gdt, append_returns_rising_selectors_with_their_privilege, .proves = "6.7 6.9");
KTEST(gdt, append_returns_rising_selectors_with_their_privilege)
{
    struct gdt gdt;
    struct selector selector = {0};
    gdt_reset(&gdt);

    KTEST_ASSERT_EQ(test, gdt_append(&gdt, DESCRIPTOR_A, &selector), OK);
    KTEST_EXPECT_EQ(test, selector.value, 0x08);
    KTEST_ASSERT_EQ(test, gdt_append(&gdt, DESCRIPTOR_USER, &selector), OK);
    KTEST_EXPECT_EQ(test, selector.value, 0x13);
    KTEST_EXPECT_EQ(test, gdt.entries[0], 0);
    KTEST_EXPECT_EQ(test, gdt.entries[1], DESCRIPTOR_A);
    KTEST_EXPECT_EQ(test, gdt.entries[2], DESCRIPTOR_USER);
}

KTEST_ATTR(gdt, append_refuses_a_duplicate, .proves = "6.9");
KTEST(gdt, append_refuses_a_duplicate)
{
    struct gdt gdt;
    struct selector selector = {0};
    gdt_reset(&gdt);
    KTEST_ASSERT_EQ(test, gdt_append(&gdt, DESCRIPTOR_A, &selector), OK);
    KTEST_ASSERT_EQ(test, gdt_append(&gdt, DESCRIPTOR_B, &selector), OK);

    struct selector untouched = {0x7777};
    KTEST_EXPECT_EQ(test, gdt_append(&gdt, DESCRIPTOR_B, &untouched), EEXIST);
    KTEST_EXPECT_EQ(test, gdt_append(&gdt, 0, &untouched), EEXIST);

    KTEST_EXPECT_EQ(test, untouched.value, 0x7777);
    KTEST_EXPECT_EQ(test, gdt.count, 3);
}

KTEST_ATTR(gdt, append_to_a_full_table_is_an_error, .proves = "6.9");
KTEST(gdt, append_to_a_full_table_is_an_error)
{
    struct gdt gdt;
    struct selector selector = {0};
    gdt_reset(&gdt);
    for (uint64_t i = 1; i < GDT_CAPACITY; i++) {
        KTEST_ASSERT_EQ(test, gdt_append(&gdt, i, &selector), OK);
    }

    KTEST_EXPECT_EQ(test, gdt_append(&gdt, DESCRIPTOR_A, &selector), ENOSPC);
    KTEST_EXPECT_EQ(test, gdt_append_tss(&gdt, gdt_tss(), &selector), ENOSPC);
    KTEST_EXPECT_EQ(test, gdt.count, GDT_CAPACITY);
}

KTEST(gdt, tss_needs_two_slots)
{
    struct gdt gdt;
    struct selector selector = {0};
    gdt_reset(&gdt);
    for (uint64_t i = 1; i < GDT_CAPACITY - 2; i++) {
        KTEST_ASSERT_EQ(test, gdt_append(&gdt, i, &selector), OK);
    }
    struct gdt with_one_slot = gdt;
    KTEST_ASSERT_EQ(test, gdt_append(&with_one_slot, DESCRIPTOR_A, &selector), OK);

    KTEST_EXPECT_EQ(test, gdt_append_tss(&with_one_slot, gdt_tss(), &selector), ENOSPC);
    KTEST_ASSERT_EQ(test, gdt_append_tss(&gdt, gdt_tss(), &selector), OK);
    KTEST_EXPECT_EQ(test, selector.value, (GDT_CAPACITY - 2) * 8);
    KTEST_EXPECT_EQ(test, gdt.count, GDT_CAPACITY);
}

KTEST(gdt, tss_descriptor_takes_any_base)
{
    struct gdt gdt;
    struct selector selector = {0};
    gdt_reset(&gdt);
    KTEST_ASSERT_EQ(test, gdt_append_tss(&gdt, (const struct tss *)0x123456789abcdef0, &selector),
                    OK);
    KTEST_EXPECT_EQ(test, gdt.entries[1], 0x9a0089bcdef00067);
    KTEST_EXPECT_EQ(test, gdt.entries[2], 0x12345678);
}

// Another table with the same descriptors: the selectors in use stay valid.
KTEST(gdt, another_table_can_be_loaded)
{
    static struct gdt copy;
    struct table_pointer before = gdt_loaded();
    copy = *gdt_current();
    gdt_load((struct table_pointer){.limit = 0x37, .base = (uint64_t)copy.entries});
    struct table_pointer loaded = gdt_loaded();
    gdt_load(before);
    KTEST_EXPECT_EQ(test, loaded.base, (uint64_t)copy.entries);
    KTEST_EXPECT_EQ(test, loaded.limit, 0x37);
    KTEST_EXPECT_EQ(test, before.base, (uint64_t)gdt_current()->entries);
}
