/* A machine is given away: when its node may be removed, and that nothing of it is left. */
#include "tests/unit/core_world.h"

#define MODEL                                                                                     \
    "{" API "\"kind\":\"ServedModel\",\"metadata\":{\"name\":\"m\"},\"spec\":{\"runtime\":\"r\"," \
    "\"replicas\":{\"min\":1,\"max\":2}}}"

#define POOL                                                                  \
    "{" API "\"kind\":\"PowerPool\",\"metadata\":{\"name\":\"p\"},\"spec\":{" \
    "\"driver\":{\"type\":\"exec\",\"program\":\"/bin/true\"},\"minAwake\":0}}"

#define SILENT_MS 21000 /* a little more than four report intervals */

static const struct effect *answer(const struct desk *d)
{
    for (size_t i = 0; i < d->fx.n_items; i++)
        if (d->fx.items[i].kind == FX_ANSWER)
            return &d->fx.items[i];
    fail_msg("not answered");
    return NULL;
}

static int try_remove(struct desk *d, const char *node, uint64_t if_version, bool dry_run)
{
    struct controller_event event = { .kind = CE_REMOVE_NODE };

    event.del.ticket = ++d->ticket;
    event.del.name = node;
    event.del.who = "ann";
    event.del.if_version = if_version;
    event.del.dry_run = dry_run;
    desk_step(d, &event);
    return desk_status(d);
}

static int remove_node(struct desk *d, const char *node)
{
    return try_remove(d, node, 0, false);
}

static void assert_refused(struct desk *d, const char *node, const char *why)
{
    assert_int_equal(remove_node(d, node), 409);
    if (!strstr(answer(d)->answer.message, why))
        fail_msg("%s", answer(d)->answer.message);
    assert_non_null(named_find(&d->core->cluster->nodes, node));
}

static void a_node_that_reports_stays(void **state)
{
    struct desk d;

    (void)state;
    desk_init(&d);
    desk_put(&d, POOL);
    assert_int_equal(remove_node(&d, "a"), 404);
    desk_report(&d, "a", NULL, 0);
    assert_refused(&d, "a", "stop its agent");
    desk_pass(&d, SILENT_MS - 2000);
    assert_refused(&d, "a", "stop its agent");
    desk_pass(&d, 2000);
    assert_int_equal(try_remove(&d, "a", 1, false), 409); /* another version */
    assert_int_equal(try_remove(&d, "a", 0, true), 200);  /* a dry run */
    assert_int_equal(remove_node(&d, "a"), 200);
    assert_int_equal(remove_node(&d, "a"), 404);
    desk_done(&d);
}

/* What the controller has not heard of yet may still report. */
static void a_restart_makes_nobody_silent(void **state)
{
    struct desk d;

    (void)state;
    desk_init(&d);
    desk_report(&d, "a", NULL, 0);
    desk_start(&d);
    assert_refused(&d, "a", "just started");
    desk_pass(&d, SILENT_MS);
    assert_int_equal(remove_node(&d, "a"), 200);
    desk_done(&d);
}

static void no_node_goes_amid_a_power_action(void **state)
{
    static const struct {
        enum node_state state;
        const char *why; /* NULL: it may go */
    } rows[] = {
        { NODE_PREPARING, "put to sleep" }, { NODE_SLEEPING, "put to sleep" },
        { NODE_WAKING, "being woken" },     { NODE_ASLEEP, NULL },
        { NODE_QUARANTINED, NULL },         { NODE_HELD, NULL },
    };
    struct desk d;

    (void)state;
    desk_init(&d);
    desk_put(&d, POOL);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct node *n;

        desk_report(&d, "a", NULL, 0);
        n = named_find(&d.core->cluster->nodes, "a");
        d.now_ms += rows[i].state == NODE_ASLEEP ? 0 : SILENT_MS; /* a sleeper need not be silent */
        n->record.state = rows[i].state;
        n->record.entered_ms = d.now_ms;
        if (rows[i].why)
            assert_refused(&d, "a", rows[i].why);
        else
            assert_int_equal(remove_node(&d, "a"), 200);
    }
    desk_done(&d);
}

static size_t rows_of(const struct desk *d, const char *word)
{
    size_t n = 0;

    for (size_t i = 0; i < d->n_rows; i++)
        n += d->rows[i].value && d->rows[i].table != TABLE_EVENT &&
             d->rows[i].table != TABLE_JOURNAL && strstr(d->rows[i].key, word);
    return n;
}

static bool was_told(const struct desk *d, enum change_type type, const char *kind,
                     const char *name)
{
    for (size_t i = 0; i < d->fx.n_items; i++) {
        const struct effect *e = &d->fx.items[i];

        if (e->kind == FX_CHANGE && e->change.type == type && strcmp(e->change.kind, kind) == 0 &&
            strcmp(e->change.name, name) == 0)
            return true;
    }
    return false;
}

static bool has_event(const struct desk *d, const char *reason)
{
    for (size_t i = 0; i < d->fx.n_items; i++)
        if (d->fx.items[i].kind == FX_EVENT && strcmp(d->fx.items[i].event.reason, reason) == 0)
            return true;
    return false;
}

/* The sleeps and wakes of all nodes, as the counters of the cluster show them. */
static json_int_t sleeps(struct desk *d)
{
    json_t *o = controller_get(d->core, "clusters", "desk", d->now_ms, d->wall_ms);
    json_int_t n = json_integer_value(json_object_get(json_object_get(o, "status"), "sleeps"));

    json_decref(o);
    return n;
}

static void nothing_is_left(void **state)
{
    struct wire_replica r = {
        .uid = "m-1", .model = "m", .reason = "", .phase = REPLICA_READY, .port = 20000
    };
    const struct node *n;
    struct node *slept;
    struct desk d;

    (void)state;
    desk_init(&d);
    desk_put(&d, MODEL);
    d.generation = 57;
    desk_report(&d, "zed", &r, 1);
    slept = named_find(&d.core->cluster->nodes, "zed");
    slept->record.sleeps = 3;
    slept->record.state = NODE_ASLEEP; /* woken by somebody else */
    d.now_ms += 1000;
    desk_report(&d, "zed", &r, 1);
    for (int k = 0; k < 62; k++) { /* every minute its turn in the hour */
        desk_pass(&d, 60000);
        desk_report(&d, "zed", &r, 1);
    }
    assert_int_equal(rows_of(&d, "zed"), 4); /* the node, its counters, its weeks, its sleeps */
    assert_int_equal(rows_of(&d, "m-1"), 1);
    desk_pass(&d, SILENT_MS);
    assert_int_equal(sleeps(&d), 3);
    assert_int_equal(remove_node(&d, "zed"), 200);
    assert_true(was_told(&d, CHANGE_DELETED, "nodes", "zed"));
    assert_true(was_told(&d, CHANGE_DELETED, "nodepowers", "zed"));
    assert_true(was_told(&d, CHANGE_DELETED, "replicas", "m-1"));
    assert_true(has_event(&d, "NodeRemoved"));
    assert_int_equal(rows_of(&d, "zed"), 0);
    assert_int_equal(rows_of(&d, "m-1"), 0);
    assert_int_equal(d.core->cluster->replicas.n_items, 0);
    assert_int_equal(sleeps(&d), 3);
    desk_start(&d);
    assert_int_equal(sleeps(&d), 3);
    assert_null(named_find(&d.core->cluster->nodes, "zed"));
    desk_report(&d, "zed", &r, 1); /* a new node, whose agent goes on */
    assert_true(has_event(&d, "NodeAdded"));
    n = named_find(&d.core->cluster->nodes, "zed");
    assert_int_equal(n->record.sleeps, 0);
    assert_int_equal(n->generation, 58);
    assert_int_equal(n->n_replicas, 1);
    desk_done(&d);
}

/* A model that was deleted while a node with one of its replicas is lost would drain for ever. */
static void a_deleted_model_is_done(void **state)
{
    struct wire_replica r = {
        .uid = "m-1", .model = "m", .reason = "", .phase = REPLICA_READY, .port = 20000
    };
    struct desk d;

    (void)state;
    desk_init(&d);
    desk_put(&d, MODEL);
    desk_report(&d, "a", &r, 1);
    desk_pass(&d, SILENT_MS);
    desk_delete(&d, KIND_SERVED_MODEL, "m");
    for (int k = 0; k < 100; k++)
        desk_pass(&d, 60000);
    assert_non_null(named_find(&d.core->cluster->models, "m"));
    assert_int_equal(rows_of(&d, "revisions/m"), 1);
    assert_int_equal(remove_node(&d, "a"), 200);
    desk_pass(&d, 1000);
    assert_null(named_find(&d.core->cluster->models, "m"));
    assert_int_equal(rows_of(&d, "revisions/m"), 0);
    desk_done(&d);
}

static void look_at_door(struct desk *d, enum door_state server, double in_flight)
{
    struct door_server s = { .uid = "m-1", .state = server, .in_flight = in_flight };
    struct door_facts facts = { .reachable = true, .epoch = 1, .servers = &s, .n_servers = 1 };
    struct controller_event event = { .kind = CE_DOOR, .door = &facts };

    desk_step(d, &event);
}

/* Who is silent to us may be serving all the same. */
static void what_serves_is_not_cut_off(void **state)
{
    struct wire_replica r = {
        .uid = "m-1", .model = "m", .reason = "", .phase = REPLICA_READY, .port = 20000
    };
    struct desk d;

    (void)state;
    desk_init(&d);
    d.options.front_door = true;
    desk_start(&d);
    desk_put(&d, MODEL);
    desk_report(&d, "a", &r, 1);
    look_at_door(&d, DOOR_READY, 0);
    desk_pass(&d, SILENT_MS);
    assert_refused(&d, "a", "the front door does not answer");
    look_at_door(&d, DOOR_READY, 0);
    assert_refused(&d, "a", "still reaches replica m-1");
    look_at_door(&d, DOOR_DRAIN, 1);
    assert_refused(&d, "a", "still reaches replica m-1");
    look_at_door(&d, DOOR_DOWN, 0);
    assert_int_equal(remove_node(&d, "a"), 200);
    desk_done(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_that_reports_stays),
        cmocka_unit_test(a_restart_makes_nobody_silent),
        cmocka_unit_test(no_node_goes_amid_a_power_action),
        cmocka_unit_test(nothing_is_left),
        cmocka_unit_test(a_deleted_model_is_done),
        cmocka_unit_test(what_serves_is_not_cut_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
