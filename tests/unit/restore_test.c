/* A controller from stored rows that are not as it wrote them: history is losable, the rest is
 * named when it cannot be read, and wild numbers are left out. What fuzzing found is kept here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "controller/controller.h"
#include "proto/base/array.h"

#define WALL_MS 1750000000000

#define POOL                                                             \
    "{\"apiVersion\":\"huddle.energy/v1alpha1\",\"kind\":\"PowerPool\"," \
    "\"metadata\":{\"name\":\"p\"},\"spec\":{}}"

#define MODEL                                                                     \
    "{\"apiVersion\":\"huddle.energy/v1alpha1\",\"kind\":\"ServedModel\","        \
    "\"metadata\":{\"name\":\"m\"},\"spec\":{\"replicas\":{\"min\":1,\"max\":2}," \
    "\"runtime\":\"r\"}}"

struct cursor {
    const struct controller_row *rows;
    size_t n, at;
};

static int next_row(void *data, struct controller_row *ret_row)
{
    struct cursor *c = data;

    if (c->at == c->n)
        return 0;
    *ret_row = c->rows[c->at++];
    return 1;
}

/* Starts from the rows and lives for five minutes. */
static int live(const struct controller_row *rows, size_t n, struct err *e)
{
    const struct controller_options options = { .cluster_id = "c", .instance = 1, .seed = 1 };
    struct cursor cursor = { rows, n, 0 };
    struct controller *c = NULL;
    struct effects fx = { 0 };
    int r = controller_new(&options, 0, WALL_MS, next_row, &cursor, &fx, &c, e);

    for (int64_t now_ms = 1000; r == 0 && now_ms < 300000; now_ms += 30000) {
        const struct controller_event tick = { .kind = CE_TICK, .wall_ms = WALL_MS + now_ms };

        effects_done(&fx);
        controller_step(c, &tick, now_ms, &fx);
        snapshot_unref(controller_snapshot(c, now_ms, WALL_MS + now_ms));
        json_decref(controller_get(c, "nodes", NULL, now_ms, WALL_MS + now_ms));
        json_decref(controller_report(c, WALL_MS - 3600000, WALL_MS + now_ms, WALL_MS + now_ms));
    }
    effects_done(&fx);
    controller_free(c);
    return r;
}

static void history_is_no_reason_not_to_start(void **state)
{
    static const struct controller_row rows[] = {
        { TABLE_OBJECT, "servedmodels/m", MODEL }, { TABLE_HISTORY, "model/m", "\xff not JSON" },
        { TABLE_HISTORY, "node/a1", "[]" },        { TABLE_HISTORY, "no-slash", "{}" },
        { TABLE_HISTORY, "demand/m", "{}" },
    };

    (void)state;
    assert_int_equal(live(rows, ARRAY_LEN(rows), NULL), 0);
}

static void what_must_not_be_lost_is_named(void **state)
{
    static const struct controller_row node = { TABLE_NODE, "a1", "{\"uid\":" };
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(live(&node, 1, &e), -EBADMSG);
    assert_non_null(strstr(e.text, "a1"));
}

static void wild_numbers_are_left_out(void **state)
{
    static const struct controller_row rows[] = {
        { TABLE_OBJECT, "servedmodels/m", MODEL },
        { TABLE_OBJECT, "powerpools/p", POOL },
        { TABLE_HISTORY, "cluster/energy",
          "{\"measured\":\"s2 1 0 700 1 1 0000\","
          "\"always\":\"s2 2 -5 9223372036854775807 1 1 \","
          "\"error\":\"s2 1 9223372036854775806 9223372036854775807 1 1 0000\","
          "\"awake\":\"s2 1 1 1 nan inf \"}" },
        { TABLE_HISTORY, "demand/m/0000000000000000",
          "{\"stepMs\":60000,\"first\":-9223372036854775808,\"values\":[1,2]}" },
        { TABLE_HISTORY, "demand/m/0000000000000001",
          "{\"stepMs\":60000,\"first\":29166500,\"values\":[1e308,-1,null,\"x\"]}" },
        { TABLE_NODE, "a1",
          "{\"record\":{\"state\":77,\"quarantine\":-1,\"enteredWallMs\":9223372036854775807},"
          "\"curve\":{\"bootP99S\":9.2e18,\"wakes\":5,\"provenance\":99}}" },
    };

    (void)state;
    assert_int_equal(live(rows, ARRAY_LEN(rows), NULL), 0);
}

/* Earlier versions took these, without any effect. */
static void what_is_refused_today_was_taken_once(void **state)
{
    static const struct controller_row rows[] = {
        { TABLE_OBJECT, "powerpolicies/q",
          "{\"apiVersion\":\"huddle.energy/v1alpha1\",\"kind\":\"PowerPolicy\","
          "\"metadata\":{\"name\":\"q\"},"
          "\"spec\":{\"carbon\":{\"source\":\"file\",\"path\":\"/c\"}}}" },
    };
    struct err e = ERR_INIT;

    (void)state;
    if (live(rows, ARRAY_LEN(rows), &e) < 0)
        fail_msg("%s", e.text);
}

static bool told(const struct effects *fx, const char *name, const char *part)
{
    for (size_t i = 0; i < fx->n_items; i++)
        if (fx->items[i].kind == FX_EVENT && strcmp(fx->items[i].event.name, name) == 0 &&
            strcmp(fx->items[i].event.reason, "ObjectRefused") == 0 &&
            strstr(fx->items[i].event.message, part))
            return true;
    return false;
}

static bool is_dropped(const struct effects *fx, const char *key)
{
    for (size_t i = 0; i < fx->n_items; i++)
        if (fx->items[i].kind == FX_STORE && strcmp(fx->items[i].store.key, key) == 0)
            return fx->items[i].store.value == NULL;
    return false;
}

/* The reply that waits for the node's agent. */
static struct wire_reply *reply_for(const struct effects *fx, const char *node)
{
    struct wire_reply *reply = NULL;

    for (size_t i = 0; i < fx->n_items; i++) {
        const struct effect *x = &fx->items[i];

        if (x->kind != FX_REPLY || strcmp(x->reply.node, node) != 0)
            continue;
        wire_reply_free(reply);
        assert_int_equal(wire_reply_decode(x->reply.bytes, x->reply.n, &reply, NULL), 0);
    }
    assert_non_null(reply);
    return reply;
}

#define HELD_POOL                                                            \
    "{\"apiVersion\":\"huddle.energy/v1alpha1\",\"kind\":\"PowerPool\","     \
    "\"metadata\":{\"name\":\"q\"},\"spec\":{\"driver\":{\"type\":\"none\"," \
    "\"secrets\":{\"password\":\"hunter2\"}}}}"

/* A command of one word, longer than is taken today. */
static char *long_model(void)
{
    char word[FIELD_TEXT_MAX + 2];
    json_t *o = json_loads(MODEL, 0, NULL), *spec = json_object_get(o, "spec");
    char *text;

    memset(word, 'w', sizeof(word) - 1);
    word[sizeof(word) - 1] = '\0';
    json_object_del(spec, "runtime");
    json_object_set_new(spec, "process", json_pack("{s:[s]}", "command", word));
    text = json_dumps(o, 0);
    json_decref(o);
    return text;
}

/* An upgrade does not stop a controller: it says what is not in force, and what runs runs on. */
static void an_object_that_is_refused_today_is_told(void **state)
{
    (void)state;
    for (int kubernetes = 0; kubernetes < 2; kubernetes++) {
        const struct controller_options options = {
            .cluster_id = "c", .instance = 1, .seed = 1, .kubernetes = kubernetes
        };
        const char *way_out = kubernetes ? "Kubernetes tells" : "huddlectl apply -f FILE";
        AUTO(mem) char *model = long_model();
        const struct controller_row rows[] = {
            { TABLE_OBJECT, "servedmodels/m", model },
            { TABLE_OBJECT, "powerpools/p", POOL },
            { TABLE_OBJECT, "powerpools/q", HELD_POOL },
            { TABLE_NODE, "a1", "{}" },
            { TABLE_REPLICA, "u1", "{\"model\":\"m\",\"node\":\"a1\",\"generation\":1}" },
        };
        struct cursor cursor = { rows, ARRAY_LEN(rows), 0 };
        AUTO(controller) struct controller *c = NULL;
        struct effects fx = { 0 };
        struct err e = ERR_INIT;
        json_t *pools;

        if (controller_new(&options, 1000, WALL_MS, next_row, &cursor, &fx, &c, &e) < 0)
            fail_msg("%s", e.text);
        assert_true(told(&fx, "m", "longer than 4096"));
        assert_true(told(&fx, "m", way_out));
        assert_true(told(&fx, "q", "spec.driver.secrets"));
        assert_false(told(&fx, "q", "hunter2"));
        assert_int_equal(is_dropped(&fx, "servedmodels/m"), kubernetes);
        pools = controller_get(c, "powerpools", NULL, 1000, WALL_MS);
        assert_int_equal(json_array_size(pools), 1);
        json_decref(pools);
        if (!kubernetes) {
            struct wire_reply *reply = reply_for(&fx, "a1");

            assert_false(reply->desired_present); /* else its agent would stop it */
            wire_reply_free(reply);
        }
        effects_done(&fx);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(history_is_no_reason_not_to_start),
        cmocka_unit_test(what_must_not_be_lost_is_named),
        cmocka_unit_test(wild_numbers_are_left_out),
        cmocka_unit_test(what_is_refused_today_was_taken_once),
        cmocka_unit_test(an_object_that_is_refused_today_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
