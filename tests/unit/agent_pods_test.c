/* The agent's core: what pods of Kubernetes used, and whose joules they were. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/agent_rig.h"

#define S UINT64_C(1000000000)

static void report_after(struct rig *r, int64_t ms)
{
    if (r->asked)
        rig_agree(r);
    rig_advance(r, ms);
    rig_await_report(r);
}

static struct sample_pod pod(const char *uid, uint64_t cpu_ns, uint64_t requested_milli)
{
    struct sample_pod p = { .cpu_ns = cpu_ns,
                            .memory_bytes = 7,
                            .requested_milli = requested_milli };

    (void)snprintf(p.uid, sizeof(p.uid), "%s", uid);
    return p;
}

static const struct wire_pod *told(const struct rig *r, const char *uid)
{
    for (size_t i = 0; i < r->report->n_pods; i++)
        if (strcmp(r->report->pods[i].uid, uid) == 0)
            return &r->report->pods[i];
    return NULL;
}

static uint64_t joules_of_pods(const struct rig *r)
{
    uint64_t uj = r->report->energy_unattributed_uj;

    for (size_t i = 0; i < r->report->n_pods; i++)
        uj += r->report->pods[i].energy_idle_uj + r->report->pods[i].energy_dynamic_uj;
    return uj;
}

static void begin(struct rig *r)
{
    rig_start(r);
    r->pods_known = true;
    r->pods[0] = pod("a", 5 * S, 1000);
    r->pods[1] = pod("b", 9 * S, 3000);
    r->n_pods = 2;
    for (int i = 0; i < 2; i++)
        report_after(r, 5000);
}

/* 4 CPUs: a quarter of the idle joules and three; of the dynamic ones as each was busy. */
static void test_joules_are_shared_by_request_and_use(void **state)
{
    uint64_t idle[2], dynamic[2], all_idle, all_dynamic;
    struct rig r;

    (void)state;
    begin(&r);
    assert_int_equal(told(&r, "a")->cpu_ns, 0); /* what it used before is nobody's to know */
    for (int i = 0; i < 4; i++)
        report_after(&r, 5000);
    for (size_t i = 0; i < 2; i++) {
        idle[i] = r.report->pods[i].energy_idle_uj;
        dynamic[i] = r.report->pods[i].energy_dynamic_uj;
    }
    r.busy_permille = 500;
    r.watts = 150;
    r.pods[0].cpu_ns += 2 * S;
    r.pods[1].cpu_ns += 6 * S;
    report_after(&r, 5000);
    for (size_t i = 0; i < 2; i++) {
        idle[i] = r.report->pods[i].energy_idle_uj - idle[i];
        dynamic[i] = r.report->pods[i].energy_dynamic_uj - dynamic[i];
    }
    all_idle = idle[0] + idle[1];
    all_dynamic = dynamic[0] + dynamic[1];
    assert_int_equal(told(&r, "a")->cpu_ns, 2 * S);
    assert_int_equal(told(&r, "b")->cpu_ns, 6 * S);
    assert_int_equal(told(&r, "b")->memory_bytes, 7);
    assert_true(all_idle > 0 && all_dynamic > 0);
    assert_in_range(idle[0], all_idle / 4 - 2, all_idle / 4 + 2);
    assert_in_range(dynamic[0], all_dynamic / 4 - 2, all_dynamic / 4 + 2);
    assert_int_equal(joules_of_pods(&r), r.report->energy_measured_uj);
    rig_end(&r);
}

static void test_one_that_ended_is_told_until_it_was_heard(void **state)
{
    uint64_t used;
    struct rig r;

    (void)state;
    begin(&r);
    r.pods[0].cpu_ns += 3 * S;
    report_after(&r, 5000);
    used = told(&r, "a")->cpu_ns;
    assert_int_equal(used, 3 * S);
    r.pods[0] = r.pods[1];
    r.n_pods = 1;
    report_after(&r, 5000);
    assert_int_equal(told(&r, "a")->cpu_ns, used); /* its last word */
    assert_int_equal(told(&r, "a")->memory_bytes, 0);
    rig_send_failed(&r, "lost", 0);
    rig_advance(&r, 30000);
    rig_await_report(&r);
    assert_non_null(told(&r, "a"));
    report_after(&r, 5000);
    assert_null(told(&r, "a"));
    assert_non_null(told(&r, "b"));
    rig_end(&r);
}

/* What a new pod used since it began is of this interval, unless nobody could look before. */
static void test_a_new_one_counts_from_its_beginning(void **state)
{
    struct rig r;

    (void)state;
    begin(&r);
    r.pods[2] = pod("c", 2 * S, 0);
    r.n_pods = 3;
    report_after(&r, 5000);
    assert_int_equal(told(&r, "c")->cpu_ns, 2 * S);

    r.pods_known = false;
    r.n_pods = 0;
    report_after(&r, 5000);
    assert_int_equal(told(&r, "c")->cpu_ns, 2 * S); /* not gone: not seen */
    r.pods_known = true;
    r.n_pods = 4;
    r.pods[2].cpu_ns += S;
    r.pods[3] = pod("d", 8 * S, 0);
    report_after(&r, 5000);
    assert_int_equal(told(&r, "c")->cpu_ns, 3 * S);
    assert_int_equal(told(&r, "d")->cpu_ns, 0);
    r.pods[3].cpu_ns += S;
    report_after(&r, 5000);
    assert_int_equal(told(&r, "d")->cpu_ns, S);
    assert_int_equal(joules_of_pods(&r), r.report->energy_measured_uj);
    rig_end(&r);
}

static void test_counters_outlive_the_agent(void **state)
{
    uint64_t before;
    struct rig r;

    (void)state;
    begin(&r);
    r.pods[1].cpu_ns += 4 * S;
    report_after(&r, 5000);
    rig_agree(&r);
    before = told(&r, "b")->energy_idle_uj;
    rig_new(&r, "boot-1");
    rig_tick(&r);
    r.pods[1].cpu_ns += 3 * S; /* while nobody looked */
    report_after(&r, 5000);
    assert_int_equal(told(&r, "b")->cpu_ns, 7 * S);
    assert_true(told(&r, "b")->energy_idle_uj > before);
    assert_int_equal(joules_of_pods(&r), r.report->energy_measured_uj);
    rig_end(&r);
}

static void test_a_new_epoch_begins_at_zero(void **state)
{
    struct wire_reply reply;
    struct rig r;

    (void)state;
    begin(&r);
    r.pods[0].cpu_ns += S;
    report_after(&r, 5000);
    r.pods[0] = r.pods[1];
    r.n_pods = 1;
    rig_agree(&r);
    rig_advance(&r, 5000);
    rig_await_report(&r);
    reply = rig_reply(&r);
    reply.new_epoch = true;
    rig_answer(&r, &reply);
    rig_advance(&r, 1000);
    rig_await_report(&r);
    assert_null(told(&r, "a"));
    assert_non_null(told(&r, "b"));
    assert_int_equal(joules_of_pods(&r), r.report->energy_measured_uj);
    rig_end(&r);
}

/* While no report is acknowledged, all that have gone are kept; what runs comes first. */
static void test_what_has_gone_makes_room(void **state)
{
    const size_t half = WIRE_PODS_MAX / 2;
    char uid[16];
    struct rig r;

    (void)state;
    begin(&r);
    for (size_t round = 0; round < 3; round++) {
        r.n_pods = half;
        for (size_t i = 0; i < half; i++) {
            (void)snprintf(uid, sizeof(uid), "%zu%05zu", round, i);
            r.pods[i] = pod(uid, S, 0);
        }
        report_after(&r, 5000);
        rig_send_failed(&r, "lost", 0);
    }
    rig_advance(&r, 60000);
    rig_await_report(&r);
    assert_int_equal(r.report->n_pods, WIRE_PODS_MAX);
    for (size_t i = 0; i < half; i++) {
        (void)snprintf(uid, sizeof(uid), "2%05zu", i);
        assert_non_null(told(&r, uid));
        (void)snprintf(uid, sizeof(uid), "1%05zu", i);
        assert_non_null(told(&r, uid));
    }
    assert_null(told(&r, "a")); /* the oldest */
    assert_null(told(&r, "000000"));
    rig_end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_joules_are_shared_by_request_and_use),
        cmocka_unit_test(test_one_that_ended_is_told_until_it_was_heard),
        cmocka_unit_test(test_a_new_one_counts_from_its_beginning),
        cmocka_unit_test(test_counters_outlive_the_agent),
        cmocka_unit_test(test_a_new_epoch_begins_at_zero),
        cmocka_unit_test(test_what_has_gone_makes_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
