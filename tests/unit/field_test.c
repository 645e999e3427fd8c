/* Two structs of one table: each type's values compared and exchanged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/yaml.h"
#include "proto/field.h"

struct all {
    int64_t whole, time_ms;
    double share;
    bool flag;
    char after_flag;
    char *text;
    int word, after_word;
    struct string_list list;
    struct string_map map;
};

static const struct field FIELDS[] = {
    { "whole", FIELD_INT, offsetof(struct all, whole), "1", 0, 0, NULL, "", NULL },
    { "time", FIELD_DURATION, offsetof(struct all, time_ms), NULL, 0, 0, NULL, "", NULL },
    { "share", FIELD_SHARE, offsetof(struct all, share), NULL, 0, 0, NULL, "", NULL },
    { "flag", FIELD_BOOL, offsetof(struct all, flag), "false", 0, 0, NULL, "", NULL },
    { "text", FIELD_TEXT, offsetof(struct all, text), "", 0, 0, NULL, "", NULL },
    { "word", FIELD_WORD, offsetof(struct all, word), "red", 0, 0, "red green", "", NULL },
    { "list", FIELD_LIST, offsetof(struct all, list), "a b", 0, 0, NULL, "", NULL },
    { "map", FIELD_MAP, offsetof(struct all, map), NULL, 0, 0, NULL, "", NULL },
    { NULL, FIELD_INT, 0, NULL, 0, 0, NULL, NULL, NULL },
};

static void read_json(struct all *a, const char *text)
{
    struct source from = { "", NULL };
    struct place top = { &from, NULL, NULL, 0, "" };
    json_t *object = json_loads(text, 0, NULL);
    struct err e = ERR_INIT;

    memset(a, 0, sizeof(*a));
    assert_non_null(object);
    if (fields_read(a, FIELDS, &top, object, &e) < 0)
        fail_msg("%s", e.text);
    json_decref(object);
}

static bool take_named(void *data, const struct field *f)
{
    const char *want = data;

    return strcmp(want, "*") == 0 || strcmp(want, f->path) == 0;
}

static bool take_none(void *data, const struct field *f)
{
    (void)f;
    ++*(size_t *)data;
    return false;
}

static size_t differences(struct all *a, struct all *b)
{
    size_t n = 0;

    fields_take_over(FIELDS, a, b, take_none, &n);
    return n;
}

/* Each alone differs from the defaults, is seen alone, and is taken over alone. */
static void each_type_is_compared_and_exchanged(void **state)
{
    static const struct {
        const char *path, *json;
    } CASES[] = {
        { "whole", "{\"whole\": 2}" },     { "time", "{\"time\": \"0s\"}" },
        { "share", "{\"share\": 0}" },     { "flag", "{\"flag\": true}" },
        { "text", "{\"text\": \"x\"}" },   { "word", "{\"word\": \"green\"}" },
        { "list", "{\"list\": [\"a\"]}" }, { "list", "{\"list\": [\"b\", \"a\"]}" },
        { "list", "{\"list\": []}" },      { "map", "{\"map\": {\"a\": \"1\"}}" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct all running, fresh, as_fresh;

        read_json(&running, "{}");
        read_json(&fresh, CASES[i].json);
        read_json(&as_fresh, CASES[i].json);
        if (differences(&running, &fresh) != 1)
            fail_msg("%s is not one difference", CASES[i].json);
        running.after_flag = 1;
        running.after_word = 1;
        fields_take_over(FIELDS, &running, &fresh, take_named, (void *)(uintptr_t)CASES[i].path);
        assert_int_equal(differences(&running, &as_fresh), 0);
        assert_int_equal(differences(&running, &fresh), 1); /* it has the old value now */
        assert_int_equal(running.after_flag, 1);
        assert_int_equal(running.after_word, 1);
        fields_done(&running, FIELDS);
        fields_done(&fresh, FIELDS);
        fields_done(&as_fresh, FIELDS);
    }
}

static void a_list_has_a_default(void **state)
{
    struct all a;

    (void)state;
    read_json(&a, "{}");
    assert_int_equal(a.list.n, 2);
    assert_string_equal(a.list.item[0], "a");
    assert_string_equal(a.list.item[1], "b");
    fields_done(&a, FIELDS);
    read_json(&a, "{\"list\": []}");
    assert_int_equal(a.list.n, 0);
    fields_done(&a, FIELDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_type_is_compared_and_exchanged),
        cmocka_unit_test(a_list_has_a_default),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
