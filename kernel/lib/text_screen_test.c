// SPDX-License-Identifier: MIT
//
// A screen whose device is an array that starts as noise, so that what is not shown is seen. All is
// judged by that array: what the device was told, and not what the screen holds.
#include "lib/text_screen.h"

#include <stdbool.h>

#include "ktest.h"
#include "lib/bits.h"
#include "lib/panic.h"
#include "lib/string.h"
#include "lib/test_random.h"

#define ROWS 25
#define COLUMNS 80
#define NOISE 0x55

static struct text_cell video[ROWS][COLUMNS];
static size_t cursor_row, cursor_column;
static size_t shown_cells;
static unsigned panics_in; // calls of `show`; 0: never

static _Alignas(8) struct text_cell cells[ROWS * COLUMNS];
static struct text_screen screen;

static void show(void *context, size_t first, const struct text_cell *shown, size_t count)
{
    struct ktest *test = context;
    if (panics_in > 0 && --panics_in == 0) {
        panic("in the device");
    }
    KTEST_ASSERT_GT(test, count, 0);
    KTEST_ASSERT_LE(test, first + count, screen.row_count * screen.column_count);
    for (size_t i = 0; i < count; i++) {
        video[(first + i) / screen.column_count][(first + i) % screen.column_count] = shown[i];
    }
    shown_cells += count;
}

static void place_cursor(void *context, size_t row, size_t column)
{
    (void)context;
    cursor_row = row;
    cursor_column = column;
}

static struct text_device device = {.show = show, .place_cursor = place_cursor};

static void make_screen(struct ktest *test, size_t row_count, size_t column_count)
{
    memset(cells, NOISE, sizeof(cells));
    memset(video, NOISE, sizeof(video));
    device.context = test;
    screen = (struct text_screen){.cells = cells,
                                  .row_count = row_count,
                                  .column_count = column_count,
                                  .colour = text_colour(COLOUR_YELLOW, COLOUR_BLUE),
                                  .device = &device};
    text_screen_clear(&screen);
    shown_cells = 0;
}

static void init(struct ktest *test)
{
    make_screen(test, ROWS, COLUMNS);
}

KTEST_SUITE(text_screen, .init = init);

static void write(const char *text)
{
    text_screen_write(&screen, text, strlen(text));
}

static void write_many(char character, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        text_screen_write(&screen, &character, 1);
    }
}

// A row is this text, and blank behind it.
static void expect_row(struct ktest *test, size_t row, const char *text)
{
    size_t length = strlen(text);
    for (size_t column = 0; column < COLUMNS; column++) {
        uint8_t expected = column < length ? (uint8_t)text[column] : ' ';
        KTEST_ASSERT_EQ_MSG(test, video[row][column].character, expected, "row %zu, column %zu",
                            row, column);
        KTEST_ASSERT_EQ(test, video[row][column].colour.code, 0x1e);
    }
}

// --- Colours ------------------------------------------------------------------------------------

KTEST_ATTR(text_screen, colours_have_the_numbers_of_the_hardware, .proves = "3.1");
KTEST(text_screen, colours_have_the_numbers_of_the_hardware)
{
    static const enum colour colours[] = {
        COLOUR_BLACK,     COLOUR_BLUE,       COLOUR_GREEN,       COLOUR_CYAN,
        COLOUR_RED,       COLOUR_MAGENTA,    COLOUR_BROWN,       COLOUR_LIGHT_GRAY,
        COLOUR_DARK_GRAY, COLOUR_LIGHT_BLUE, COLOUR_LIGHT_GREEN, COLOUR_LIGHT_CYAN,
        COLOUR_LIGHT_RED, COLOUR_PINK,       COLOUR_YELLOW,      COLOUR_WHITE,
    };
    KTEST_EXPECT_EQ(test, ARRAY_SIZE(colours), COLOUR_COUNT);
    for (unsigned i = 0; i < COLOUR_COUNT; i++) {
        KTEST_EXPECT_EQ(test, colours[i], i);
    }
}

KTEST_ATTR(text_screen, colour_pairs_are_taken_apart_again, .proves = "3.2");
KTEST(text_screen, colour_pairs_are_taken_apart_again)
{
    for (unsigned background = 0; background < COLOUR_COUNT; background++) {
        for (unsigned foreground = 0; foreground < COLOUR_COUNT; foreground++) {
            struct text_colour colour =
                text_colour((enum colour)foreground, (enum colour)background);
            KTEST_ASSERT_EQ(test, colour.code, background << 4 | foreground);
            KTEST_ASSERT_EQ(test, text_foreground(colour), foreground);
            KTEST_ASSERT_EQ(test, text_background(colour), background);
        }
    }
    static const struct text_colour initialised = TEXT_COLOUR(COLOUR_WHITE, COLOUR_RED);
    KTEST_EXPECT_EQ(test, initialised.code, 0x4f);
}

KTEST(text_screen, colour_holds_for_what_comes_next)
{
    write("a");
    screen.colour = text_colour(COLOUR_WHITE, COLOUR_PINK);
    write("b\n");
    KTEST_EXPECT_EQ(test, video[23][0].colour.code, 0x1e);
    KTEST_EXPECT_EQ(test, video[23][1].colour.code, 0xdf);
    KTEST_EXPECT_EQ(test, video[23][2].colour.code, 0x1e);
    KTEST_EXPECT_EQ(test, video[24][0].colour.code, 0xdf);
    KTEST_EXPECT_EQ(test, video[24][79].colour.code, 0xdf);
}

// --- Lines --------------------------------------------------------------------------------------

KTEST_ATTR(text_screen, text_stands_on_the_last_row, .proves = "3.5");
KTEST(text_screen, text_stands_on_the_last_row)
{
    write("Hi");
    expect_row(test, 24, "Hi");
    expect_row(test, 23, "");
}

KTEST_ATTR(text_screen, newline_scrolls_and_blanks_the_last_row, .proves = "3.5 3.8");
KTEST(text_screen, newline_scrolls_and_blanks_the_last_row)
{
    write("ab\nc");
    expect_row(test, 23, "ab");
    expect_row(test, 24, "c");
    write("\n\nd");
    expect_row(test, 21, "ab");
    expect_row(test, 22, "c");
    expect_row(test, 23, "");
    expect_row(test, 24, "d");
}

KTEST_ATTR(text_screen, first_row_is_the_one_that_goes, .proves = "3.8");
KTEST(text_screen, first_row_is_the_one_that_goes)
{
    write("first\nsecond");
    for (unsigned i = 0; i < 23; i++) {
        write("\n");
    }
    expect_row(test, 0, "first");
    expect_row(test, 1, "second");
    write("\n");
    expect_row(test, 0, "second");
    expect_row(test, 1, "");
    expect_row(test, 24, "");
}

struct wrapping {
    unsigned length;
    unsigned last_row_length;
    unsigned full_rows;
};

static const struct wrapping wrappings[] = {{80, 80, 0}, {81, 1, 1}, {160, 80, 1}, {161, 1, 2}};

KTEST_ATTR(text_screen, long_lines_wrap, .proves = "3.6 4.7.4");
KTEST_PARAM(text_screen, long_lines_wrap, wrappings, NULL)
{
    char full[COLUMNS + 1] = "";
    char last[COLUMNS + 1] = "";
    memset(full, 'x', COLUMNS);
    memset(last, 'x', param->last_row_length);
    write_many('x', param->length);
    expect_row(test, 24, last);
    for (unsigned i = 1; i <= param->full_rows; i++) {
        expect_row(test, 24 - i, full);
    }
    expect_row(test, 23 - param->full_rows, "");
}

KTEST_ATTR(text_screen, unprintable_bytes_show_as_blocks, .proves = "3.7 4.7.4");
KTEST(text_screen, unprintable_bytes_show_as_blocks)
{
    write("Hello W\xc3\xb6rld!"); // two bytes, and so two blocks
    expect_row(test, 24, "Hello W\xfe\xferld!");
    for (unsigned byte = 0; byte < 256; byte++) {
        if (byte == '\b' || byte == '\t' || byte == '\n' || byte == '\r' || byte == '\a') {
            continue;
        }
        bool is_printable = byte >= 0x20 && byte <= 0x7e;
        write("\r");
        text_screen_write(&screen, (const char[]){(char)byte}, 1);
        KTEST_EXPECT_EQ(test, video[24][0].character, is_printable ? byte : 0xfe);
    }
}

// --- Control characters -------------------------------------------------------------------------

KTEST_ATTR(text_screen, backspace_erases_and_stops_at_the_first_column, .proves = "3.22");
KTEST(text_screen, backspace_erases_and_stops_at_the_first_column)
{
    write("above\nabc\b");
    expect_row(test, 24, "ab");
    write("x\b\b\b\b\b\b");
    expect_row(test, 24, "");
    expect_row(test, 23, "above");
    write("y");
    expect_row(test, 24, "y");
}

KTEST_ATTR(text_screen, backspace_at_the_end_of_a_row_erases_its_last_character, .proves = "3.22");
KTEST(text_screen, backspace_at_the_end_of_a_row_erases_its_last_character)
{
    write_many('x', COLUMNS);
    write("\by");
    KTEST_EXPECT_EQ(test, video[24][78].character, 'x');
    KTEST_EXPECT_EQ(test, video[24][79].character, 'y');
    KTEST_EXPECT_EQ(test, video[23][79].character, ' ');
}

KTEST_ATTR(text_screen, carriage_return_goes_to_the_first_column, .proves = "3.22");
KTEST(text_screen, carriage_return_goes_to_the_first_column)
{
    write("abc\rX");
    expect_row(test, 24, "Xbc");
    write("\r\nd");
    expect_row(test, 23, "Xbc");
    expect_row(test, 24, "d");
}

KTEST_ATTR(text_screen, tab_goes_to_the_next_stop, .proves = "3.22");
KTEST(text_screen, tab_goes_to_the_next_stop)
{
    write("\ta\tb");
    expect_row(test, 24, "        a       b");
    write("\n1234567\tx\n12345678\ty");
    expect_row(test, 23, "1234567 x");
    expect_row(test, 24, "12345678        y");
    write("\r\tz"); // what is passed over stays
    expect_row(test, 24, "12345678z       y");
    write("\n\t\t\t\t\t\t\t\t\t\t\t\t"); // twelve: it waits behind the last column
    KTEST_EXPECT_EQ(test, screen.column, COLUMNS);
    write("w");
    expect_row(test, 24, "w");
}

KTEST(text_screen, bell_shows_nothing)
{
    write("a\ab\r\a");
    expect_row(test, 24, "ab");
    KTEST_EXPECT_EQ(test, cursor_column, 0);
}

KTEST(text_screen, cursor_is_where_the_next_character_comes)
{
    write("abc");
    KTEST_EXPECT_EQ(test, cursor_row, 24);
    KTEST_EXPECT_EQ(test, cursor_column, 3);
    write("\b");
    KTEST_EXPECT_EQ(test, cursor_column, 2);
    write("\t");
    KTEST_EXPECT_EQ(test, cursor_column, 8);
    write("\n");
    KTEST_EXPECT_EQ(test, cursor_column, 0);
    write_many('x', COLUMNS); // there is no column behind the last one
    KTEST_EXPECT_EQ(test, cursor_column, COLUMNS - 1);
    text_screen_clear(&screen);
    KTEST_EXPECT_EQ(test, cursor_column, 0);
}

// --- The whole screen ---------------------------------------------------------------------------

KTEST_ATTR(text_screen, clear_blanks_everything, .proves = "3.24");
KTEST(text_screen, clear_blanks_everything)
{
    memset(video, NOISE, sizeof(video));
    write("abc\ndef");
    text_screen_clear(&screen);
    for (size_t row = 0; row < ROWS; row++) {
        expect_row(test, row, "");
    }
    write("z");
    expect_row(test, 24, "z");
}

KTEST_ATTR(text_screen, clear_row_blanks_that_row, .proves = "3.9");
KTEST(text_screen, clear_row_blanks_that_row)
{
    write("a\nb\nc");
    screen.colour = text_colour(COLOUR_WHITE, COLOUR_GREEN);
    text_screen_clear_row(&screen, 23);
    for (size_t column = 0; column < COLUMNS; column++) {
        KTEST_ASSERT_EQ(test, video[23][column].character, ' ');
        KTEST_ASSERT_EQ(test, video[23][column].colour.code, 0x2f);
    }
    expect_row(test, 22, "a");
    expect_row(test, 24, "c");
    KTEST_EXPECT_PANIC(test, "assertion failed: row < *", text_screen_clear_row(&screen, ROWS));
}

KTEST(text_screen, cells_are_read_within_bounds)
{
    write("a\nb");
    KTEST_EXPECT_EQ(test, text_screen_cell(&screen, 23, 0).character, 'a');
    KTEST_EXPECT_EQ(test, text_screen_cell(&screen, 24, 0).character, 'b');
    KTEST_EXPECT_PANIC(test, "assertion failed: row < *", text_screen_cell(&screen, ROWS, 0));
    KTEST_EXPECT_PANIC(test, "assertion failed: row < *", text_screen_cell(&screen, 0, COLUMNS));
}

KTEST(text_screen, new_device_is_shown_everything)
{
    write("a\nb");
    memset(video, NOISE, sizeof(video));
    text_screen_set_device(&screen, &device);
    expect_row(test, 0, "");
    expect_row(test, 23, "a");
    expect_row(test, 24, "b");
}

static void show_nothing(void *context, size_t first, const struct text_cell *shown, size_t count)
{
    (void)context;
    (void)first;
    (void)shown;
    (void)count;
}

// Another screen, of 3 rows and 10 columns.
static const struct text_device blind = {.show = show_nothing}; // and without a cursor
static struct text_cell small_cells[3 * 10];

static struct text_screen make_small(void)
{
    struct text_screen small = {.cells = small_cells,
                                .row_count = 3,
                                .column_count = 10,
                                .colour = text_colour(COLOUR_YELLOW, COLOUR_BLUE),
                                .device = &blind};
    text_screen_clear(&small);
    return small;
}

KTEST(text_screen, larger_screen_takes_over_from_a_smaller_one)
{
    struct text_screen small = make_small();
    text_screen_write(&small, "zero\none\ntwo\nthree", 18);
    write("gone");
    screen.colour = text_colour(COLOUR_WHITE, COLOUR_RED);
    text_screen_take_over(&screen, &small); // the colour, too
    expect_row(test, 21, "");
    expect_row(test, 22, "one");
    expect_row(test, 23, "two");
    expect_row(test, 24, "three");
    write("!\nfour");
    expect_row(test, 23, "three!");
    expect_row(test, 24, "four");
    for (unsigned i = 0; i < ROWS; i++) {
        write("\n");
    }
    expect_row(test, 0, "");
}

KTEST(text_screen, smaller_screen_takes_over_what_fits)
{
    struct text_screen small = make_small();
    write("zero\none\ntwo\n0123456789abcdef");
    text_screen_take_over(&small, &screen);
    KTEST_EXPECT_EQ(test, text_screen_cell(&small, 0, 0).character, 'o');
    KTEST_EXPECT_EQ(test, text_screen_cell(&small, 1, 0).character, 't');
    KTEST_EXPECT_EQ(test, text_screen_cell(&small, 2, 9).character, '9');
    KTEST_EXPECT_EQ(test, small.column, 10);
}

// What was on the screen is gone: beside what is taken over, too, and in the other's colour.
KTEST(text_screen, nothing_of_the_old_text_stays_beside_what_is_taken_over)
{
    struct text_screen small = make_small();
    text_screen_write(&small, "one\ntwo", 7);
    for (unsigned i = 0; i < ROWS; i++) {
        write("\n01234567890123456789012345678901234567890123456789");
    }
    text_screen_take_over(&screen, &small);
    for (size_t row = 0; row < ROWS - 2; row++) {
        expect_row(test, row, "");
    }
    expect_row(test, ROWS - 2, "one");
    expect_row(test, ROWS - 1, "two");
}

// --- What the device is told --------------------------------------------------------------------

KTEST_ATTR(text_screen, only_what_changes_is_shown, .proves = "3.23");
KTEST(text_screen, only_what_changes_is_shown)
{
    write("abc");
    KTEST_EXPECT_EQ(test, shown_cells, 3);
    write("d");
    KTEST_EXPECT_EQ(test, shown_cells, 4);
    write("\r");
    KTEST_EXPECT_EQ(test, shown_cells, 4);
    write("\n"); // every row moves
    KTEST_EXPECT_EQ(test, shown_cells, 4 + ROWS * COLUMNS);
    write("ab\n\nc");
    KTEST_EXPECT_EQ(test, shown_cells, 4 + 3 * ROWS * COLUMNS + 1);
}

// The report of a panic is written to the same screen, wherever it was left.
KTEST_ATTR(text_screen, panic_may_cut_in, .proves = "7.4.6");
KTEST(text_screen, panic_may_cut_in)
{
    for (unsigned call = 1; call <= 3; call++) { // two for the new line, and one
        make_screen(test, ROWS, COLUMNS);
        panics_in = call;
        KTEST_EXPECT_PANIC(test, "in the device", write("first\nsecond"));
        panics_in = 0;
        write("\nreport\nof it");
        expect_row(test, 23, "report");
        expect_row(test, 24, "of it");
    }
}

// --- By chance, against a model that moves every cell ------------------------------------------

static struct text_cell model[ROWS][COLUMNS];
static size_t model_column;

static void model_new_line(void)
{
    for (size_t row = 1; row < screen.row_count; row++) {
        memcpy(model[row - 1], model[row], sizeof(model[row]));
    }
    for (size_t column = 0; column < COLUMNS; column++) {
        model[screen.row_count - 1][column] = (struct text_cell){' ', screen.colour};
    }
    model_column = 0;
}

static void model_put(uint8_t byte)
{
    struct text_cell *row = model[screen.row_count - 1];
    if (byte == '\n') {
        model_new_line();
    } else if (byte == '\r') {
        model_column = 0;
    } else if (byte == '\b') {
        if (model_column > 0) {
            row[--model_column] = (struct text_cell){' ', screen.colour};
        }
    } else if (byte == '\t') {
        do {
            model_column++;
        } while (model_column < screen.column_count && model_column % 8 != 0);
        model_column = model_column < screen.column_count ? model_column : screen.column_count;
    } else if (byte != '\a') {
        if (model_column == screen.column_count) {
            model_new_line();
        }
        row[model_column++] =
            (struct text_cell){byte >= 0x20 && byte < 0x7f ? byte : 0xfe, screen.colour};
    }
}

static bool is_as_the_model(void)
{
    for (size_t row = 0; row < screen.row_count; row++) {
        if (memcmp(video[row], model[row], screen.column_count * sizeof(struct text_cell)) != 0) {
            return false;
        }
    }
    return true;
}

static char random_byte(struct test_random *random)
{
    static const char likely[] = "\n\r\b\b\t\a\x7f";
    uint64_t choice = test_random_below(random, 16);
    return choice < sizeof(likely) - 1 ? likely[choice]
                                       : (char)(' ' + test_random_below(random, 96));
}

struct size {
    size_t row_count;
    size_t column_count;
};

static const struct size sizes[] = {{25, 80}, {1, 1}, {1, 7}, {2, 3}, {5, 20}};

KTEST_ATTR(text_screen, shows_what_a_simpler_one_would, .speed = KTEST_SPEED_SLOW);
KTEST_PARAM(text_screen, shows_what_a_simpler_one_would, sizes, NULL)
{
    struct test_random random = {42};
    make_screen(test, param->row_count, param->column_count);
    memcpy(model, video, sizeof(model));
    model_column = 0;
    for (unsigned round = 0; round < 2000 * test_scale(); round++) {
        char text[24];
        size_t length = test_random_below(&random, sizeof(text));
        if (test_random_below(&random, 4) == 0) {
            screen.colour.code = (uint8_t)test_random_below(&random, 256);
        }
        for (size_t i = 0; i < length; i++) {
            text[i] = random_byte(&random);
            model_put((uint8_t)text[i]);
        }
        text_screen_write(&screen, text, length);
        KTEST_ASSERT_EQ(test, screen.column, model_column);
        KTEST_ASSERT_TRUE_MSG(test, is_as_the_model(), "after round %u", round);
    }
}
