/* Text for terminals: what steers is made visible, widths are those of a terminal, numbers and ages
 * read as people expect. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <locale.h>
#include <math.h>
#include <string.h>

#include "controller/cli/human.h"
#include "controller/cli/progress.h"
#include "controller/cli/table.h"
#include "controller/cli/text.h"

static void assert_safe(const char *text, const char *expect)
{
    AUTO(strbuf) struct strbuf out = STRBUF_INIT;

    text_safe(&out, text);
    assert_string_equal(strbuf_text(&out), expect);
}

static void what_steers_is_made_visible(void **state)
{
    (void)state;
    assert_safe("plain ünïcode 模型 🐧", "plain ünïcode 模型 🐧");
    assert_safe("\033[31mred\033[0m", "\\x1b[31mred\\x1b[0m");
    assert_safe("a\nb\tc\r", "a\\nb c\\x0d");
    assert_safe("\x7f", "\\x7f");
    assert_safe("\xc2\x9b"
                "31m",
                "\\x9b31m"); /* C1: CSI in one character */
    assert_safe("\xe2\x80\xae"
                "gpj.exe",
                "\\u202egpj.exe"); /* right-to-left override */
    assert_safe("\xff\xfe", "\\xff\\xfe");
    assert_safe("\xc0\x9b", "\\xc0\\x9b");          /* an overlong ESC */
    assert_safe("\xed\xa0\x80", "\\xed\\xa0\\x80"); /* a surrogate */
    assert_safe("cut \xe6\xa8", "cut \\xe6\\xa8");  /* ends within a character */
    assert_safe("\xf3\xa0\x80\x81", "\\ue0001");    /* an invisible tag */
}

static void json_stays_json(void **state)
{
    AUTO(strbuf) struct strbuf out = STRBUF_INIT;

    (void)state;
    text_safe_json(&out, "{\n \"a\": \"\\u001b \x7f \xc2\x9b \xe2\x80\xae \xf3\xa0\x80\x81 ü\"\n}");
    assert_string_equal(strbuf_text(&out), "{\n \"a\": \"\\u001b \\u007f \\u009b \\u202e "
                                           "\\udb40\\udc01 ü\"\n}");
}

static void widths_are_those_of_a_terminal(void **state)
{
    (void)state;
    assert_int_equal(text_width(""), 0);
    assert_int_equal(text_width("abc"), 3);
    assert_int_equal(text_width("ünï"), 3);
    assert_int_equal(text_width("模型"), 4);
    assert_int_equal(text_width("e\xcc\x81"), 1); /* a combining accent takes no column */
}

static void columns_stay_straight(void **state)
{
    AUTO(strbuf) struct strbuf out = STRBUF_INIT;
    struct table t = { 0 };

    (void)state;
    table_begin(&t, 3);
    table_cell(&t, "NAME", PAINT_HEAD);
    table_cell(&t, "STATE", PAINT_HEAD);
    table_cell(&t, "WHY", PAINT_HEAD);
    table_cell(&t, "模型", PAINT_NONE);
    table_cell(&t, "awake", PAINT_GOOD);
    table_cell(&t, "in use", PAINT_NONE);
    table_cell(&t, "ünï", PAINT_NONE);
    table_cell(&t, "x\033[2J", PAINT_NONE);
    table_cell(&t, "", PAINT_NONE);
    table_print(&t, &out, false);
    assert_string_equal(strbuf_text(&out), "NAME   STATE      WHY\n"
                                           "模型   awake      in use\n"
                                           "ünï    x\\x1b[2J\n");
    /* rows that come later keep the widths; colour adds no width */
    strbuf_clear(&out);
    table_cell(&t, "n", PAINT_NONE);
    table_cell(&t, "ok", PAINT_GOOD);
    table_cell(&t, "z", PAINT_NONE);
    table_print(&t, &out, true);
    assert_string_equal(strbuf_text(&out), "n      \033[32mok\033[0m         z\n");
    table_done(&t);
}

static void text_is_wrapped_at_words(void **state)
{
    AUTO(strbuf) struct strbuf out = STRBUF_INIT;

    (void)state;
    text_wrap(&out, "one two three four\nfive", 9, 2);
    assert_string_equal(strbuf_text(&out), "one two\n  three\n  four\n  five");
    strbuf_clear(&out);
    text_wrap(&out, "averyveryverylongword x", 5, 0);
    assert_string_equal(strbuf_text(&out), "averyveryverylongword\nx");
}

static void numbers_have_three_digits_and_a_unit(void **state)
{
    char text[HUMAN_MAX];

    (void)state;
    assert_string_equal(human_watts(153.4, text), "153W");
    assert_string_equal(human_watts(1240, text), "1.24kW");
    assert_string_equal(human_watts(0, text), "0W");
    assert_string_equal(human_watts(NAN, text), "-");
    assert_string_equal(human_watts(-12.34, text), "-12.3W");
    assert_string_equal(human_joules(999.96, text), "1kJ"); /* never "1000J" */
    assert_string_equal(human_joules(12345678, text), "12.3MJ");
    assert_string_equal(human_kwh(3.6e6, text), "1kWh");
    assert_string_equal(human_bytes(536870912, text), "512Mi");
    assert_string_equal(human_bytes(1023.9, text), "1Ki");
    assert_string_equal(human_share(0.1234, text), "12.3%");
    assert_string_equal(human_number(0.0123, text), "0.0123");
    assert_string_equal(human_number(1.5, text), "1.5");
    assert_string_equal(human_number(INFINITY, text), "-");
}

static void ages_are_those_of_kubectl(void **state)
{
    static const struct {
        int64_t s;
        const char *text;
    } AGES[] = { { 0, "0s" },       { 45, "45s" },    { 119, "119s" },     { 200, "3m20s" },
                 { 300, "5m" },     { 720, "12m" },   { 10799, "179m" },   { 10860, "3h1m" },
                 { 18000, "5h" },   { 86400, "24h" }, { 172800, "2d" },    { 187200, "2d4h" },
                 { 864000, "10d" }, { -5, "0s" },     { 63072000, "2y0d" } };
    char text[HUMAN_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(AGES) / sizeof(AGES[0]); i++)
        assert_string_equal(human_age(AGES[i].s * 1000, text), AGES[i].text);
    assert_string_equal(human_age(250, text), "250ms");
    assert_string_equal(human_ms(0.7, text), "0.7ms");
    assert_string_equal(human_ms(45.25, text), "45.2ms");
    assert_string_equal(human_ms(1500, text), "1s");
    assert_string_equal(human_ms(1e300, text), human_ms(1e15, (char[HUMAN_MAX]){ 0 }));
    assert_string_equal(human_ms(NAN, text), "-");
}

static void bars_are_full_at_the_end_only(void **state)
{
    AUTO(strbuf) struct strbuf out = STRBUF_INIT;

    (void)state;
    progress_bar(&out, 3, 4);
    assert_string_equal(strbuf_text(&out), "[###############-----] 3/4");
    strbuf_clear(&out);
    progress_bar(&out, 199, 200);
    assert_string_equal(strbuf_text(&out), "[###################-] 199/200");
    strbuf_clear(&out);
    progress_bar(&out, 5, 4);
    assert_non_null(strstr(strbuf_text(&out), "[####################]"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_steers_is_made_visible),
        cmocka_unit_test(json_stays_json),
        cmocka_unit_test(widths_are_those_of_a_terminal),
        cmocka_unit_test(columns_stay_straight),
        cmocka_unit_test(text_is_wrapped_at_words),
        cmocka_unit_test(numbers_have_three_digits_and_a_unit),
        cmocka_unit_test(ages_are_those_of_kubectl),
        cmocka_unit_test(bars_are_full_at_the_end_only),
    };

    (void)setlocale(LC_CTYPE, "C.UTF-8");
    return cmocka_run_group_tests_name("cli_text", tests, NULL, NULL);
}
