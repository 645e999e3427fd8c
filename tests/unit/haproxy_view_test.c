/* Answers of HAProxy's Runtime API: recorded from 2.6 and 3.0, and cut, twisted, and made up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/substrate/haproxy_table.h"
#include "controller/substrate/haproxy_view.h"
#include "proto/base/array.h"
#include "proto/base/file.h"

static const char *const RECORDED[] = { "tests/data/haproxy/look-2.6.txt",
                                        "tests/data/haproxy/look-3.0.txt" };

static char *recorded(int i, size_t *ret_n)
{
    char *text;
    struct err e = ERR_INIT;

    if (file_read(RECORDED[i], 1 << 20, &text, ret_n, &e) < 0)
        fail_msg("%s", e.text);
    return text;
}

static int parse(const char *text, struct haproxy_view **ret_view, struct err *e)
{
    return haproxy_view_parse(xstrdup(text), strlen(text), ret_view, e);
}

/* --- recorded -----------------------------------------------------------------------------------
 */

static void check_servers(const struct haproxy_view *v)
{
    const struct haproxy_server *s = haproxy_view_server(v, "http-0", "chat-1");
    size_t n;

    assert_int_equal(v->n_servers, 4);
    assert_non_null(s);
    assert_string_equal(s->ip, "127.0.0.1");
    assert_int_not_equal(s->port, 0);
    assert_true(s->up && s->healthy && s->checked && s->counted);
    assert_int_equal(s->admin, 0);
    assert_int_equal(s->weight, 100);
    assert_int_equal(s->current, 1);
    assert_int_equal(s->limit, 4);
    assert_int_equal(haproxy_view_server(v, "http-0", "chat-2")->admin, HAPROXY_DRAIN & 0x08);
    s = haproxy_view_server(v, "tcp-0", "embed-1");
    assert_false(s->up || s->healthy);
    assert_string_equal(s->ip, "::1");
    assert_int_equal(s->port, 9);
    assert_ptr_equal(haproxy_view_servers(v, "http-0", &n),
                     haproxy_view_server(v, "http-0", "chat-1"));
    assert_int_equal(n, 3);
    assert_null(haproxy_view_servers(v, "http-1", &n));
    assert_int_equal(n, 0);
}

static void looks_of_both_versions(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        AUTO(haproxy_view) struct haproxy_view *v = NULL;
        struct err e = ERR_INIT;
        size_t n;
        char *text = recorded(i, &n);

        if (haproxy_view_parse(text, n, &v, &e) < 0)
            fail_msg("%s: %s", RECORDED[i], e.text);
        assert_true(v->pid > 1 && v->start_s > 1700000000);
        assert_memory_equal(v->description, "huddle-", 7);
        assert_string_equal(haproxy_pair_value(v->routes, v->n_routes, "chat"), "http-0");
        assert_string_equal(haproxy_pair_value(v->routes, v->n_routes, "embed"), "tcp-0");
        assert_null(haproxy_pair_value(v->routes, v->n_routes, "other"));
        assert_string_equal(haproxy_pair_value(v->probes, v->n_probes, "http-0"), "/healthz");
        check_servers(v);
        assert_int_equal(v->n_slots, 4);
        assert_int_equal(haproxy_view_slot(v, "http-0")->requests, 4);
        assert_int_equal(haproxy_view_slot(v, "http-0")->errors, 1);
        assert_int_equal(haproxy_view_slot(v, "http-0")->current, 1);
        /* The reason of chat-3's failing check says "http-0,BACKEND,1": nobody believes it. */
        assert_int_equal(haproxy_view_slot(v, "http-1")->requests, 0);
    }
}

static void a_look_that_is_cut_off_is_refused(void **state)
{
    size_t n;
    char *text = recorded(0, &n);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        struct haproxy_view *v = NULL;
        struct err e = ERR_INIT;
        char *part = xmalloc(i + 1);

        memcpy(part, text, i);
        part[i] = '\0';
        if (haproxy_view_parse(part, i, &v, &e) != -EBADMSG || v || !e.text[0])
            fail_msg("%zu of %zu bytes were accepted", i, n);
    }
    free(text);
}

/* --- made up ------------------------------------------------------------------------------------
 */

#define INFO "Name: HAProxy\nPid: 7\nStart_time_sec: 5\ndescription: huddle-1\n\n"
#define MAPS "\n\n"
#define STATE_HEAD                                                                             \
    "1\n# be_name srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_check_state " \
    "srv_check_health srv_port\n"
#define STAT_HEAD "# pxname,svname,qcur,scur,slim,stot,hrsp_5xx,srv_abrt,\n"

static void least_look(void **state)
{
    AUTO(haproxy_view) struct haproxy_view *v = NULL;

    (void)state;
    assert_int_equal(parse(INFO MAPS STATE_HEAD "b s - 2 0 1 6 1 0\n\n" STAT_HEAD
                                                "b,s,1,2,,9,,,\nb,BACKEND,0,3,,4,5,6,\n\n",
                           &v, NULL),
                     0);
    assert_int_equal(v->servers[0].queued, 1);
    assert_int_equal(v->servers[0].limit, 0);
    assert_int_equal(v->slots[0].errors, 11);
}

static void a_server_that_came_between_is_not_counted(void **state)
{
    AUTO(haproxy_view) struct haproxy_view *v = NULL;

    (void)state;
    assert_int_equal(
        parse(INFO MAPS STATE_HEAD "b s - 2 0 1 6 1 0\n\n" STAT_HEAD "b,t,1,2,,9,,,\n\n", &v, NULL),
        0);
    assert_int_equal(v->n_servers, 1);
    assert_false(v->servers[0].counted);
}

static void what_is_wrong_is_named(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        { "", "names no process" },
        { "Unknown command: 'show'\n\n", "names no process" },
        { "Name: HAProxy\nPid: 0\n\n" MAPS, "names no process" },
        { INFO "Unknown map identifier. Please use #<id> or <file>.\n\n\n", "Unknown map" },
        { INFO MAPS "2\n", "another version" },
        { INFO MAPS "1\nno header\n", "without its columns" },
        { INFO MAPS "1\n# be_name srv_name\n\n", "srv_addr" },
        { INFO MAPS STATE_HEAD "b s - 9 0 1 6 1 0\n\n", "no number" },
        { INFO MAPS STATE_HEAD "b s - 2 x 1 6 1 0\n\n", "no number" },
        { INFO MAPS STATE_HEAD "b s - 2 0 257 6 1 0\n\n", "no number" },
        { INFO MAPS STATE_HEAD "b s - 2 0 1 6 1 65536\n\n", "no number" },
        { INFO MAPS STATE_HEAD "b s\n\n", "no number" },
        { INFO MAPS STATE_HEAD "\n", "without its columns" },
        { INFO MAPS STATE_HEAD "\n# pxname,svname\n\n", "qcur" },
        { INFO MAPS STATE_HEAD "\n" STAT_HEAD "b,BACKEND,0,0,0,-1,0,0,\n\n", "no number" },
        { INFO MAPS STATE_HEAD "\n" STAT_HEAD "b,BACKEND,0,0,0,,0,0,\n\n", "no number" },
        { INFO MAPS STATE_HEAD "\n" STAT_HEAD "\"b,BACKEND\n\n", "show stat" },
        { INFO MAPS STATE_HEAD "\n" STAT_HEAD "b,BACKEND,0,0,0,1,0,0,\n", "show stat" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct haproxy_view *v = NULL;
        struct err e = ERR_INIT;

        if (parse(cases[i].text, &v, &e) != -EBADMSG || v || !strstr(e.text, cases[i].says))
            fail_msg("case %zu: \"%s\"", i, e.text);
    }
}

static void a_nul_is_refused(void **state)
{
    struct haproxy_view *v = NULL;
    struct err e = ERR_INIT;
    size_t n;
    char *text = recorded(0, &n);

    (void)state;
    text[n / 2] = '\0';
    assert_int_equal(haproxy_view_parse(text, n, &v, &e), -EBADMSG);
    assert_null(v);
}

/* --- tables -------------------------------------------------------------------------------------
 */

static void quotes(void **state)
{
    char text[] = "# a,b,c\n\"x,\"\"y\"\"\nz\",,\"\"\n1,2\n\nrest";
    struct haproxy_table t;

    (void)state;
    assert_int_equal(haproxy_table_open(&t, text, text + strlen(text), ','), 0);
    assert_int_equal(haproxy_table_column(&t, "c"), 2);
    assert_int_equal(haproxy_table_column(&t, "d"), -1);
    assert_int_equal(haproxy_table_next(&t), 1);
    assert_string_equal(haproxy_table_cell(&t, 0), "x,\"y\"\nz");
    assert_string_equal(haproxy_table_cell(&t, 1), "");
    assert_string_equal(haproxy_table_cell(&t, 2), "");
    assert_int_equal(haproxy_table_next(&t), 1);
    assert_string_equal(haproxy_table_cell(&t, 1), "2");
    assert_string_equal(haproxy_table_cell(&t, 2), "");
    assert_string_equal(haproxy_table_cell(&t, -1), "");
    assert_int_equal(haproxy_table_next(&t), 0);
    assert_string_equal(t.next, "rest");
}

static void too_many_columns(void **state)
{
    char text[2 * HAPROXY_COLUMNS_MAX + 8] = "# ";
    struct haproxy_table t;

    (void)state;
    for (int i = 0; i < HAPROXY_COLUMNS_MAX; i++)
        text[2 + i] = ',';
    assert_int_equal(haproxy_table_open(&t, text, text + strlen(text), ','), -EBADMSG);
    text[HAPROXY_COLUMNS_MAX + 1] = '\n'; /* one less */
    assert_int_equal(haproxy_table_open(&t, text, text + strlen(text), ','), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(looks_of_both_versions),
        cmocka_unit_test(a_look_that_is_cut_off_is_refused),
        cmocka_unit_test(least_look),
        cmocka_unit_test(a_server_that_came_between_is_not_counted),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(a_nul_is_refused),
        cmocka_unit_test(quotes),
        cmocka_unit_test(too_many_columns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
