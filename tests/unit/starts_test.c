/* Replicas that do not become ready: what is tried again, when, and for how long it is remembered.
 * One node "a", whose agent does with its replicas as the test says. */
#include "controller/placement/brain.h"
#include "controller/state/snapshot_build.h"
#include "tests/unit/core_world.h"

#define MODEL(name)                                                                               \
    "{" API "\"kind\":\"ServedModel\",\"metadata\":{\"name\":\"" name "\"},\"spec\":{\"runtime\"" \
    ":\"r\",\"replicas\":{\"min\":1,\"max\":1},\"capacity\":{\"requestsPerSecond\":5}}}"

#define POOL \
    "{" API "\"kind\":\"PowerPool\",\"metadata\":{\"name\":\"p\"},\"spec\":{\"minAwake\":0}}"

#define FAILURES_KEPT_MS 7500000 /* two hours, and a little */

struct rig {
    struct desk desk;
    struct brain *brain;
    /* What becomes of a replica that is to run. */
    enum replica_phase phase;
    const char *reason;
    uint32_t strangers_to; /* on the ports up to this one: who is to run there fails */
};

static void rig_init(struct rig *r)
{
    desk_init(&r->desk);
    r->brain = brain_new(1);
    r->phase = REPLICA_READY;
    r->reason = "";
    desk_put(&r->desk, POOL);
    desk_report(&r->desk, "a", NULL, 0);
}

static void rig_done(struct rig *r)
{
    brain_free(r->brain);
    desk_done(&r->desk);
}

static void report(struct rig *r)
{
    const struct node *n = named_find(&r->desk.core->cluster->nodes, "a");
    struct wire_replica told[8] = { 0 };
    char uids[8][UID_MAX], models[8][UID_MAX];
    size_t k = 0;

    for (size_t i = 0; i < n->n_replicas && k < ARRAY_LEN(told); i++) {
        const struct replica *x = n->replicas[i];

        if (x->leaving == LEAVING_STOP) /* gone at once */
            continue;
        (void)snprintf(uids[k], UID_MAX, "%s", x->name);
        (void)snprintf(models[k], UID_MAX, "%.70s", x->model->name);
        told[k] = (struct wire_replica){ .uid = uids[k],
                                         .model = models[k],
                                         .reason = r->reason,
                                         .phase = r->phase,
                                         .port = x->port };
        if (x->port <= r->strangers_to) {
            told[k].phase = REPLICA_FAILED;
            told[k].reason = "the port is taken";
            told[k].port_taken = true;
        }
        k++;
    }
    r->desk.generation = n->generation;
    desk_report(&r->desk, "a", told, k);
}

/* A second: a report, a tick, and the plan that was asked for. */
static void second(struct rig *r)
{
    struct snapshot *s = NULL;

    desk_pass(&r->desk, 1000);
    for (size_t i = 0; i < r->desk.fx.n_items; i++)
        if (r->desk.fx.items[i].kind == FX_PLAN)
            s = snapshot_ref(r->desk.fx.items[i].snapshot);
    if (s) {
        struct controller_event answer = { .kind = CE_PLAN };
        struct err e = ERR_INIT;

        assert_int_equal(brain_plan(r->brain, s, 1000, &answer.plan, &e), 0);
        desk_step(&r->desk, &answer);
        snapshot_unref(s);
    }
    report(r);
}

static void seconds(struct rig *r, int n)
{
    for (int i = 0; i < n; i++)
        second(r);
}

static size_t failures(const struct rig *r)
{
    return r->desk.core->n_backoffs;
}

/* Of what failed nothing is kept once nobody could ask for it, or long after. */
static void failures_are_forgotten(void **state)
{
    struct rig r = { 0 };

    (void)state;
    rig_init(&r);
    r.phase = REPLICA_FAILED;
    r.reason = "exit code 1";
    desk_put(&r.desk, MODEL("m"));
    seconds(&r, 30);
    assert_int_equal(failures(&r), 1);
    desk_delete(&r.desk, KIND_SERVED_MODEL, "m");
    seconds(&r, 30);
    assert_null(named_find(&r.desk.core->cluster->models, "m"));
    assert_int_equal(failures(&r), 0);

    desk_put(&r.desk, MODEL("k"));
    seconds(&r, 30);
    assert_int_equal(failures(&r), 1);
    r.phase = REPLICA_READY;
    seconds(&r, 120);
    assert_int_equal(failures(&r), 1); /* it fails again: the next pause is twice as long */
    r.desk.now_ms += FAILURES_KEPT_MS;
    r.desk.wall_ms += FAILURES_KEPT_MS;
    second(&r);
    assert_int_equal(failures(&r), 0);
    rig_done(&r);
}

static const struct replica *ready_replica(const struct rig *r)
{
    const struct cluster *k = r->desk.core->cluster;

    for (size_t i = 0; i < k->replicas.n_items; i++)
        if (cluster_replica(k, i)->phase == REPLICA_READY)
            return cluster_replica(k, i);
    return NULL;
}

/* A stranger's port costs a moment, not a minute. */
static void another_port_is_tried_at_once(void **state)
{
    struct rig r = { 0 };

    (void)state;
    rig_init(&r);
    r.strangers_to = 20002;
    desk_put(&r.desk, MODEL("m"));
    while (r.desk.core->cluster->replicas.n_items == 0)
        second(&r);
    seconds(&r, 5); /* one a port */
    assert_non_null(ready_replica(&r));
    assert_int_equal(ready_replica(&r)->port, 20003);
    seconds(&r, 60);
    assert_int_equal(r.desk.core->cluster->replicas.n_items, 1);
    rig_done(&r);
}

/* Tries of ports do not end, and do not become a storm. */
static void ports_are_not_tried_for_ever(void **state)
{
    struct rig r = { 0 };
    (void)state;
    rig_init(&r);
    r.strangers_to = UINT32_MAX;
    desk_put(&r.desk, MODEL("m"));
    seconds(&r, 60);
    assert_int_equal(r.desk.core->cluster->uid_counter, 9);
    seconds(&r, 60); /* the next nine, after a minute's pause; then two minutes */
    assert_int_equal(r.desk.core->cluster->uid_counter, 18);
    r.strangers_to = 0;
    seconds(&r, 240);
    assert_non_null(ready_replica(&r));
    rig_done(&r);
}

/* A model that names its port has no other: it waits as after any failure. */
static void a_fixed_port_backs_off(void **state)
{
    struct rig r = { 0 };

    (void)state;
    rig_init(&r);
    r.strangers_to = 20002;
    desk_put(&r.desk, "{" API "\"kind\":\"ServedModel\",\"metadata\":{\"name\":\"m\"},\"spec\":{"
                      "\"runtime\":\"r\",\"port\":20001,\"replicas\":{\"min\":1,\"max\":1}}}");
    seconds(&r, 45);
    assert_int_equal(r.desk.core->cluster->uid_counter, 1);
    rig_done(&r);
}

/* A roll-out that failed while the clock was ahead by years is tried again all the same. */
static void a_roll_out_waits_no_years(void **state)
{
    struct model *m;
    struct rig r = { 0 };

    (void)state;
    rig_init(&r);
    desk_put(&r.desk, MODEL("m"));
    m = named_find(&r.desk.core->cluster->models, "m");
    m->rollout.failures = 1;
    m->rollout.retry_wall_ms = r.desk.wall_ms + ROLLOUT_RETRY_MAX_MS;
    assert_false(model_renews(m, r.desk.wall_ms));
    m->rollout.retry_wall_ms++;
    assert_true(model_renews(m, r.desk.wall_ms));
    rig_done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failures_are_forgotten),
        cmocka_unit_test(another_port_is_tried_at_once),
        cmocka_unit_test(ports_are_not_tried_for_ever),
        cmocka_unit_test(a_fixed_port_backs_off),
        cmocka_unit_test(a_roll_out_waits_no_years),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
