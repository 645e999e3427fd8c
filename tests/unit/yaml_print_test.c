/* Printed YAML: what is printed is read again as an equal value, and nothing in it is taken for
 * something else by another reader, nor by a terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "proto/base/random.h"
#include "proto/base/yaml.h"

static void assert_printed(const char *json, const char *expect)
{
    AUTO(strbuf) struct strbuf out = STRBUF_INIT;
    json_t *value = json_loads(json, 0, NULL);

    assert_non_null(value);
    yaml_print(&out, value);
    json_decref(value);
    assert_string_equal(strbuf_text(&out), expect);
}

static void values_look_as_people_write_them(void **state)
{
    (void)state;
    assert_printed("{\"kind\":\"X\",\"spec\":{\"m\":1,\"q\":0.99,\"r\":3.0,\"t\":true,\"z\":null,"
                   "\"list\":[\"a\",{\"b\":2,\"c\":[]}],\"none\":{}}}",
                   "kind: X\nspec:\n  m: 1\n  q: 0.99\n  r: 3.0\n  t: true\n  z: null\n  list:\n"
                   "  - a\n  - b: 2\n    c: []\n  none: {}\n");
}

static void what_others_misread_is_quoted(void **state)
{
    static const char *const QUOTED[] = {
        "yes",   "No",
        "on",    "y",
        "null",  "~",
        "true",  "12",
        "1.5",   "1e3",
        ".5",    "0x1F",
        "0o17",  "1_000",
        "08:30", "+1",
        "-.inf", ".nan",
        "=",     "<<",
        "",      "2026-11-23T07:00:00Z",
    };
    static const char *const PLAIN[] = { "90s", "500m", "2Gi", "1d", "a", "n3", "2x", "nodes" };

    (void)state;
    for (size_t i = 0; i < sizeof(QUOTED) / sizeof(QUOTED[0]); i++) {
        AUTO(strbuf) struct strbuf out = STRBUF_INIT;
        json_t *value = json_pack("{s:s}", "k", QUOTED[i]);

        yaml_print(&out, value);
        json_decref(value);
        assert_true(strncmp(strbuf_text(&out), "k: \"", 4) == 0 ||
                    strncmp(strbuf_text(&out), "k: '", 4) == 0);
    }
    for (size_t i = 0; i < sizeof(PLAIN) / sizeof(PLAIN[0]); i++) {
        AUTO(strbuf) struct strbuf out = STRBUF_INIT, expect = STRBUF_INIT;
        json_t *value = json_pack("{s:s}", "k", PLAIN[i]);

        yaml_print(&out, value);
        json_decref(value);
        strbuf_printf(&expect, "k: %s\n", PLAIN[i]);
        assert_string_equal(strbuf_text(&out), strbuf_text(&expect));
    }
}

static void nothing_steers_a_terminal(void **state)
{
    (void)state;
    assert_printed("{\"a\":\"x\\u001b[31m\\u007f\\u009b\\u202e\"}",
                   "a: \"x\\e[31m\\x7F\\x9B\\u202E\"\n");
}

/* --- what is printed is read again -------------------------------------------------------------
 */

static json_t *random_text(struct random *r)
{
    static const char *const PARTS[] = {
        "a",
        "Z",
        "0",
        "9",
        "-",
        ": ",
        "#",
        " ",
        "'",
        "\"",
        "\\",
        "\n",
        "\t",
        "{",
        "[",
        "&",
        "*",
        "!",
        "%",
        "@",
        "`",
        "|",
        ">",
        "?",
        ",",
        "é",
        "模",
        "\x1b",
        "\x7f",
        "\xc2\x85",
        "\xe2\x80\xa8",
        "\xe2\x80\xae",
        "\xf0\x9f\x90\xa7",
        "true",
        "1.5",
        "\r",
        "\x01",
    };
    AUTO(strbuf) struct strbuf text = STRBUF_INIT;

    for (uint64_t n = random_u64(r) % 6; n > 0; n--)
        strbuf_puts(&text, PARTS[random_u64(r) % (sizeof(PARTS) / sizeof(PARTS[0]))]);
    return json_string(strbuf_text(&text));
}

static json_t *random_value(struct random *r, int depth)
{
    json_t *v, *key;

    switch (random_u64(r) % (depth > 4 ? 6 : 8)) {
    case 0:
        return json_integer((json_int_t)(random_u64(r) >> (random_u64(r) % 64)));
    case 1:
        return json_real((double)(int64_t)random_u64(r) / 1e15);
    case 2:
        return json_boolean(random_u64(r) % 2);
    case 3:
        return json_null();
    case 4:
    case 5:
        return random_text(r);
    case 6:
        v = json_array();
        for (uint64_t n = random_u64(r) % 4; n > 0; n--)
            json_array_append_new(v, random_value(r, depth + 1));
        return v;
    default:
        v = json_object();
        for (uint64_t n = random_u64(r) % 4; n > 0; n--) {
            key = random_text(r);
            json_object_set_new(v, json_string_value(key), random_value(r, depth + 1));
            json_decref(key);
        }
        return v;
    }
}

static void what_is_printed_is_read_again(void **state)
{
    struct random r = random_stream(11, 0, 0, 0);

    (void)state;
    for (int i = 0; i < 3000; i++) {
        AUTO(strbuf) struct strbuf out = STRBUF_INIT;
        AUTO(yaml_docs) struct yaml_docs docs = { 0 };
        json_t *value = json_pack("{s:o}", "value", random_value(&r, 0));
        struct err e = ERR_INIT;

        yaml_print(&out, value);
        if (yaml_parse("t", strbuf_text(&out), out.length, &docs, &e) < 0)
            fail_msg("%s\n%s", e.text, strbuf_text(&out));
        assert_int_equal(docs.n_docs, 1);
        if (!json_equal(docs.docs[0].root, value))
            fail_msg("read otherwise:\n%s", strbuf_text(&out));
        for (const char *c = strbuf_text(&out); *c; c++)
            assert_true((unsigned char)*c >= 0x20 || *c == '\n');
        json_decref(value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_look_as_people_write_them),
        cmocka_unit_test(what_others_misread_is_quoted),
        cmocka_unit_test(nothing_steers_a_terminal),
        cmocka_unit_test(what_is_printed_is_read_again),
    };

    return cmocka_run_group_tests_name("yaml_print", tests, NULL, NULL);
}
