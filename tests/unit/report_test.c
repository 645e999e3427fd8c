/* The report through the controller's core: an awake node that reports, a sleeper, a model behind
 * the front door; every figure by hand, in several windows, and again after a restart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "controller/controller.h"
#include "proto/base/array.h"

#define T INT64_C(1750000500000) /* a whole quarter of an hour */
#define STEP_MS 5000
#define API "\"apiVersion\":\"huddle.energy/v1alpha1\","

struct image { /* what is durable */
    struct image_row {
        enum store_table table;
        char *key, *value;
    } * rows;
    size_t n_rows, cap_rows, at;
};

struct rig {
    struct controller *core;
    struct image image;
    int64_t now_ms;
    int64_t queue_until_ms; /* until then all requests wait */
    uint64_t sequence;
};

static void keep(struct image *m, enum store_table table, const char *key, const char *value)
{
    for (size_t i = 0; i < m->n_rows; i++) {
        struct image_row *r = &m->rows[i];

        if (r->table != table || strcmp(r->key, key) != 0)
            continue;
        free(r->value);
        r->value = xstrdup(value);
        return;
    }
    *ARRAY_ADD(m, rows) = (struct image_row){ table, xstrdup(key), xstrdup(value) };
}

static int next_row(void *data, struct controller_row *ret_row)
{
    struct image *m = data;

    while (m->at < m->n_rows && !m->rows[m->at].value)
        m->at++;
    if (m->at == m->n_rows)
        return 0;
    *ret_row =
        (struct controller_row){ m->rows[m->at].table, m->rows[m->at].key, m->rows[m->at].value };
    m->at++;
    return 1;
}

static void take(struct rig *g, struct effects *fx)
{
    for (size_t i = 0; i < fx->n_items; i++)
        if (fx->items[i].kind == FX_STORE)
            keep(&g->image, fx->items[i].store.table, fx->items[i].store.key,
                 fx->items[i].store.value);
    effects_done(fx);
}

static void start(struct rig *g)
{
    const struct controller_options options = {
        .cluster_id = "c", .instance = 1, .seed = 1, .front_door = true
    };
    struct effects fx = { 0 };

    g->image.at = 0;
    assert_int_equal(controller_new(&options, g->now_ms, T + g->now_ms, next_row, &g->image, &fx,
                                    &g->core, NULL),
                     0);
    take(g, &fx);
}

static void step(struct rig *g, struct controller_event e)
{
    struct effects fx = { 0 };

    e.wall_ms = T + g->now_ms;
    controller_step(g->core, &e, g->now_ms, &fx);
    take(g, &fx);
}

/* 116 W measured (what its curve says at 0.4), of which 30 W are the replica's; 10 requests a
 * second of which one fails. */
static void report(struct rig *g)
{
    uint64_t s = (uint64_t)g->now_ms / 1000;
    static const char *runtimes[] = { "r" };
    const struct wire_inventory inventory = {
        .cpus = 8, .cpu_milli = 8000, .memory_bytes = 1, .runtimes = runtimes, .n_runtimes = 1
    };
    struct wire_replica replica = { .uid = "r1",
                                    .model = "m",
                                    .reason = "",
                                    .phase = REPLICA_READY,
                                    .energy_idle_uj = s * 10000000,
                                    .energy_dynamic_uj = s * 20000000 };
    struct wire_report w = { .node = "a1",
                             .boot_id = "b",
                             .cluster_id = "c",
                             .epoch = 7,
                             .sequence = ++g->sequence,
                             .sent_wall_ms = T + g->now_ms,
                             .boot_ms = g->now_ms + 1,
                             .interval_ms = STEP_MS,
                             .energy_measured_uj = 1000000 + s * 116000000,
                             .replicas = &replica,
                             .n_replicas = 1,
                             .inventory = &inventory,
                             .power = { "", POWER_STAGE_NONE, "" } };

    w.cpu.busy_ns = s * 400000000;
    w.cpu.idle_ns = s * 600000000;
    step(g, (struct controller_event){ .kind = CE_REPORT, .report = &w });
}

static void tell_door(struct rig *g)
{
    uint64_t s = (uint64_t)g->now_ms / 1000;
    const struct door_model model = { .queue = g->now_ms < g->queue_until_ms ? (double)s * 10 : 0,
                                      .model = "m",
                                      .requests = 100 + s * 10,
                                      .errors = s,
                                      .latency_ms = NAN };
    const struct door_facts facts = {
        .reachable = true, .epoch = 1, .models = &model, .n_models = 1
    };

    step(g, (struct controller_event){ .kind = CE_DOOR, .door = &facts });
}

static void run_until(struct rig *g, int64_t end_ms)
{
    for (; g->now_ms <= end_ms; g->now_ms += 1000) {
        if (g->now_ms % STEP_MS == 0)
            report(g);
        tell_door(g);
    }
}

static void setup_rig_without_policy(struct rig *g)
{
    keep(&g->image, TABLE_OBJECT, "servedmodels/m",
         "{" API "\"kind\":\"ServedModel\",\"metadata\":{\"name\":\"m\"},"
         "\"spec\":{\"replicas\":{\"min\":1,\"max\":2},\"runtime\":\"r\",\"deferrable\":"
         "{\"deadline\":\"1h\"}}}");
    keep(&g->image, TABLE_OBJECT, "powerpools/p",
         "{" API "\"kind\":\"PowerPool\",\"metadata\":{\"name\":\"p\"},"
         "\"spec\":{\"policy\":\"p\",\"minAwake\":1,\"standby\":\"5W\"}}");
    /* Off since an hour before; the prior curve, 60 W to 200 W. */
    keep(&g->image, TABLE_NODE, "b1",
         "{\"record\":{\"state\":6,\"transition\":7,\"sleeps\":1,\"enteredWallMs\":1749996900000},"
         "\"inventory\":{\"cpus\":8,\"cpuMilli\":8000,\"memory\":1}}");
    start(g);
}

static void setup_rig(struct rig *g)
{
    keep(&g->image, TABLE_OBJECT, "powerpolicies/p",
         "{" API "\"kind\":\"PowerPolicy\",\"metadata\":{\"name\":\"p\"},"
         "\"spec\":{\"pricePerKwh\":0.36,\"currency\":\"CHF\"}}");
    setup_rig_without_policy(g);
}

static void done_rig(struct rig *g)
{
    controller_free(g->core);
    for (size_t i = 0; i < g->image.n_rows; i++) {
        free(g->image.rows[i].key);
        free(g->image.rows[i].value);
    }
    free(g->image.rows);
}

static json_t *ask(struct rig *g, int64_t from_s, int64_t to_s)
{
    return controller_report(g->core, T + from_s * 1000, T + to_s * 1000, T + g->now_ms);
}

static const json_t *at(const json_t *o, const char *path)
{
    char copy[100], *save = NULL;

    (void)snprintf(copy, sizeof(copy), "%s", path);
    for (char *part = strtok_r(copy, ".", &save); part; part = strtok_r(NULL, ".", &save))
        o = json_is_array(o) ? json_array_get(o, strtoul(part, NULL, 10))
                             : json_object_get(o, part);
    return o;
}

static void near(const json_t *o, const char *path, double wanted, double share)
{
    const json_t *v = at(o, path);

    if (!json_is_number(v))
        fail_msg("%s: no number", path);
    if (fabs(json_number_value(v) - wanted) > fabs(wanted) * share)
        fail_msg("%s: %.9g, not %.9g", path, json_number_value(v), wanted);
}

static void is_null(const json_t *o, const char *path)
{
    if (!json_is_null(at(o, path)))
        fail_msg("%s: not null", path);
}

/* All of the first ten minutes. In the first interval nobody knows how busy the cluster is: what
 * a1 used is what it would have used. Then the load of both is 0.2: 88 W each. */
static void check_ten_minutes(const json_t *r, double share)
{
    double always = 580 + 595 * 88 + 5 * 60 + 595 * 88;

    near(r, "seconds", 600, 0);
    near(r, "energy.measuredJ", 116 * 600, share);
    near(r, "energy.estimatedJ", 5 * 600, share);
    near(r, "energy.usedJ", 121 * 600, share);
    near(r, "energy.counterfactualJ", always, share);
    near(r, "energy.savedJ", always - 121 * 600, 3 * share);
    near(r, "cost.saved", (always - 121 * 600) / 3.6e6 * 0.36, 3 * share);
    assert_string_equal(json_string_value(at(r, "cost.currency")), "CHF");
    near(r, "requests", 6000, share);
    near(r, "moves", 0, 0);
    near(r, "sleeps", 0, 0);
    near(r, "wakes", 0, 0);
    assert_string_equal(json_string_value(at(r, "nodes.0.name")), "a1");
    near(r, "nodes.0.usedJ", 116 * 600, share);
    near(r, "nodes.0.asleepS", 0, 0);
    near(r, "nodes.1.usedJ", 5 * 600, share);
    near(r, "nodes.1.asleepS", 600, 0);
    near(r, "models.0.idleJ", 6000, share);
    near(r, "models.0.dynamicJ", 12000, share);
    near(r, "models.0.usedJ", 18000, share);
    near(r, "models.0.requests", 6000, share);
    near(r, "models.0.errors", 600, share);
}

static void ten_minutes_by_hand(void **state)
{
    struct rig g = { 0 };
    json_t *r;

    (void)state;
    setup_rig(&g);
    run_until(&g, 720000);
    r = ask(&g, 0, 600);
    check_ten_minutes(r, 0.005);
    near(r, "recordedS", 600, 0);
    json_decref(r);
    r = ask(&g, 300, 360); /* a window within */
    near(r, "energy.measuredJ", 116 * 60, 0.005);
    near(r, "requests", 600, 0.005);
    near(r, "nodes.1.asleepS", 60, 0);
    near(r, "series.stepMs", 5000, 0);
    near(r, "series.startMs", (double)T + 300000, 0);
    assert_int_equal(json_array_size(at(r, "series.usedW")), 12);
    near(r, "series.usedW.3", 121, 0.005);
    near(r, "series.counterfactualW.3", 176, 0.005);
    near(r, "series.awake.3", 1, 0.005);
    near(r, "series.demand.m.3", 10, 0.005);
    json_decref(r);
    done_rig(&g);
}

/* The sleeper fell asleep an hour before this controller began: the marks are older than joules. */
static void what_was_not_recorded_is_null(void **state)
{
    struct rig g = { 0 };
    json_t *r;

    (void)state;
    setup_rig(&g);
    run_until(&g, 60000);
    r = ask(&g, -7200, -6000);
    is_null(r, "energy.usedJ");
    is_null(r, "energy.measuredJ");
    is_null(r, "energy.counterfactualJ");
    is_null(r, "energy.savedLowJ");
    is_null(r, "cost");
    is_null(r, "sleeps");
    is_null(r, "moves");
    is_null(r, "requests");
    is_null(r, "recordedS");
    is_null(r, "series");
    is_null(r, "nodes.0.usedJ");
    is_null(r, "nodes.0.asleepS");
    is_null(r, "nodes.0.sleeps");
    is_null(r, "models.0.usedJ");
    is_null(r, "models.0.requests");
    is_null(r, "models.0.errors");
    json_decref(r);
    r = ask(&g, -7200, 60);
    near(r, "seconds", 7260, 0);
    near(r, "recordedS", 60, 0);
    near(r, "energy.measuredJ", 116 * 60, 0.005);
    near(r, "nodes.1.asleepS", 3660, 0);
    near(r, "nodes.1.sleeps", 1, 0);
    near(r, "sleeps", 1, 0);
    json_decref(r);
    r = ask(&g, 3600, 7200); /* to come */
    is_null(r, "energy.usedJ");
    is_null(r, "series");
    json_decref(r);
    done_rig(&g);
}

static void a_restart_loses_nothing(void **state)
{
    struct rig g = { 0 };
    json_t *r;

    (void)state;
    setup_rig(&g);
    run_until(&g, 720000);
    controller_free(g.core);
    start(&g);
    r = ask(&g, 0, 600);
    check_ten_minutes(r, 0.005);
    json_decref(r);
    g.now_ms = 900000; /* it was away for three minutes; the agent counted on */
    run_until(&g, 960000);
    r = ask(&g, 0, 960);
    near(r, "energy.measuredJ", 116 * 960, 0.005);
    near(r, "nodes.0.usedJ", 116 * 960, 0.005);
    near(r, "nodes.1.asleepS", 960, 0);
    near(r, "models.0.usedJ", 30 * 960, 0.005);
    json_decref(r);
    done_rig(&g);
}

static void tell_file(struct rig *g, const char *text)
{
    struct controller_event e = { .kind = CE_FILE };

    e.file.path = "/grid/x.csv";
    e.file.text = text;
    e.file.n = strlen(text);
    step(g, e);
}

/* 400 g/kWh for five minutes, then 100 for three, then nobody knows. */
static void check_carbon(const json_t *r, double share)
{
    double g = 121 * (300.0 * 400 + 180 * 100) / 3.6e6;

    near(r, "carbon.usedKg", g / 1000, share);
    near(r, "carbon.measuredKg", g * 116 / 121 / 1000, share);
    near(r, "carbon.estimatedKg", g * 5 / 121 / 1000, share);
    near(r, "carbon.counterfactualKg",
         ((580 + 295 * 88 + 5 * 60 + 295 * 88) * 400.0 + 2 * 88 * 180 * 100) / 3.6e9, 2 * share);
    near(r, "carbon.weighed.fileJ", 121 * 480, share);
    near(r, "carbon.weighed.unknownJ", 121 * 120, 10 * share);
    near(r, "carbon.weighed.fixedJ", 0, 0);
}

/* Its carbon intensity stands in a file. */
static void setup_rig_with_grid(struct rig *g)
{
    keep(&g->image, TABLE_OBJECT, "powerpolicies/p",
         "{" API "\"kind\":\"PowerPolicy\",\"metadata\":{\"name\":\"p\"},"
         "\"spec\":{\"carbon\":{\"source\":\"file\",\"path\":\"/grid/x.csv\"}}}");
    setup_rig_without_policy(g);
}

static void an_hour_keeps_its_carbon(void **state)
{
    char text[200];
    struct rig g = { 0 };
    json_t *r;

    (void)state;
    setup_rig_with_grid(&g);
    (void)snprintf(text, sizeof(text), "%lld,400\n%lld,100\n%lld,\n", (long long)T / 1000 - 60,
                   (long long)T / 1000 + 300, (long long)T / 1000 + 480);
    tell_file(&g, text);
    run_until(&g, 720000);
    r = ask(&g, 0, 600);
    check_carbon(r, 0.01);
    near(r, "series.gramsPerKwh.1", 400, 0.01);
    json_decref(r);
    controller_free(g.core);
    start(&g);
    (void)snprintf(text, sizeof(text), "%lld,900\n", (long long)T / 1000 - 60);
    tell_file(&g, text); /* what is said of the past now changes nothing */
    r = ask(&g, 0, 600);
    check_carbon(r, 0.01);
    json_decref(r);
    done_rig(&g);
}

/* Ten a second wait for five minutes at 500 g/kWh, and are served at 100: 3 J each. */
static void what_waited_is_counted(void **state)
{
    char text[200];
    struct rig g = { .queue_until_ms = 300000 };
    json_t *r;

    (void)state;
    setup_rig_with_grid(&g);
    (void)snprintf(text, sizeof(text), "%lld,500\n%lld,100\n%lld,100\n", (long long)T / 1000 - 60,
                   (long long)T / 1000 + 300, (long long)T / 1000 + 1200);
    tell_file(&g, text);
    run_until(&g, 720000);
    r = ask(&g, 0, 600);
    near(r, "models.0.deferred", 3000, 0.01);
    near(r, "models.0.avoidedKg", 3000 * 3 * 400 / 3.6e9, 0.01);
    near(r, "carbon.avoidedKg", 3000 * 3 * 400 / 3.6e9, 0.01);
    json_decref(r);
    controller_free(g.core);
    start(&g);
    r = ask(&g, 0, 600);
    near(r, "carbon.avoidedKg", 3000 * 3 * 400 / 3.6e9, 0.01);
    json_decref(r);
    done_rig(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_minutes_by_hand),     cmocka_unit_test(what_was_not_recorded_is_null),
        cmocka_unit_test(a_restart_loses_nothing), cmocka_unit_test(an_hour_keeps_its_carbon),
        cmocka_unit_test(what_waited_is_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
