/* The API on objects: every method and every shape of refusal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/api_world.h"

#define MODELS BASE "/servedmodels"
#define POOLS BASE "/powerpools"
#define MODEL(name, rest)                                                                      \
    "{\"apiVersion\":\"huddle.energy/"                                                         \
    "v1alpha1\",\"kind\":\"ServedModel\",\"metadata\":{\"name\":\"" name "\"},\"spec\":{" rest \
    "}}"

/* --- reading ---------------------------------------------------------------------------------- */

static void get_and_list(void **state)
{
    struct world *w = *state;
    struct reply r = { 0 };

    assert_int_equal(ask(w, &r, "GET", BASE "/nodes/a1", NULL), 200);
    assert_string_equal(said(&r, "metadata.name"), "a1");
    ask(w, &r, "GET", BASE "/nodes/zz", NULL);
    assert_status(&r, 404, "NotFound", "Node \"zz\" not found");
    assert_int_equal(ask(w, &r, "GET", BASE "/nodes", NULL), 200);
    assert_string_equal(said(&r, "kind"), "NodeList");
    assert_string_equal(said(&r, "apiVersion"), "huddle.energy/v1alpha1");
    assert_string_equal(said(&r, "metadata.resourceVersion"), "103");
    assert_string_equal(said(&r, "items.1.metadata.name"), "a2");
    assert_int_equal(ask(w, &r, "GET", BASE "/replicas", NULL), 200);
    assert_int_equal(json_array_size(json_object_get(r.json, "items")), 0);
    assert_int_equal(ask(w, &r, "GET", BASE "/clusters/_", NULL), 200);
    assert_string_equal(said(&r, "metadata.name"), "c1");
    assert_int_equal(ask(w, &r, "GET", BASE "/clusters/c1", NULL), 200);
    reply_done(&r);
}

static void list_by_selector(void **state)
{
    struct world *w = *state;
    struct reply r = { 0 };

    assert_int_equal(ask(w, &r, "GET", BASE "/nodes?labelSelector=zone%3Dwest", NULL), 200);
    assert_string_equal(said(&r, "items.0.metadata.name"), "a2");
    assert_int_equal(json_array_size(json_object_get(r.json, "items")), 1);
    assert_int_equal(ask(w, &r, "GET", BASE "/nodes?fieldSelector=status.state!%3Dasleep", NULL),
                     200);
    assert_string_equal(said(&r, "items.0.metadata.name"), "a1");
    assert_int_equal(json_array_size(json_object_get(r.json, "items")), 1);
    ask(w, &r, "GET", BASE "/nodes?labelSelector=zone%20west", NULL);
    assert_status(&r, 400, "BadRequest", "labelSelector: zone: expected =, !=, in or notin");
    ask(w, &r, "GET", BASE "/nodes?continue=abc", NULL);
    assert_status(&r, 410, "Expired", "list again");
    reply_done(&r);
}

static void head_has_no_body(void **state)
{
    struct world *w = *state;
    struct reply r = { 0 };

    assert_int_equal(ask(w, &r, "HEAD", BASE "/nodes/a1", NULL), 200);
    assert_string_equal(raw_body(&r.text), "");
    assert_non_null(strstr(strbuf_text(&r.text), "application/json"));
    assert_int_equal(ask(w, &r, "HEAD", BASE "/nodes/zz", NULL), 404);
    reply_done(&r);
}

/* --- writing ---------------------------------------------------------------------------------- */

static void create_and_create_again(void **state)
{
    struct world *w = *state;
    struct reply r = { 0 };

    assert_int_equal(ask(w, &r, "POST", MODELS, MODEL("m", "\"port\":8000")), 201);
    assert_string_equal(said(&r, "spec.port"), "8000");
    assert_string_equal(said(&r, "metadata.resourceVersion"), "104");
    assert_string_equal(w->last, "put by local");
    ask(w, &r, "POST", MODELS, MODEL("m", ""));
    assert_status(&r, 409, "AlreadyExists", "already exists");
    ask_with(w, &r, "POST", MODELS, "Content-Type: application/yaml\r\n",
             "apiVersion: huddle.energy/v1alpha1\nkind: ServedModel\nmetadata: {name: y}\n"
             "spec: {port: 81}\n");
    assert_int_equal(r.status, 201);
    assert_string_equal(said(&r, "spec.port"), "81");
    reply_done(&r);
}

static void bad_bodies_are_named(void **state)
{
    static const struct {
        const char *type, *body;
        int code;
        const char *reason, *message;
    } CASES[] = {
        { "application/json", "{", 400, "BadRequest", "no valid JSON: line 1" },
        { "application/json", "", 400, "BadRequest", "no valid JSON" },
        { "application/json", "[]", 422, "Invalid", "object: expected a mapping" },
        { "application/json", "{\"kind\":\"a\",\"kind\":\"b\"}", 400, "BadRequest", "duplicate" },
        { "application/json", MODEL("m", "\"prt\":1"), 422, "Invalid",
          "spec.prt: unknown field; did you mean \"port\"?" },
        { "application/json; charset=utf-8", MODEL("M", ""), 422, "Invalid",
          "metadata.name: expected" },
        { "text/plain", MODEL("m", ""), 415, "UnsupportedMediaType", "application/json or" },
        { NULL, MODEL("m", ""), 415, "UnsupportedMediaType", "Content-Type" },
        { "application/yaml", "a: [", 422, "Invalid", "body:2:1: not valid YAML or JSON" },
        { "application/yaml", "", 422, "Invalid", "no object in it" },
        { "application/yaml",
          "apiVersion: huddle.energy/v1alpha1\nkind: ServedModel\nmetadata: {name: y}\nspec:\n  "
          "port: a\n",
          422, "Invalid", "body:5:" },
        { "application/json",
          "{\"apiVersion\":\"huddle.energy/"
          "v1alpha1\",\"kind\":\"PowerPool\",\"metadata\":{\"name\":\"p\"}}",
          400, "BadRequest", "kind: expected ServedModel, not PowerPool" },
        { "application/json",
          "{\"apiVersion\":\"huddle.energy/"
          "v1alpha1\",\"kind\":\"ServedModel\",\"metadata\":{\"name\":\"p\","
          "\"resourceVersion\":\"7\"}}",
          400, "BadRequest", "metadata.resourceVersion" },
        { "application/json",
          "{\"apiVersion\":\"huddle.energy/"
          "v1alpha1\",\"kind\":\"ServedModel\",\"metadata\":{\"name\":\"p\","
          "\"resourceVersion\":\"x\"}}",
          422, "Invalid", "metadata.resourceVersion: expected a whole number" },
    };
    struct world *w = *state;
    struct reply r = { 0 };
    char type[80];

    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        type[0] = '\0';
        if (CASES[i].type)
            (void)snprintf(type, sizeof(type), "Content-Type: %s\r\n", CASES[i].type);
        ask_with(w, &r, "POST", MODELS, type, CASES[i].body);
        assert_status(&r, CASES[i].code, CASES[i].reason, CASES[i].message);
    }
    assert_int_equal(w->puts, 0);
    reply_done(&r);
}

static void replace_checks_the_version(void **state)
{
    struct world *w = *state;
    struct reply r = { 0 };

    ask(w, &r, "PUT", MODELS "/m", MODEL("m", ""));
    assert_status(&r, 404, "NotFound", "not found");
    ask(w, &r, "PUT", MODELS "/m", MODEL("n", ""));
    assert_status(&r, 400, "BadRequest", "\"n\" is not the name in the path, \"m\"");
    assert_int_equal(ask(w, &r, "POST", MODELS, MODEL("m", "")), 201); /* version 104 */
    assert_int_equal(ask(w, &r, "PUT", MODELS "/m", MODEL("m", "\"port\":1")), 200);
    assert_string_equal(said(&r, "metadata.resourceVersion"), "105");
    ask(w, &r, "PUT", MODELS "/m", MODEL("m\",\"resourceVersion\":\"104", "\"port\":2"));
    assert_status(&r, 409, "Conflict", "was changed");
    assert_int_equal(
        ask(w, &r, "PUT", MODELS "/m", MODEL("m\",\"resourceVersion\":\"105", "\"port\":2")), 200);
    assert_string_equal(said(&r, "spec.port"), "2");
    reply_done(&r);
}

#define PATCH_TYPE "Content-Type: application/merge-patch+json\r\n"

static void patch_merges(void **state)
{
    struct world *w = *state;
    struct reply r = { 0 };

    ask(w, &r, "POST", MODELS, MODEL("m", "\"port\":80,\"replicas\":{\"min\":1,\"max\":5}"));
    ask_with(w, &r, "PATCH", MODELS "/m", PATCH_TYPE,
             "{\"spec\":{\"replicas\":{\"max\":9},\"port\":null}}");
    assert_int_equal(r.status, 200);
    assert_string_equal(said(&r, "spec.replicas.max"), "9");
    assert_string_equal(said(&r, "spec.replicas.min"), "1");
    assert_string_equal(said(&r, "spec.port"), "0"); /* its default */
    ask_with(w, &r, "PATCH", MODELS "/m", PATCH_TYPE, "{\"spec\":{\"replicas\":{\"max\":0}}}");
    assert_status(&r, 422, "Invalid", "spec.replicas.m");
    ask_with(w, &r, "PATCH", MODELS "/m", PATCH_TYPE, "{\"metadata\":{\"name\":\"n\"}}");
    assert_status(&r, 400, "BadRequest", "is not the name in the path");
    ask_with(w, &r, "PATCH", MODELS "/m", PATCH_TYPE, "[1]");
    assert_status(&r, 400, "BadRequest", "expected a JSON object");
    ask_with(w, &r, "PATCH", MODELS "/x", PATCH_TYPE, "{}");
    assert_status(&r, 404, "NotFound", "ServedModel \"x\" not found");
    ask(w, &r, "PATCH", MODELS "/m", "{}");
    assert_status(&r, 415, "UnsupportedMediaType", "application/merge-patch+json");
    assert_non_null(strstr(strbuf_text(&r.text), "Accept-Patch: application/merge-patch+json"));
    reply_done(&r);
}

static void patch_tries_again_unless_a_version_was_named(void **state)
{
    struct world *w = *state;
    struct reply r = { 0 };

    ask(w, &r, "POST", MODELS, MODEL("m", ""));
    w->conflicts = 3;
    ask_with(w, &r, "PATCH", MODELS "/m", PATCH_TYPE, "{\"spec\":{\"port\":81}}");
    assert_int_equal(r.status, 200);
    assert_int_equal(w->puts, 5);
    w->conflicts = 100; /* not for ever */
    ask_with(w, &r, "PATCH", MODELS "/m", PATCH_TYPE, "{\"spec\":{\"port\":82}}");
    assert_status(&r, 409, "Conflict", "was changed");
    assert_int_equal(w->puts, 10);
    w->conflicts = 0;
    ask_with(w, &r, "PATCH", MODELS "/m", PATCH_TYPE,
             "{\"metadata\":{\"resourceVersion\":\"1\"},\"spec\":{\"port\":83}}");
    assert_status(&r, 409, "Conflict", "was changed");
    assert_int_equal(w->puts, 11);
    /* Taking the version away does not take the check away. */
    w->conflicts = 1;
    ask_with(w, &r, "PATCH", MODELS "/m", PATCH_TYPE,
             "{\"metadata\":{\"resourceVersion\":null},\"spec\":{\"port\":84}}");
    assert_int_equal(r.status, 200);
    assert_int_equal(w->puts, 13);
    reply_done(&r);
}

static void dry_runs_change_nothing(void **state)
{
    struct world *w = *state;
    struct reply r = { 0 };

    assert_int_equal(ask(w, &r, "POST", MODELS "?dryRun=All", MODEL("m", "")), 201);
    assert_int_equal(ask(w, &r, "GET", MODELS "/m", NULL), 404);
    ask(w, &r, "POST", MODELS, MODEL("m", "\"port\":1"));
    ask_with(w, &r, "PATCH", MODELS "/m?dryRun=All", PATCH_TYPE, "{\"spec\":{\"port\":2}}");
    assert_int_equal(r.status, 200);
    assert_string_equal(said(&r, "spec.port"), "2");
    assert_int_equal(ask(w, &r, "DELETE", MODELS "/m?dryRun=All", NULL), 200);
    assert_int_equal(ask(w, &r, "DELETE", MODELS "/m", "{\"dryRun\":[\"All\"]}"), 200);
    assert_int_equal(ask(w, &r, "GET", MODELS "/m", NULL), 200);
    assert_string_equal(said(&r, "spec.port"), "1");
    ask(w, &r, "POST", MODELS "?dryRun=true", MODEL("m", ""));
    assert_status(&r, 400, "BadRequest", "dryRun: expected All");
    assert_int_equal(ask(w, &r, "POST", MODELS "?fieldValidation=Ignore", MODEL("z", "\"prt\":1")),
                     422);
    ask(w, &r, "POST", MODELS "?fieldValidation=Loose", MODEL("z", ""));
    assert_status(&r, 400, "BadRequest", "fieldValidation");
    reply_done(&r);
}

static void delete_with_and_without_conditions(void **state)
{
    struct world *w = *state;
    struct reply r = { 0 };

    ask(w, &r, "DELETE", MODELS "/m", NULL);
    assert_status(&r, 404, "NotFound", "not found");
    ask(w, &r, "POST", MODELS, MODEL("m", ""));
    ask(w, &r, "DELETE", MODELS "/m", "{\"preconditions\":{\"uid\":\"other\"}}");
    assert_status(&r, 409, "Conflict", "preconditions");
    ask(w, &r, "DELETE", MODELS "/m", "{\"preconditions\":{\"resourceVersion\":\"3\"}}");
    assert_status(&r, 409, "Conflict", "preconditions");
    ask(w, &r, "DELETE", MODELS "/m", "{\"preconditions\":{\"uid\":5}}");
    assert_status(&r, 422, "Invalid", "preconditions.uid: expected a string");
    ask(w, &r, "DELETE", MODELS "/m", "{\"preconditions\":[]}");
    assert_status(&r, 422, "Invalid", "preconditions: expected a mapping");
    ask(w, &r, "DELETE", MODELS "/m", "{\"precondition\":{}}");
    assert_status(&r, 422, "Invalid", "precondition: unknown field; did you mean");
    ask(w, &r, "DELETE", MODELS "/m", "{\"dryRun\":[\"Some\"]}");
    assert_status(&r, 422, "Invalid", "dryRun");
    ask(w, &r, "DELETE", MODELS "/m",
        "{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\",\"propagationPolicy\":\"Background\","
        "\"preconditions\":{\"uid\":\"uid-1\"}}");
    assert_int_equal(r.status, 200);
    assert_string_equal(said(&r, "metadata.name"), "m");
    assert_string_equal(w->last, "delete m by local at 104"); /* the version that was checked */
    assert_int_equal(ask(w, &r, "GET", MODELS "/m", NULL), 404);
    reply_done(&r);
}

/* Whether it may go only the core knows, in a dry run too. */
static void a_node_is_removed(void **state)
{
    struct world *w = *state;
    struct reply r = { 0 };

    assert_int_equal(ask(w, &r, "DELETE", BASE "/nodes/a1", NULL), 200);
    assert_string_equal(w->last, "remove a1 by local at 0");
    assert_int_equal(ask(w, &r, "DELETE", BASE "/nodes/a1?dryRun=All", NULL), 200);
    assert_string_equal(w->last, "remove a1 by local at 0, not really");
    ask(w, &r, "DELETE", BASE "/nodes/busy", NULL);
    assert_status(&r, 409, "Conflict", "cannot be removed: it reports");
    reply_done(&r);
}

static void verbs(void **state)
{
    struct world *w = *state;
    struct reply r = { 0 };

    assert_int_equal(ask(w, &r, "POST", BASE "/nodes/a1/drain", "{\"reason\":\"new fan\"}"), 200);
    assert_string_equal(w->last, "verb 0 on 'a1' by local: new fan");
    assert_int_equal(ask(w, &r, "POST", BASE "/nodes/a1/wake", NULL), 200);
    assert_int_equal(ask(w, &r, "POST", BASE "/clusters/_/pause", "{}"), 200);
    assert_string_equal(w->last, "verb 7 on '' by local: ");
    assert_int_equal(ask(w, &r, "POST", BASE "/clusters/c1/resume", NULL), 200);
    ask(w, &r, "POST", BASE "/clusters/c2/resume", NULL);
    assert_status(&r, 404, "NotFound", "Cluster \"c2\" not found");
    ask(w, &r, "POST", BASE "/nodes/busy/sleep", NULL);
    assert_status(&r, 422, "Invalid", "cannot sleep node busy: it works");
    ask(w, &r, "POST", BASE "/nodes/a1/pause", NULL);
    assert_status(&r, 404, "NotFound", "there is no");
    ask(w, &r, "GET", BASE "/nodes/a1/drain", NULL);
    assert_status(&r, 405, "MethodNotAllowed", "POST is");
    ask(w, &r, "POST", BASE "/nodes/a1/drain", "{\"why\":\"\"}");
    assert_status(&r, 422, "Invalid", "why: unknown field");
    ask(w, &r, "POST", BASE "/nodes/a1/drain", "{\"reason\":1}");
    assert_status(&r, 422, "Invalid", "reason: expected a string");
    ask(w, &r, "POST", BASE "/nodes/a1/drain",
        "{\"reason\":\"a reason that goes on and on and on and on and on and on and on and on and "
        "on "
        "and on and on and on and on and on and on and on and on and on and on and on and on\"}");
    assert_status(&r, 422, "Invalid", "reason: longer than");
    ask(w, &r, "POST", BASE "/nodes/a1/drain?dryRun=All", NULL);
    assert_status(&r, 400, "BadRequest", "dryRun");
    reply_done(&r);
}

static void power_test(void **state)
{
    struct world *w = *state;
    struct reply r = { 0 };

    assert_int_equal(ask(w, &r, "POST", BASE "/nodes/a1/powertest", "{\"reason\":\"new\"}"), 200);
    assert_string_equal(w->last, "verb 9 on 'a1' by local: new");
    assert_int_equal(w->cycles, 1);
    assert_int_equal(ask(w, &r, "POST", BASE "/nodes/a1/powertest", "{\"cycles\":20}"), 200);
    assert_int_equal(w->cycles, 20);
    ask(w, &r, "POST", BASE "/nodes/a1/powertest", "{\"cycles\":21}");
    assert_status(&r, 422, "Invalid", "cycles: expected 1 to 20");
    ask(w, &r, "POST", BASE "/nodes/a1/powertest", "{\"cycles\":0}");
    assert_status(&r, 422, "Invalid", "cycles: expected 1 to 20");
    ask(w, &r, "POST", BASE "/nodes/a1/powertest", "{\"cycles\":\"3\"}");
    assert_status(&r, 422, "Invalid", "cycles: expected a whole number");
    ask(w, &r, "POST", BASE "/nodes/a1/sleep", "{\"cycles\":3}");
    assert_status(&r, 422, "Invalid", "cycles: unknown field");
    reply_done(&r);
}

static void what_people_cannot_write(void **state)
{
    struct world *w = *state;
    struct reply r = { 0 };

    ask(w, &r, "POST", BASE "/nodes", "{}");
    assert_status(&r, 405, "MethodNotAllowed", "GET, HEAD is");
    assert_non_null(strstr(strbuf_text(&r.text), "Allow: GET, HEAD\r\n"));
    ask(w, &r, "DELETE", BASE "/plans/current", NULL);
    assert_status(&r, 405, "MethodNotAllowed", "");
    ask(w, &r, "PUT", BASE "/nodes/a1", "{}");
    assert_status(&r, 405, "MethodNotAllowed", "GET, HEAD, DELETE is");
    ask(w, &r, "DELETE", MODELS, NULL);
    assert_status(&r, 405, "MethodNotAllowed", "GET, HEAD, POST is");
    reply_done(&r);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)
#define LATER(name) cmocka_unit_test_setup_teardown(name, world_set_up_later, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(get_and_list),
        LATER(get_and_list),
        TEST(list_by_selector),
        TEST(head_has_no_body),
        TEST(create_and_create_again),
        LATER(create_and_create_again),
        TEST(bad_bodies_are_named),
        TEST(replace_checks_the_version),
        TEST(patch_merges),
        LATER(patch_merges),
        TEST(patch_tries_again_unless_a_version_was_named),
        LATER(patch_tries_again_unless_a_version_was_named),
        TEST(dry_runs_change_nothing),
        TEST(delete_with_and_without_conditions),
        TEST(a_node_is_removed),
        LATER(delete_with_and_without_conditions),
        TEST(verbs),
        LATER(verbs),
        TEST(power_test),
        TEST(what_people_cannot_write),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
