// SPDX-License-Identifier: MIT
//
// The bugs that everybody writes, one a test: docs/failures.md shows the card of each.
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/idt.h"
#include "arch/x86_64/trap.h"
#include "debug/log.h"
#include "ktest.h"
#include "lib/panic.h"
#include "mm/frame.h"
#include "mm/heap/heap.h"
#include "sync/spinlock.h"

#define SHORT_MS 200

// --- A wrong result -----------------------------------------------------------------------------

static unsigned sum_of(const unsigned *numbers, size_t count)
{
    unsigned sum = 0;
    for (size_t i = 1; i < count; i++) { // from 1: the first one is left out
        sum += numbers[i];
    }
    return sum;
}

KTEST(lesson, adds_numbers)
{
    static const unsigned numbers[] = {1, 2, 3};
    log_info("lesson", "adding 3 numbers");
    KTEST_EXPECT_EQ(test, sum_of(numbers, 3), 6);
}

// --- A promise of the code itself ---------------------------------------------------------------

struct page {
    unsigned number;
    bool is_free;
};

[[gnu::noinline]] static void page_free(struct page *page)
{
    if (page->is_free) {
        panic("page %u is freed twice", page->number);
    }
    page->is_free = true;
}

KTEST(lesson, frees_a_page)
{
    struct page page = {.number = 42, .is_free = false};
    KTEST_EXPECT_FALSE(test, page.is_free);
    page_free(&page);
    page_free(&page);
}

// --- A null pointer -----------------------------------------------------------------------------

struct node {
    unsigned value;
    struct node *next;
};

[[gnu::noinline]] static unsigned last_value(const struct node *node)
{
    while (node->next->value != 0) { // the last one has no next
        node = node->next;
    }
    return node->value;
}

KTEST(lesson, walks_a_list)
{
    struct node last = {.value = 2, .next = NULL};
    struct node first = {.value = 1, .next = &last};
    KTEST_EXPECT_EQ(test, last_value(&first), 2);
}

// --- A recursion without an end -----------------------------------------------------------------

[[gnu::noinline]] static unsigned depth_of(const struct node *node)
{
    volatile unsigned rest = node == NULL ? 0 : depth_of(node->next);
    return rest + 1;
}

KTEST(lesson, counts_a_list)
{
    struct node ring = {.value = 1};
    ring.next = &ring;
    KTEST_EXPECT_EQ(test, depth_of(&ring), 1);
}

// --- An exception that can't be delivered -------------------------------------------------------

KTEST(lesson, loads_its_own_idt)
{
    static struct idt idt; // nobody has filled it in
    KTEST_EXPECT_TRUE(test, true);
    idt_load(&idt);
    __asm__ volatile("int3");
}

// --- Waiting for nothing ------------------------------------------------------------------------

static volatile bool has_ticked;

KTEST_ATTR(lesson, waits_for_a_tick, .timeout_ms = SHORT_MS);
KTEST(lesson, waits_for_a_tick)
{
    KTEST_EXPECT_FALSE(test, has_ticked);
    cpu_enable_interrupts();
    while (!has_ticked) { // the timer's line is masked
        __asm__ volatile("hlt");
    }
}

KTEST_ATTR(lesson, waits_with_interrupts_off, .timeout_ms = SHORT_MS);
KTEST(lesson, waits_with_interrupts_off)
{
    KTEST_EXPECT_FALSE(test, has_ticked);
    irq_state_t state = irq_save();
    while (!has_ticked) { // whoever sets it is kept out
    }
    irq_restore(state);
}

// --- Something left behind ----------------------------------------------------------------------

static struct spinlock queue_lock = SPINLOCK("queue", LOCK_RANK_TEST);

[[gnu::noinline]] static unsigned queue_pop(unsigned *count) NO_THREAD_SAFETY_ANALYSIS
{
    irq_state_t state = spinlock_lock(&queue_lock);
    if (*count == 0) {
        return 0; // the way out that nobody thought of
    }
    unsigned popped = (*count)--;
    spinlock_unlock(&queue_lock, state);
    return popped;
}

KTEST(lesson, pops_from_an_empty_queue)
{
    unsigned count = 0;
    KTEST_EXPECT_EQ(test, queue_pop(&count), 0);
}

[[gnu::noinline]] static enum error buffer_make(phys_addr_t *header_out, phys_addr_t *data_out)
{
    enum error error = frame_alloc(header_out);
    if (error == OK) {
        error = frame_alloc(data_out);
    }
    return error;
}

KTEST(lesson, gives_half_of_a_buffer_back)
{
    phys_addr_t header;
    phys_addr_t data;
    KTEST_ASSERT_EQ(test, buffer_make(&header, &data), OK);
    frame_free(data);
}

// --- Nothing to be had --------------------------------------------------------------------------

KTEST_ATTR(lesson, makes_a_buffer_or_none, .fail_nth = 4);
KTEST(lesson, makes_a_buffer_or_none)
{
    phys_addr_t header;
    phys_addr_t data;
    enum error error = buffer_make(&header, &data);
    KTEST_ASSERT_EQ(test, error, ktest_allocation_failed(test) ? ENOMEM : OK);
    if (error == OK) {
        frame_free(data);
        frame_free(header);
    }
}

// --- A block that is somebody else's by now -----------------------------------------------------

struct message {
    uint32_t length_bytes;
    bool is_sent;
};

[[gnu::noinline]] static struct message *message_make(uint32_t length_bytes)
{
    struct message *message = kmalloc(sizeof(*message));
    if (message != NULL) {
        *message = (struct message){.length_bytes = length_bytes};
    }
    return message;
}

// It is the receiver's by now, who frees it.
[[gnu::noinline]] static void message_send(struct message *message)
{
    kfree(message);
}

KTEST(lesson, sends_a_message)
{
    struct message *volatile message = message_make(100);
    KTEST_ASSERT_NOT_NULL(test, message);
    message_send(message);
    message->is_sent = true;
}
