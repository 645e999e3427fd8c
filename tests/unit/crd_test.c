/* The CustomResourceDefinitions: what is committed is what is generated, everything is bounded, and
 * what columns, rules and subresources name is there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "controller/kubernetes/crd.h"
#include "controller/state/snapshot.h"
#include "proto/base/strbuf.h"
#include "proto/base/yaml.h"
#include "proto/manifest_rules.h"

static json_t *version_of(const json_t *crd)
{
    return json_array_get(json_object_get(json_object_get(crd, "spec"), "versions"), 0);
}

static json_t *schema_of(const json_t *crd)
{
    return json_object_get(json_object_get(version_of(crd), "schema"), "openAPIV3Schema");
}

/* ".spec.slo.latency"; NULL: no such field. */
static json_t *at(json_t *schema, const char *path)
{
    while (schema && *path == '.') {
        size_t n = strcspn(path + 1, ".");

        schema = json_object_getn(json_object_get(schema, "properties"), path + 1, n);
        path += n + 1;
    }
    return schema;
}

static void what_is_committed_is_what_is_generated(void **state)
{
    (void)state;
    for (int k = 0; k < CRD_COUNT; k++) {
        AUTO(strbuf) struct strbuf text = STRBUF_INIT;
        AUTO(mem) char *committed = NULL;
        json_t *crd = crd_build((enum crd)k, CRD_NEWEST);
        struct err e = ERR_INIT;
        char path[128];
        size_t n;

        (void)snprintf(path, sizeof(path), "deploy/kubernetes/crds/huddle.energy_%s.yaml",
                       crd_plural((enum crd)k));
        if (yaml_read_file(path, &committed, &n, &e) < 0)
            fail_msg("%s; make crds writes it", e.text);
        yaml_print(&text, crd);
        if (strcmp(committed, strbuf_text(&text)) != 0)
            fail_msg("%s is not what is generated; make crds writes it", path);
        json_decref(crd);
    }
}

/* An API server bounds what its rules may cost by what values may hold. */
static void check_bounds(json_t *schema, const char *where)
{
    const char *type = json_string_value(json_object_get(schema, "type")), *key;
    json_t *child, *entries = json_object_get(schema, "additionalProperties"),
                   *items = json_object_get(schema, "items");
    bool whole = json_is_true(json_object_get(schema, "x-kubernetes-int-or-string"));

    if (json_object_get(schema, "x-kubernetes-preserve-unknown-fields") || (!type && !whole))
        fail_msg("%s is not structural", where);
    if ((whole || strcmp(type, "string") == 0) && !json_object_get(schema, "maxLength") &&
        !json_object_get(schema, "enum"))
        fail_msg("%s: a text without a bound", where);
    if (items && (!json_object_get(schema, "maxItems") ||
                  !json_object_get(schema, "x-kubernetes-list-type")))
        fail_msg("%s: a list without a bound or without its type", where);
    if (entries && !json_object_get(schema, "maxProperties"))
        fail_msg("%s: a map without a bound", where);
    if (items)
        check_bounds(items, where);
    if (entries)
        check_bounds(entries, where);
    json_object_foreach(json_object_get(schema, "properties"), key, child) {
        check_bounds(child, key);
    }
}

static void everything_is_bounded(void **state)
{
    (void)state;
    for (int k = 0; k < CRD_COUNT; k++) {
        json_t *crd = crd_build((enum crd)k, CRD_NEWEST);

        check_bounds(at(schema_of(crd), ".spec"), "spec");
        check_bounds(at(schema_of(crd), ".status"), "status");
        json_decref(crd);
    }
}

static void check_there(const json_t *crd, const char *path)
{
    if (path && strncmp(path, ".metadata", 9) != 0 && !at(schema_of(crd), path))
        fail_msg("%s is named, and is no field", path);
}

static const char *word(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static void what_is_named_is_there(void **state)
{
    size_t paths = 0;

    (void)state;
    for (int k = 0; k < CRD_COUNT; k++) {
        json_t *crd = crd_build((enum crd)k, CRD_NEWEST), *version = version_of(crd), *entry;
        json_t *scale = json_object_get(json_object_get(version, "subresources"), "scale");
        json_t *spec = at(schema_of(crd), ".spec");
        size_t i;

        json_array_foreach(json_object_get(version, "additionalPrinterColumns"), i, entry) {
            assert_non_null(word(entry, "jsonPath"));
            check_there(crd, word(entry, "jsonPath"));
        }
        json_array_foreach(json_object_get(version, "selectableFields"), i, entry)
            check_there(crd, word(entry, "jsonPath"));
        check_there(crd, word(scale, "specReplicasPath"));
        check_there(crd, word(scale, "statusReplicasPath"));
        check_there(crd, word(scale, "labelSelectorPath"));
        json_array_foreach(json_object_get(spec, "x-kubernetes-validations"), i, entry) {
            assert_non_null(at(spec, word(entry, "fieldPath")));
            paths++;
        }
        json_decref(crd);
    }
    assert_true(paths > 30);
}

static void every_rule_of_the_parser_is_in_its_definition(void **state)
{
    static const enum crd OF[] = { CRD_SERVED_MODEL, CRD_POWER_POOL, CRD_POWER_POLICY };

    (void)state;
    for (const struct manifest_rule *r = manifest_rules(); r->path; r++) {
        json_t *crd = crd_build(OF[r->kind], CRD_NEWEST), *rule;
        json_t *rules = json_object_get(at(schema_of(crd), ".spec"), "x-kubernetes-validations");
        bool found = false;
        size_t i;

        json_array_foreach(rules, i, rule)
            found |= strcmp(word(rule, "rule"), r->cel) == 0 &&
                     strcmp(word(rule, "message"), r->what) == 0 &&
                     strcmp(word(rule, "fieldPath") + 1, r->path) == 0;
        if (!found)
            fail_msg("%s %s", r->path, r->what);
        json_decref(crd);
    }
}

static void the_scale_subresource_has_a_number_by_default(void **state)
{
    json_t *crd = crd_build(CRD_SERVED_MODEL, CRD_NEWEST);
    json_t *scaling = at(schema_of(crd), ".spec.scaling");

    (void)state;
    assert_true(json_is_object(json_object_get(scaling, "default")));
    assert_true(json_is_integer(json_object_get(at(scaling, ".replicas"), "default")));
    json_decref(crd);
}

static void phases_are_those_of_the_life_cycle(void **state)
{
    json_t *crd = crd_build(CRD_NODE_POWER, CRD_NEWEST);
    json_t *words = json_object_get(at(schema_of(crd), ".status.phase"), "enum"), *phase;
    size_t i;

    (void)state;
    assert_int_equal(json_array_size(words), NODE_QUARANTINED + 1);
    json_array_foreach(words, i, phase)
        assert_string_equal(json_string_value(phase), node_state_name((enum node_state)i));
    json_decref(crd);
}

static bool says(int minor, const char *key)
{
    json_t *crd = crd_build(CRD_SERVED_MODEL, minor);
    char *text = json_dumps(crd, JSON_COMPACT);
    bool found = strstr(text, key) != NULL;

    free(text);
    json_decref(crd);
    return found;
}

static void older_servers_are_not_told_what_they_do_not_know(void **state)
{
    static const struct {
        const char *key;
        int since;
    } KEYS[] = { { "x-kubernetes-validations", 25 },
                 { "fieldPath", 28 },
                 { "selectableFields", 31 },
                 { "x-kubernetes-list-type", 0 } };

    (void)state;
    for (size_t i = 0; i < sizeof(KEYS) / sizeof(KEYS[0]); i++)
        for (int minor = 20; minor < 40; minor++)
            assert_int_equal(says(minor, KEYS[i].key), minor >= KEYS[i].since);
}

static void kinds_are_found_as_people_write_them(void **state)
{
    enum crd which = CRD_COUNT;

    (void)state;
    assert_int_equal(crd_find("ServedModel", &which), 0);
    assert_int_equal(which, CRD_SERVED_MODEL);
    assert_int_equal(crd_find("pool", &which), 0);
    assert_int_equal(which, CRD_POWER_POOL);
    assert_int_equal(crd_find("nodepowers.huddle.energy", &which), 0);
    assert_int_equal(which, CRD_NODE_POWER);
    assert_int_equal(crd_find("pods", &which), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_committed_is_what_is_generated),
        cmocka_unit_test(everything_is_bounded),
        cmocka_unit_test(what_is_named_is_there),
        cmocka_unit_test(every_rule_of_the_parser_is_in_its_definition),
        cmocka_unit_test(the_scale_subresource_has_a_number_by_default),
        cmocka_unit_test(phases_are_those_of_the_life_cycle),
        cmocka_unit_test(older_servers_are_not_told_what_they_do_not_know),
        cmocka_unit_test(kinds_are_found_as_people_write_them),
    };

    return cmocka_run_group_tests_name("crd", tests, NULL, NULL);
}
