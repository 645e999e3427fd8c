/* From what a look saw to what is wanted, and what the core is told of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>

#include "controller/substrate/door_changes.h"
#include "controller/substrate/door_facts.h"
#include "controller/substrate/endpoints_file.h"
#include "controller/substrate/haproxy_call.h"
#include "tests/unit/door_world.h"

#define ADD                                                                         \
    " check inter 1s fastinter 200ms downinter 500ms fall 3 rise 1 observe layer4 " \
    "error-limit 2 on-error sudden-death weight 100 maxconn "
#define ROUTED "chat http-0\n", "http-0 /h\n"
#define UP_A "http-0 a 1.1.1.1 2 0 100 6 3 80\n"
#define UP_B "http-0 b 1.1.1.2 2 0 100 6 3 80\n"

/* Settled: what is not wanted goes. */
static int setup(void **state)
{
    struct door_wants *w = door_wants_new(2);

    door_wants_settle(w);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    door_wants_free(*state);
    return 0;
}

/* chat is in http-0, with these servers. */
static void hold(struct door_wants *w, const char *servers)
{
    char routes[] = "chat http-0\n";

    door_wants_read_routes(w, routes);
    assert_int_equal(world_want(w, "chat", "/h", 4, servers, NULL), 0);
}

static void assert_changes(const struct door_wants *w, struct haproxy_view *v, const char *expected)
{
    AUTO(strbuf) struct strbuf out = STRBUF_INIT;

    door_changes(w, v, "/m", "/p", &out);
    haproxy_view_free(v);
    assert_string_equal(strbuf_text(&out), expected);
}

static void nothing_to_do(void **state)
{
    hold(*state, "a=1.1.1.1:80 b=1.1.1.2:80/drain");
    assert_changes(*state,
                   world_look(ROUTED, UP_A "http-0 b 1.1.1.2 2 8 100 6 3 80\n",
                              "http-0,a,0,5,4,9,0,0\nhttp-0,b,0,0,4,9,0,0\n"),
                   "");
}

static void the_route_comes_last(void **state)
{
    hold(*state, "a=1.1.1.1:80 b=[::1]:81/drain");
    assert_changes(*state, world_look("", "", "", ""),
                   "add map /p http-0 /h;"
                   "add server http-0/a 1.1.1.1:80" ADD "4;set server http-0/a state ready;"
                   "enable health http-0/a;"
                   "add server http-0/b [::1]:81" ADD "4;set server http-0/b state drain;"
                   "enable health http-0/b;"
                   "add map /m chat http-0\n");
}

static void each_difference_is_one_command(void **state)
{
    static const struct {
        const char *state, *stat, *command;
    } cases[] = {
        { "http-0 a 1.1.1.9 2 0 100 6 3 80\n", "", "set server http-0/a addr 1.1.1.1 port 80\n" },
        { "http-0 a 1.1.1.1 2 0 100 6 3 81\n", "", "set server http-0/a addr 1.1.1.1 port 80\n" },
        { "http-0 a - 2 0 100 6 3 80\n", "", "set server http-0/a addr 1.1.1.1 port 80\n" },
        { "http-0 a 1.1.1.1 2 0 50 6 3 80\n", "", "set server http-0/a weight 100\n" },
        { UP_A, "http-0,a,0,0,3,0,0,0\n", "set maxconn server http-0/a 4\n" },
        { UP_A, "http-0,a,0,0,,0,0,0\n", "set maxconn server http-0/a 4\n" },
        { "http-0 a 1.1.1.1 2 8 100 6 3 80\n", "", "set server http-0/a state ready\n" },
        { "http-0 a 1.1.1.1 0 1 100 6 3 80\n", "", "set server http-0/a state ready\n" },
        { "http-0 a 1.1.1.1 2 0 100 2 3 80\n", "", "enable health http-0/a\n" },
        { "http-0 a 1.1.1.1 0 0 100 6 0 80\n", "", "" }, /* down: its check decides */
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        hold(*state, "a=1.1.1.1:80");
        assert_changes(*state, world_look(ROUTED, cases[i].state, cases[i].stat), cases[i].command);
    }
    hold(*state, "a=1.1.1.1:80/drain");
    assert_changes(*state, world_look(ROUTED, UP_A, ""), "set server http-0/a state drain\n");
    assert_changes(*state, world_look("chat http-1\n", "http-0 /x\n", UP_A, ""),
                   "set map /p http-0 /h;set server http-0/a state drain;"
                   "set map /m chat http-0\n");
}

static void the_unwanted_end_when_they_are_empty(void **state)
{
    hold(*state, "a=1.1.1.1:80");
    assert_changes(*state, world_look(ROUTED, UP_A UP_B, "http-0,b,0,1,4,9,0,0\n"),
                   "set server http-0/b state maint\n");
    assert_changes(*state, world_look(ROUTED, UP_A UP_B, "http-0,b,1,0,4,9,0,0\n"),
                   "set server http-0/b state maint\n");
    assert_changes(*state, world_look(ROUTED, UP_A UP_B, ""), /* not counted */
                   "set server http-0/b state maint\n");
    assert_changes(*state, world_look(ROUTED, UP_A UP_B, "http-0,b,0,0,4,9,0,0\n"),
                   "set server http-0/b state maint;del server http-0/b\n");
    assert_changes(
        *state,
        world_look(ROUTED, UP_A "http-0 b 1.1.1.2 0 1 100 6 3 80\n", "http-0,b,0,0,4,9,0,0\n"),
        "del server http-0/b\n");
}

static void before_all_were_named_nothing_is_taken_away(void **state)
{
    struct door_wants *w = door_wants_new(2);
    char routes[] = "chat http-0\nembed http-1\n";

    (void)state;
    door_wants_read_routes(w, routes);
    (void)world_want(w, "chat", "/h", 4, "a=1.1.1.1:80", NULL);
    assert_changes(w,
                   world_look("chat http-0\nembed http-1\nother tcp-0\n", "http-0 /h\nhttp-1 /h\n",
                              UP_A "http-1 x 1.1.1.1 2 0 100 6 3 80\n"
                                   "tcp-0 y 1.1.1.1 2 0 100 6 3 80\n",
                              "http-1,x,0,0,4,9,0,0\ntcp-0,y,0,0,4,9,0,0\n"),
                   "");
    door_wants_free(w);
}

static void a_slot_without_a_holder_is_emptied_behind_its_last_request(void **state)
{
    struct door_wants *w = *state;
    const char *x = "http-1 x 1.1.1.1 2 0 100 6 3 80\n", *gone = "http-1,x,0,0,4,9,0,0\n";

    hold(w, "");
    assert_changes(w, world_look("chat http-0\nold http-1\n", "http-0 /h\nhttp-1 /h\n", x, gone),
                   "del map /m old\n");
    assert_changes(w,
                   world_look("chat http-0\n", "http-0 /h\nhttp-1 /h\n", x,
                              "http-1,x,0,0,4,9,0,0\nhttp-1,BACKEND,0,1,1,9,0,0\n"),
                   ""); /* it waits for a server: the last chance is here */
    assert_changes(w, world_look("chat http-0\n", "http-0 /h\nhttp-1 /h\n", x, gone),
                   "set server http-1/x state maint;del server http-1/x\n");
    assert_changes(w, world_look("chat http-0\n", "http-0 /h\nhttp-1 /h\n", "", ""),
                   "del map /p http-1\n");
}

static void names_of_others_do_no_harm(void **state)
{
    hold(*state, "");
    assert_changes(*state, world_look("chat http-0\na;shutdown http-1\n", "http-0 /h\n", "", ""),
                   "");
    assert_changes(*state, world_look("chat http-0\na\\ http-1\n", "http-0 /h\n", "", ""), "");
}

static void long_scripts_are_cut_into_lines(void **state)
{
    struct door_wants *w = *state;
    AUTO(strbuf) struct strbuf states = STRBUF_INIT, out = STRBUF_INIT;
    size_t commands = 0, lines = 0;
    struct haproxy_view *v;

    hold(w, "");
    for (int i = 0; i < 1000; i++)
        strbuf_printf(&states, "http-0 s%d 1.1.1.1 2 0 100 6 3 80\n", i);
    v = world_look(ROUTED, strbuf_text(&states), "");
    door_changes(w, v, "/m", "/p", &out);
    for (const char *p = strbuf_text(&out); *p;) {
        size_t n = strcspn(p, "\n");

        assert_true(n > 0 && n <= HAPROXY_LINE_MAX && p[n] == '\n');
        for (size_t i = 0; i < n; i++)
            commands += p[i] == ';';
        commands++;
        lines++;
        p += n + 1;
    }
    assert_int_equal(commands, 1000);
    assert_true(lines > 3);
    haproxy_view_free(v);
}

static void complaints(void **state)
{
    (void)state;
    assert_false(door_changes_complaint(""));
    assert_false(door_changes_complaint("New server registered."));
    assert_false(door_changes_complaint("Server still has connections attached to it, cannot "
                                        "remove it."));
    assert_true(door_changes_complaint("No such server."));
    assert_true(door_changes_complaint("Already exists a server with the same name in backend."));
}

/* --- facts --------------------------------------------------------------------------------------
 */

static struct door_report facts_of(struct door_wants *w, const struct haproxy_view *v, bool unseen)
{
    struct door_report r;

    door_facts_build(w, v, unseen, 3, 0, &r);
    assert_true(r.facts.reachable);
    assert_int_equal(r.facts.epoch, 3);
    return r;
}

static void states_of_servers(void **state)
{
    static const struct {
        const char *op_admin_health;
        enum door_state expected;
    } cases[] = {
        { "2 0 100 6 3", DOOR_READY }, { "1 0 100 6 3", DOOR_READY },
        { "2 0 100 6 0", DOOR_DOWN }, /* believed up, never checked */
        { "0 0 100 6 0", DOOR_DOWN },  { "0 8 100 6 0", DOOR_DOWN },
        { "2 8 100 6 3", DOOR_DRAIN }, { "2 8 100 6 0", DOOR_DRAIN },
        { "0 1 100 6 3", DOOR_DRAIN }, /* maintenance: not deleted yet */
        { "3 0 100 6 3", DOOR_DOWN },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(haproxy_view) struct haproxy_view *v = NULL;
        struct door_report r;
        char row[64];

        snprintf(row, sizeof(row), "http-0 a 1.1.1.1 %s 80\n", cases[i].op_admin_health);
        v = world_look(ROUTED, row, "http-0,a,2,3,4,9,0,0\n");
        r = facts_of(*state, v, false);
        assert_int_equal(r.facts.n_servers, 1);
        assert_int_equal(r.servers[0].state, cases[i].expected);
        assert_true(r.servers[0].in_flight == 5);
        door_report_done(&r);
    }
}

static void what_is_not_known_is_no_number(void **state)
{
    AUTO(haproxy_view)
    struct haproxy_view *v =
        world_look(ROUTED, UP_A "http-0 b 1.1.1.1 2 8 100 6 3 80\n", "http-0,b,0,0,4,9,0,0\n");
    struct door_report r = facts_of(*state, v, false);

    assert_true(isnan(r.servers[0].in_flight)); /* not counted by this look */
    assert_true(r.servers[1].in_flight == 0);
    door_report_done(&r);
    r = facts_of(*state, v, true); /* an old process may have some */
    assert_true(isnan(r.servers[1].in_flight));
    door_report_done(&r);
}

static void a_replica_in_two_slots_is_one_fact(void **state)
{
    AUTO(haproxy_view)
    struct haproxy_view *v = world_look(ROUTED, UP_A "tcp-1 a 1.1.1.1 0 1 100 6 3 80\n",
                                        "http-0,a,0,1,4,9,0,0\ntcp-1,a,0,2,4,9,0,0\n");
    struct door_report r = facts_of(*state, v, false);

    assert_int_equal(r.facts.n_servers, 1);
    assert_int_equal(r.servers[0].state, DOOR_READY);
    assert_true(r.servers[0].in_flight == 3);
    door_report_done(&r);
}

static bool count(struct door_wants *w, const char *stat, bool restarted)
{
    AUTO(haproxy_view) struct haproxy_view *v = world_look(ROUTED, UP_A, stat);

    return door_facts_count(w, v, restarted);
}

static void counters_are_sums_of_differences(void **state)
{
    struct door_wants *w = *state;
    const struct door_wanted *m;

    hold(w, "a=1.1.1.1:80");
    m = door_wants_model(w, "chat");
    assert_false(count(w, "http-0,BACKEND,0,0,1,100,7,1\n", false)); /* what was there before us */
    assert_int_equal(m->requests, 0);
    assert_false(count(w, "http-0,BACKEND,0,0,1,110,9,2\n", false));
    assert_int_equal(m->requests, 10);
    assert_int_equal(m->errors, 3);
    assert_true(count(w, "http-0,BACKEND,0,0,1,5,0,0\n", true)); /* restarted: a hole, no guess */
    assert_int_equal(m->requests, 10);
    assert_false(count(w, "http-0,BACKEND,0,0,1,6,0,0\n", false));
    assert_int_equal(m->requests, 11);
    assert_true(count(w, "http-0,BACKEND,0,0,1,2,0,0\n", false)); /* somebody cleared them */
    assert_false(count(w, "http-0,BACKEND,0,0,1,3,0,0\n", false));
    assert_int_equal(m->requests, 12);
}

static void models_are_told_with_queue_and_latency(void **state)
{
    struct door_wants *w = *state;
    const char *stat = "http-0,a,0,3,4,9,0,0\nhttp-0,BACKEND,0,5,1,9,0,0\n";
    AUTO(haproxy_view) struct haproxy_view *v = world_look(ROUTED, UP_A, stat);
    struct door_report r = facts_of(w, v, false);

    assert_int_equal(r.facts.n_models, 0); /* not named yet */
    door_report_done(&r);
    hold(w, "a=1.1.1.1:80");
    for (int i = 1; i <= 10; i++)
        latency_window_add(&door_wants_model(w, "chat")->latency, 0, i);
    (void)door_facts_count(w, v, false);
    r = facts_of(w, v, false);
    assert_int_equal(r.facts.n_models, 1);
    assert_string_equal(r.models[0].model, "chat");
    assert_true(r.models[0].queue == 2);
    assert_true(r.models[0].latency_ms == 9);
    assert_true(r.models[0].latency_least_ms == 8); /* .9 - 1.645 sqrt(.9 .1 / 10) = .744 */
    door_report_done(&r);
}

static void a_model_takes_its_counters_along(void **state)
{
    struct door_wants *w = *state;
    const char *stat = "http-0,BACKEND,0,0,1,9,0,0\ntcp-0,BACKEND,0,0,1,500,0,0\n";
    AUTO(haproxy_view) struct haproxy_view *v = world_look(ROUTED, UP_A, stat);
    bool changed;

    hold(w, "a=1.1.1.1:80");
    (void)count(w, "http-0,BACKEND,0,0,1,2,0,0\n", false);
    (void)world_want(w, "chat", NULL, 4, "a=1.1.1.1:80", NULL);
    (void)door_facts_count(w, v, false);
    assert_int_equal(door_wants_give_slots(w, v, &changed, NULL), 0);
    (void)door_facts_count(w, v, false);
    assert_string_equal(door_wants_model(w, "chat")->slot, "tcp-0");
    assert_int_equal(door_wants_model(w, "chat")->requests, 7);
}

/* --- endpoints ----------------------------------------------------------------------------------
 */

static void endpoints(void **state)
{
    struct door_wants *w = *state;
    AUTO(haproxy_view)
    struct haproxy_view *v = world_look(ROUTED, "http-0 a 1.1.1.1 0 0 100 6 0 80\n", "");
    AUTO(mem) char *with = NULL, *without = NULL;
    json_t *found;

    hold(w, "b=[::1]:81/drain a=1.1.1.1:80");
    with = endpoints_file_text(w, v);
    without = endpoints_file_text(w, NULL);
    found = json_loads(with, 0, NULL);
    assert_non_null(found);
    json_decref(found);
    assert_non_null(strstr(with, "\"state\": \"down\""));
    assert_null(strstr(without, "\"state\": \"down\""));
    assert_non_null(strstr(without, "\"address\": \"[::1]:81\""));
    assert_true(strstr(without, "\"uid\": \"a\"") < strstr(without, "\"uid\": \"b\""));
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(nothing_to_do),
        WITH(the_route_comes_last),
        WITH(each_difference_is_one_command),
        WITH(the_unwanted_end_when_they_are_empty),
        WITH(before_all_were_named_nothing_is_taken_away),
        WITH(a_slot_without_a_holder_is_emptied_behind_its_last_request),
        WITH(names_of_others_do_no_harm),
        WITH(long_scripts_are_cut_into_lines),
        WITH(complaints),
        WITH(states_of_servers),
        WITH(what_is_not_known_is_no_number),
        WITH(a_replica_in_two_slots_is_one_fact),
        WITH(counters_are_sums_of_differences),
        WITH(models_are_told_with_queue_and_latency),
        WITH(a_model_takes_its_counters_along),
        WITH(endpoints),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
