/* The guards of reconciliation, one by one: a plan asks for a sleep or a drain that is right in
 * everything but one thing, and it must not be done; and with everything right, it is. */
#include "tests/unit/core_world.h"

#include <math.h>

#define POOL(rest)                                                                       \
    "{" API "\"kind\":\"PowerPool\",\"metadata\":{\"name\":\"p\"},\"spec\":{\"driver\":" \
    "{\"type\":\"exec\",\"program\":\"/bin/true\"},\"wakeProven\":true," rest "}}"
#define POLICY(rest) \
    "{" API "\"kind\":\"PowerPolicy\",\"metadata\":{\"name\":\"default\"},\"spec\":{" rest "}}"
#define MODEL                                                                   \
    "{" API "\"kind\":\"ServedModel\",\"metadata\":{\"name\":\"m\"},\"spec\":{" \
    "\"replicas\":{\"min\":1,\"max\":9},\"runtime\":\"r\",\"capacity\":"        \
    "{\"requestsPerSecond\":5}}}"

static const char *const NODES[] = { "a", "b", "c" };

static struct node *node_of(const struct desk *d, const char *name)
{
    return named_find(&d->core->cluster->nodes, name);
}

static void report_all(struct desk *d)
{
    for (size_t i = 0; i < ARRAY_LEN(NODES); i++)
        desk_report(d, NODES[i], NULL, 0);
}

/* The plan in which all stays as it is. */
static struct plan *plan_to_stay(struct desk *d)
{
    struct plan *p = xcalloc(1, sizeof(*p));
    struct snapshot *s;

    snapshot_unref(d->core->picture);
    d->core->picture = NULL; /* a new one */
    p->snapshot = s = controller_snapshot(d->core, d->now_ms, d->wall_ms);
    p->models = xcalloc(s->n_models + 1, sizeof(*p->models));
    p->nodes = xcalloc(s->n_nodes + 1, sizeof(*p->nodes));
    for (uint32_t i = 0; i < s->n_models; i++)
        p->models[i].target = 2;
    for (uint32_t i = 0; i < s->n_replicas; i++)
        *ARRAY_ADD(p, placements) = (struct plan_placement){
            s->replicas[i].model, s->replicas[i].node, i, NO_INDEX, 0, false,
        };
    return p;
}

static void give(struct desk *d, struct plan *p)
{
    struct controller_event event = { .kind = CE_PLAN, .plan = p };

    desk_step(d, &event);
}

static struct plan *plan_to_sleep(struct desk *d)
{
    struct plan *p = plan_to_stay(d);

    p->nodes[1].verdict = p->nodes[2].verdict = PLAN_SLEEP; /* b and c */
    return p;
}

static uint32_t draining(const struct desk *d)
{
    uint32_t n = 0;

    for (size_t i = 0; i < ARRAY_LEN(NODES); i++)
        n += node_of(d, NODES[i])->record.state == NODE_DRAINING;
    return n;
}

static void begin(struct desk *d, const char *pool, const char *policy)
{
    desk_init(d);
    assert_true(desk_put(d, policy) < 300 && desk_put(d, pool) < 300);
    report_all(d);
    desk_pass(d, 1000);
    report_all(d);
}

/* How many of two nodes begin to leave under these objects. */
static uint32_t leave(const char *pool, const char *policy)
{
    struct desk d;
    uint32_t n;

    begin(&d, pool, policy);
    give(&d, plan_to_sleep(&d));
    n = draining(&d);
    desk_done(&d);
    return n;
}

#define FREE_POOL POOL("\"minAwake\":1,\"spare\":0")
#define FREE_POLICY POLICY("\"budget\":{\"sleeps\":9}")

static void objects_hold_nodes_awake(void **state)
{
    (void)state;
    assert_int_equal(leave(FREE_POOL, FREE_POLICY), 2);
    assert_int_equal(leave(POOL("\"minAwake\":2,\"spare\":0"), FREE_POLICY), 1);
    assert_int_equal(leave(POOL("\"minAwake\":2,\"spare\":1"), FREE_POLICY), 0);
    assert_int_equal(leave(FREE_POOL, POLICY("\"budget\":{\"sleeps\":1}")), 1);
    assert_int_equal(leave(FREE_POOL, POLICY("\"budget\":{\"sleeps\":9},\"dryRun\":true")), 0);
    assert_int_equal(leave(FREE_POOL, POLICY("\"budget\":{\"sleeps\":9},\"paused\":true")), 0);
    assert_int_equal(
        leave(FREE_POOL, POLICY("\"budget\":{\"sleeps\":9},\"windows\":[{\"deny\":true,"
                                "\"start\":\"00:00\",\"end\":\"00:00\"}]")),
        0);
}

static void pause_it(struct desk *d)
{
    assert_int_equal(desk_verb(d, VERB_PAUSE, ""), 200);
}

static void fail_store(struct desk *d)
{
    struct controller_event event = { .kind = CE_STORE_FAILED };

    desk_step(d, &event);
}

static void set_clock(struct desk *d)
{
    d->wall_ms += 600000;
}

static void restart(struct desk *d)
{
    desk_start(d);
    report_all(d);
}

static void see_higher_term(struct desk *d)
{
    d->max_term = 99;
    desk_report(d, "a", NULL, 0);
}

static void run_strangers(struct desk *d)
{
    struct wire_replica r = {
        .uid = "x", .model = "unknown", .reason = "", .phase = REPLICA_READY, .port = 1
    };

    desk_report(d, "b", &r, 1);
    desk_report(d, "c", &r, 1);
}

static void facts_hold_nodes_awake(void **state)
{
    static void (*const CHANGES[])(struct desk *) = { pause_it, fail_store,      set_clock,
                                                      restart,  see_higher_term, run_strangers };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CHANGES); i++) {
        struct desk d;

        begin(&d, FREE_POOL, FREE_POLICY);
        CHANGES[i](&d);
        give(&d, plan_to_sleep(&d));
        if (draining(&d) != 0)
            fail_msg("change %zu: %u nodes leave", i, draining(&d));
        desk_done(&d);
    }
}

static void a_stale_plan_puts_nobody_to_sleep(void **state)
{
    struct plan *p;
    struct desk d;

    (void)state;
    begin(&d, FREE_POOL, FREE_POLICY);
    p = plan_to_sleep(&d);
    for (int k = 0; k < 60; k++) {
        desk_pass(&d, 5000);
        report_all(&d);
    }
    give(&d, p);
    assert_int_equal(draining(&d), 0);
    desk_done(&d);
}

static void what_begins_to_leave_is_called_back(void **state)
{
    static void (*const CHANGES[])(struct desk *) = { pause_it, fail_store, set_clock,
                                                      see_higher_term };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CHANGES); i++) {
        struct desk d;

        begin(&d, FREE_POOL, FREE_POLICY);
        give(&d, plan_to_sleep(&d));
        assert_int_equal(draining(&d), 2);
        CHANGES[i](&d);
        desk_pass(&d, 1000);
        if (draining(&d) != 0)
            fail_msg("change %zu: %u nodes still leave", i, draining(&d));
        desk_done(&d);
    }
}

/* --- replies ------------------------------------------------------------------------------------
 */

static struct wire_reply *reply_to(const struct desk *d, const char *node)
{
    struct wire_reply *reply = NULL;
    struct err e = ERR_INIT;

    for (size_t i = 0; i < d->fx.n_items; i++) {
        const struct effect *fx = &d->fx.items[i];

        if (fx->kind == FX_REPLY && strcmp(fx->reply.node, node) == 0) {
            wire_reply_free(reply);
            if (wire_reply_decode(fx->reply.bytes, fx->reply.n, &reply, &e) < 0)
                fail_msg("%s", e.text);
        }
    }
    return reply;
}

static uint64_t term_told(const struct desk *d, const char *node)
{
    AUTO(wire_reply) struct wire_reply *reply = reply_to(d, node);

    assert_non_null(reply);
    return reply->term;
}

/* Of the last step. */
static size_t told(const struct desk *d, const char *reason)
{
    size_t n = 0;

    for (size_t i = 0; i < d->fx.n_items; i++)
        n += d->fx.items[i].kind == FX_EVENT && strcmp(d->fx.items[i].event.reason, reason) == 0;
    return n;
}

static void of_a_higher_term_people_are_told_once(void **state)
{
    struct desk d;

    (void)state;
    begin(&d, FREE_POOL, FREE_POLICY);
    see_higher_term(&d);
    assert_int_equal(told(&d, "HigherTermSeen"), 1);
    see_higher_term(&d);
    assert_int_equal(told(&d, "HigherTermSeen"), 0);
    desk_done(&d);
    begin(&d, FREE_POOL, FREE_POLICY);
    d.max_term = UINT64_MAX;
    desk_report(&d, "a", NULL, 0);
    assert_int_equal(told(&d, "TermDisputed"), 1);
    desk_report(&d, "a", NULL, 0);
    assert_int_equal(told(&d, "TermDisputed"), 0);
    desk_done(&d);
}

/* A person says that the other one is gone: its term is passed, and kept, while the controller
 * warms up; one that is seen later is a controller that runs. */
static void a_higher_term_is_passed_when_a_person_says_so(void **state)
{
    struct desk d;

    (void)state;
    begin(&d, FREE_POOL, FREE_POLICY);
    d.options.adopt = true;
    desk_start(&d);
    see_higher_term(&d);
    assert_int_equal(term_told(&d, "a"), 100);
    assert_int_equal(term_told(&d, "b"), 100); /* at once, to all */
    d.max_term = 100;
    desk_report(&d, "a", NULL, 0);
    assert_false(d.core->deposed);
    assert_int_equal(d.core->cluster->term, 100);
    d.max_term = 99;
    desk_report(&d, "b", NULL, 0); /* not the highest any more */
    assert_int_equal(d.core->cluster->term, 100);
    desk_pass(&d, 600000);
    d.max_term = 101;
    desk_report(&d, "a", NULL, 0);
    assert_true(d.core->deposed);
    desk_start(&d);
    assert_int_equal(d.core->cluster->term, 101);
    desk_done(&d);
}

/* A term that the store cannot keep would be told again after the next start. */
static void no_term_is_passed_that_cannot_be_kept(void **state)
{
    struct desk d;

    (void)state;
    begin(&d, FREE_POOL, FREE_POLICY);
    d.options.adopt = true;
    desk_start(&d);
    d.core->store_failed = true;
    see_higher_term(&d);
    assert_int_equal(d.core->cluster->term, 2);
    assert_false(d.core->deposed);
    desk_done(&d);
}

static void a_term_that_cannot_be_is_not_believed(void **state)
{
    const uint64_t terms[] = { UINT64_MAX, 1000000 + 3 };
    struct desk d;

    (void)state;
    for (int adopt = 0; adopt < 2; adopt++) {
        begin(&d, FREE_POOL, FREE_POLICY);
        d.options.adopt = adopt;
        desk_start(&d);
        assert_int_equal(d.core->cluster->term, 2);
        for (size_t i = 0; i < ARRAY_LEN(terms); i++) {
            d.max_term = terms[i];
            desk_report(&d, "a", NULL, 0);
            assert_false(d.core->deposed);
            assert_int_equal(d.core->cluster->term, 2);
        }
        d.max_term = 1000000 + 2; /* it could be */
        desk_report(&d, "a", NULL, 0);
        assert_int_equal(d.core->deposed, !adopt);
        desk_done(&d);
    }
}

/* A desired state that does not name them would stop them. */
static void strangers_are_left_alone(void **state)
{
    AUTO(wire_reply) struct wire_reply *reply = NULL;
    struct desk d;

    (void)state;
    begin(&d, FREE_POOL, FREE_POLICY);
    run_strangers(&d);
    reply = reply_to(&d, "c");
    assert_non_null(reply);
    assert_false(reply->desired_present);
    desk_done(&d);
}

static void answer_probes(struct desk *d)
{
    for (size_t i = 0; i < ARRAY_LEN(NODES); i++) {
        struct controller_event event = { .kind = CE_POWER };

        event.power.node = NODES[i];
        event.power.op = "";
        event.power.action = POWER_PROBE;
        event.power.outcome = POWER_DONE;
        event.power.reading = POWER_ON;
        event.power.message = "";
        desk_step(d, &event);
    }
}

/* Every order to sleep says when to come back though nobody calls (G4). */
static void who_sleeps_has_an_alarm_clock(void **state)
{
    AUTO(wire_reply) struct wire_reply *reply = NULL;
    struct desk d;

    (void)state;
    begin(&d, FREE_POOL, POLICY("\"budget\":{\"sleeps\":1},\"timing\":{\"maxAsleep\":\"2h\"}"));
    give(&d, plan_to_sleep(&d));
    for (int k = 0; k < 60 && node_of(&d, "b")->record.state != NODE_PREPARING; k++) {
        desk_pass(&d, 1000);
        report_all(&d);
        answer_probes(&d);
        give(&d, plan_to_sleep(&d));
    }
    node_of(&d, "b")->reply_known = false; /* it was published on the way: once more */
    node_reply_due(d.core->cluster, node_of(&d, "b"));
    desk_pass(&d, 10);
    reply = reply_to(&d, "b");
    assert_non_null(reply);
    assert_int_equal(reply->power.kind, POWER_ORDER_PREPARE);
    assert_in_range(reply->power.wake_by_wall_ms, d.wall_ms + 7200000, d.wall_ms + 10800000);
    desk_done(&d);
}

/* --- drains -------------------------------------------------------------------------------------
 */

static void host(struct desk *d, const char *node, const char *uid)
{
    struct wire_replica r = {
        .uid = uid, .model = "m", .reason = "", .phase = REPLICA_READY, .port = 20000
    };

    desk_report(d, node, &r, 1);
}

static void host_all(struct desk *d)
{
    host(d, "a", "m-1");
    host(d, "b", "m-2");
    desk_report(d, "c", NULL, 0);
}

/* Two ready replicas and one request a second: one would do. */
static void serve(struct desk *d, bool demand)
{
    begin(d, FREE_POOL, FREE_POLICY);
    assert_int_equal(desk_put(d, MODEL), 201);
    for (uint64_t k = 0; k < 70; k++) {
        struct door_model m = { .model = "m", .requests = k, .latency_ms = NAN };
        struct door_facts facts = { .reachable = true, .epoch = 1, .models = &m, .n_models = 1 };
        struct controller_event event = { .kind = CE_DOOR, .door = &facts };

        desk_pass(d, 1000);
        host_all(d);
        if (demand)
            desk_step(d, &event);
    }
}

static struct plan *plan_without(struct desk *d, const char *uid)
{
    struct plan *p = plan_to_stay(d);

    for (size_t i = 0; i < p->n_placements; i++)
        if (strcmp(p->snapshot->replicas[p->placements[i].replica].uid, uid) == 0)
            p->placements[i--] = p->placements[--p->n_placements];
    return p;
}

static enum leaving leaving_of(const struct desk *d, const char *uid)
{
    return ((struct replica *)named_find(&d->core->cluster->replicas, uid))->leaving;
}

static void what_is_surplus_drains(void **state)
{
    struct desk d;

    (void)state;
    serve(&d, true);
    give(&d, plan_without(&d, "m-2"));
    assert_int_equal(leaving_of(&d, "m-2"), LEAVING_DRAIN);
    assert_int_equal(leaving_of(&d, "m-1"), LEAVING_NO);
    desk_done(&d);
}

static void an_unknown_demand_drains_nothing(void **state)
{
    struct desk d;

    (void)state;
    serve(&d, false);
    give(&d, plan_without(&d, "m-2"));
    assert_int_equal(leaving_of(&d, "m-2"), LEAVING_NO);
    desk_done(&d);
}

static void a_frozen_model_drains_nothing(void **state)
{
    struct plan *p;
    struct desk d;

    (void)state;
    serve(&d, true);
    p = plan_without(&d, "m-2");
    p->models[0].frozen = true;
    give(&d, p);
    assert_int_equal(leaving_of(&d, "m-2"), LEAVING_NO);
    desk_done(&d);
}

static void a_set_clock_drains_nothing(void **state)
{
    struct desk d;

    (void)state;
    serve(&d, true);
    d.core->clock_suspect_until_ms = d.now_ms + 60000; /* the demand stays known */
    give(&d, plan_without(&d, "m-2"));
    assert_int_equal(leaving_of(&d, "m-2"), LEAVING_NO);
    desk_done(&d);
}

/* Start, wait until it serves, and only then drain, however many others serve. */
static void the_old_one_goes_when_the_new_one_serves(void **state)
{
    const struct replica *r = NULL;
    struct plan *p;
    struct desk d;

    (void)state;
    serve(&d, true);
    p = plan_to_stay(&d);
    for (size_t i = 0; i < p->n_placements; i++) {
        struct plan_placement *pp = &p->placements[i];

        if (strcmp(p->snapshot->replicas[pp->replica].uid, "m-2") == 0)
            *pp = (struct plan_placement){ 0, 2, NO_INDEX, pp->replica, 0, false };
    }
    give(&d, p);
    assert_int_equal(node_of(&d, "c")->n_replicas, 1);
    r = node_of(&d, "c")->replicas[0];
    for (int k = 0; k < 3; k++) {
        desk_pass(&d, 1000);
        host_all(&d);
        assert_int_equal(leaving_of(&d, "m-2"), LEAVING_NO);
    }
    host(&d, "c", r->name);
    desk_pass(&d, 1000);
    assert_int_equal(leaving_of(&d, "m-2"), LEAVING_DRAIN);
    desk_done(&d);
}

/* Both replicas are to move to c; how many begin to? */
static size_t move(const char *policy)
{
    struct plan *p;
    struct desk d;
    size_t n;

    serve(&d, true);
    assert_int_equal(desk_put(&d, policy), 200);
    p = plan_to_stay(&d);
    p->models[0].target = 9;
    for (size_t i = 0; i < p->n_placements; i++)
        p->placements[i] =
            (struct plan_placement){ 0, 2, NO_INDEX, p->placements[i].replica, 0, false };
    give(&d, p);
    n = node_of(&d, "c")->n_replicas;
    desk_done(&d);
    return n;
}

static void moves_keep_to_their_budget(void **state)
{
    (void)state;
    assert_int_equal(move(POLICY("\"budget\":{\"moves\":5}")), 2);
    assert_int_equal(move(POLICY("\"budget\":{\"moves\":1}")), 1);
    assert_int_equal(move(POLICY("\"budget\":{\"moves\":5},\"dryRun\":true")), 0);
    assert_int_equal(move(POLICY("\"budget\":{\"moves\":5},\"windows\":[{\"deny\":true,"
                                 "\"start\":\"00:00\",\"end\":\"00:00\"}]")),
                     0);
}

/* --- facts --------------------------------------------------------------------------------------
 */

/* Absent is not zero: a server whose requests in flight nobody counted is not quiet. */
static void unknown_in_flight_is_not_quiet(void **state)
{
    struct door_server s = { .uid = "m-2", .state = DOOR_DRAIN, .in_flight = NAN };
    struct door_facts facts = { .reachable = true, .epoch = 1, .servers = &s, .n_servers = 1 };
    struct controller_event event = { .kind = CE_DOOR, .door = &facts };
    const struct replica *r;
    struct desk d;

    (void)state;
    serve(&d, true);
    r = named_find(&d.core->cluster->replicas, "m-2");
    desk_step(&d, &event);
    assert_true(r->quiet_since_ms == NEVER_MS);
    s.in_flight = 0;
    desk_step(&d, &event);
    assert_true(r->quiet_since_ms == d.now_ms);
    desk_done(&d);
}

static void one_number_has_one_content(void **state)
{
    AUTO(wire_reply) struct wire_reply *reply = NULL;
    uint64_t counted;
    struct desk d;

    (void)state;
    begin(&d, FREE_POOL, FREE_POLICY);
    d.energy_uj = 5000000;
    desk_report(&d, "a", NULL, 0);
    counted = node_of(&d, "a")->energy_measured_uj;
    d.sequence--; /* the same number again, from a clone */
    d.energy_uj = 9000000;
    desk_report(&d, "a", NULL, 0);
    assert_true(node_of(&d, "a")->energy_measured_uj == counted);
    reply = reply_to(&d, "a");
    assert_non_null(reply);
    assert_true(reply->new_epoch);
    desk_done(&d);
}

static void a_reboot_begins_emptiness_anew(void **state)
{
    struct desk d;

    (void)state;
    begin(&d, FREE_POOL, FREE_POLICY);
    assert_true(node_of(&d, "a")->empty_reports >= 2);
    d.boot_id = "boot-2";
    desk_report(&d, "a", NULL, 0);
    assert_int_equal(node_of(&d, "a")->empty_reports, 1);
    desk_done(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_hold_nodes_awake),
        cmocka_unit_test(facts_hold_nodes_awake),
        cmocka_unit_test(a_stale_plan_puts_nobody_to_sleep),
        cmocka_unit_test(what_begins_to_leave_is_called_back),
        cmocka_unit_test(of_a_higher_term_people_are_told_once),
        cmocka_unit_test(a_higher_term_is_passed_when_a_person_says_so),
        cmocka_unit_test(no_term_is_passed_that_cannot_be_kept),
        cmocka_unit_test(a_term_that_cannot_be_is_not_believed),
        cmocka_unit_test(strangers_are_left_alone),
        cmocka_unit_test(who_sleeps_has_an_alarm_clock),
        cmocka_unit_test(what_is_surplus_drains),
        cmocka_unit_test(an_unknown_demand_drains_nothing),
        cmocka_unit_test(a_frozen_model_drains_nothing),
        cmocka_unit_test(a_set_clock_drains_nothing),
        cmocka_unit_test(the_old_one_goes_when_the_new_one_serves),
        cmocka_unit_test(moves_keep_to_their_budget),
        cmocka_unit_test(unknown_in_flight_is_not_quiet),
        cmocka_unit_test(one_number_has_one_content),
        cmocka_unit_test(a_reboot_begins_emptiness_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
