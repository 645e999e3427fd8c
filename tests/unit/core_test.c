/* The controller's core, one event at a time: what people and agents may do in any order. */
#include <math.h>

#include "controller/placement/brain.h"
#include "controller/state/snapshot_build.h"
#include "controller/substrate/standalone.h"
#include "tests/unit/core_world.h"

/* A wish outlives the pool that would have to grant it. */
static void a_node_that_lost_its_pool_does_not_sleep(void **state)
{
    struct desk d;

    (void)state;
    desk_init(&d);
    assert_int_equal(desk_put(&d, DESK_POOL), 201);
    desk_report(&d, "a", NULL, 0);
    desk_report(&d, "b", NULL, 0);
    desk_pass(&d, 1000);
    assert_int_equal(desk_delete(&d, KIND_POWER_POOL, "p"), 200);
    assert_int_equal(desk_verb(&d, VERB_SLEEP, "a"), 422);
    assert_int_equal(desk_put(&d, DESK_POOL), 201);
    desk_pass(&d, 1000);
    assert_int_equal(desk_verb(&d, VERB_SLEEP, "a"), 200);
    assert_int_equal(desk_delete(&d, KIND_POWER_POOL, "p"), 200);
    desk_pass(&d, 1000);
    assert_int_equal(desk_verb(&d, VERB_SLEEP, "a"), 422);
    desk_done(&d);
}

#define RELEASED                                                                               \
    "{" API                                                                                    \
    "\"kind\":\"PowerPool\",\"metadata\":{\"name\":\"p\"},\"spec\":{\"minAwake\":0,\"spare\":" \
    "0,\"mode\":\"release\",\"driver\":{\"type\":\"exec\",\"program\":\"/bin/true\"}}}"

/* A drain that a person has asked for is turned back, a sleeper that nobody needs is woken. */
static void a_released_pool_is_awake(void **state)
{
    struct wire_pod pod = { .uid = "somebodys" };
    struct node *a, *b;
    struct desk d;

    (void)state;
    desk_init(&d);
    assert_int_equal(desk_put(&d, DESK_POOL), 201);
    d.pods = &pod;
    d.n_pods = 1;
    desk_report(&d, "a", NULL, 0);
    desk_report(&d, "b", NULL, 0);
    desk_pass(&d, 1000);
    a = cluster_node(d.core->cluster, 0);
    b = cluster_node(d.core->cluster, 1);
    assert_int_equal(desk_verb(&d, VERB_SLEEP, "a"), 200);
    desk_pass(&d, 1000);
    assert_int_equal(a->record.state, NODE_DRAINING);
    b->record.state = NODE_ASLEEP;
    b->record.entered_ms = d.now_ms;
    assert_int_equal(desk_put(&d, RELEASED), 200);
    for (int i = 0; i < 30; i++) {
        desk_report(&d, "a", NULL, 0);
        desk_pass(&d, 1000);
    }
    assert_int_equal(a->record.state, NODE_AWAKE);
    assert_int_equal(b->record.state, NODE_WAKING);
    assert_string_equal(b->record.by, "release");
    assert_int_equal(desk_verb(&d, VERB_SLEEP, "a"), 422);
    desk_done(&d);
}

/* Without Kubernetes nobody says which of them would go with the node: all of them hold it. */
static void a_node_with_pods_is_not_empty(void **state)
{
    struct wire_pod pod = { .uid = "somebodys" };
    struct desk d;

    (void)state;
    desk_init(&d);
    assert_int_equal(desk_put(&d, DESK_POOL), 201);
    d.pods = &pod;
    for (int pods = 1; pods >= 0; pods--) {
        d.n_pods = (size_t)pods;
        for (int i = 0; i < 40; i++) {
            desk_report(&d, "a", NULL, 0);
            desk_report(&d, "b", NULL, 0);
            if (i == 10 && pods == 1)
                assert_int_equal(desk_verb(&d, VERB_SLEEP, "a"), 200);
            desk_pass(&d, 1000);
        }
        assert_int_equal(cluster_node(d.core->cluster, 0)->record.state != NODE_DRAINING,
                         pods == 0);
    }
    desk_done(&d);
}

static const struct replica *only_replica(const struct desk *d)
{
    assert_int_equal(d->core->cluster->replicas.n_items, 1);
    return cluster_replica(d->core->cluster, 0);
}

#define RUNNING(uid_)                                                                    \
    {                                                                                    \
        .uid = (uid_), .model = "m", .reason = "", .phase = REPLICA_READY, .port = 20000 \
    }

#define ENV(value) ",\"process\":{\"env\":{\"A\":\"" value "\"}}"

static const char *env_of(const struct served_model *spec)
{
    return string_map_get(&spec->process.environment, "A");
}

/* Over restarts a replica stays what it was started as, and an object as old as it is. */
static void a_restart_forgets_no_generation(void **state)
{
    struct wire_replica r = RUNNING("m-1");
    int64_t created_ms;
    struct desk d;

    (void)state;
    desk_init(&d);
    created_ms = d.wall_ms;
    desk_put(&d, DESK_MODEL("m", ENV("1")));
    desk_report(&d, "a", &r, 1);
    desk_pass(&d, 60000);
    desk_put(&d, DESK_MODEL("m", ENV("2")));
    for (int restarts = 0; restarts < 2; restarts++) {
        const struct manifest *newest = only_replica(&d)->model->revision->object;

        assert_int_equal(only_replica(&d)->revision->object->meta.generation, 1);
        assert_string_equal(env_of(replica_spec(only_replica(&d))), "1");
        assert_int_equal(newest->meta.generation, 2);
        assert_string_equal(env_of(&newest->model), "2");
        assert_int_equal(newest->meta.created_wall_ms / 1000, created_ms / 1000);
        desk_start(&d);
    }
    desk_done(&d);
}

/* A workload of Kubernetes cannot be served here, and a model that is served stays as it is. */
static void a_model_of_kubernetes_is_refused(void **state)
{
    static const char TARGET[] =
        "{" API "\"kind\":\"ServedModel\",\"metadata\":{\"name\":\"m\",\"namespace\":\"a\"},"
        "\"spec\":{\"targetRef\":{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\","
        "\"name\":\"m\"}}}";
    struct desk d;
    json_t *o;

    (void)state;
    desk_init(&d);
    assert_int_equal(desk_put(&d, TARGET), 422);
    o = controller_get(d.core, "servedmodels", "m", d.now_ms, d.wall_ms);
    assert_null(o);
    assert_int_equal(desk_put(&d, DESK_MODEL("m", "")), 201);
    assert_int_equal(desk_put(&d, TARGET), 422);
    o = controller_get(d.core, "servedmodels", "m", d.now_ms, d.wall_ms);
    assert_string_equal(json_string_value(json_object_get(json_object_get(o, "spec"), "runtime")),
                        "r");
    json_decref(o);
    desk_done(&d);
}

/* Two controllers of one store are told apart by it. */
static void each_start_is_an_instance_of_its_own(void **state)
{
    static const char *const expect[] = { "0000000000000001", "0000000000000002" };
    struct desk d;

    (void)state;
    desk_init(&d);
    for (json_int_t i = 0; i < 2; i++) {
        json_t *o = controller_get(d.core, "clusters", "desk", d.now_ms, d.wall_ms);
        const json_t *status = json_object_get(o, "status");

        assert_string_equal(json_string_value(json_object_get(status, "instance")), expect[i]);
        assert_int_equal(json_integer_value(json_object_get(status, "term")), i + 1);
        json_decref(o);
        desk_start(&d);
    }
    desk_done(&d);
}

/* A model that is deleted and comes again while its replica drains is another one. */
static void a_generation_is_never_given_twice(void **state)
{
    struct wire_replica r = RUNNING("m-1");
    struct desk d;

    (void)state;
    desk_init(&d);
    desk_put(&d, DESK_MODEL("m", ENV("1")));
    desk_report(&d, "a", &r, 1);
    desk_delete(&d, KIND_SERVED_MODEL, "m");
    assert_int_equal(desk_put(&d, DESK_MODEL("m", ENV("2"))), 201);
    for (int restarts = 0; restarts < 2; restarts++) {
        assert_int_equal(only_replica(&d)->revision->object->meta.generation, 1);
        assert_string_equal(env_of(replica_spec(only_replica(&d))), "1");
        assert_int_equal(only_replica(&d)->model->revision->object->meta.generation, 2);
        desk_start(&d);
    }
    desk_done(&d);
}

static uint32_t nodes_in(const struct desk *d, enum node_state state)
{
    uint32_t n = 0;

    for (size_t i = 0; i < d->core->cluster->nodes.n_items; i++)
        n += cluster_node(d->core->cluster, i)->record.state == state;
    return n;
}

/* Nodes that fell asleep in one evening have slept long enough in one evening: they wake one by
 * one, as the budget says, or the breaker trips. */
static void long_sleepers_do_not_wake_at_once(void **state)
{
    static const char *const names[] = { "a", "b", "c" };
    struct desk d;

    (void)state;
    desk_init(&d);
    desk_put(&d, "{" API "\"kind\":\"PowerPolicy\",\"metadata\":{\"name\":\"default\"},"
                 "\"spec\":{\"budget\":{\"wakes\":1},\"timing\":{\"maxAsleep\":\"1h\"}}}");
    desk_put(&d, DESK_POOL);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        desk_row(&d, TABLE_NODE, names[i],
                 "{\"record\":{\"state\":6,\"enteredWallMs\":1},\"inventory\":{}}");
    desk_start(&d);
    assert_int_equal(nodes_in(&d, NODE_ASLEEP), 3);
    for (int k = 0; k < 60; k++) {
        desk_pass(&d, 1000);
        assert_true(nodes_in(&d, NODE_WAKING) <= 1);
    }
    assert_int_equal(nodes_in(&d, NODE_WAKING), 1);
    desk_done(&d);
}

static size_t wakes_sent(const struct desk *d)
{
    size_t n = 0;

    for (size_t i = 0; i < d->fx.n_items; i++)
        n += d->fx.items[i].kind == FX_POWER && d->fx.items[i].power.action == POWER_WAKE;
    return n;
}

/* After a cut of the mains a pool that needs one node is not given all of them in one second. */
static void nodes_found_off_do_not_wake_at_once(void **state)
{
    static const char *const names[] = { "a", "b", "c" };
    struct desk d;
    size_t first = 0, later = 0;

    (void)state;
    desk_init(&d);
    desk_put(&d, "{" API "\"kind\":\"PowerPolicy\",\"metadata\":{\"name\":\"default\"},"
                 "\"spec\":{\"budget\":{\"wakes\":1},\"timing\":{\"wake\":\"100s\"}}}");
    desk_put(&d, "{" API "\"kind\":\"PowerPool\",\"metadata\":{\"name\":\"p\"},"
                 "\"spec\":{\"driver\":{\"type\":\"exec\",\"program\":\"/bin/true\"},"
                 "\"boot\":{\"time\":\"10s\"},\"minAwake\":1,\"spare\":0}}");
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        desk_row(&d, TABLE_NODE, names[i],
                 "{\"record\":{\"state\":10,\"quarantine\":3},\"inventory\":{}}");
    desk_start(&d);
    for (int k = 0; k < 90; k++) {
        desk_pass(&d, 1000);
        first += wakes_sent(&d);
    }
    assert_int_equal(first, 1);
    for (int k = 0; k < 2000; k++) { /* it did not come: the next one */
        desk_pass(&d, 1000);
        assert_true(wakes_sent(&d) <= 1);
        later += wakes_sent(&d);
    }
    assert_int_equal(later, 2);
    desk_done(&d);
}

static size_t effects_of(const struct desk *d, enum effect_kind kind)
{
    size_t n = 0;

    for (size_t i = 0; i < d->fx.n_items; i++)
        n += d->fx.items[i].kind == kind;
    return n;
}

/* Questions do not queue up before a planner that is slow; people are told once. */
static void a_slow_planner_is_waited_for(void **state)
{
    struct controller_event none = { .kind = CE_PLAN };
    size_t asked = 0, told = 0;
    struct desk d;

    (void)state;
    desk_init(&d);
    desk_put(&d, DESK_MODEL("m", ""));
    asked += effects_of(&d, FX_PLAN);
    for (int k = 0; k < 3600; k++) {
        desk_pass(&d, 1000);
        asked += effects_of(&d, FX_PLAN);
        for (size_t i = 0; i < d.fx.n_items; i++)
            told += d.fx.items[i].kind == FX_EVENT &&
                    strcmp(d.fx.items[i].event.reason, "PlannerSlow") == 0;
    }
    assert_int_equal(asked, 1);
    assert_int_equal(told, 1);
    desk_step(&d, &none);
    asked = effects_of(&d, FX_PLAN);
    desk_pass(&d, 1000);
    assert_int_equal(asked + effects_of(&d, FX_PLAN), 1);
    desk_done(&d);
}

/* Milliseconds from the start until the core has warmed up, with "a" awake and heard. */
static int64_t warm_up_ms(int state_of_b)
{
    char row[64];
    struct desk d;
    int64_t started_ms;

    desk_init(&d);
    desk_put(&d, DESK_POOL);
    (void)snprintf(row, sizeof(row), "{\"record\":{\"state\":%d},\"inventory\":{}}", state_of_b);
    desk_row(&d, TABLE_NODE, "a", "{\"record\":{\"state\":1},\"inventory\":{}}");
    desk_row(&d, TABLE_NODE, "b", row);
    desk_start(&d);
    for (started_ms = d.now_ms; d.core->warming_up; desk_pass(&d, 5000))
        desk_report(&d, "a", NULL, 0);
    started_ms = d.now_ms - started_ms;
    desk_done(&d);
    return started_ms;
}

/* A machine that was given away long ago does not hold up each start for half an hour; one that
 * was awake a moment ago does. */
static void nobody_waits_for_a_node_long_lost(void **state)
{
    (void)state;
    assert_in_range(warm_up_ms(NODE_UNREACHABLE), 120000, 130000);
    assert_in_range(warm_up_ms(NODE_AWAKE), 1800000, 1810000);
}

static const char *stored_node(const struct desk *d, const char *name)
{
    for (size_t i = 0; i < d->n_rows; i++)
        if (d->rows[i].table == TABLE_NODE && strcmp(d->rows[i].key, name) == 0)
            return d->rows[i].value;
    return NULL;
}

/* A text that is cut within a letter must not cost the node its row, with all that it remembers. */
static void no_text_of_an_agent_costs_a_row(void **state)
{
    char boot_id[] = "0123456789012345678901234567890123456789012345678901234567890\xe2\x82\xac";
    AUTO(mem) char *before = NULL;
    struct effects fx = { 0 };
    struct desk d;

    (void)state;
    desk_init(&d);
    desk_report(&d, "a", NULL, 0);
    assert_non_null(stored_node(&d, "a"));
    before = xstrdup(stored_node(&d, "a"));
    d.boot_id = boot_id;
    desk_report(&d, "a", NULL, 0);
    assert_non_null(stored_node(&d, "a"));
    assert_string_not_equal(stored_node(&d, "a"), before);
    desk_done(&d);
    fx_store(&fx, TABLE_NODE, "a", json_pack("{s:s}", "text", "\xff")); /* there is no such text */
    assert_int_equal(fx.n_items, 0);
    effects_done(&fx);
}

/* Time passes, and what is to be planned is planned at once. */
static void pass_and_plan(struct desk *d, struct brain *b, int64_t ms)
{
    struct controller_event answer = { .kind = CE_PLAN };
    struct snapshot *s = NULL;
    struct err e = ERR_INIT;

    desk_pass(d, ms);
    for (size_t i = 0; i < d->fx.n_items; i++)
        if (d->fx.items[i].kind == FX_PLAN)
            s = snapshot_ref(d->fx.items[i].snapshot);
    if (!s)
        return;
    assert_int_equal(brain_plan(b, s, 1000, &answer.plan, &e), 0);
    desk_step(d, &answer);
    snapshot_unref(s);
}

/* Two nodes for so long; the agent of `silent` does not report, the others run what they should. */
static void run_rack(struct desk *d, struct brain *b, const char *silent, int seconds)
{
    static const char *const names[] = { "a", "b" };

    for (int k = 0; k < seconds; k++) {
        for (size_t i = 0; i < ARRAY_LEN(names); i++) {
            const struct node *n = named_find(&d->core->cluster->nodes, names[i]);
            struct wire_replica runs[4] = { 0 };
            size_t n_runs = 0;

            for (size_t r = 0; n && r < n->n_replicas && n_runs < ARRAY_LEN(runs); r++)
                if (n->replicas[r]->leaving != LEAVING_STOP)
                    runs[n_runs++] = (struct wire_replica){ .uid = n->replicas[r]->name,
                                                            .cpu_ns = (uint64_t)d->now_ms * 500000,
                                                            .model = "m",
                                                            .reason = "",
                                                            .phase = REPLICA_READY,
                                                            .port = n->replicas[r]->port };
            d->generation = n ? n->generation : 0; /* they carry at once what they are told */
            if (!silent || strcmp(silent, names[i]) != 0)
                desk_report(d, names[i], runs, n_runs);
        }
        pass_and_plan(d, b, 1000);
    }
}

static void power_reads(struct desk *d, const char *node, enum power_reading reading)
{
    struct controller_event event = { .kind = CE_POWER };

    event.power.node = node;
    event.power.op = "";
    event.power.action = POWER_PROBE;
    event.power.outcome = POWER_DONE;
    event.power.reading = reading;
    event.power.message = "";
    desk_step(d, &event);
}

/* What the agent of the replica's node is told of it. */
static bool told_exclusive(const struct replica *r)
{
    const struct reply_head head = { .cluster_id = "desk", .order = { .op = "", .boot_id = "" } };
    AUTO(strbuf) struct strbuf bytes = STRBUF_INIT;
    AUTO(wire_reply) struct wire_reply *reply = NULL;
    struct err e = ERR_INIT;

    assert_int_equal(standalone_reply(r->node, &head, &bytes, &e), 0);
    assert_int_equal(wire_reply_decode(bytes.data, bytes.length, &reply, &e), 0);
    assert_int_equal(reply->n_replicas, 1);
    return reply->replicas[0].exclusive;
}

/* Its node falls silent: another replica is started at once, or, where two must never run, not
 * before the node is known to be off. */
static void a_lost_replica_is_replaced(void **state)
{
    for (int exclusive = 0; exclusive < 2; exclusive++) {
        struct brain *brain = brain_new(1);
        const struct model *m;
        const struct replica *lost;
        char host[8];
        struct desk d;

        (void)state;
        desk_init(&d);
        desk_put(&d, DESK_POOL);
        desk_put(&d, exclusive ? DESK_MODEL("m", ",\"exclusive\":true") : DESK_MODEL("m", ""));
        m = named_find(&d.core->cluster->models, "m");
        run_rack(&d, brain, NULL, 200);
        assert_int_equal(m->n_replicas, 1);
        lost = m->replicas[0];
        assert_int_equal(told_exclusive(lost), exclusive);
        (void)snprintf(host, sizeof(host), "%s", lost->node->name);
        run_rack(&d, brain, host, 600);
        assert_int_equal(lost->node->record.state, NODE_UNREACHABLE);
        assert_int_equal(m->n_replicas, exclusive ? 1 : 2);
        power_reads(&d, host, POWER_ON); /* what runs there cannot be known */
        run_rack(&d, brain, host, 120);
        assert_int_equal(m->n_replicas, exclusive ? 1 : 2);
        power_reads(&d, host, POWER_OFF);
        run_rack(&d, brain, host, 120);
        assert_int_equal(m->n_replicas, 2);
        assert_int_equal(lost->leaving, exclusive ? LEAVING_STOP : LEAVING_NO);
        assert_string_not_equal(m->replicas[1]->node->name, host);
        desk_done(&d);
        brain_free(brain);
    }
}

static void why_replicas_find_no_place(void **state)
{
    static const struct {
        bool pool;
        const char *model, *says;
    } CASES[] = {
        { true, DESK_MODEL("m", ""), "" },
        { false, DESK_MODEL("m", ""), "no node that reports belongs to a PowerPool" },
        { true, DESK_MODEL("m", ",\"placement\":{\"nodeSelector\":{\"rack\":\"z\"}}"),
          "no node of a pool has the labels of placement.nodeSelector" },
        { true, DESK_MODEL("m", ",\"resources\":{\"cpu\":64}"),
          "of the 2 nodes that could run it" },
        { true,
          "{" API "\"kind\":\"ServedModel\",\"metadata\":{\"name\":\"m\"},"
          "\"spec\":{\"runtime\":\"other\",\"capacity\":{\"requestsPerSecond\":5}}}",
          "no node of a pool offers runtime other (runtimes.d)" },
        { true,
          "{" API "\"kind\":\"ServedModel\",\"metadata\":{\"name\":\"m\"},"
          "\"spec\":{\"process\":{\"command\":[\"/bin/x\"]},"
          "\"capacity\":{\"requestsPerSecond\":5}}}",
          "no node of a pool allows free commands" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct brain *brain = brain_new(1);
        const char *said;
        struct desk d;
        json_t *o;

        desk_init(&d);
        if (CASES[i].pool)
            desk_put(&d, DESK_POOL);
        assert_int_equal(desk_put(&d, CASES[i].model), 201);
        run_rack(&d, brain, NULL, 200);
        o = controller_get(d.core, "servedmodels", "m", d.now_ms, d.wall_ms);
        said = json_string_value(json_object_get(json_object_get(o, "status"), "unplaced"));
        assert_non_null(said);
        if (strncmp(said, CASES[i].says, strlen(CASES[i].says)) != 0 ||
            (!CASES[i].says[0] && said[0]))
            fail_msg("case %zu: \"%s\"", i, said);
        json_decref(o);
        desk_done(&d);
        brain_free(brain);
    }
}

/* A changed exclusive model: where minAvailable lets it go the old one goes first, the new one
 * comes when it is gone, and never do two run; where it does not, nothing is done and it is said
 * why. */
static void an_exclusive_model_is_renewed_one_after_the_other(void **state)
{
    for (int least = 0; least < 2; least++) {
        struct brain *brain = brain_new(1);
        const struct model *m;
        uint64_t first;
        struct desk d;

        (void)state;
        desk_init(&d);
        desk_put(&d, DESK_POOL);
        desk_put(&d, least ? DESK_MODEL("m", ",\"exclusive\":true")
                           : DESK_MODEL("m", ",\"exclusive\":true,"
                                             "\"disruption\":{\"minAvailable\":0}"));
        m = named_find(&d.core->cluster->models, "m");
        run_rack(&d, brain, NULL, 200);
        assert_int_equal(m->n_replicas, 1);
        first = m->replicas[0]->revision->object->meta.generation;
        desk_put(&d, least ? DESK_MODEL("m", ",\"exclusive\":true,\"arguments\":{\"a\":\"b\"}")
                           : DESK_MODEL("m", ",\"exclusive\":true,\"arguments\":{\"a\":\"b\"},"
                                             "\"disruption\":{\"minAvailable\":0}"));
        for (int k = 0; k < 600; k++) {
            run_rack(&d, brain, NULL, 1);
            assert_true(m->n_replicas <= 1);
        }
        assert_int_equal(m->n_replicas, 1);
        assert_int_equal(m->replicas[0]->revision->object->meta.generation > first, !least);
        assert_int_equal(m->rollout.open, least);
        if (least)
            assert_non_null(strstr(m->rollout.waits, "minAvailable"));
        desk_done(&d);
        brain_free(brain);
    }
}

/* Half a CPU, by its counter. */
static void the_planner_is_told_what_each_replica_uses(void **state)
{
    struct brain *brain = brain_new(1);
    AUTO(snapshot) struct snapshot *s = NULL;
    struct snapshot_moment moment = { 0 };
    struct desk d;

    (void)state;
    desk_init(&d);
    desk_put(&d, DESK_POOL);
    desk_put(&d, DESK_MODEL("m", ""));
    run_rack(&d, brain, NULL, 200);
    moment.now_ms = d.now_ms;
    moment.wall_ms = d.wall_ms;
    s = snapshot_build(d.core->cluster, &moment);
    assert_int_equal(s->n_replicas, 1);
    assert_true(s->replicas[0].cpu_use_known);
    assert_true(fabs(s->replicas[0].cpu_use_milli - 500) < 1e-6);
    assert_true(s->replicas[0].cpu_use_variance < 1e-6);
    desk_done(&d);
    brain_free(brain);
}

static bool slo_broken(const struct desk *d)
{
    json_t *o = controller_get(d->core, "servedmodels", "m", d->now_ms, d->wall_ms);
    bool broken = json_is_true(json_object_get(json_object_get(o, "status"), "sloBroken"));

    json_decref(o);
    return broken;
}

/* The sampled quantile may be above by chance; being slow must be sure. */
static void a_model_is_slow_when_that_is_sure(void **state)
{
    static const struct {
        double sampled_ms, least_ms;
        bool broken;
    } CASES[] = { { 150, 90, false }, { 150, 120, true }, { 150, 90, false }, { NAN, NAN, false } };
    struct desk d;

    (void)state;
    desk_init(&d);
    assert_int_equal(desk_put(&d, DESK_MODEL("m", ",\"slo\":{\"latency\":\"100ms\"}")), 201);
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct door_model model = { .model = "m",
                                    .latency_ms = CASES[i].sampled_ms,
                                    .latency_least_ms = CASES[i].least_ms };
        struct door_facts facts = {
            .reachable = true, .epoch = 1, .models = &model, .n_models = 1
        };
        struct controller_event event = { .kind = CE_DOOR, .door = &facts };

        desk_pass(&d, 1000);
        desk_step(&d, &event);
        assert_int_equal(slo_broken(&d), CASES[i].broken);
    }
    desk_done(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lost_replica_is_replaced),
        cmocka_unit_test(the_planner_is_told_what_each_replica_uses),
        cmocka_unit_test(why_replicas_find_no_place),
        cmocka_unit_test(an_exclusive_model_is_renewed_one_after_the_other),
        cmocka_unit_test(a_model_is_slow_when_that_is_sure),
        cmocka_unit_test(a_restart_forgets_no_generation),
        cmocka_unit_test(a_model_of_kubernetes_is_refused),
        cmocka_unit_test(each_start_is_an_instance_of_its_own),
        cmocka_unit_test(a_generation_is_never_given_twice),
        cmocka_unit_test(long_sleepers_do_not_wake_at_once),
        cmocka_unit_test(nodes_found_off_do_not_wake_at_once),
        cmocka_unit_test(a_slow_planner_is_waited_for),
        cmocka_unit_test(nobody_waits_for_a_node_long_lost),
        cmocka_unit_test(no_text_of_an_agent_costs_a_row),
        cmocka_unit_test(a_node_that_lost_its_pool_does_not_sleep),
        cmocka_unit_test(a_node_with_pods_is_not_empty),
        cmocka_unit_test(a_released_pool_is_awake),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
