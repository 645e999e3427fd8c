/* Objects cut out of a stream, and single texts out of what cannot be parsed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "controller/kube_client/kube_frame.h"
#include "controller/kube_client/kube_peek.h"
#include "proto/base/array.h"

static int note(void *data, bool item, const char *bytes, size_t n)
{
    struct strbuf *said = data;

    strbuf_puts(said, item ? "item " : "whole ");
    strbuf_add(said, bytes, n);
    strbuf_putc(said, '\n');
    return memmem(bytes, n, "stop", 4) ? 7 : 0;
}

/* The same from chunks of every size from 1 byte to the whole. */
static void expect(bool list, const char *text, int code, const char *said)
{
    for (size_t chunk = 1; chunk <= strlen(text); chunk++) {
        struct kube_frame f = { .list = list };
        AUTO(strbuf) struct strbuf got = STRBUF_INIT;
        struct err e = ERR_INIT;
        int r = 0;

        for (size_t at = 0; r == 0 && at < strlen(text); at += chunk) {
            size_t left = strlen(text) - at;

            r = kube_frame_feed(&f, text + at, left < chunk ? left : chunk, note, &got, &e);
        }
        assert_int_equal(r, code);
        assert_string_equal(strbuf_text(&got), said);
        assert_true((r < 0) == (e.text[0] != '\0'));
        kube_frame_done(&f);
    }
}

static void events_are_cut_whatever_the_chunks(void **state)
{
    (void)state;
    expect(false, "{\"a\":{\"b\":[1]}}\n{}\r\n {\"c\":2}", 0,
           "whole {\"a\":{\"b\":[1]}}\nwhole {}\nwhole {\"c\":2}\n");
    expect(false, "{\"a\":\"}\\\"}\\\\\"}{\"]\":0}", 0,
           "whole {\"a\":\"}\\\"}\\\\\"}\nwhole {\"]\":0}\n");
    expect(false, "{\"items\":[{}]}", 0, "whole {\"items\":[{}]}\n");
    expect(false, "{\"a\":1}x{}", -EPROTO, "whole {\"a\":1}\n");
    expect(false, "{}]", -EPROTO, "whole {}\n");
    expect(false, "[{}]", -EPROTO, "");
    expect(false, "{\"stop\":1}{}", 7, "whole {\"stop\":1}\n");
}

static void items_of_a_list_come_singly(void **state)
{
    (void)state;
    expect(true,
           "{\"a\":[1],\"items\" : [ {\"b\":[{}]},\n{\"items\":[{}]} ],\"c\":{\"items\":[1]}}", 0,
           "item {\"b\":[{}]}\nitem {\"items\":[{}]}\n"
           "whole {\"a\":[1],\"items\" : [],\"c\":{\"items\":[1]}}\n");
    expect(true, "{\"x\":\"items\",\"y\\\"items\":[{}],\"items\":null}", 0,
           "whole {\"x\":\"items\",\"y\\\"items\":[{}],\"items\":null}\n");
    expect(true, "{\"items\":[1]}", -EPROTO, "");
    expect(true, "{\"items\":[{\"stop\":1},{}]}", 7, "item {\"stop\":1}\n");
}

static void an_object_has_a_limit_and_a_stream_an_end(void **state)
{
    static char blanks[1 << 16];
    struct kube_frame f = { 0 };
    struct err e = ERR_INIT;
    size_t fed = 1;
    int r;

    (void)state;
    memset(blanks, ' ', sizeof(blanks));
    assert_false(kube_frame_open(&f));
    r = kube_frame_feed(&f, "{", 1, note, NULL, &e);
    assert_true(r == 0 && kube_frame_open(&f));
    for (; r == 0; fed += sizeof(blanks))
        r = kube_frame_feed(&f, blanks, sizeof(blanks), note, NULL, &e);
    assert_int_equal(r, -EMSGSIZE);
    assert_true(fed > KUBE_FRAME_MAX && fed <= KUBE_FRAME_MAX + 2 * sizeof(blanks));
    kube_frame_done(&f);
    assert_false(kube_frame_open(&f));
}

static void texts_are_found_without_a_parser(void **state)
{
    static const char *const path[] = { "object", "metadata", "name", NULL };
    static const struct {
        const char *json, *name; /* NULL: none */
    } cases[] = {
        { "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"a\"}}}", "a" },
        { "{\"object\":{\"x\":[{\"name\":\"b\"}],\"metadata\" : {\"labels\":{\"name\":\"c\"},"
          "\"name\" : \"d\"}}}",
          "d" },
        { "{\"object\":{\"y\":\"metadata\",\"z\":{\"metadata\":{\"name\":\"e\"}}}}", NULL },
        { "{\"object\":{\"metadata\":{}},\"metadata\":{\"name\":\"f\"}}", NULL },
        { "{\"object\":{\"metadata\":{},\"status\":{\"name\":\"f\"}}}", NULL },
        { "{\"object\":{\"metadata\":{\"name\":7}}}", NULL },
        { "{\"object\":{\"metadata\":{\"name\":\"g\\\"h\"}}}", NULL },
        { "{\"object\":{\"metadata\":{\"name\":\"cut", NULL },
        { "{\"object\":{\"metadata\":{\"name\":\"much-too-long\"}}}", NULL },
        { "{\"a\\u0000b\":1e999,\"object\":{\"metadata\":{\"name\":\"i\"}}}", "i" },
        { "}}]", NULL },
        { "", NULL },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char name[8] = "before";
        bool found = kube_peek(cases[i].json, strlen(cases[i].json), path, name, sizeof(name));

        assert_string_equal(name, cases[i].name ? cases[i].name : "before");
        assert_int_equal(found, cases[i].name != NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_are_cut_whatever_the_chunks),
        cmocka_unit_test(items_of_a_list_come_singly),
        cmocka_unit_test(an_object_has_a_limit_and_a_stream_an_end),
        cmocka_unit_test(texts_are_found_without_a_parser),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
