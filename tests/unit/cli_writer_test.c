/* The writers, and what describe and explain say: of whole objects, and of objects that hold
 * anything else than they should. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <locale.h>
#include <string.h>

#include "controller/cli/description.h"
#include "controller/cli/explanation.h"
#include "controller/cli/look.h"
#include "controller/cli/writer.h"
#include "proto/base/random.h"
#include "proto/base/yaml.h"

#define NOW 1795465251000 /* 2026-11-23T20:20:51Z */

static const char NODE[] =
    "{\"kind\":\"Node\",\"metadata\":{\"name\":\"n1\",\"creationTimestamp\":\"2026-11-23T19:20:"
    "51Z\"},"
    "\"spec\":{\"cordoned\":true,\"held\":false},\"status\":{\"state\":\"awake\",\"since\":"
    "\"2026-11-23T20:17:31Z\",\"pool\":\"rack\",\"replicas\":3,\"utilization\":0.5,\"watts\":null}"
    "}";

static json_t *load(const char *text)
{
    json_t *value = json_loads(text, 0, NULL);

    assert_non_null(value);
    return value;
}

static const struct kind *kind(const char *word)
{
    struct err e = ERR_INIT;
    const struct kind *k = kind_find(word, &e);

    assert_non_null(k);
    return k;
}

static void a_table_shows_what_is_known(void **state)
{
    AUTO(writer) struct writer w;
    json_t *node = load(NODE);

    (void)state;
    assert_int_equal(writer_init(&w, NULL, NULL), 0);
    w.now_ms = NOW;
    writer_item(&w, kind("node"), node);
    writer_end(&w);
    assert_string_equal(strbuf_text(&w.out),
                        "NAME   STATE            SINCE   POOL   REPLICAS   UTIL   WATTS   AGE\n"
                        "n1     awake,cordoned   3m20s   rack   3          50%    -       60m\n");
    json_decref(node);
}

static void a_watch_goes_on_below_its_titles(void **state)
{
    AUTO(writer) struct writer w;
    json_t *node = load(NODE);

    (void)state;
    assert_int_equal(writer_init(&w, "table", NULL), 0);
    writer_item(&w, kind("node"), node);
    writer_flush(&w);
    strbuf_clear(&w.out);
    writer_item(&w, kind("node"), node);
    writer_flush(&w);
    assert_null(strstr(strbuf_text(&w.out), "NAME"));
    assert_true(strncmp(strbuf_text(&w.out), "n1     awake,cordoned   ", 24) == 0);
    json_decref(node);
}

static void lists_single_objects_and_streams(void **state)
{
    json_t *node = load(NODE), *back;

    (void)state;
    for (int single = 0; single < 2; single++) {
        AUTO(writer) struct writer w;

        assert_int_equal(writer_init(&w, "json", NULL), 0);
        writer_begin(&w, single);
        writer_item(&w, kind("node"), node);
        writer_end(&w);
        back = load(strbuf_text(&w.out));
        assert_true(json_equal(single ? back : json_array_get(look(back, "items"), 0), node));
        json_decref(back);
    }
    AUTO(writer) struct writer w;
    AUTO(yaml_docs) struct yaml_docs docs = { 0 };

    assert_int_equal(writer_init(&w, "yaml", NULL), 0);
    for (int i = 0; i < 3; i++) {
        writer_item(&w, kind("node"), node);
        writer_flush(&w);
    }
    assert_int_equal(yaml_parse("t", w.out.data, w.out.length, &docs, NULL), 0);
    assert_int_equal(docs.n_docs, 3);
    assert_true(json_equal(docs.docs[2].root, node));
    json_decref(node);
}

static void a_bad_format_is_told(void **state)
{
    struct writer w;
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(writer_init(&w, "yml", &e), -EINVAL);
    assert_string_equal(e.text, "unknown format \"yml\"; did you mean \"yaml\"?");
    assert_int_equal(writer_init(&w, "custom-columns", &e), -EINVAL);
    assert_non_null(strstr(e.text, "there are table, wide, json, yaml, name"));
}

static bool says(const json_t *told, const char *sentence)
{
    const json_t *sentences = look(told, "sentences");

    for (size_t i = 0; i < json_array_size(sentences); i++)
        if (strcmp(json_string_value(json_array_get(sentences, i)), sentence) == 0)
            return true;
    return false;
}

static void explanations_leave_out_what_is_not_known(void **state)
{
    json_t *node = load(NODE), *told = explanation_of_node(node, NULL, NOW);

    (void)state;
    assert_true(says(told, "Node n1 is awake for 3m20s, in pool rack: no reason given."));
    assert_true(says(told, "A person cordoned it: nothing new is placed on it."));
    assert_true(says(told, "There is no plan for it."));
    assert_true(says(told, "What it draws is not known now."));
    assert_int_equal(json_array_size(look(told, "sentences")), 4);
    assert_null(look(told, "joulesAtStake"));
    json_decref(told);
    json_decref(node);
}

static void a_models_reasons_are_told(void **state)
{
    json_t *model = load(
        "{\"metadata\":{\"name\":\"small\"},\"spec\":{\"slo\":{\"latency\":\"500ms\"}},\"status\":{"
        "\"ready\":2,\"total\":3,\"target\":3,\"floor\":2,\"demand\":12.5,\"demandNeed\":20,"
        "\"predictive\":true,\"capacity\":15,\"capacityLearned\":true,\"latencyMs\":740,"
        "\"sloBroken\":true,\"why\":\"the forecast rises\"}}");
    json_t *told = explanation_of_model(model, NULL, NOW);

    (void)state;
    assert_true(says(told, "Model small has 2 of 3 replicas ready."));
    assert_true(says(told, "It should have 3, and no act of huddle goes below 2 ready."));
    assert_true(says(told, "Why: the forecast rises."));
    assert_true(says(told, "20 requests/s must be servable: what is forecast for it."));
    assert_true(says(told, "One replica serves 15 requests/s within the SLO (learned)."));
    assert_true(says(told, "Its latency is 740ms, and 500ms is allowed."));
    assert_true(says(told, "Its SLO is broken: consolidation is frozen for it and nodes wake."));
    json_decref(told);
    json_decref(model);
}

static void a_forecast_that_is_not_relied_on_is_told(void **state)
{
    json_t *model = load("{\"metadata\":{\"name\":\"small\"},\"status\":{\"demand\":12.5,"
                         "\"demandNeed\":14.4,\"predictive\":false,\"forecast\":{\"values\":[],"
                         "\"known\":false,\"why\":\"too little history: 3 steps\"}}}");
    json_t *told = explanation_of_model(model, NULL, NOW);

    (void)state;
    assert_true(
        says(told, "14.4 requests/s must be servable: what it is asked for, and a margin."));
    assert_true(says(told, "Strategy predictive treats it as demand does, for its forecast is not "
                           "relied on: too little history: 3 steps."));
    json_decref(told);
    json_object_set_new(json_object_get(json_object_get(model, "status"), "forecast"), "known",
                        json_true());
    told = explanation_of_model(model, NULL, NOW); /* its policy's strategy is demand */
    assert_false(says(told, "Strategy predictive treats it as demand does, for its forecast is not "
                            "relied on: too little history: 3 steps."));
    json_decref(told);
    json_decref(model);
}

static void events_are_told_apart(void **state)
{
    json_t *event = load("{\"involvedObject\":{\"kind\":\"node\",\"name\":\"n1\"}}");

    (void)state;
    assert_true(description_event_of(event, kind("node"), "n1"));
    assert_true(description_event_of(event, kind("nodepower"), "n1"));
    assert_false(description_event_of(event, kind("node"), "n2"));
    assert_false(description_event_of(event, kind("model"), "n1"));
    json_decref(event);
}

/* --- anything may stand anywhere ---------------------------------------------------------------
 */

static json_t *anything(struct random *r)
{
    switch (random_u64(r) % 9) {
    case 0:
        return json_null();
    case 1:
        return json_integer((json_int_t)random_u64(r));
    case 2:
        return json_real(-1e300);
    case 3:
        return json_boolean(random_u64(r) % 2);
    case 4:
        return json_string("\x1b[2J");
    case 5:
        return json_pack("[s, n, {s:i}]", "x", "name", 1);
    case 6:
        return json_pack("{s:s, s:[i]}", "name", "", "model", 3);
    case 7:
        return json_string("");
    default:
        return json_string("2026-11-23T19:20:51Z");
    }
}

/* Replaces one value within the object, at random. */
static void spoil(json_t *object, struct random *r)
{
    size_t n = json_object_size(object), at = n ? random_u64(r) % n : 0;
    const char *key;
    json_t *value;

    json_object_foreach(object, key, value) {
        if (at-- > 0)
            continue;
        if (json_object_size(value) && random_u64(r) % 4)
            spoil(value, r);
        else
            json_object_set_new(object, key, anything(r));
        break;
    }
}

static json_t *full_object(void)
{
    static const char *const PATHS[] = {
        "state",       "reason",         "since",      "pool",    "watts",    "utilization",
        "replicas",    "whyNotAsleep",   "ready",      "target",  "floor",    "demand",
        "capacity",    "latencyMs",      "phase",      "leaving", "inFlight", "memoryBytes",
        "energyIdleJ", "energyDynamicJ", "nodes",      "moves",   "ageMs",    "pools",
        "windowOpen",  "power",          "quarantine", "savedW",
    };
    json_t *o =
        load("{\"metadata\":{\"name\":\"x\",\"labels\":{\"a\":\"b\"},\"creationTimestamp\":\"\"},"
             "\"spec\":{\"model\":\"m\",\"node\":\"n\",\"selector\":{\"a\":\"b\"},\"windows\":[],"
             "\"slo\":{\"latency\":\"1s\"}},\"status\":{\"agent\":{\"problems\":[],\"runtimes\":"
             "[]},\"plan\":{\"verdict\":\"\"},\"curve\":{},\"energy\":{},\"capacity\":{\"gpus\":"
             "[]}},\"involvedObject\":{},\"time\":\"\",\"type\":\"\"}");

    for (size_t i = 0; i < sizeof(PATHS) / sizeof(PATHS[0]); i++)
        json_object_set_new(json_object_get(o, "status"), PATHS[i], json_integer((json_int_t)i));
    return o;
}

static void assert_quiet(const struct strbuf *out)
{
    for (const char *c = strbuf_text(out); *c; c++)
        assert_true((unsigned char)*c >= 0x20 || *c == '\n');
    assert_null(strstr(strbuf_text(out), "nan"));
}

static void show_all(const json_t *object)
{
    json_t *list = json_pack("[O, i, n]", object, 5);
    json_t *told[3] = { explanation_of_node(object, list, NOW),
                        explanation_of_replica(object, object, NOW),
                        explanation_of_model(object, list, NOW) };

    for (const struct kind *k = kinds(); k->name; k++) {
        AUTO(strbuf) struct strbuf out = STRBUF_INIT;
        AUTO(writer) struct writer w;

        description_print(&out, k, object, list, list, NOW, false);
        assert_quiet(&out);
        assert_int_equal(writer_init(&w, "wide", NULL), 0);
        w.now_ms = NOW;
        writer_item(&w, k, object);
        writer_item(&w, k, json_array_get(list, 1));
        writer_end(&w);
        assert_quiet(&w.out);
    }
    for (size_t i = 0; i < 3; i++) {
        assert_true(json_array_size(look(told[i], "sentences")) > 0);
        json_decref(told[i]);
    }
    json_decref(list);
}

static void objects_may_hold_anything(void **state)
{
    struct random r = random_stream(3, 1, 4, 1);

    (void)state;
    for (int i = 0; i < 300; i++) {
        json_t *object = full_object();

        for (uint64_t n = random_u64(&r) % 20; n > 0; n--)
            spoil(object, &r);
        show_all(object);
        json_decref(object);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_shows_what_is_known),
        cmocka_unit_test(a_watch_goes_on_below_its_titles),
        cmocka_unit_test(lists_single_objects_and_streams),
        cmocka_unit_test(a_bad_format_is_told),
        cmocka_unit_test(explanations_leave_out_what_is_not_known),
        cmocka_unit_test(a_models_reasons_are_told),
        cmocka_unit_test(a_forecast_that_is_not_relied_on_is_told),
        cmocka_unit_test(events_are_told_apart),
        cmocka_unit_test(objects_may_hold_anything),
    };

    (void)setlocale(LC_CTYPE, "C.UTF-8");
    return cmocka_run_group_tests_name("cli_writer", tests, NULL, NULL);
}
