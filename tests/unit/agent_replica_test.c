/* The agent's core: the life of one replica, from its start to its end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>

#include "agent/sensor/metrics.h"
#include "tests/unit/agent_rig.h"

static void test_starts_and_becomes_ready(void **state)
{
    struct wire_desired d = rig_replica("m-1");
    struct rig r;

    (void)state;
    rig_start(&r);
    rig_want(&r, &d, 1);
    rig_want(&r, &d, 1); /* said again: not started twice */
    assert_int_equal(rig_count(&r, AX_START), 1);
    assert_string_equal(agent_desired(r.agent, "m-1")->runtime, "r");
    rig_started(&r, "m-1");
    assert_int_equal(rig_count(&r, AX_PROBE), 1);
    assert_int_equal(rig_phase(&r, "m-1"), REPLICA_STARTING);
    rig_probed(&r, "m-1", false);
    rig_run(&r, 600);
    assert_int_equal(rig_count(&r, AX_PROBE), 2); /* eagerly, every half second */
    rig_run(&r, 5000);
    rig_probed(&r, "m-1", true);
    assert_int_equal(rig_phase(&r, "m-1"), REPLICA_READY);
    assert_in_range(rig_told(&r, "m-1")->load_ms, 5000, 20000);
    assert_int_equal(rig_told(&r, "m-1")->pid, 4242);
    rig_end(&r);
}

static void test_one_missed_probe_is_forgiven(void **state)
{
    struct wire_desired d = rig_replica("m-1");
    struct rig r;

    (void)state;
    rig_running(&r, &d);
    r.ready_at_once = false;
    rig_run(&r, 1000);
    rig_probed(&r, "m-1", false);
    assert_int_equal(rig_phase(&r, "m-1"), REPLICA_READY);
    rig_run(&r, 1000);
    rig_probed(&r, "m-1", false);
    assert_int_equal(rig_phase(&r, "m-1"), REPLICA_UNREADY);
    assert_string_equal(rig_told(&r, "m-1")->reason, "HTTP 503");
    rig_run(&r, 1000);
    rig_probed(&r, "m-1", true);
    assert_int_equal(rig_phase(&r, "m-1"), REPLICA_READY);
    rig_end(&r);
}

static void test_drains_until_nothing_is_in_flight(void **state)
{
    struct wire_desired d = rig_replica("m-1");
    struct metrics page = { .requests_known = true, .in_flight_known = true, .in_flight = 2 };
    struct rig r;

    (void)state;
    rig_running(&r, &d);
    r.page = &page;
    r.scrapes = 0;
    rig_want(&r, NULL, 0);
    rig_run(&r, 1000);
    assert_true(r.scrapes >= 3); /* it looks often */
    assert_int_equal(rig_count(&r, AX_SIGNAL), 0);
    page.in_flight = 0;
    rig_run(&r, 300);
    assert_int_equal(rig_count(&r, AX_SIGNAL), 1);
    assert_int_equal(rig_last(&r, AX_SIGNAL)->signal, SIGTERM);
    assert_int_equal(rig_phase(&r, "m-1"), REPLICA_DRAINING);
    rig_exited(&r, "m-1", "exited with code 0", "");
    assert_int_equal(rig_phase(&r, "m-1"), REPLICA_EXITED);
    rig_send_failed(&r, "lost", 0);
    rig_await_report(&r);
    assert_int_equal(rig_told(&r, "m-1")->phase, REPLICA_EXITED); /* until somebody knows */
    rig_agree(&r);
    assert_int_equal(rig_count(&r, AX_FORGET), 1);
    rig_await_report(&r);
    assert_null(rig_told(&r, "m-1"));
    assert_null(agent_desired(r.agent, "m-1"));
    rig_end(&r);
}

static void test_drain_waits_where_nothing_is_known(void **state)
{
    struct wire_desired d = rig_replica("m-1");
    struct rig r;

    (void)state;
    d.metrics_path = "";
    rig_running(&r, &d);
    rig_want(&r, NULL, 0);
    rig_run(&r, 9900);
    assert_int_equal(rig_count(&r, AX_SIGNAL), 0); /* absent is not zero */
    rig_run(&r, 200);
    assert_int_equal(rig_last(&r, AX_SIGNAL)->signal, SIGTERM);
    rig_run(&r, 2800);
    assert_int_equal(rig_count(&r, AX_SIGNAL), 1);
    rig_run(&r, 200);
    assert_int_equal(rig_last(&r, AX_SIGNAL)->signal, SIGKILL); /* grace is over */
    rig_end(&r);
}

static void test_drain_ends_when_no_connection_is_left(void **state)
{
    struct wire_desired d = rig_replica("m-1"); /* drain: 10 s */
    struct rig r;

    (void)state;
    d.metrics_path = "";
    rig_running(&r, &d);
    r.countable = true;
    r.connections = 1;
    rig_run(&r, 3000);
    assert_int_equal(r.counts, 0); /* only while it drains */
    rig_want(&r, NULL, 0);
    rig_run(&r, 1000);
    assert_in_range(r.counts, 3, 5);
    r.connections = 0;
    rig_run(&r, 1500);
    r.connections = 1; /* the quiet was none */
    rig_run(&r, 1500);
    r.connections = 0;
    rig_run(&r, 1900);
    assert_int_equal(rig_count(&r, AX_SIGNAL), 0);
    rig_run(&r, 600);
    assert_int_equal(rig_last(&r, AX_SIGNAL)->signal, SIGTERM); /* after 6.5 s, and not 10 */
    rig_end(&r);
}

/* Beside a page that tells what is in flight, connections say nothing: one may be half closed. */
static void test_drain_believes_the_page_before_connections(void **state)
{
    struct wire_desired d = rig_replica("m-1");
    struct metrics page = { .requests_known = true, .in_flight_known = true, .in_flight = 1 };
    struct rig r;

    (void)state;
    rig_running(&r, &d);
    r.page = &page;
    r.countable = true;
    rig_want(&r, NULL, 0);
    rig_run(&r, 9000);
    assert_int_equal(rig_count(&r, AX_SIGNAL), 0);
    page.in_flight_known = false; /* now it does not tell */
    rig_run(&r, 900);
    assert_int_equal(rig_count(&r, AX_SIGNAL), 0);
    rig_run(&r, 200); /* the drain time */
    assert_int_equal(rig_count(&r, AX_SIGNAL), 1);
    rig_end(&r);
}

static void test_page_from_before_the_drain_says_nothing(void **state)
{
    struct wire_desired d = rig_replica("m-1");
    struct metrics page = { .requests_known = true, .in_flight_known = true, .in_flight = 0 };
    struct rig r;

    (void)state;
    rig_running(&r, &d);
    r.page = &page;
    for (int i = 0; i < 50 && r.scrapes == 0; i++) {
        if (r.asked)
            rig_agree(&r);
        rig_run(&r, 100);
    }
    assert_int_equal(r.scrapes, 1);
    r.page = NULL; /* from now on there is none */
    rig_want(&r, NULL, 0);
    rig_run(&r, 9000);
    assert_int_equal(rig_count(&r, AX_SIGNAL), 0);
    rig_end(&r);
}

static void test_taken_back_while_draining(void **state)
{
    struct wire_desired d = rig_replica("m-1");
    struct rig r;

    (void)state;
    rig_running(&r, &d);
    rig_want(&r, NULL, 0);
    rig_run(&r, 1000);
    rig_want(&r, &d, 1);
    rig_run(&r, 30000);
    assert_int_equal(rig_count(&r, AX_SIGNAL), 0);
    assert_int_equal(rig_phase(&r, "m-1"), REPLICA_READY);
    rig_end(&r);
}

static void test_wanted_again_after_sigterm(void **state)
{
    struct wire_desired d = rig_replica("m-1");
    struct rig r;

    (void)state;
    d.drain_ms = 0;
    rig_running(&r, &d);
    rig_want(&r, NULL, 0);
    assert_int_equal(rig_count(&r, AX_SIGNAL), 1);
    rig_want(&r, &d, 1);
    assert_int_equal(rig_count(&r, AX_START), 0); /* not beside the old one */
    rig_exited(&r, "m-1", "exited with code 0", "");
    rig_run(&r, 100);
    assert_int_equal(rig_count(&r, AX_START), 1);
    rig_end(&r);
}

static void test_never_ready_is_not_drained(void **state)
{
    struct wire_desired d = rig_replica("m-1");
    struct rig r;

    (void)state;
    rig_start(&r);
    rig_want(&r, &d, 1);
    rig_started(&r, "m-1");
    rig_want(&r, NULL, 0);
    assert_int_equal(rig_last(&r, AX_SIGNAL)->signal, SIGTERM);
    rig_end(&r);
}

static void test_crash_is_started_again(void **state)
{
    struct wire_desired d = rig_replica("m-1");
    struct rig r;

    (void)state;
    rig_running(&r, &d);
    rig_exited(&r, "m-1", "killed by SIGSEGV", "oh no");
    assert_int_equal(rig_phase(&r, "m-1"), REPLICA_BACKOFF);
    assert_string_equal(rig_told(&r, "m-1")->reason, "killed by SIGSEGV; its last words: oh no");
    assert_int_equal(rig_told(&r, "m-1")->restarts, 1);
    rig_run(&r, 2000);
    assert_int_equal(rig_count(&r, AX_START), 1);
    for (int i = 0; i < 10; i++) { /* ever more slowly, but for ever: it has worked once */
        rig_started(&r, "m-1");
        rig_run(&r, 100);
        rig_exited(&r, "m-1", "killed by SIGSEGV", "");
        rig_run(&r, 70000);
    }
    assert_int_equal(rig_count(&r, AX_START), 11);
    rig_end(&r);
}

static void test_never_ready_is_given_up(void **state)
{
    struct wire_desired d = rig_replica("m-1");
    struct rig r;

    (void)state;
    rig_start(&r);
    rig_want(&r, &d, 1);
    for (int i = 0; i < 20; i++) {
        rig_started(&r, "m-1");
        rig_exited(&r, "m-1", "exited with code 1", "cannot read /srv/models/x: no such file");
        rig_run(&r, 70000);
    }
    assert_int_equal(rig_count(&r, AX_START), 5);
    assert_int_equal(rig_phase(&r, "m-1"), REPLICA_FAILED);
    assert_non_null(strstr(rig_told(&r, "m-1")->reason, "no such file"));
    rig_want(&r, NULL, 0);
    assert_int_equal(rig_phase(&r, "m-1"), REPLICA_EXITED);
    rig_end(&r);
}

static void test_start_up_takes_too_long(void **state)
{
    struct wire_desired d = rig_replica("m-1");
    struct rig r;

    (void)state;
    rig_start(&r);
    rig_want(&r, &d, 1);
    rig_started(&r, "m-1");
    rig_probed(&r, "m-1", false);
    rig_run(&r, 19000);
    assert_int_equal(rig_count(&r, AX_SIGNAL), 0);
    rig_run(&r, 2000);
    assert_int_equal(rig_last(&r, AX_SIGNAL)->signal, SIGTERM);
    rig_exited(&r, "m-1", "killed by SIGTERM", "loading 3 of 9");
    assert_int_equal(rig_phase(&r, "m-1"), REPLICA_FAILED);
    assert_non_null(strstr(rig_told(&r, "m-1")->reason, "not ready within 20000 ms: HTTP 503"));
    assert_false(rig_told(&r, "m-1")->port_taken);
    assert_non_null(strstr(rig_told(&r, "m-1")->reason, "loading 3 of 9"));
    rig_run(&r, 100000);
    assert_int_equal(rig_count(&r, AX_START), 1);
    rig_end(&r);
}

/* It has served, and now hangs: as long as it may take to start, and it is started anew. */
static void test_hanging_is_started_anew(void **state)
{
    struct wire_desired d = rig_replica("m-1"); /* startup: 20 s */
    struct rig r;

    (void)state;
    d.metrics_path = "";
    rig_running(&r, &d);
    r.ready_at_once = false;
    for (int i = 0; i < 22; i++) {
        rig_run(&r, 1000);
        if (rig_count(&r, AX_SIGNAL) == 0)
            rig_probed(&r, "m-1", false); /* the second makes it unready */
    }
    assert_int_equal(rig_count(&r, AX_SIGNAL), 1);
    assert_int_equal(rig_last(&r, AX_SIGNAL)->signal, SIGTERM);
    assert_int_equal(rig_phase(&r, "m-1"), REPLICA_BACKOFF); /* no request may be sent to it */
    assert_string_equal(rig_told(&r, "m-1")->reason, "not ready for 20000 ms: HTTP 503");
    rig_run(&r, 3100);
    assert_int_equal(rig_last(&r, AX_SIGNAL)->signal, SIGKILL); /* it does not hear */
    rig_forget_seen(&r);
    rig_exited(&r, "m-1", "killed by signal 9 (SIGKILL)", "");
    assert_int_equal(rig_phase(&r, "m-1"), REPLICA_BACKOFF);
    assert_non_null(strstr(rig_told(&r, "m-1")->reason, "HTTP 503; then killed by signal 9"));
    assert_int_equal(rig_told(&r, "m-1")->restarts, 1);
    rig_run(&r, 1100);
    assert_int_equal(rig_count(&r, AX_START), 1);
    rig_end(&r);
}

static void test_unready_but_at_work_is_left_alone(void **state)
{
    struct wire_desired d = rig_replica("m-1");
    struct metrics page = { .requests_known = true, .requests = 10 };
    struct rig r;

    (void)state;
    rig_running(&r, &d);
    r.page = &page;
    r.ready_at_once = false;
    for (int i = 0; i < 60; i++) { /* overloaded: too slow for its probes */
        rig_run(&r, 1000);
        rig_probed(&r, "m-1", false);
        page.requests++;
        if (r.asked)
            rig_agree(&r);
    }
    assert_int_equal(rig_count(&r, AX_SIGNAL), 0);
    assert_int_equal(rig_phase(&r, "m-1"), REPLICA_UNREADY);
    for (int i = 0; i < 30; i++) { /* and now it answers nobody */
        rig_run(&r, 1000);
        if (rig_count(&r, AX_SIGNAL) == 0)
            rig_probed(&r, "m-1", false);
        if (r.asked)
            rig_agree(&r);
    }
    assert_int_not_equal(rig_count(&r, AX_SIGNAL), 0);
    rig_end(&r);
}

static void test_renewed_but_not_wanted_any_more(void **state)
{
    struct wire_desired d = rig_replica("m-1");
    struct rig r;

    (void)state;
    rig_running(&r, &d);
    r.ready_at_once = false;
    for (int i = 0; i < 22; i++) {
        rig_run(&r, 1000);
        if (rig_count(&r, AX_SIGNAL) == 0)
            rig_probed(&r, "m-1", false);
    }
    assert_int_equal(rig_count(&r, AX_SIGNAL), 1);
    rig_want(&r, NULL, 0);
    rig_exited(&r, "m-1", "exited with code 0", "");
    assert_int_equal(rig_phase(&r, "m-1"), REPLICA_EXITED);
    rig_run(&r, 5000);
    assert_int_equal(rig_count(&r, AX_START), 0);
    rig_end(&r);
}

/* A stranger took the port while the replica loaded: with another one it may become ready. */
static void test_stranger_answers_the_probe(void **state)
{
    struct wire_desired d = rig_replica("m-1");
    struct agent_event event = { .kind = AE_PROBE, .uid = "m-1" };
    struct rig r;

    (void)state;
    rig_start(&r);
    rig_want(&r, &d, 1);
    rig_started(&r, "m-1");
    event.probe.why = "port 9000 is taken";
    event.probe.port_taken = true;
    rig_step(&r, &event);
    rig_run(&r, 21000);
    rig_exited(&r, "m-1", "killed by SIGTERM", "");
    assert_int_equal(rig_phase(&r, "m-1"), REPLICA_FAILED);
    assert_true(rig_told(&r, "m-1")->port_taken);
    rig_end(&r);
}

static void test_cannot_be_started(void **state)
{
    struct wire_desired d = rig_replica("m-1");
    struct agent_event event = { .kind = AE_START_FAILED, .uid = "m-1" };
    struct rig r;

    (void)state;
    rig_start(&r);
    rig_want(&r, &d, 1);
    event.start_failed.port_taken = true;
    event.start_failed.why = "runtime \"r\" is unknown\x01\xff";
    rig_step(&r, &event);
    assert_int_equal(rig_phase(&r, "m-1"), REPLICA_FAILED);
    assert_string_equal(rig_told(&r, "m-1")->reason, "runtime \"r\" is unknown ?");
    assert_true(rig_told(&r, "m-1")->port_taken); /* as its hands said */
    rig_end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_starts_and_becomes_ready),
        cmocka_unit_test(test_one_missed_probe_is_forgiven),
        cmocka_unit_test(test_drains_until_nothing_is_in_flight),
        cmocka_unit_test(test_drain_waits_where_nothing_is_known),
        cmocka_unit_test(test_drain_ends_when_no_connection_is_left),
        cmocka_unit_test(test_drain_believes_the_page_before_connections),
        cmocka_unit_test(test_page_from_before_the_drain_says_nothing),
        cmocka_unit_test(test_taken_back_while_draining),
        cmocka_unit_test(test_wanted_again_after_sigterm),
        cmocka_unit_test(test_never_ready_is_not_drained),
        cmocka_unit_test(test_crash_is_started_again),
        cmocka_unit_test(test_never_ready_is_given_up),
        cmocka_unit_test(test_stranger_answers_the_probe),
        cmocka_unit_test(test_start_up_takes_too_long),
        cmocka_unit_test(test_hanging_is_started_anew),
        cmocka_unit_test(test_unready_but_at_work_is_left_alone),
        cmocka_unit_test(test_renewed_but_not_wanted_any_more),
        cmocka_unit_test(test_cannot_be_started),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
