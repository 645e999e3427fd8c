/* Which changes of a model concern what its replicas run, field by field. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/state/replica_template.h"
#include "proto/base/array.h"

#define HEAD                               \
    "apiVersion: huddle.energy/v1alpha1\n" \
    "kind: ServedModel\n"                  \
    "metadata: {name: m}\n"                \
    "spec:\n"

static struct manifest *model(const char *spec)
{
    struct manifest **list = NULL, *m;
    struct err e = ERR_INIT;
    size_t n = 0;
    char text[2048];

    (void)snprintf(text, sizeof(text), HEAD "%s", spec);
    if (manifest_parse("m.yaml", text, strlen(text), &list, &n, &e) < 0)
        fail_msg("%s", e.text);
    m = list[0];
    free(list);
    return m;
}

#define BASE                                      \
    "  replicas: {min: 1, max: 4}\n"              \
    "  runtime: serve\n"                          \
    "  arguments: {weights: a.bin, width: 128}\n" \
    "  process: {env: {A: \"1\"}}\n"

static bool same(const char *a, const char *b)
{
    AUTO(manifest) struct manifest *x = model(a), *y = model(b);
    bool forth = replica_template_same(&x->model, &y->model);

    assert_int_equal(forth, replica_template_same(&y->model, &x->model));
    return forth;
}

static void what_a_replica_runs(void **state)
{
    static const char *const others[] = {
        "  replicas: {min: 1, max: 4}\n  runtime: other\n"
        "  arguments: {weights: a.bin, width: 128}\n  process: {env: {A: \"1\"}}\n",
        "  replicas: {min: 1, max: 4}\n  runtime: serve\n"
        "  arguments: {weights: b.bin, width: 128}\n  process: {env: {A: \"1\"}}\n",
        "  replicas: {min: 1, max: 4}\n  runtime: serve\n"
        "  arguments: {weights: a.bin}\n  process: {env: {A: \"1\"}}\n",
        "  replicas: {min: 1, max: 4}\n  runtime: serve\n"
        "  arguments: {weights: a.bin, width: 128}\n  process: {env: {A: \"2\"}}\n",
        BASE "  resources: {cpu: 2}\n",
        BASE "  resources: {memory: 3Gi}\n",
        BASE "  resources: {gpu: {count: 1}}\n",
        BASE "  resources: {gpu: {count: 1, memory: 4Gi}}\n",
        BASE "  port: 8080\n",
        BASE "  readiness: {type: tcp}\n",
        BASE "  readiness: {path: /ready}\n",
        BASE "  readiness: {period: 3s}\n",
        BASE "  readiness: {timeout: 4s}\n",
        BASE "  readiness: {failures: 9}\n",
        BASE "  readiness: {startup: 77s}\n",
    };

    (void)state;
    assert_true(same(BASE, BASE));
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        if (same(BASE, others[i]))
            fail_msg("no other template:\n%s", others[i]);
        for (size_t k = 0; k < i; k++)
            assert_false(same(others[i], others[k]));
    }
    assert_false(same("  process: {command: [/bin/a]}\n", "  process: {command: [/bin/a, b]}\n"));
}

static void what_concerns_no_process(void **state)
{
    static const char *const others[] = {
        BASE "  slo: {latency: 9s, quantile: 50%}\n",
        BASE "  capacity: {requestsPerSecond: 4, concurrency: 2}\n",
        BASE "  placement: {maxPerNode: 1, spread: zone, nodeSelector: {a: b}}\n",
        BASE "  disruption: {surge: 3, minAvailable: 0}\n",
        BASE "  demand: {source: metrics, path: /metrics}\n",
        BASE "  drain: {timeout: 99s, grace: 3s}\n",
        BASE "  startupTime: 3s\n",
        BASE "  priority: 7\n",
        BASE "  exclusive: true\n",
        ("  replicas: {min: 2, max: 3}\n  runtime: serve\n"
         "  arguments: {width: 128, weights: a.bin}\n  process: {env: {A: \"1\"}}\n"),
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        if (!same(BASE, others[i]))
            fail_msg("another template:\n%s", others[i]);
}

static void no_more_of_anything(void **state)
{
    AUTO(manifest) struct manifest *small = model("  runtime: r\n  resources: {cpu: 1}\n");
    AUTO(manifest) struct manifest *big = model("  runtime: r\n  resources: {cpu: 2}\n");
    AUTO(manifest)
    struct manifest *gpu = model("  runtime: r\n  resources: {cpu: 1, gpu: {count: 1}}\n");

    (void)state;
    assert_true(replica_template_within(&small->model, &big->model));
    assert_true(replica_template_within(&big->model, &big->model));
    assert_false(replica_template_within(&big->model, &small->model));
    assert_false(replica_template_within(&small->model, &gpu->model)); /* other devices */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_replica_runs),
        cmocka_unit_test(what_concerns_no_process),
        cmocka_unit_test(no_more_of_anything),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
