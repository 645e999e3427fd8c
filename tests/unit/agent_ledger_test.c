/* The agent's core: counters of replicas' pages, and the ledger that carries them from one agent to
 * the next. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/sensor/metrics.h"
#include "tests/unit/agent_rig.h"

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
    rig_running(&r, &d);
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
    rig_running(&r, &d);
    forget_ledger(&r);
    rig_new(&r, "boot-1");
    rig_adopt(&r, &d, 4242);
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
    rig_running(&r, &d);
    page_of(&r, &page);
    epoch = r.report->epoch;
    sequence = r.report->sequence;
    energy_uj = r.report->energy_measured_uj;
    rig_advance(&r, 60000); /* nobody is there for a minute */
    rig_new(&r, "boot-1");
    rig_adopt(&r, &d, 4242);
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
    rig_running(&r, &d);
    page_of(&r, &page);
    rig_new(&r, "boot-1");
    rig_adopt(&r, &d, 5555); /* started again, just before the agent was killed */
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
    rig_running(&r, &d);
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
    rig_running(&r, &d);
    epoch = r.report->epoch;
    rig_advance(&r, 7200000);
    rig_new(&r, "boot-1");
    rig_adopt(&r, &d, 4242);
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
    rig_running(&r, &d);
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
    rig_running(&r, &d);
    rig_await_report(&r);
    for (size_t i = 0; i < r.n_ledger; i++) {
        for (int how = 0; how < 4; how++) {
            static const char HOW[] = { '\x00', '\x01', '\x7f', '\xff' };
            struct agent_options options = { .node = "n1",
                                             .boot_id = "boot-1",
                                             .sleep_not = "",
                                             .sleeps_per_day = 4,
                                             .foreign_percent = 2 };
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests_are_cumulative),
        cmocka_unit_test(test_adopted_without_a_ledger),
        cmocka_unit_test(test_ledger_goes_on),
        cmocka_unit_test(test_ledger_and_a_younger_process),
        cmocka_unit_test(test_ledger_of_another_boot),
        cmocka_unit_test(test_old_ledger_begins_an_epoch),
        cmocka_unit_test(test_end_that_nobody_was_told),
        cmocka_unit_test(test_ledgers_that_lie),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
