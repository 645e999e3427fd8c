/* Selectors over labels, as apimachinery has them: what is absent, empty, null or wrong, too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "controller/kubernetes/label_selector.h"

static struct string_pair pair[] = {
    { (char *)(uintptr_t) "app", (char *)(uintptr_t) "chat" },
    { (char *)(uintptr_t) "empty", (char *)(uintptr_t) "" },
    { (char *)(uintptr_t) "size", (char *)(uintptr_t) "16" },
};
static const struct string_map LABELS = { pair, 3 };

/* 1: selects LABELS; 0: does not; -EINVAL: refused, and then it selects nothing. */
static int asks(const char *text)
{
    json_t *object = json_loads(text, JSON_DECODE_ANY, NULL);
    struct label_selector s;
    int r;

    assert_non_null(object);
    r = label_selector_read(object, &s);
    json_decref(object);
    if (r == 0)
        r = label_selector_matches(&s, &LABELS);
    else
        assert_false(label_selector_matches(&s, &LABELS));
    label_selector_done(&s);
    return r;
}

#define EXPRESSION(rest) "{\"matchExpressions\": [{" rest "}]}"

static void labels_all_have_to_match(void **state)
{
    (void)state;
    assert_int_equal(asks("{\"matchLabels\": {\"app\": \"chat\"}}"), 1);
    assert_int_equal(asks("{\"matchLabels\": {\"app\": \"chat\", \"size\": \"16\"}}"), 1);
    assert_int_equal(asks("{\"matchLabels\": {\"app\": \"chat\", \"size\": \"8\"}}"), 0);
    assert_int_equal(asks("{\"matchLabels\": {\"tier\": \"chat\"}}"), 0);
    assert_int_equal(asks("{\"matchLabels\": {\"empty\": \"\"}}"), 1);
    assert_int_equal(asks("{\"matchLabels\": {\"absent\": \"\"}}"), 0);
    assert_int_equal(asks("{\"matchLabels\": {\"app\": \"chat\"}, \"matchExpressions\": "
                          "[{\"key\": \"app\", \"operator\": \"NotIn\", \"values\": [\"chat\"]}]}"),
                     0);
}

static void expressions_mean_what_they_say(void **state)
{
    (void)state;
    assert_int_equal(
        asks(EXPRESSION("\"key\": \"app\", \"operator\": \"In\", \"values\": [\"a\", \"chat\"]")),
        1);
    assert_int_equal(asks(EXPRESSION("\"key\": \"app\", \"operator\": \"In\", \"values\": []")), 0);
    assert_int_equal(
        asks(EXPRESSION("\"key\": \"app\", \"operator\": \"NotIn\", \"values\": [\"chat\"]")), 0);
    /* A label that is absent is not in any list. */
    assert_int_equal(
        asks(EXPRESSION("\"key\": \"tier\", \"operator\": \"NotIn\", \"values\": [\"x\"]")), 1);
    assert_int_equal(asks(EXPRESSION("\"key\": \"empty\", \"operator\": \"Exists\"")), 1);
    assert_int_equal(asks(EXPRESSION("\"key\": \"tier\", \"operator\": \"Exists\"")), 0);
    assert_int_equal(asks(EXPRESSION("\"key\": \"tier\", \"operator\": \"DoesNotExist\"")), 1);
    assert_int_equal(asks(EXPRESSION("\"key\": \"app\", \"operator\": \"DoesNotExist\"")), 0);
}

static void numbers_are_compared_as_whole_ones(void **state)
{
    (void)state;
#define SIZE(op, bound) \
    asks(EXPRESSION("\"key\": \"size\", \"operator\": \"" op "\", \"values\": [" bound "]"))
    assert_int_equal(SIZE("Gt", "\"9\""), 1); /* not as texts */
    assert_int_equal(SIZE("Gt", "\"16\""), 0);
    assert_int_equal(SIZE("Lt", "\"17\""), 1);
    assert_int_equal(SIZE("Lt", "\"16\""), 0);
    assert_int_equal(SIZE("Gt", "\"-1\""), 1);
    assert_int_equal(SIZE("Gt", "\"1.5\""), 0);
    assert_int_equal(SIZE("Gt", "\" 1\""), 0);
    assert_int_equal(SIZE("Lt", "\"99999999999999999999\""), 0); /* does not fit */
    assert_int_equal(SIZE("Lt", ""), 0);
    assert_int_equal(SIZE("Lt", "\"20\", \"21\""), 0);
    assert_int_equal(
        asks(EXPRESSION("\"key\": \"app\", \"operator\": \"Gt\", \"values\": [\"0\"]")), 0);
    assert_int_equal(
        asks(EXPRESSION("\"key\": \"empty\", \"operator\": \"Lt\", \"values\": [\"9\"]")), 0);
}

static void empty_is_everything_and_null_is_nothing(void **state)
{
    struct label_selector s;

    (void)state;
    assert_int_equal(asks("{}"), 1);
    assert_int_equal(asks("{\"matchLabels\": {}, \"matchExpressions\": []}"), 1);
    assert_int_equal(asks("{\"matchLabels\": null}"), 1);
    assert_int_equal(asks("null"), 0);
    assert_int_equal(label_selector_read(NULL, &s), 0);
    assert_true(s.none);
    assert_int_equal(label_selector_read_map(NULL, &s), 0);
    assert_true(s.none);
}

static void what_is_no_selector_selects_nothing(void **state)
{
    (void)state;
    assert_int_equal(asks("[]"), -EINVAL);
    assert_int_equal(asks("\"app=chat\""), -EINVAL);
    assert_int_equal(asks("{\"matchLabels\": [\"app\"]}"), -EINVAL);
    assert_int_equal(asks("{\"matchLabels\": {\"app\": 1}}"), -EINVAL);
    assert_int_equal(asks(EXPRESSION("\"key\": \"app\", \"operator\": \"Like\"")), -EINVAL);
    assert_int_equal(asks(EXPRESSION("\"operator\": \"Exists\"")), -EINVAL);
    assert_int_equal(asks(EXPRESSION("\"key\": \"app\"")), -EINVAL);
    /* one wrong part spoils the whole, whatever stands before it */
    assert_int_equal(asks("{\"matchLabels\": {\"app\": \"chat\"}, \"matchExpressions\": [7]}"),
                     -EINVAL);
}

static void a_service_selects_by_a_bare_map(void **state)
{
    json_t *map = json_pack("{s:s, s:s}", "app", "chat", "size", "16");
    struct label_selector s;

    (void)state;
    assert_int_equal(label_selector_read_map(map, &s), 0);
    assert_true(label_selector_matches(&s, &LABELS));
    label_selector_narrow(&s, "empty", "x");
    assert_false(label_selector_matches(&s, &LABELS));
    label_selector_done(&s);
    json_decref(map);
}

static void it_has_a_text(void **state)
{
    json_t *o = json_loads("{\"matchLabels\": {\"app\": \"web\"}, \"matchExpressions\": ["
                           "{\"key\": \"t\", \"operator\": \"In\", \"values\": [\"a\", \"b\"]},"
                           "{\"key\": \"u\", \"operator\": \"NotIn\", \"values\": [\"c\"]},"
                           "{\"key\": \"v\", \"operator\": \"Exists\"},"
                           "{\"key\": \"w\", \"operator\": \"DoesNotExist\"}]}",
                           0, NULL);
    AUTO(strbuf) struct strbuf text = STRBUF_INIT;
    struct label_selector s;

    (void)state;
    assert_int_equal(label_selector_read(o, &s), 0);
    label_selector_text(&s, &text);
    assert_string_equal(strbuf_text(&text), "app=web,t in (a,b),u notin (c),v,!w");
    label_selector_done(&s);
    json_decref(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_all_have_to_match),
        cmocka_unit_test(expressions_mean_what_they_say),
        cmocka_unit_test(numbers_are_compared_as_whole_ones),
        cmocka_unit_test(empty_is_everything_and_null_is_nothing),
        cmocka_unit_test(what_is_no_selector_selects_nothing),
        cmocka_unit_test(a_service_selects_by_a_bare_map),
        cmocka_unit_test(it_has_a_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
