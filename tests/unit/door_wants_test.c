/* What the front door should have: what is taken, what is refused, who holds which slot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>

#include "proto/base/strbuf.h"
#include "tests/unit/door_world.h"

static int setup(void **state)
{
    *state = door_wants_new(2);
    return 0;
}

static int teardown(void **state)
{
    door_wants_free(*state);
    return 0;
}

static int give(struct door_wants *w, const char *routes, const char *states, bool *ret_changed)
{
    AUTO(haproxy_view) struct haproxy_view *v = world_look(routes, "", states, "");

    return door_wants_give_slots(w, v, ret_changed, NULL);
}

static const char *slot_of(const struct door_wants *w, const char *model)
{
    const struct door_wanted *m = door_wants_model(w, model);

    return m ? m->slot : "nobody";
}

static void addresses(void **state)
{
    static const char *const bad[] = {
        "",           ":80",           "127.0.0.1",   "127.0.0.1:",   "127.0.0.1:0",
        "1.2.3.4:x",  "1.2.3.4:65536", "1.2.3:4:80",  "::1:80",       "[::1]80",
        "[::1:80",    "host:80",       "1.2.3.4:8 0", "1.2.3.4:80;x", "[]:80",
        "[:80",       "1.2.3.4:-1",    "1.2.3.4:+1",  " 1.2.3.4:1",   "[::1%eth0]:80",
        "1.2.3.04:1",
    };
    struct door_address a;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (door_address_parse(bad[i], &a) != -EINVAL)
            fail_msg("\"%s\" was taken", bad[i]);
    assert_int_equal(door_address_parse("10.0.0.7:20001", &a), 0);
    assert_string_equal(a.ip, "10.0.0.7");
    assert_int_equal(a.port, 20001);
    assert_int_equal(door_address_parse("[2001:DB8:0::1]:65535", &a), 0);
    assert_string_equal(a.ip, "2001:db8::1");
    assert_true(a.v6);
}

static void a_new_want_replaces_the_last(void **state)
{
    struct door_wants *w = *state;
    const struct door_wanted *m;

    assert_int_equal(world_want(w, "chat", "/h", 3, "b=1.1.1.1:2/drain a=1.1.1.1:1", NULL), 0);
    m = door_wants_model(w, "chat");
    assert_int_equal(m->n_servers, 2);
    assert_string_equal(m->servers[0].uid, "a");
    assert_true(door_wanted_server(m, "b")->drain);
    assert_int_equal(m->limit, 3);
    assert_string_equal(m->probe_path, "/h");
    assert_int_equal(world_want(w, "chat", NULL, 0, "c=1.1.1.1:3", NULL), 0);
    assert_int_equal(m->n_servers, 1);
    assert_null(door_wanted_server(m, "a"));
    assert_null(m->probe_path);
    assert_true(m->limit >= 10000);
}

static void what_cannot_be_said_is_left_out(void **state)
{
    struct door_wants *w = *state;
    struct err e = ERR_INIT;

    assert_int_equal(world_want(w, "chat", NULL, 0, "a=1.1.1.1:1 b=host:1 c=x:1", &e), -EINVAL);
    assert_non_null(strstr(e.text, "b: \"host:1\"")); /* the first */
    assert_int_equal(door_wants_model(w, "chat")->n_servers, 1);
    assert_int_equal(world_want(w, "chat", "/a;b", 0, "a=1.1.1.1:1", &e), -EINVAL);
    assert_null(door_wants_model(w, "chat")->probe_path);
    assert_int_equal(world_want(w, "a b", NULL, 0, "", &e), -EINVAL);
    assert_null(door_wants_model(w, "a b"));
}

static void slots_are_given_once(void **state)
{
    struct door_wants *w = *state;
    bool changed;

    (void)world_want(w, "chat", "/h", 0, "", NULL);
    (void)world_want(w, "embed", NULL, 0, "", NULL);
    assert_int_equal(give(w, "", "", &changed), 0);
    assert_true(changed);
    assert_string_equal(slot_of(w, "chat"), "http-0");
    assert_string_equal(slot_of(w, "embed"), "tcp-0");
    assert_int_equal(give(w, "", "", &changed), 0);
    assert_false(changed);
    assert_ptr_equal(door_wants_holder(w, "tcp-0"), door_wants_model(w, "embed"));
}

static void nobody_gets_a_slot_that_is_not_empty(void **state)
{
    struct door_wants *w = *state;
    bool changed;

    (void)world_want(w, "chat", "/h", 0, "", NULL);
    assert_int_equal(give(w, "old http-0\n", "http-1 x 1.1.1.1 2 1 100 6 3 80\n", &changed),
                     -ENOSPC);
    assert_string_equal(slot_of(w, "chat"), "");
    assert_int_equal(give(w, "old http-0\n", "", &changed), 0);
    assert_string_equal(slot_of(w, "chat"), "http-1");
}

static void another_check_is_another_slot(void **state)
{
    struct door_wants *w = *state;
    bool changed;

    (void)world_want(w, "chat", "/h", 0, "", NULL);
    (void)give(w, "", "", &changed);
    (void)world_want(w, "chat", NULL, 0, "", NULL);
    assert_string_equal(slot_of(w, "chat"), "http-0"); /* until there is another */
    assert_int_equal(give(w, "a tcp-0\nb tcp-1\n", "", &changed), -ENOSPC);
    assert_string_equal(slot_of(w, "chat"), "http-0");
    assert_int_equal(give(w, "a tcp-0\n", "", &changed), 0);
    assert_string_equal(slot_of(w, "chat"), "tcp-1");
}

static void the_gone_are_forgotten(void **state)
{
    struct door_wants *w = *state;
    bool changed;

    (void)world_want(w, "chat", "/h", 0, "", NULL);
    (void)give(w, "", "", &changed);
    world_gone(w, "chat");
    world_gone(w, "never");
    assert_null(door_wants_model(w, "chat"));
    (void)world_want(w, "rank", "/h", 0, "", NULL);
    (void)give(w, "", "", &changed);
    assert_string_equal(slot_of(w, "rank"), "http-0");
}

static void map_files_are_read_back(void **state)
{
    struct door_wants *w = *state, *later = door_wants_new(2);
    AUTO(strbuf) struct strbuf routes = STRBUF_INIT, probes = STRBUF_INIT;
    bool changed;

    (void)world_want(w, "chat", "/h", 0, "", NULL);
    (void)world_want(w, "embed", NULL, 0, "", NULL);
    (void)give(w, "", "", &changed);
    door_wants_write_routes(w, &routes);
    door_wants_write_probes(w, &probes);
    assert_string_equal(strbuf_text(&routes), "chat http-0\nembed tcp-0\n");
    assert_string_equal(strbuf_text(&probes), "http-0 /h\n");
    door_wants_read_routes(later, routes.data);
    assert_string_equal(slot_of(later, "embed"), "tcp-0");
    assert_false(door_wants_model(later, "chat")->named);
    (void)world_want(later, "chat", "/h", 0, "", NULL);
    door_wants_settle(later);
    assert_string_equal(slot_of(later, "chat"), "http-0");
    assert_null(door_wants_model(later, "embed"));
    door_wants_free(later);
}

static void nonsense_in_a_map_file_is_dropped(void **state)
{
    struct door_wants *w = *state;
    char text[] = "\nx\na http-2\nb http-\nc http-0 \nd udp-0\ne;f http-0\ng http-01x\n"
                  "h http-1\nh http-0\ni http-1\nj tcp--1\nk tcp-99999999999999999999\n";

    door_wants_read_routes(w, text);
    assert_int_equal(w->n_items, 1);
    assert_string_equal(slot_of(w, "h"), "http-1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses),
        cmocka_unit_test_setup_teardown(a_new_want_replaces_the_last, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_said_is_left_out, setup, teardown),
        cmocka_unit_test_setup_teardown(slots_are_given_once, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_gets_a_slot_that_is_not_empty, setup, teardown),
        cmocka_unit_test_setup_teardown(another_check_is_another_slot, setup, teardown),
        cmocka_unit_test_setup_teardown(the_gone_are_forgotten, setup, teardown),
        cmocka_unit_test_setup_teardown(map_files_are_read_back, setup, teardown),
        cmocka_unit_test_setup_teardown(nonsense_in_a_map_file_is_dropped, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
