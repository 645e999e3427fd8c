/* Texts of the agent: --once, the lines of --record and the metrics page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "agent/metrics_text.h"
#include "agent/once.h"
#include "agent/record.h"
#include "agent/sensor/metrics.h"
#include "proto/base/array.h"

static void sample_at(struct sample *s, int64_t ms, uint64_t raw_uj)
{
    sample_clear(s);
    s->boot_ms = ms;
    s->wall_ms = 1760000000000 + ms;
    s->cpu = (struct sample_cpu){ .valid = true,
                                  .online = 2,
                                  .times.busy_ns = (uint64_t)ms * 500000,
                                  .times.idle_ns = (uint64_t)ms * 1500000 };
    *ARRAY_ADD(s, zones) = (struct sample_zone){ .name = "package-0",
                                                 .path = "intel-rapl:0",
                                                 .kind = ZONE_PACKAGE,
                                                 .counted = true,
                                                 .valid = true,
                                                 .raw_uj = raw_uj,
                                                 .provenance = PROVENANCE_MEASURED };
}

static void test_record(void **state)
{
    AUTO(strbuf) struct strbuf out = STRBUF_INIT;
    struct energy_counter counter = { 0 };
    struct sample first = { 0 }, now = { 0 };

    (void)state;
    sample_at(&first, 1000, 500);
    energy_counter_add(&counter, &first);
    sample_at(&now, 3500, 2000500);
    now.memory.valid = true;
    now.memory.used_bytes = 4096;
    energy_counter_add(&counter, &now);
    record_header(&out);
    record_line(&first, &now, &counter, &out);
    assert_string_equal(strbuf_text(&out),
                        "time_ms,cpus,busy_s,idle_s,iowait_s,steal_s,memory_bytes,energy_j,"
                        "estimated_j,gaps,provenance\n"
                        "1760000003500,2,1.250,3.750,0.000,0.000,4096,2.000000,0.000000,0,"
                        "measured\n");
    strbuf_clear(&out);
    sample_clear(&now); /* nothing could be read: nothing is said */
    now.wall_ms = 5;
    now.boot_ms = 9000;
    energy_counter_add(&counter, &now);
    record_line(&first, &now, &counter, &out);
    assert_string_equal(strbuf_text(&out), "5,,,,,,,,,0,unavailable\n");
    sample_done(&first);
    sample_done(&now);
    energy_counter_done(&counter);
}

static void with_cpu(struct sample *s, uint32_t number, uint64_t busy_ms, uint64_t idle_ms)
{
    *ARRAY_ADD(s, cpus) = (struct sample_one_cpu){
        .number = number, .times = { .busy_ns = busy_ms * 1000000, .idle_ns = idle_ms * 1000000 }
    };
}

/* Of cpu0 idle ran backwards, cpu1 was unplugged and cpu2 is new, cpu5 counted nothing. */
static void two_looks(struct sample *first, struct sample *last)
{
    sample_at(first, 1000, 500);
    sample_at(last, 2000, 2000500);
    with_cpu(first, 0, 1000, 9000);
    with_cpu(last, 0, 1500, 8990);
    with_cpu(first, 1, 1, 1);
    with_cpu(last, 2, 9000, 1);
    for (uint32_t i = 3; i <= 8; i++) {
        with_cpu(first, i, 0, 0);
        with_cpu(last, i, i == 5 ? 0 : i * 100, i == 5 ? 0 : 1000 - i * 100);
    }
    last->cpus[last->n_cpus - 1].times = (struct cpu_times){
        .busy_ns = 500000000, .idle_ns = 250000000, .steal_ns = 250000000, .guest_ns = 125000000
    };
}

static void assert_share(const json_t *object, const char *key, double share)
{
    assert_true(fabs(json_real_value(json_object_get(object, key)) - share) < 1e-6);
}

static void test_once_json(void **state)
{
    AUTO(strbuf) struct strbuf out = STRBUF_INIT;
    struct energy_counter counter = { 0 };
    struct sample first = { 0 }, last = { 0 };
    const json_t *cpu, *each;
    json_t *root;

    (void)state;
    two_looks(&first, &last);
    once_json(&first, &last, &counter, &out);
    root = json_loads(strbuf_text(&out), 0, NULL);
    cpu = json_object_get(root, "cpu");
    each = json_object_get(cpu, "each");
    assert_share(cpu, "busy", 0.25);
    assert_int_equal(json_integer_value(json_object_get(cpu, "busiest")), 0);
    assert_int_equal(json_array_size(each), 8);
    assert_share(json_array_get(each, 0), "busy", 1);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(each, 1), "cpu")), 2);
    assert_true(json_is_null(json_object_get(json_array_get(each, 1), "busy")));
    assert_share(json_array_get(each, 2), "busy", 0.3);
    assert_true(json_is_null(json_object_get(json_array_get(each, 4), "busy"))); /* cpu5 */
    assert_share(json_array_get(each, 7), "busy", 0.5);
    assert_share(json_array_get(each, 7), "steal", 0.25);
    assert_share(json_array_get(each, 7), "guest", 0.125);
    json_decref(root);
    strbuf_clear(&out);
    last.n_cpus = 0;
    once_json(&first, &last, &counter, &out);
    assert_non_null(strstr(strbuf_text(&out), "\"busiest\": null"));
    sample_done(&first);
    sample_done(&last);
}

static void test_once_table(void **state)
{
    AUTO(strbuf) struct strbuf out = STRBUF_INIT;
    struct energy_counter counter = { 0 };
    struct sample first = { 0 }, last = { 0 };

    (void)state;
    two_looks(&first, &last);
    once_table(&first, &last, &counter, &out);
    assert_non_null(strstr(strbuf_text(&out), "cpu      2 online, 25.0 % busy, 0.0 % waiting, "
                                              "0.0 % stolen, 0.0 % for guests\n"
                                              "busiest  cpu0 100.0 %, cpu7 70.0 %, cpu6 60.0 %, "
                                              "cpu8 50.0 %\n"));
    strbuf_clear(&out);
    last.n_cpus = 0;
    once_table(&first, &last, &counter, &out);
    assert_null(strstr(strbuf_text(&out), "busiest"));
    sample_done(&first);
    sample_done(&last);
}

/* The page is one that this project's own reader takes. */
static void assert_page(const char *page, size_t n)
{
    struct metrics m;
    struct err e = ERR_INIT;

    if (metrics_parse(metrics_preset_find("generic"), page, n, &m, &e) < 0)
        fail_msg("%s", e.text);
}

static void test_metrics(void **state)
{
    AUTO(strbuf) struct strbuf page = STRBUF_INIT;
    struct wire_zone zones[] = { { .name = "package-0",
                                   .path = "intel-rapl:0",
                                   .kind = ZONE_PACKAGE,
                                   .energy_uj = 2500000,
                                   .provenance = PROVENANCE_MEASURED },
                                 { .name = "dram",
                                   .path = "intel-rapl:0:1",
                                   .kind = ZONE_DRAM,
                                   .provenance = PROVENANCE_UNAVAILABLE } };
    struct wire_replica replicas[] = { { .uid = "m-1",
                                         .model = "m\"1\"",
                                         .phase = REPLICA_READY,
                                         .energy_idle_uj = 500000,
                                         .energy_dynamic_uj = 250000 } };
    struct wire_report report = { .zones = zones,
                                  .n_zones = 2,
                                  .replicas = replicas,
                                  .n_replicas = 1,
                                  .energy_measured_uj = 2500000 };
    struct cpu_counters cpus = { 0 };

    (void)state;
    metrics_text(&report, &cpus, &page);
    assert_page(strbuf_text(&page), page.length);
    assert_non_null(strstr(strbuf_text(&page),
                           "\nhuddle_zone_energy_joules_total{zone=\"package-0\",path=\"intel-rapl:"
                           "0\",kind=\"package\",provenance=\"measured\"} 2.5\n"));
    assert_null(strstr(strbuf_text(&page), "joules_total{zone=\"dram\""));
    assert_non_null(strstr(strbuf_text(&page), "huddle_replica_energy_joules_total{replica=\"m-1\","
                                               "model=\"m\\\"1\\\"\",share=\"dynamic\"} 0.25\n"));
    assert_null(strstr(strbuf_text(&page), "requests_total{"));        /* its page tells nothing */
    assert_null(strstr(strbuf_text(&page), "cpu_seconds_total{mode")); /* nobody has looked */
}

static void test_metrics_of_cpus(void **state)
{
    AUTO(strbuf) struct strbuf page = STRBUF_INIT;
    struct wire_report report = { .n_zones = 0 };
    struct cpu_counters cpus = { 0 };
    struct sample first = { 0 }, last = { 0 };

    (void)state;
    two_looks(&first, &last);
    cpu_counters_add(&cpus, &first);
    cpu_counters_add(&cpus, &last);
    metrics_text(&report, &cpus, &page);
    assert_page(strbuf_text(&page), page.length);
    assert_non_null(
        strstr(strbuf_text(&page), "\nhuddle_node_cpu_seconds_total{mode=\"idle\"} 3\n"));
    assert_non_null(
        strstr(strbuf_text(&page), "\nhuddle_cpu_seconds_total{cpu=\"0\",mode=\"idle\"} 9\n"));
    assert_null(strstr(strbuf_text(&page), "{cpu=\"1\"")); /* unplugged */
    assert_non_null(
        strstr(strbuf_text(&page), "\nhuddle_cpu_seconds_total{cpu=\"8\",mode=\"steal\"} 0.25\n"));
    assert_non_null(
        strstr(strbuf_text(&page), "\nhuddle_cpu_guest_seconds_total{cpu=\"8\"} 0.125\n"));
    strbuf_clear(&page);
    cpus.n_cpus = 0;
    metrics_text(&report, &cpus, &page);
    assert_null(strstr(strbuf_text(&page), "huddle_cpu_"));
    cpu_counters_done(&cpus);
    sample_done(&first);
    sample_done(&last);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_once_json),       cmocka_unit_test(test_once_table),
        cmocka_unit_test(test_record),          cmocka_unit_test(test_metrics),
        cmocka_unit_test(test_metrics_of_cpus),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
