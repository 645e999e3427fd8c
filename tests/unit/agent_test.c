/* The agent's core: reports and replies, and the life of replicas. The two keys have a test of
 * their own (agent_sleep_test.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>

#include "agent/sensor/metrics.h"
#include "tests/unit/agent_rig.h"

static void failed(struct rig *r, const char *why, int64_t retry_after_ms)
{
    struct agent_event event = { .kind = AE_SEND_FAILED };

    event.send_failed.why = why;
    event.send_failed.retry_after_ms = retry_after_ms;
    r->asked = false;
    rig_step(r, &event);
}

/* --- reports ---------------------------------------------------------------------------------- */

static void test_first_report(void **state)
{
    struct rig r;

    (void)state;
    rig_start(&r);
    assert_true(r.asked); /* at once */
    assert_string_equal(r.report->node, "n1");
    assert_string_equal(r.report->boot_id, "boot-1");
    assert_int_equal(r.report->sequence, 1);
    assert_int_not_equal(r.report->epoch, 0);
    assert_non_null(r.report->inventory);
    assert_string_equal(r.report->features[0], "two_key");
    assert_int_equal(r.report->energy_measured_uj, 0);
    rig_end(&r);
}

static void test_counters_and_interval(void **state)
{
    int64_t before_ms;
    struct rig r;

    (void)state;
    rig_start(&r);
    rig_agree(&r);
    before_ms = r.now_ms;
    rig_await_report(&r);
    assert_int_equal(r.now_ms - before_ms, 5000);
    assert_int_equal(r.report->sequence, 2);
    assert_null(r.report->inventory); /* acknowledged */
    assert_int_equal(r.report->energy_measured_uj, 5000 * 50 * 1000);
    assert_int_equal(r.report->energy_unattributed_uj, 5000 * 50 * 1000);
    assert_int_equal(r.report->zones[0].energy_uj, 5000 * 50 * 1000);
    rig_run(&r, 60000); /* the reply is late: only one report is under way */
    assert_int_equal(r.report->sequence, 2);
    rig_agree(&r);
    rig_await_report(&r);
    assert_int_equal(r.report->energy_measured_uj, (uint64_t)(r.now_ms - before_ms) * 50 * 1000);
    rig_end(&r);
}

static void test_inventory_until_acknowledged(void **state)
{
    struct wire_reply reply;
    struct rig r;

    (void)state;
    rig_start(&r);
    failed(&r, "connection refused", 0);
    rig_await_report(&r);
    assert_non_null(r.report->inventory);
    rig_agree(&r);
    rig_await_report(&r);
    assert_null(r.report->inventory);
    reply = rig_reply(&r);
    reply.send_inventory = true;
    rig_answer(&r, &reply);
    rig_await_report(&r);
    assert_non_null(r.report->inventory);
    assert_int_equal(r.report->inventory->cpu_milli, 4000);
    rig_end(&r);
}

static void test_new_epoch(void **state)
{
    struct wire_reply reply;
    uint64_t epoch;
    struct rig r;

    (void)state;
    rig_start(&r);
    rig_agree(&r);
    rig_await_report(&r);
    epoch = r.report->epoch;
    reply = rig_reply(&r);
    reply.new_epoch = true;
    rig_answer(&r, &reply);
    rig_await_report(&r);
    assert_int_not_equal(r.report->epoch, epoch);
    assert_int_equal(r.report->sequence, 1);
    assert_true(r.report->energy_measured_uj < 1000 * 50 * 1000);
    assert_non_null(r.report->inventory);
    rig_end(&r);
}

static void test_backs_off(void **state)
{
    struct wire_reply reply;
    int64_t before_ms, longest_ms = 0, first_ms = 0;
    struct rig r;

    (void)state;
    rig_start(&r);
    reply = rig_reply(&r);
    reply.fleet_size = 10000;
    rig_answer(&r, &reply);
    for (int i = 0; i < 30; i++) {
        rig_await_report(&r);
        before_ms = r.now_ms;
        failed(&r, "no route to host", 0);
        for (int k = 0; k < 1000 && !r.asked; k++)
            rig_run(&r, 1000);
        if (i == 0)
            first_ms = r.now_ms - before_ms;
        longest_ms = r.now_ms - before_ms > longest_ms ? r.now_ms - before_ms : longest_ms;
    }
    assert_true(first_ms <= 20001);  /* 10,000 agents at 500 a second */
    assert_true(longest_ms > 20000); /* further apart while it stays away */
    assert_true(longest_ms <= 200001);
    failed(&r, "HTTP 503", 400000); /* it said itself when to come again */
    before_ms = r.now_ms;
    for (int k = 0; k < 1000 && !r.asked; k++)
        rig_run(&r, 1000);
    assert_in_range(r.now_ms - before_ms, 400000, 401000);
    rig_agree(&r);
    before_ms = r.now_ms;
    rig_await_report(&r);
    assert_int_equal(r.now_ms - before_ms, 5000);
    assert_true(r.report->energy_measured_uj > 0);
    rig_end(&r);
}

static void test_reply_to_another_report_is_a_failure(void **state)
{
    struct wire_desired d = rig_replica("m-1");
    struct wire_reply reply;
    struct rig r;

    (void)state;
    rig_start(&r);
    reply = rig_reply(&r);
    reply.sequence = 17;
    reply.replicas = &d;
    reply.n_replicas = 1;
    rig_answer(&r, &reply);
    assert_int_equal(rig_count(&r, AX_START), 0);
    rig_await_report(&r); /* it goes on */
    rig_end(&r);
}

/* --- replicas --------------------------------------------------------------------------------- */

static void running(struct rig *r, struct wire_desired *d)
{
    rig_start(r);
    r->ready_at_once = true;
    rig_want(r, d, 1);
    assert_int_equal(rig_count(r, AX_START), 1);
    assert_string_equal(rig_last(r, AX_START)->uid, d->uid);
    rig_started(r, d->uid);
    rig_run(r, 1000);
    assert_int_equal(rig_phase(r, d->uid), REPLICA_READY);
    rig_forget_seen(r);
}

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
    running(&r, &d);
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
    running(&r, &d);
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
    failed(&r, "lost", 0);
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
    running(&r, &d);
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

static void test_page_from_before_the_drain_says_nothing(void **state)
{
    struct wire_desired d = rig_replica("m-1");
    struct metrics page = { .requests_known = true, .in_flight_known = true, .in_flight = 0 };
    struct rig r;

    (void)state;
    running(&r, &d);
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
    running(&r, &d);
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
    running(&r, &d);
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
    running(&r, &d);
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
    assert_non_null(strstr(rig_told(&r, "m-1")->reason, "loading 3 of 9"));
    rig_run(&r, 100000);
    assert_int_equal(rig_count(&r, AX_START), 1);
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
    event.start_failed.why = "runtime \"r\" is unknown\x01\xff";
    rig_step(&r, &event);
    assert_int_equal(rig_phase(&r, "m-1"), REPLICA_FAILED);
    assert_string_equal(rig_told(&r, "m-1")->reason, "runtime \"r\" is unknown ?");
    rig_end(&r);
}

/* --- failing static, and restarts ------------------------------------------------------------- */

static void test_absent_desired_state_changes_nothing(void **state)
{
    struct wire_desired d = rig_replica("m-1");
    struct rig r;

    (void)state;
    running(&r, &d);
    rig_agree(&r); /* desired_present is false */
    for (int i = 0; i < 20; i++) {
        rig_await_report(&r);
        failed(&r, "gone", 0);
    }
    rig_run(&r, 3600000);
    assert_int_equal(rig_count(&r, AX_SIGNAL), 0);
    rig_exited(&r, "m-1", "killed by SIGSEGV", ""); /* it is looked after all the same */
    rig_run(&r, 5000);
    assert_int_equal(rig_count(&r, AX_START), 1);
    rig_end(&r);
}

static void adopt(struct rig *r, const struct wire_desired *d)
{
    struct agent_event event = { .kind = AE_ADOPTED };

    event.adopted.desired = d;
    event.adopted.pid = 99;
    event.adopted.started_ms = r->now_ms - 60000;
    rig_step(r, &event);
}

static void test_adopted_after_a_restart(void **state)
{
    struct wire_desired d[2] = { rig_replica("m-1"), rig_replica("m-2") };
    struct rig r;

    (void)state;
    running(&r, d);
    rig_want(&r, d, 2);
    rig_started(&r, "m-2");
    rig_run(&r, 1000);
    r.ready_at_once = false;
    rig_forget_seen(&r);
    rig_new(&r, "boot-1");
    adopt(&r, &d[0]);
    adopt(&r, &d[1]);
    rig_tick(&r);
    assert_int_equal(rig_count(&r, AX_START), 0);
    assert_int_equal(rig_count(&r, AX_PROBE), 2);
    assert_false(r.asked); /* it looks before it speaks */
    rig_probed(&r, "m-1", true);
    assert_false(r.asked);
    rig_probed(&r, "m-2", true);
    assert_true(r.asked);
    assert_int_equal(rig_told(&r, "m-1")->phase, REPLICA_READY);
    assert_int_equal(rig_told(&r, "m-2")->phase, REPLICA_READY);
    assert_int_equal(r.report->generation, r.generation);
    rig_end(&r);
}

static void test_adopted_and_unwell(void **state)
{
    struct wire_desired d = rig_replica("m-1");
    struct rig r;

    (void)state;
    running(&r, &d);
    r.ready_at_once = false;
    rig_new(&r, "boot-1");
    adopt(&r, &d);
    rig_tick(&r);
    rig_run(&r, 2500); /* its probe hangs */
    assert_true(r.asked);
    assert_int_equal(rig_told(&r, "m-1")->phase,
                     REPLICA_UNREADY); /* it has served: not "starting" */
    rig_end(&r);
}

static void test_died_while_no_agent_ran(void **state)
{
    struct wire_desired d = rig_replica("m-1");
    struct rig r;

    (void)state;
    running(&r, &d);
    rig_new(&r, "boot-1");
    assert_int_equal(rig_count(&r, AX_START), 0);
    rig_tick(&r);
    assert_int_equal(rig_count(&r, AX_START), 1);
    rig_end(&r);
}

static void test_adopted_but_not_wanted(void **state)
{
    struct wire_desired d = rig_replica("m-1");
    struct rig r;

    (void)state;
    running(&r, &d);
    rig_want(&r, NULL, 0); /* it drains, and the agent dies */
    rig_forget_seen(&r);
    rig_new(&r, "boot-1");
    adopt(&r, &d);
    rig_tick(&r);
    rig_run(&r, 11000);
    assert_int_equal(rig_last(&r, AX_SIGNAL)->signal, SIGTERM);
    rig_end(&r);
}

static void test_adopted_without_a_saved_state(void **state)
{
    struct wire_desired d = rig_replica("m-1");
    struct rig r;

    (void)state;
    running(&r, &d);
    r.n_desired = r.n_state = 0;
    free(r.desired);
    free(r.state);
    r.desired = r.state = NULL;
    rig_new(&r, "boot-1");
    adopt(&r, &d);
    rig_tick(&r);
    rig_run(&r, 60000);
    assert_int_equal(rig_count(&r, AX_SIGNAL), 0); /* nobody said that it should go */
    rig_want(&r, NULL, 0);
    rig_run(&r, 11000);
    assert_int_equal(rig_last(&r, AX_SIGNAL)->signal, SIGTERM);
    rig_end(&r);
}

static void test_broken_files_are_refused(void **state)
{
    static const char *const BROKEN[] = {
        "",
        "{}",
        "[]",
        "{\"version\":2}",
        "{\"version\":1,\"cluster\":\"c\",\"term\":\"1\",\"instance\":\"1\",\"ready\":[],\"ops\":[]"
        "}",
        "{\"version\":1,\"cluster\":\"c\",\"term\":\"000000000000000g\",\"instance\":"
        "\"0000000000000001\",\"ready\":[],\"ops\":[]}",
        "{\"version\":1,\"cluster\":\"c\",\"term\":\"0000000000000001\",\"instance\":"
        "\"0000000000000001\",\"ready\":[],\"ops\":[{\"op\":\"x\"}]}",
        "{\"version\":1,\"cluster\":\"c\",\"term\":\"0000000000000001\",\"instance\":"
        "\"0000000000000001\",\"ready\":{},\"ops\":[]}",
    };
    struct agent_options options = { .node = "n", .boot_id = "b", .sleep_not = "" };
    struct agent *agent = NULL;
    struct err e;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(BROKEN); i++) {
        struct agent_files files = { .state = { BROKEN[i], strlen(BROKEN[i]) } };

        e = (struct err)ERR_INIT;
        assert_true(agent_new(&options, &files, 0, 0, &agent, &e) < 0);
        assert_true(e.text[0]);
    }
    struct agent_files files = { .desired = { "\xff\xff\xff", 3 } };
    assert_true(agent_new(&options, &files, 0, 0, &agent, &e) < 0);
    files = (struct agent_files){ .ledger = { "\xff\xff\xff", 3 } };
    assert_true(agent_new(&options, &files, 0, 0, &agent, &e) < 0);
    assert_null(agent);
}

/* --- metrics ---------------------------------------------------------------------------------- */

static void page_of(struct rig *r, const struct metrics *page)
{
    size_t before = r->scrapes;

    r->page = page;
    for (int i = 0; i < 200 && r->scrapes == before; i++) {
        if (r->asked)
            rig_agree(r);
        rig_run(r, 50);
    }
    assert_true(r->scrapes > before);
    rig_await_report(r);
}

static void test_requests_are_cumulative(void **state)
{
    struct wire_desired d = rig_replica("m-1");
    struct metrics page = { .requests_known = true, .requests = 10 };
    struct rig r;

    (void)state;
    running(&r, &d);
    assert_false(rig_told(&r, "m-1")->metrics_known);
    page_of(&r, &page);
    assert_true(rig_told(&r, "m-1")->metrics_known);
    assert_int_equal(rig_told(&r, "m-1")->requests, 10); /* all of them: it was started here */
    page.requests = 25;
    page_of(&r, &page);
    assert_int_equal(rig_told(&r, "m-1")->requests, 25);
    rig_exited(&r, "m-1", "killed by SIGSEGV", "");
    rig_run(&r, 2000);
    page.requests = 4; /* a new process counts from zero */
    rig_started(&r, "m-1");
    page_of(&r, &page);
    assert_int_equal(rig_told(&r, "m-1")->requests, 29);
    page_of(&r, NULL); /* no page */
    assert_false(rig_told(&r, "m-1")->metrics_known);
    rig_end(&r);
}

static void adopt_pid(struct rig *r, const struct wire_desired *d, int64_t pid)
{
    struct agent_event event = { .kind = AE_ADOPTED };

    event.adopted.desired = d;
    event.adopted.pid = pid;
    event.adopted.started_ms = r->now_ms - 60000;
    rig_step(r, &event);
}

static void forget_ledger(struct rig *r)
{
    free(r->ledger);
    r->ledger = NULL;
    r->n_ledger = 0;
}

static void test_adopted_without_a_ledger(void **state)
{
    struct wire_desired d = rig_replica("m-1");
    struct metrics page = { .requests_known = true, .requests = 1000 };
    struct rig r;

    (void)state;
    running(&r, &d);
    forget_ledger(&r);
    rig_new(&r, "boot-1");
    adopt_pid(&r, &d, 4242);
    rig_tick(&r);
    rig_forget_seen(&r);
    page_of(&r, &page);
    assert_int_equal(rig_told(&r, "m-1")->requests, 0); /* who knows when */
    page.requests = 1007;
    page_of(&r, &page);
    assert_int_equal(rig_told(&r, "m-1")->requests, 7);
    rig_end(&r);
}

static void test_ledger_goes_on(void **state)
{
    struct wire_desired d = rig_replica("m-1");
    struct metrics page = { .requests_known = true, .requests = 1000 };
    uint64_t epoch, sequence, energy_uj;
    struct rig r;

    (void)state;
    running(&r, &d);
    page_of(&r, &page);
    epoch = r.report->epoch;
    sequence = r.report->sequence;
    energy_uj = r.report->energy_measured_uj;
    rig_advance(&r, 60000); /* nobody is there for a minute */
    rig_new(&r, "boot-1");
    adopt_pid(&r, &d, 4242);
    rig_tick(&r);
    assert_true(r.asked);
    assert_non_null(r.report->inventory);
    page.requests = 1600;
    page_of(&r, &page);
    assert_int_equal(r.report->epoch, epoch);
    assert_true(r.report->sequence > sequence);
    assert_true(r.report->energy_measured_uj >= energy_uj + UINT64_C(60000) * 50 * 1000);
    assert_int_equal(rig_told(&r, "m-1")->requests, 1600);
    assert_int_equal(rig_told(&r, "m-1")->energy_idle_uj + rig_told(&r, "m-1")->energy_dynamic_uj +
                         r.report->energy_unattributed_uj,
                     r.report->energy_measured_uj);
    rig_end(&r);
}

static void test_ledger_and_a_younger_process(void **state)
{
    struct wire_desired d = rig_replica("m-1");
    struct metrics page = { .requests_known = true, .requests = 1000 };
    struct rig r;

    (void)state;
    running(&r, &d);
    page_of(&r, &page);
    rig_new(&r, "boot-1");
    adopt_pid(&r, &d, 5555); /* started again, just before the agent was killed */
    page.requests = 30;
    rig_tick(&r);
    page_of(&r, &page);
    assert_int_equal(rig_told(&r, "m-1")->requests, 1030);
    rig_end(&r);
}

static void test_ledger_of_another_boot(void **state)
{
    struct wire_desired d = rig_replica("m-1");
    struct rig r;
    uint64_t epoch;

    (void)state;
    running(&r, &d);
    epoch = r.report->epoch;
    rig_new(&r, "boot-2");
    rig_tick(&r);
    rig_await_report(&r);
    assert_int_not_equal(r.report->epoch, epoch);
    assert_int_equal(r.report->sequence, 1);
    assert_int_equal(r.report->energy_measured_uj, 0);
    rig_end(&r);
}

static void test_old_ledger_begins_an_epoch(void **state)
{
    struct wire_desired d = rig_replica("m-1");
    struct rig r;
    uint64_t epoch;

    (void)state;
    running(&r, &d);
    epoch = r.report->epoch;
    rig_advance(&r, 7200000);
    rig_new(&r, "boot-1");
    adopt_pid(&r, &d, 4242);
    rig_tick(&r);
    rig_await_report(&r);
    assert_int_not_equal(r.report->epoch, epoch);
    assert_int_equal(r.report->energy_measured_uj, UINT64_C(7200000) * 50 * 1000);
    rig_end(&r);
}

static void test_end_that_nobody_was_told(void **state)
{
    struct wire_desired d = rig_replica("m-1");
    struct metrics page = { .requests_known = true, .requests = 12 };
    struct rig r;

    (void)state;
    running(&r, &d);
    page_of(&r, &page);
    r.page = NULL;
    rig_want(&r, NULL, 0);
    rig_run(&r, 11000);
    if (r.asked)
        rig_agree(&r);
    rig_exited(&r, "m-1", "exited with code 0", "");
    rig_new(&r, "boot-1"); /* before the report that would have told it */
    rig_tick(&r);
    rig_await_report(&r);
    assert_int_equal(rig_told(&r, "m-1")->phase, REPLICA_EXITED);
    assert_int_equal(rig_told(&r, "m-1")->requests, 12);
    rig_agree(&r);
    rig_await_report(&r);
    assert_null(rig_told(&r, "m-1"));
    rig_end(&r);
}

/* Whatever the bytes: refused, or taken; never a crash, never a report that cannot be sent. */
static void test_ledgers_that_lie(void **state)
{
    struct wire_desired d = rig_replica("m-1");
    struct rig r;

    (void)state;
    running(&r, &d);
    rig_await_report(&r);
    for (size_t i = 0; i < r.n_ledger; i++) {
        for (int how = 0; how < 4; how++) {
            static const char HOW[] = { '\x00', '\x01', '\x7f', '\xff' };
            struct agent_options options = {
                .node = "n1", .boot_id = "boot-1", .sleep_not = "", .sleeps_per_day = 4
            };
            struct agent_files files = { .ledger = { r.ledger, how == 3 ? i : r.n_ledger } };
            struct agent_event tick = { .kind = AE_TICK }, look = { .kind = AE_SAMPLE };
            struct agent_effects fx = { 0 };
            struct agent *agent = NULL;
            char before = r.ledger[i];

            if (how < 3)
                r.ledger[i] = HOW[how];
            if (agent_new(&options, &files, r.now_ms, RIG_WALL, &agent, NULL) == 0) {
                struct strbuf bytes = STRBUF_INIT;
                struct err e = ERR_INIT;

                agent_step(agent, &tick, r.now_ms, &fx);
                look.sample = &r.sample;
                agent_step(agent, &look, r.now_ms + 1, &fx);
                if (wire_report_encode(agent_report(agent, r.now_ms + 1, RIG_WALL), &bytes, &e) < 0)
                    fail_msg("byte %zu: %s", i, e.text);
                strbuf_done(&bytes);
            }
            agent_effects_done(&fx);
            agent_free(agent);
            r.ledger[i] = before;
        }
    }
    rig_end(&r);
}

/* --- whose joules ------------------------------------------------------------------------------
 */

static void report_after(struct rig *r, int64_t ms)
{
    if (r->asked)
        rig_agree(r);
    rig_advance(r, ms);
    rig_await_report(r);
}

static void test_gpu_joules_go_to_its_holder(void **state)
{
    struct wire_desired d[2] = { rig_replica("m-1"), rig_replica("m-2") };
    uint32_t gpus[] = { 0 };
    uint64_t before, idle, dynamic;
    int64_t from_ms;
    struct rig r;

    (void)state;
    d[0].gpus = gpus;
    d[0].n_gpus = 1;
    rig_start(&r);
    r.ready_at_once = true;
    r.gpu_watts = 30;
    rig_want(&r, d, 2);
    rig_started(&r, "m-1");
    rig_started(&r, "m-2");
    for (int i = 0; i < 3; i++)
        report_after(&r, 5000);
    before = rig_told(&r, "m-1")->energy_dynamic_uj;
    idle = rig_told(&r, "m-1")->energy_idle_uj;
    from_ms = r.report->boot_ms;
    dynamic = rig_told(&r, "m-2")->energy_dynamic_uj;
    r.gpu_watts = 230; /* it works: 200 W above idle */
    report_after(&r, 5000);
    /* The holder has all of the GPU, idle and not; of the node's own joules each has a quarter. */
    assert_in_range(rig_told(&r, "m-1")->energy_dynamic_uj - before, UINT64_C(999000000),
                    UINT64_C(1001000000));
    assert_int_equal(rig_told(&r, "m-1")->energy_idle_uj - idle,
                     (uint64_t)(r.report->boot_ms - from_ms) * (30000 + 50000 / 4));
    assert_int_equal(rig_told(&r, "m-2")->energy_dynamic_uj, dynamic);
    assert_int_equal(rig_told(&r, "m-1")->energy_idle_uj + rig_told(&r, "m-1")->energy_dynamic_uj +
                         rig_told(&r, "m-2")->energy_idle_uj +
                         rig_told(&r, "m-2")->energy_dynamic_uj + r.report->energy_unattributed_uj,
                     r.report->energy_measured_uj);
    rig_end(&r);
}

static void test_gpu_that_nobody_holds(void **state)
{
    struct wire_desired d = rig_replica("m-1");
    uint64_t before;
    int64_t from_ms;
    struct rig r;

    (void)state;
    rig_start(&r);
    r.ready_at_once = true;
    r.gpu_watts = 30;
    rig_want(&r, &d, 1);
    rig_started(&r, "m-1");
    for (int i = 0; i < 3; i++)
        report_after(&r, 5000);
    before = rig_told(&r, "m-1")->energy_idle_uj;
    from_ms = r.report->boot_ms;
    r.gpu_watts = 500;
    report_after(&r, 4000);
    assert_int_equal(rig_told(&r, "m-1")->energy_idle_uj - before, /* a quarter of the node's own */
                     (uint64_t)(r.report->boot_ms - from_ms) * 50000 / 4);
    rig_end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_report),
        cmocka_unit_test(test_counters_and_interval),
        cmocka_unit_test(test_inventory_until_acknowledged),
        cmocka_unit_test(test_new_epoch),
        cmocka_unit_test(test_backs_off),
        cmocka_unit_test(test_reply_to_another_report_is_a_failure),
        cmocka_unit_test(test_starts_and_becomes_ready),
        cmocka_unit_test(test_one_missed_probe_is_forgiven),
        cmocka_unit_test(test_drains_until_nothing_is_in_flight),
        cmocka_unit_test(test_drain_waits_where_nothing_is_known),
        cmocka_unit_test(test_page_from_before_the_drain_says_nothing),
        cmocka_unit_test(test_taken_back_while_draining),
        cmocka_unit_test(test_wanted_again_after_sigterm),
        cmocka_unit_test(test_never_ready_is_not_drained),
        cmocka_unit_test(test_crash_is_started_again),
        cmocka_unit_test(test_never_ready_is_given_up),
        cmocka_unit_test(test_start_up_takes_too_long),
        cmocka_unit_test(test_cannot_be_started),
        cmocka_unit_test(test_absent_desired_state_changes_nothing),
        cmocka_unit_test(test_adopted_after_a_restart),
        cmocka_unit_test(test_adopted_and_unwell),
        cmocka_unit_test(test_died_while_no_agent_ran),
        cmocka_unit_test(test_adopted_but_not_wanted),
        cmocka_unit_test(test_adopted_without_a_saved_state),
        cmocka_unit_test(test_broken_files_are_refused),
        cmocka_unit_test(test_requests_are_cumulative),
        cmocka_unit_test(test_adopted_without_a_ledger),
        cmocka_unit_test(test_ledger_goes_on),
        cmocka_unit_test(test_ledger_and_a_younger_process),
        cmocka_unit_test(test_ledger_of_another_boot),
        cmocka_unit_test(test_old_ledger_begins_an_epoch),
        cmocka_unit_test(test_end_that_nobody_was_told),
        cmocka_unit_test(test_ledgers_that_lie),
        cmocka_unit_test(test_gpu_joules_go_to_its_holder),
        cmocka_unit_test(test_gpu_that_nobody_holds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
