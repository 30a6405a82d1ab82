// SPDX-License-Identifier: MIT
#include "boot/fw_cfg.h"

#include "boot/arguments.h"
#include "ktest.h"
#include "lib/string.h"

static char buffer[ARGUMENTS_BYTES_MAX]; // as long as the file may be

KTEST_ATTR(fw_cfg, missing_file_is_not_found,
           .quirks = KTEST_QUIRKS({.accel = KTEST_ACCEL_BOCHS, .skip = "Bochs has no fw_cfg"}));
KTEST(fw_cfg, missing_file_is_not_found)
{
    KTEST_EXPECT_EQ(test, fw_cfg_read("opt/faultline/nothing", buffer, sizeof(buffer)), ENOENT);
    KTEST_EXPECT_EQ(test, fw_cfg_read("opt/faultline/ktes", buffer, sizeof(buffer)), ENOENT);
}

KTEST_ATTR(fw_cfg, file_is_read_with_a_terminating_zero,
           .quirks = KTEST_QUIRKS({.accel = KTEST_ACCEL_BOCHS, .skip = "Bochs has no fw_cfg"}));
KTEST(fw_cfg, file_is_read_with_a_terminating_zero)
{
    memset(buffer, 'x', sizeof(buffer));
    KTEST_ASSERT_EQ(test, fw_cfg_read("opt/faultline/ktest", buffer, sizeof(buffer)), OK);
    KTEST_EXPECT_EQ(test, strncmp(buffer, "ktest.", 6), 0);
    KTEST_EXPECT_LT(test, strnlen(buffer, sizeof(buffer)), sizeof(buffer));
}

KTEST_ATTR(fw_cfg, file_must_fit_with_its_zero,
           .quirks = KTEST_QUIRKS({.accel = KTEST_ACCEL_BOCHS, .skip = "Bochs has no fw_cfg"}));
KTEST(fw_cfg, file_must_fit_with_its_zero)
{
    KTEST_ASSERT_EQ(test, fw_cfg_read("opt/faultline/ktest", buffer, sizeof(buffer)), OK);
    size_t size_bytes = strlen(buffer);

    KTEST_EXPECT_EQ(test, fw_cfg_read("opt/faultline/ktest", buffer, size_bytes), ENOSPC);
    KTEST_EXPECT_EQ(test, fw_cfg_read("opt/faultline/ktest", buffer, size_bytes + 1), OK);
    KTEST_EXPECT_EQ(test, strlen(buffer), size_bytes);
}
