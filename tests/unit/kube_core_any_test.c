/* Whatever a cluster of Kubernetes tells, in whatever order, the controller's core acts on nothing
 * where nobody lets it. */
#include "proto/base/random.h"
#include "tests/unit/kube_core_world.h"

static void assert_acts_on_nothing(const struct desk *d)
{
    struct err e = ERR_INIT;

    for (size_t i = 0; i < d->fx.n_items; i++) {
        const struct effect *x = &d->fx.items[i];
        AUTO(wire_reply) struct wire_reply *reply = NULL;

        assert_int_not_equal(x->kind, FX_POWER);
        assert_int_not_equal(x->kind, FX_DOOR);
        if (x->kind == FX_STORE)
            assert_int_not_equal(x->store.table, TABLE_REPLICA);
        if (x->kind != FX_REPLY)
            continue;
        if (wire_reply_decode(x->reply.bytes, x->reply.n, &reply, &e) < 0)
            fail_msg("%s", e.text);
        assert_int_equal(reply->n_replicas, 0);
        assert_int_equal(reply->power.kind, POWER_ORDER_NONE);
    }
}

/* The same volume, with `kubernetes:` from now on. */
static void a_life_on_machines_of_our_own_is_over(void **state)
{
    static const char *const RECORDS[] = {
        "{\"state\":5,\"op\":\"x\",\"bootId\":\"boot-1\",\"bye\":true,\"sleeps\":7}",
        "{\"state\":8,\"held\":true,\"cordoned\":true,\"heldBy\":\"ann\",\"sleeps\":7}",
        "{\"state\":7,\"op\":\"x\",\"drained\":true,\"sleeps\":7}",
        "{\"state\":6,\"sleeps\":7}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(RECORDS); i++) {
        struct desk d = { .now_ms = 1000, .wall_ms = INT64_C(1750000000000) };
        struct node *n;
        char row[300];

        d.options =
            (struct controller_options){ .cluster_id = "desk", .seed = 1, .kubernetes = true };
        (void)snprintf(row, sizeof(row), "{\"record\":%s}", RECORDS[i]);
        desk_row(&d, TABLE_META, "cluster", "{\"id\":\"desk\",\"term\":3}");
        desk_row(&d, TABLE_NODE, "n2", row);
        desk_start(&d);
        tell_all(&d);
        tell_watch(&d, "");
        for (int k = 0; k < 20; k++) {
            desk_pass(&d, 5000);
            assert_acts_on_nothing(&d);
            desk_report(&d, "n2", NULL, 0);
            assert_acts_on_nothing(&d);
        }
        assert_text(&d, "nodes", "n2", "state", "awake");
        n = named_find(&d.core->cluster->nodes, "n2");
        assert_false(n->record.held || n->record.cordoned || n->record.drained);
        assert_int_equal(n->record.sleeps, 7);
        n->record.cordoned = true; /* what is asked from now on stays over a restart */
        NOT_READY(&d, "n2");
        desk_start(&d);
        n = named_find(&d.core->cluster->nodes, "n2");
        assert_true(n->record.cordoned);
        desk_done(&d);
    }
}

static void something(struct desk *d, struct random *r)
{
    static const char *const NODES[] = { "n1", "n2", "n3", "n4", "n5" };
    static const char *const MODELS[] = { "m.a", "o.a" };
    static const char *const UIDS[] = { "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8" };
    const char *node = NODES[random_below(r, ARRAY_LEN(NODES))];
    const char *model = MODELS[random_below(r, ARRAY_LEN(MODELS))];
    const char *uid = UIDS[random_below(r, ARRAY_LEN(UIDS))];
    bool coin = random_below(r, 4) == 0;

    switch (random_below(r, 13)) {
    case 0:
        tell_node(d, (struct kube_node_facts){ .name = node, .gone = coin, .ready = true });
        break;
    case 1:
        tell_node(d, (struct kube_node_facts){
                         .name = node, .ready = !coin, .stays = coin ? "" : "held" });
        break;
    case 2:
    case 3:
    case 4:
        tell_pod(
            d, (struct kube_pod_facts){ .uid = uid, .model = model, .node = node, .ready = !coin });
        break;
    case 5:
        tell_pod(d, (struct kube_pod_facts){ .uid = uid, .gone = true, .model = "", .node = "" });
        break;
    case 6:
        put(d, strcmp(model, "m.a") == 0 ? MODEL("m.a") : MODEL("o.a"));
        break;
    case 7:
        if (coin)
            drop(d, KIND_SERVED_MODEL, model);
        break;
    case 8:
        if (coin)
            drop(d, KIND_POWER_POOL, "p");
        else
            put(d, POOL);
        break;
    case 9:
        tell_watch(d, coin ? "trouble" : "");
        break;
    case 10:
        desk_report(d, node, NULL, 0);
        break;
    case 11:
        (void)desk_verb(d, (enum verb)(random_below(r, 10)), node);
        break;
    default:
        tell_model(d, (struct kube_model_facts){ .model = model, .cpu_milli = coin ? 3000 : 700 });
    }
}

static void whatever_comes_it_acts_on_nothing(void **state)
{
    struct random r = random_stream(11, 0, 0, 0);
    AUTO(brain) struct brain *brain = brain_new(1);
    unsigned plans = 0;
    struct desk d;

    (void)state;
    begin(&d);
    tell_all(&d);
    tell_watch(&d, "");
    for (int i = 0; i < 6000; i++) {
        something(&d, &r);
        assert_acts_on_nothing(&d);
        desk_pass(&d, (int64_t)(random_below(&r, 4000)));
        assert_acts_on_nothing(&d);
        plans += plan_with(&d, brain);
        assert_acts_on_nothing(&d);
        if (i % 500 == 499)
            desk_start(&d);
    }
    assert_true(plans > 50);
    desk_done(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_life_on_machines_of_our_own_is_over),
        cmocka_unit_test(whatever_comes_it_acts_on_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
