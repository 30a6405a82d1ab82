// SPDX-License-Identifier: MIT
#include "lib/byte_ring.h"

#include "ktest.h"

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
