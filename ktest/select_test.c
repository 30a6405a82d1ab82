// SPDX-License-Identifier: MIT
//
// Which tests run, by arguments that a stub hands out; and in which order.
#include "ktest.h"
#include "port.h"
#include "registry.h"
#include "select.h"

static const char *select_argument;
static const char *bench_argument;
static const char *machine_argument;
static const char *have_argument;

static bool equals(const char *left, const char *right)
{
    return __builtin_strcmp(left, right) == 0;
}

static const char *fake_argument(const char *key)
{
    if (equals(key, "ktest.select")) {
        return select_argument;
    }
    if (equals(key, "ktest.bench")) {
        return bench_argument;
    }
    if (equals(key, "ktest.machine")) {
        return machine_argument;
    }
    return equals(key, "ktest.have") ? have_argument : NULL;
}

static void init(struct ktest *test)
{
    select_argument = bench_argument = machine_argument = have_argument = NULL;
    KTEST_STUB(test, ktest_port_argument, fake_argument);
}

KTEST_SUITE(select, .init = init);

static const struct ktest_attr quirky = {
    .quirks =
        KTEST_QUIRKS({.accel = KTEST_ACCEL_TCG,
                      .from = KTEST_QEMU(7, 2),
                      .before = KTEST_QEMU(10, 0),
                      .outcome = KTEST_FAULT(UD)},
                     {.accel = KTEST_ACCEL_KVM, .skip = "not on KVM"},
                     {.accel = KTEST_ACCEL_TCG, .from = KTEST_QEMU(11, 0), .skip = "not any more"},
                     {.accel = KTEST_ACCEL_BOCHS, .before = KTEST_QEMU(3, 1), .skip = "in Bochs"}),
};
static const struct ktest_attr needy = {.needs = KTEST_NEEDS_VGA};

static const struct ktest_record plain = {
    .kind = KTEST_RECORD_CASE, .suite = "suite", .name = "name", .attr = &quirky};
static const struct ktest_record with_params = {
    .kind = KTEST_RECORD_CASE, .suite = "suite", .name = "each", .param_count = 12, .attr = &needy};
static const struct ktest_attr both = {.needs = KTEST_NEEDS_VGA | KTEST_NEEDS_FULL_CPU};
static const struct ktest_record demanding = {
    .kind = KTEST_RECORD_CASE, .suite = "suite", .name = "all", .attr = &both};
static const struct ktest_attr firmware = {.needs = KTEST_NEEDS_ACPI | KTEST_NEEDS_APIC |
                                                    KTEST_NEEDS_LOADER | KTEST_NEEDS_PC};
static const struct ktest_record from_firmware = {
    .kind = KTEST_RECORD_CASE, .suite = "suite", .name = "firmware", .attr = &firmware};
static const struct ktest_record bench = {
    .kind = KTEST_RECORD_BENCH, .suite = "suite", .name = "fast"};
static const struct ktest_record fixtures = {.kind = KTEST_RECORD_SUITE, .suite = "suite"};

KTEST(select, counts_the_tests_of_a_record)
{
    KTEST_EXPECT_EQ(test, select_test_count(&plain), 1);
    KTEST_EXPECT_EQ(test, select_test_count(&with_params), 12);
    KTEST_EXPECT_EQ(test, select_test_count(&bench), 1);
    KTEST_EXPECT_EQ(test, select_test_count(&fixtures), 0);
}

KTEST(select, names_a_test_with_its_parameter)
{
    char name[SELECT_NAME_MAX];
    select_full_name(name, &plain, 0);
    KTEST_EXPECT_STREQ(test, name, "suite.name");
    select_full_name(name, &with_params, 11);
    KTEST_EXPECT_STREQ(test, name, "suite.each/11");
}

KTEST(select, takes_everything_but_benchmarks_by_default)
{
    KTEST_EXPECT_TRUE(test, select_includes(&plain, 0));
    KTEST_EXPECT_TRUE(test, select_includes(&with_params, 3));
    KTEST_EXPECT_FALSE(test, select_includes(&bench, 0));
    KTEST_EXPECT_FALSE(test, select_includes(&fixtures, 0));
}

KTEST(select, takes_benchmarks_alone_when_asked)
{
    bench_argument = "1";
    KTEST_EXPECT_FALSE(test, select_includes(&plain, 0));
    KTEST_EXPECT_TRUE(test, select_includes(&bench, 0));
    bench_argument = "0";
    KTEST_EXPECT_TRUE(test, select_includes(&plain, 0));
    KTEST_EXPECT_FALSE(test, select_includes(&bench, 0));
}

KTEST(select, takes_what_a_glob_names)
{
    static const struct {
        const char *list;
        bool has_plain;
        bool has_first;
        bool has_eleventh;
    } cases[] = {
        {"suite.name", true, false, false},
        {"name", true, false, false},
        {"suite.*", true, true, true},
        {"*", true, true, true},
        {"each", false, true, true},
        {"suite.each", false, true, true},
        {"suite.each/1", false, true, false},
        {"each/11", false, false, true},
        {"each/1*", false, true, true},
        {"*/1", false, true, false},
        {"other.each", false, false, false},
        {"eac", false, false, false},
        {"suite", false, false, false},
        {"name,each/11", true, false, true},
        {"", false, false, false},
        {",,", false, false, false},
        {"suite.name/0", false, false, false},
        {",name", true, false, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        select_argument = cases[i].list;
        KTEST_EXPECT_EQ_MSG(test, select_includes(&plain, 0), cases[i].has_plain, "%s",
                            cases[i].list);
        KTEST_EXPECT_EQ_MSG(test, select_includes(&with_params, 1), cases[i].has_first, "%s",
                            cases[i].list);
        KTEST_EXPECT_EQ_MSG(test, select_includes(&with_params, 11), cases[i].has_eleventh, "%s",
                            cases[i].list);
    }
}

KTEST(select, first_quirk_that_fits_counts)
{
    static const struct {
        const char *machine;
        int index; // -1: none
    } cases[] = {
        {"tcg-7.2", 0},    {"tcg-9.99", 0},    {"tcg-10.0", -1}, {"tcg-7.1", -1}, {"tcg-5.2", -1},
        {"tcg-11.1", 2},   {"kvm-7.2", 1},     {"hvf-7.2", -1},  {"tcg-", -1},    {"tcg-x.2", -1},
        {"icount-7.2", 0}, {"icount-11.1", 2}, {"icount-", -1},  {"tcg-7", -1},   {"7.2", -1},
        {"bochs-3.0", 3},  {"bochs-3.1", -1},  {NULL, -1},       {"", -1},        {"tcg-7.", -1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        machine_argument = cases[i].machine;
        const struct ktest_quirk *expected = cases[i].index >= 0 ? &quirky.quirks[cases[i].index]
                                                                 : NULL;
        KTEST_EXPECT_EQ_MSG(test, (uintptr_t)select_quirk(&plain), (uintptr_t)expected, "%s",
                            cases[i].machine);
    }
}

KTEST(select, says_what_stands_in_the_way)
{
    KTEST_EXPECT_NULL(test, select_obstacle(&plain));
    KTEST_EXPECT_NULL(test, select_obstacle(&bench));
    KTEST_EXPECT_STREQ(test, select_obstacle(&with_params), "needs vga");
    have_argument = "serial,vga";
    KTEST_EXPECT_NULL(test, select_obstacle(&with_params));
    have_argument = "vgax";
    KTEST_EXPECT_STREQ(test, select_obstacle(&with_params), "needs vga");
    have_argument = "vga";
    KTEST_EXPECT_STREQ(test, select_obstacle(&demanding), "needs full_cpu");
    have_argument = "vga,full_cpu";
    KTEST_EXPECT_NULL(test, select_obstacle(&demanding));
    KTEST_EXPECT_STREQ(test, select_obstacle(&from_firmware), "needs acpi");
    have_argument = "acpi";
    KTEST_EXPECT_STREQ(test, select_obstacle(&from_firmware), "needs apic");
    have_argument = "acpi,apic";
    KTEST_EXPECT_STREQ(test, select_obstacle(&from_firmware), "needs loader");
    have_argument = "acpi,apic,loader";
    KTEST_EXPECT_STREQ(test, select_obstacle(&from_firmware), "needs pc");
    have_argument = "acpi,apic,loader,pc";
    KTEST_EXPECT_NULL(test, select_obstacle(&from_firmware));
    machine_argument = "kvm-7.2";
    KTEST_EXPECT_STREQ(test, select_obstacle(&plain), "not on KVM");
    machine_argument = "tcg-7.2"; // another outcome, but it runs
    KTEST_EXPECT_NULL(test, select_obstacle(&plain));
}

KTEST(select, numbers_end_where_their_digits_do)
{
    uint64_t value = 1;
    const char *text = "18446744073709551615x";
    KTEST_EXPECT_TRUE(test, select_parse_number(&text, &value));
    KTEST_EXPECT_EQ(test, value, UINT64_MAX);
    KTEST_EXPECT_STREQ(test, text, "x");
    text = "18446744073709551616";
    KTEST_EXPECT_FALSE(test, select_parse_number(&text, &value));
    text = "18446744073709551620";
    KTEST_EXPECT_FALSE(test, select_parse_number(&text, &value));
    text = "";
    KTEST_EXPECT_FALSE(test, select_parse_number(&text, &value));
    text = "-1";
    KTEST_EXPECT_FALSE(test, select_parse_number(&text, &value));
    KTEST_EXPECT_EQ(test, value, UINT64_MAX);
    KTEST_EXPECT_STREQ(test, text, "-1");
}

// The harness computes the same: harness/tests/test_order.py has the same numbers.
KTEST(registry, hashes_are_those_of_the_protocol)
{
    KTEST_EXPECT_EQ(test, registry_hash(0, "gdt", NULL), 0x28f2719fffaefb4c);
    KTEST_EXPECT_EQ(test, registry_hash(1, "gdt", NULL), 0x1bea380c21661402);
    KTEST_EXPECT_EQ(test, registry_hash(UINT64_MAX, "gdt", "is_loaded"), 0xc74ae44aaa238217);
}

KTEST(registry, records_are_those_of_this_run)
{
    size_t count = 0;
    for (const struct ktest_record **each = ktest_records_start; each < ktest_records_end; each++) {
        count += select_test_count(*each);
    }
    KTEST_EXPECT_GT(test, count, 300);
}
