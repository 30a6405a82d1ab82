// SPDX-License-Identifier: MIT
#include "lib/byte_ring.h"

#include "ktest.h"
#include "lib/bits.h"
#include "lib/test_random.h"

KTEST(byte_ring, bytes_come_out_in_order)
{
    uint8_t bytes[4];
    struct byte_ring ring = BYTE_RING(bytes, sizeof(bytes));
    uint8_t byte = 0x77;
    KTEST_EXPECT_FALSE(test, byte_ring_take(&ring, &byte));
    KTEST_EXPECT_EQ(test, byte, 0x77);

    KTEST_EXPECT_TRUE(test, byte_ring_put(&ring, 1));
    KTEST_EXPECT_TRUE(test, byte_ring_put(&ring, 2));

    KTEST_EXPECT_TRUE(test, byte_ring_take(&ring, &byte));
    KTEST_EXPECT_EQ(test, byte, 1);
    KTEST_EXPECT_TRUE(test, byte_ring_take(&ring, &byte));
    KTEST_EXPECT_EQ(test, byte, 2);
    KTEST_EXPECT_FALSE(test, byte_ring_take(&ring, &byte));
}

KTEST(byte_ring, full_ring_keeps_what_it_has)
{
    uint8_t bytes[4];
    struct byte_ring ring = BYTE_RING(bytes, sizeof(bytes));
    for (uint8_t i = 0; i < 4; i++) {
        KTEST_EXPECT_EQ(test, byte_ring_free_bytes(&ring), 4U - i);
        KTEST_EXPECT_TRUE(test, byte_ring_put(&ring, i));
    }
    KTEST_EXPECT_EQ(test, byte_ring_free_bytes(&ring), 0);
    KTEST_EXPECT_FALSE(test, byte_ring_put(&ring, 9));

    for (uint8_t i = 0; i < 4; i++) {
        uint8_t byte = 0x77;
        KTEST_EXPECT_TRUE(test, byte_ring_take(&ring, &byte));
        KTEST_EXPECT_EQ(test, byte, i);
    }
}

// Both counts wrap at 2^32, and the ring does not notice: against two plain counters.
KTEST(byte_ring, random_operations_agree_with_a_model)
{
    uint8_t bytes[16];
    struct byte_ring ring = BYTE_RING(bytes, sizeof(bytes));
    ring.put_count = ring.taken_count = UINT32_MAX - 1000;
    struct test_random random = {1};
    uint64_t put = 0;
    uint64_t taken = 0;
    uint64_t wrong = 0;
    for (unsigned i = 0; i < 20000 * test_scale(); i++) {
        // In turns of 64, it rather fills or rather drains.
        if (test_random_below(&random, 4) < (i / 64 % 2 == 0 ? 3 : 1)) {
            bool has_room = put - taken < ARRAY_SIZE(bytes);
            wrong += byte_ring_put(&ring, (uint8_t)put) != has_room;
            put += has_room;
        } else {
            uint8_t byte = 0;
            bool has_byte = put != taken;
            wrong += byte_ring_take(&ring, &byte) != has_byte;
            wrong += has_byte && byte != (uint8_t)taken;
            taken += has_byte;
        }
        wrong += byte_ring_free_bytes(&ring) != ARRAY_SIZE(bytes) - (put - taken);
    }
    KTEST_EXPECT_EQ(test, wrong, 0);
    KTEST_EXPECT_GT(test, put, 2000);
    KTEST_EXPECT_GT(test, taken, 2000);
}
