/* Manifests: defaults, units, round trips, and a corpus of bad ones with their messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <glob.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/strbuf.h"
#include "proto/base/yaml.h"
#include "proto/manifest.h"
#include "proto/manifest_rules.h"
#include "proto/manifest_schema.h"
#include "proto/quantity.h"

static const char MODEL[] = "apiVersion: huddle.energy/v1alpha1\n"
                            "kind: ServedModel\n"
                            "metadata: {name: small, labels: {tier: web}}\n"
                            "spec:\n"
                            "  replicas: {min: 2, max: 9}\n"
                            "  slo: {latency: 250ms, quantile: 99%}\n"
                            "  resources: {cpu: 1500m, memory: 2Gi, gpu: {count: 0.25}}\n"
                            "  placement: {nodeSelector: {z: b, a: \"1\"}}\n"
                            "  runtime: serve\n"
                            "  arguments: {weights: w.bin, width: 128}\n";

static struct manifest *parse_one(const char *text)
{
    struct manifest **list = NULL, *m;
    struct err e = ERR_INIT;
    size_t n = 0;

    if (manifest_parse("f.yaml", text, strlen(text), &list, &n, &e) < 0)
        fail_msg("%s", e.text);
    assert_int_equal(n, 1);
    m = list[0];
    free(list);
    return m;
}

static void a_model_is_read_with_its_defaults(void **state)
{
    AUTO(manifest) struct manifest *m = parse_one(MODEL);

    (void)state;
    assert_string_equal(m->meta.name, "small");
    assert_int_equal(m->model.replicas.min, 2);
    assert_int_equal(m->model.slo.latency_ms, 250);
    assert_true(m->model.slo.quantile == 0.99);
    assert_int_equal(m->model.resources.cpu_milli, 1500);
    assert_true(m->model.resources.memory_bytes == 2ll << 30);
    assert_int_equal(m->model.resources.gpu_milli, 250);
    assert_string_equal(m->model.placement.node_selector.pair[0].key, "a");
    assert_string_equal(string_map_get(&m->model.arguments, "width"), "128");
    assert_true(isnan(m->model.capacity.requests_per_second));
    assert_int_equal(m->model.startup_ms, -1);
    assert_int_equal(m->model.drain.timeout_ms, 30000);
    assert_int_equal(m->model.demand.source, DEMAND_FRONT_DOOR);
}

static const char TARGET[] =
    "apiVersion: huddle.energy/v1alpha1\nkind: ServedModel\n"
    "metadata: {name: chat, namespace: team-a}\n"
    "spec: {targetRef: {apiVersion: apps/v1, kind: Deployment, name: chat},"
    " scaling: {owner: External}}\n";

static void a_workload_of_kubernetes_is_named(void **state)
{
    AUTO(manifest) struct manifest *m = parse_one(TARGET), *alone = parse_one(MODEL);
    AUTO(manifest) struct manifest *copy = manifest_copy(m); /* through its print */

    (void)state;
    assert_string_equal(m->meta.namespace, "team-a");
    assert_string_equal(copy->meta.namespace, "team-a");
    assert_string_equal(m->model.target.api_version, "apps/v1");
    assert_string_equal(m->model.target.kind, "Deployment");
    assert_string_equal(m->model.target.name, "chat");
    assert_int_equal(m->model.scaling_owner, SCALING_EXTERNAL);
    assert_string_equal(alone->meta.namespace, "");
    assert_string_equal(alone->model.target.kind, "");
    assert_int_equal(alone->model.scaling_owner, SCALING_HUDDLE);
}

static void what_is_printed_is_read_again(void **state)
{
    static const char *const TEXTS[] = {
        MODEL,
        "apiVersion: huddle.energy/v1alpha1\nkind: PowerPool\nmetadata: {name: p}\n"
        "spec: {driver: {type: exec, program: /x}, boot: {energy: 0.1kWh, time: 1h30m}}\n",
        "apiVersion: huddle.energy/v1alpha1\nkind: PowerPolicy\nmetadata: {name: d}\n"
        "spec: {windows: [{deny: true, days: Mon-Fri, start: \"08:00\", end: \"09:30\"}]}\n",
        TARGET,
        "apiVersion: huddle.energy/v1alpha1\nkind: ServedModel\nmetadata: {name: s}\n"
        "spec: {runtime: r, slo: {errorShare: 0.001%}}\n",
        "apiVersion: huddle.energy/v1alpha1\nkind: ServedModel\nmetadata: {name: s}\n"
        "spec: {runtime: r, slo: {errorShare: \"0.01234567890123456%\"}}\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++) {
        AUTO(manifest) struct manifest *m = parse_one(TEXTS[i]);
        AUTO(manifest) struct manifest *copy = manifest_copy(m);
        json_t *a = manifest_to_json(m), *b = manifest_to_json(copy);

        assert_true(json_equal(a, b));
        json_decref(a);
        json_decref(b);
    }
}

static void every_default_keeps_its_own_rule(void **state)
{
    (void)state;
    for (int k = 0; k < KIND_COUNT; k++) {
        AUTO(strbuf) struct strbuf text = STRBUF_INIT;
        AUTO(manifest) struct manifest *m = NULL;
        json_t *schema = manifest_schema_json((enum manifest_kind)k);

        strbuf_printf(&text, "{apiVersion: %s, kind: %s, metadata: {name: x}}",
                      MANIFEST_API_VERSION, manifest_kind_name((enum manifest_kind)k));
        m = parse_one(strbuf_text(&text));
        assert_int_equal(m->kind, k);
        assert_non_null(json_object_get(json_object_get(schema, "properties"), "spec"));
        json_decref(schema);
    }
}

static void several_documents_and_lists(void **state)
{
    static const char TEXT[] =
        "---\napiVersion: huddle.energy/v1alpha1\nkind: PowerPool\nmetadata: {name: a}\n---\n"
        "---\nkind: List\napiVersion: v1\nitems:\n"
        "- {apiVersion: huddle.energy/v1alpha1, kind: PowerPool, metadata: {name: b}}\n"
        "- {apiVersion: huddle.energy/v1alpha1, kind: PowerPolicy, metadata: {name: c}}\n";
    struct manifest **list = NULL;
    size_t n = 0;

    (void)state;
    assert_int_equal(manifest_parse("f", TEXT, strlen(TEXT), &list, &n, NULL), 0);
    assert_int_equal(n, 3);
    assert_string_equal(list[2]->meta.name, "c");
    manifest_list_free(list, n);
}

/* tests/data/manifests/bad/NAME.yaml is refused with the line in NAME.expect. */
static void each_bad_manifest_gets_its_message(void **state)
{
    glob_t found;

    (void)state;
    assert_int_equal(glob("tests/data/manifests/bad/*.yaml", 0, NULL, &found), 0);
    assert_true(found.gl_pathc >= 100);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        AUTO(mem) char *text = NULL, *expect = NULL;
        char path[256];
        struct manifest **list = NULL;
        const char *name = strrchr(found.gl_pathv[i], '/') + 1;
        struct err e = ERR_INIT;
        size_t n, m = 0;

        assert_int_equal(yaml_read_file(found.gl_pathv[i], &text, &n, &e), 0);
        (void)snprintf(path, sizeof(path), "%.*s.expect", (int)strlen(found.gl_pathv[i]) - 5,
                       found.gl_pathv[i]);
        if (manifest_parse(name, text, n, &list, &m, &e) == 0)
            fail_msg("%s was accepted", name);
        assert_null(list);
        assert_int_equal(yaml_read_file(path, &expect, &n, &e), 0);
        expect[strcspn(expect, "\n")] = '\0';
        assert_string_equal(e.text, expect);
    }
    globfree(&found);
}

/* Both sides of a rule, C and CEL, are fed these: tests/kubernetes/test_crds.py. */
static void each_rule_has_a_bad_manifest(void **state)
{
    AUTO(strbuf) struct strbuf all = STRBUF_INIT;
    glob_t found;

    (void)state;
    assert_int_equal(glob("tests/data/manifests/bad/*.expect", 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        AUTO(mem) char *text = NULL;
        size_t n;

        assert_int_equal(yaml_read_file(found.gl_pathv[i], &text, &n, NULL), 0);
        strbuf_puts(&all, text);
    }
    for (const struct manifest_rule *r = manifest_rules(); r->path; r++) {
        AUTO(strbuf) struct strbuf line = STRBUF_INIT;

        strbuf_printf(&line, ": spec.%s: %s\n", r->path, r->what);
        if (!strstr(strbuf_text(&all), strbuf_text(&line)))
            fail_msg("none breaks%s", strbuf_text(&line));
    }
    globfree(&found);
}

/* A text may be as long for huddle as for an API server, which counts characters. */
static void texts_are_counted_in_characters(void **state)
{
    static const char HEAD[] = "apiVersion: huddle.energy/v1alpha1\nkind: ServedModel\n"
                               "metadata: {name: m}\nspec: {runtime: \"";

    (void)state;
    for (int over = 0; over <= 1; over++) {
        AUTO(strbuf) struct strbuf text = STRBUF_INIT;
        struct manifest **list = NULL;
        struct err e = ERR_INIT;
        size_t n = 0;

        strbuf_puts(&text, HEAD);
        for (int i = 0; i < FIELD_TEXT_MAX + over; i++)
            strbuf_puts(&text, "\xc3\xbc");
        strbuf_puts(&text, "\"}\n");
        assert_int_equal(manifest_parse("f", strbuf_text(&text), text.length, &list, &n, &e),
                         over ? -EINVAL : 0);
        if (over)
            assert_non_null(strstr(e.text, "spec.runtime: longer than 4096 characters"));
        manifest_list_free(list, n);
    }
}

/* jansson gives the length that C does not see. */
static void a_nul_is_refused(void **state)
{
    static const char *const SPECS[] = { "{\"runtime\": \"a\\u0000b\"}",
                                         "{\"process\": {\"command\": [\"x\", \"\\u0000\"]}}",
                                         "{\"arguments\": {\"k\": \"v\\u0000\"}}" };

    (void)state;
    for (size_t i = 0; i < sizeof(SPECS) / sizeof(SPECS[0]); i++) {
        json_t *doc = json_pack("{s:s, s:s, s:{s:s}, s:o}", "apiVersion", MANIFEST_API_VERSION,
                                "kind", "ServedModel", "metadata", "name", "x", "spec",
                                json_loads(SPECS[i], JSON_ALLOW_NUL, NULL));
        struct manifest *m = NULL;
        struct err e = ERR_INIT;

        assert_int_equal(manifest_from_json(doc, "", &m, &e), -EINVAL);
        assert_non_null(strstr(e.text, "holds a NUL character"));
        json_decref(doc);
    }
}

static void what_is_asked_for_by_scale_is_a_floor(void **state)
{
    static const struct {
        int64_t min, max, scale, least;
    } CASES[] = {
        { 1, 16, 0, 1 }, { 0, 16, 0, 0 }, { 0, 16, 3, 3 }, { 5, 16, 3, 5 }, { 1, 4, 9, 4 }
    };

    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct served_model s = { .replicas = { CASES[i].min, CASES[i].max },
                                  .scaling_replicas = CASES[i].scale };

        assert_int_equal(served_model_least(&s), CASES[i].least);
    }
}

static void quantities_are_exact(void **state)
{
    char text[QUANTITY_TEXT_MAX];
    int64_t v = 0;

    (void)state;
    assert_int_equal(quantity_cpu("1.5", &v, NULL), 0);
    assert_int_equal(v, 1500);
    assert_int_equal(quantity_cpu("0.0001", &v, NULL), -EINVAL);
    assert_int_equal(quantity_bytes("1.5Gi", &v, NULL), 0);
    assert_true(v == 1610612736);
    assert_int_equal(quantity_bytes("9999999999Pi", &v, NULL), -EINVAL);
    assert_int_equal(quantity_bytes("", &v, NULL), -EINVAL);
    assert_int_equal(quantity_duration("1h30m", &v, NULL), 0);
    assert_int_equal(v, 5400000);
    quantity_format_duration(v, text);
    assert_string_equal(text, "90m");
    assert_int_equal(quantity_duration("5", &v, NULL), -EINVAL);
    assert_int_equal(quantity_duration("", &v, NULL), -EINVAL);
    assert_int_equal(quantity_watts("1.2kW", &v, NULL), 0);
    assert_int_equal(v, 1200000);
    assert_int_equal(quantity_joules("0.1kWh", &v, NULL), 0);
    assert_int_equal(v, 360000000);
    assert_int_equal(quantity_time_of_day("24:01", &v, NULL), -EINVAL);
}

static void quantities_are_those_of_kubernetes(void **state)
{
    static const struct {
        const char *text;
        int64_t bytes, milli; /* -1: refused */
    } CASES[] = {
        { "129e6", 129000000, 129000000000 },
        { "129M", 129000000, 129000000000 },
        { "+1.5E3", 1500, 1500000 },
        { "128974848000m", 128974848, 128974848000 },
        { "1500m", -1, 1500 },
        { "100000u", -1, 100 },
        { "1000000n", -1, 1 },
        { "1n", -1, -1 },
        { "1e-3", -1, 1 },
        { "5E", 5000000000000000000, -1 },
        { "7Ei", 7ll << 60, -1 },
        { "8Ei", -1, -1 },
        { "0.5Ei", 1ll << 59, -1 },
        { ".5", -1, 500 },
        { "1.", 1, 1000 },
        { "0e99", 0, 0 },
        { "1e99", -1, -1 },
        { "9223372036854775807", INT64_MAX, -1 },
        { "9223372036854775808", -1, -1 },
        { "1K", -1, -1 },
        { "1ki", -1, -1 },
        { "1 ", -1, -1 },
        { "1e", -1, -1 },
        { "1e3i", -1, -1 },
        { "1Mi2", -1, -1 },
        { "-1", -1, -1 },
        { ".", -1, -1 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        int64_t bytes = -1, milli = -1;

        (void)quantity_bytes(CASES[i].text, &bytes, NULL);
        (void)quantity_cpu(CASES[i].text, &milli, NULL);
        if (bytes != CASES[i].bytes || milli != CASES[i].milli)
            fail_msg("%s: %lld bytes, %lld milli", CASES[i].text, (long long)bytes,
                     (long long)milli);
    }
}

/* A number without quotes is a double on its way: 0.1 is not 0.10000000000000001. */
static void numbers_are_what_was_written(void **state)
{
    AUTO(manifest)
    struct manifest *m = parse_one("apiVersion: huddle.energy/v1alpha1\nkind: ServedModel\n"
                                   "metadata: {name: m}\nspec:\n"
                                   "  resources: {cpu: 0.1, memory: 1e15}\n"
                                   "  runtime: r\n"
                                   "  arguments: {warmth: 0.7, third: 0.3333333333333333}\n");

    (void)state;
    assert_int_equal(m->model.resources.cpu_milli, 100);
    assert_int_equal(m->model.resources.memory_bytes, 1000000000000000);
    assert_string_equal(string_map_get(&m->model.arguments, "warmth"), "0.7");
    assert_string_equal(string_map_get(&m->model.arguments, "third"), "0.33333333333333331");
}

static void fields_are_explained(void **state)
{
    AUTO(mem) char *text = NULL, *man = manifest_schema_man();
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(manifest_explain("servedmodel.spec.slo", &text, &e), 0);
    assert_non_null(strstr(text, "spec.slo.quantile <share>"));
    assert_null(strstr(text, "spec.replicas"));
    assert_non_null(strstr(man, "spec.timing.warmUp"));
    free(text);
    text = NULL;
    assert_int_equal(manifest_explain("model.spec.slo.latenci", &text, &e), -ENOENT);
    assert_string_equal(e.text, "ServedModel has no field spec.slo.latenci; did you mean "
                                "\"spec.slo.latency\"?");
    assert_int_equal(manifest_explain("model.slol", &text, &e), -ENOENT);
    assert_non_null(strstr(e.text, "did you mean \"spec.slo\"?"));
    assert_int_equal(manifest_explain("pool.spec.nothing", &text, &e), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_is_read_with_its_defaults),
        cmocka_unit_test(a_workload_of_kubernetes_is_named),
        cmocka_unit_test(what_is_printed_is_read_again),
        cmocka_unit_test(every_default_keeps_its_own_rule),
        cmocka_unit_test(several_documents_and_lists),
        cmocka_unit_test(each_bad_manifest_gets_its_message),
        cmocka_unit_test(each_rule_has_a_bad_manifest),
        cmocka_unit_test(texts_are_counted_in_characters),
        cmocka_unit_test(a_nul_is_refused),
        cmocka_unit_test(what_is_asked_for_by_scale_is_a_floor),
        cmocka_unit_test(quantities_are_exact),
        cmocka_unit_test(quantities_are_those_of_kubernetes),
        cmocka_unit_test(numbers_are_what_was_written),
        cmocka_unit_test(fields_are_explained),
    };

    return cmocka_run_group_tests_name("manifest", tests, NULL, NULL);
}
