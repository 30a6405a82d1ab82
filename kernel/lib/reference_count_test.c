// SPDX-License-Identifier: MIT
#include "lib/reference_count.h"

#include "ktest.h"
#include "lib/container_of.h"
#include "lib/test_random.h"

struct object {
    unsigned released_count;
    struct reference_count references;
};

static struct object object;

static void release(struct reference_count *references)
{
    container_of(references, struct object, references)->released_count++;
}

static void init(struct ktest *test)
{
    (void)test;
    object = (struct object){.references = {1, release}};
}

KTEST_SUITE(reference_count, .init = init);

KTEST_ATTR(reference_count, last_put_releases, .proves = "10.6.7");
KTEST(reference_count, last_put_releases)
{
    reference_get(&object.references);
    KTEST_EXPECT_EQ(test, object.references.count, 2);
    reference_put(&object.references);
    KTEST_EXPECT_EQ(test, object.references.count, 1);
    KTEST_EXPECT_EQ(test, object.released_count, 0);
    reference_put(&object.references);
    KTEST_EXPECT_EQ(test, object.released_count, 1);
}

KTEST_ATTR(reference_count, released_object_is_not_got, .proves = "10.6.7");
KTEST(reference_count, released_object_is_not_got)
{
    KTEST_EXPECT_TRUE(test, reference_try_get(&object.references));
    KTEST_EXPECT_EQ(test, object.references.count, 2);
    reference_put(&object.references);
    reference_put(&object.references);
    KTEST_EXPECT_FALSE(test, reference_try_get(&object.references));
    KTEST_EXPECT_EQ(test, object.references.count, 0);
    KTEST_EXPECT_EQ(test, object.released_count, 1);
}

KTEST_ATTR(reference_count, use_after_the_release_panics, .proves = "10.6.7");
KTEST(reference_count, use_after_the_release_panics)
{
    reference_put(&object.references);
    KTEST_EXPECT_PANIC(test, "*count != 0*", reference_put(&object.references));
    KTEST_EXPECT_EQ(test, object.released_count, 1);
    object.references.count = 0;
    KTEST_EXPECT_PANIC(test, "*count != 0*", reference_get(&object.references));
}

KTEST_ATTR(reference_count, too_many_references_panic, .proves = "10.6.7");
KTEST(reference_count, too_many_references_panic)
{
    object.references.count = REFERENCES_MAX - 1;
    reference_get(&object.references);
    KTEST_EXPECT_EQ(test, object.references.count, REFERENCES_MAX);
    KTEST_EXPECT_PANIC(test, "*count < REFERENCES_MAX*", reference_try_get(&object.references));
    KTEST_EXPECT_EQ(test, object.references.count, REFERENCES_MAX);
    KTEST_EXPECT_PANIC(test, "*count < REFERENCES_MAX*", reference_get(&object.references));
    KTEST_EXPECT_PANIC(test, "*count <= REFERENCES_MAX*", reference_put(&object.references));
    KTEST_EXPECT_EQ(test, object.released_count, 0);
}

KTEST(reference_count, agrees_with_a_model)
{
    struct test_random random = {3};
    uint32_t count = 1;
    unsigned released_count = 0;
    for (unsigned round = 0; round < 10'000 * test_scale(); round++) {
        uint64_t choice = test_random_below(&random, 4);
        if (choice == 0) {
            KTEST_ASSERT_EQ(test, reference_try_get(&object.references), count != 0);
            count += count != 0;
        } else if (count == 0) {
            object.references.count = count = 1; // a new object
        } else if (choice == 1) {
            reference_get(&object.references);
            count++;
        } else {
            reference_put(&object.references);
            released_count += --count == 0;
        }
        KTEST_ASSERT_EQ(test, object.references.count, count);
        KTEST_ASSERT_EQ(test, object.released_count, released_count);
    }
    KTEST_EXPECT_GT(test, released_count, 100);
}
