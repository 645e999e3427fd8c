/* Texts of the agent: the lines of --record and the metrics page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "agent/metrics_text.h"
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
                                  .busy_ns = (uint64_t)ms * 500000,
                                  .idle_ns = (uint64_t)ms * 1500000 };
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

    (void)state;
    metrics_text(&report, &page);
    assert_page(strbuf_text(&page), page.length);
    assert_non_null(strstr(strbuf_text(&page),
                           "\nhuddle_node_energy_joules_total{zone=\"package-0\",path=\"intel-rapl:"
                           "0\",kind=\"package\",provenance=\"measured\"} 2.5\n"));
    assert_null(strstr(strbuf_text(&page), "joules_total{zone=\"dram\""));
    assert_non_null(strstr(strbuf_text(&page), "huddle_replica_energy_joules_total{replica=\"m-1\","
                                               "model=\"m\\\"1\\\"\",share=\"dynamic\"} 0.25\n"));
    assert_null(strstr(strbuf_text(&page), "requests_total{")); /* its page tells nothing */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_record),
        cmocka_unit_test(test_metrics),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
