/* What the controller's core says of energy: curves, savings, boots, and what each rests on. */
#include <math.h>

#include "tests/unit/core_world.h"

/* Of a node that has told no joule; whether node or pool comes first. */
static void the_pools_curve_is_supposed(void **state)
{
    static const char pool[] = "{" API "\"kind\":\"PowerPool\",\"metadata\":{\"name\":\"p\"},"
                               "\"spec\":{\"curve\":\"guest\"}}";
    const struct node *n;
    struct desk d;

    (void)state;
    desk_init(&d);
    desk_report(&d, "a", NULL, 0);
    n = named_find(&d.core->cluster->nodes, "a");
    assert_true(n->curve.watts[0] == 60 && n->curve.watts[10] == 200);
    assert_int_equal(desk_put(&d, pool), 201);
    assert_true(n->curve.watts[0] == 8 && n->curve.watts[10] == 28); /* four CPUs */
    desk_report(&d, "b", NULL, 0);
    n = named_find(&d.core->cluster->nodes, "b");
    assert_true(n->curve.watts[0] == 8);
    assert_int_equal(desk_delete(&d, KIND_POWER_POOL, "p"), 200);
    assert_true(n->curve.watts[0] == 60);
    desk_done(&d);
}

/* A guest on which no pool speaks: the watts by which its own agent estimates. */
static void the_agents_model_is_supposed(void **state)
{
    static const char pool[] = "{" API "\"kind\":\"PowerPool\",\"metadata\":{\"name\":\"p\"},"
                               "\"spec\":{\"curve\":\"arm\"}}";
    const struct node *n;
    struct desk d;

    (void)state;
    desk_init(&d);
    d.power_model = "guest";
    desk_report(&d, "a", NULL, 0);
    n = named_find(&d.core->cluster->nodes, "a");
    assert_true(n->curve.watts[0] == 8 && n->curve.watts[10] == 28); /* four CPUs */
    assert_int_equal(desk_put(&d, pool), 201);
    assert_true(n->curve.watts[0] == 4); /* a person's word */
    desk_done(&d);
}

/* A tells joules (measured) at half load, or none; b sleeps. */
static void energy_report(struct desk *d, int64_t seconds, uint64_t watts)
{
    static const char *features[] = { "two_key" };
    struct wire_report r = { .node = "a",
                             .boot_id = "boot-1",
                             .cluster_id = "desk",
                             .epoch = 9,
                             .sequence = ++d->sequence,
                             .sent_wall_ms = d->wall_ms,
                             .boot_ms = d->now_ms,
                             .interval_ms = 5000,
                             .energy_measured_uj = (uint64_t)seconds * watts * 1000000,
                             .energy_gaps = d->gaps,
                             .features = features,
                             .n_features = 1 };
    struct controller_event event = { .kind = CE_REPORT, .report = &r };

    r.cpu.busy_ns = r.cpu.idle_ns = (uint64_t)seconds * 1000000000;
    r.power.op = r.power.reason = "";
    desk_step(d, &event);
}

static double share_of(const struct desk *d, const char *label)
{
    json_t *all = controller_get(d->core, "clusters", NULL, d->now_ms, d->wall_ms);
    const json_t *status = json_object_get(json_array_get(all, 0), "status"),
                 *share = json_object_get(status, "savedShare");
    double value = json_is_null(share) ? NAN : json_number_value(json_object_get(share, label));
    double saved = json_number_value(json_object_get(status, "savedW"));

    if (share && !json_is_null(share)) {
        assert_true(json_number_value(json_object_get(status, "savedLowW")) < saved);
        assert_true(json_number_value(json_object_get(status, "savedHighW")) > saved);
    }
    json_decref(all);
    return value;
}

/* Of 100 W used and 110 W that it would be, and of a sleeper: 10 W and the prior of 60 to 200 W. */
static void a_saving_says_what_it_rests_on(void **state)
{
    struct node *b;
    struct desk d;
    double measured, estimated, assumed;

    (void)state;
    desk_init(&d);
    assert_int_equal(desk_put(&d, DESK_POOL), 201);
    desk_report(&d, "b", NULL, 0);
    b = named_find(&d.core->cluster->nodes, "b");
    b->record.state = NODE_ASLEEP;
    b->record.entered_wall_ms = d.wall_ms;
    desk_report(&d, "a", NULL, 0);
    assert_true(isnan(share_of(&d, "measured"))); /* nothing is known of its load */
    for (int64_t s = 0; s < 600; s += 5) {
        energy_report(&d, s, 100);
        desk_pass(&d, 5000);
    }
    measured = share_of(&d, "measured");
    estimated = share_of(&d, "estimated");
    assumed = share_of(&d, "assumed");
    print_message("%g measured, %g estimated, %g assumed\n", measured, estimated, assumed);
    assert_true(fabs(measured + estimated + assumed - 1) < 1e-9);
    assert_true(measured > 0.5 && estimated > 0.2 && assumed > 0.01 && assumed < 0.1);
    desk_done(&d);
}

static const struct node *a_minute_at_100_watts(struct desk *d)
{
    desk_init(d);
    desk_report(d, "a", NULL, 0);
    for (int64_t s = 0; s < 60; s += 5) {
        energy_report(d, s, 100);
        desk_pass(d, 5000);
    }
    return named_find(&d->core->cluster->nodes, "a");
}

/* The agent began anew: of an interval that is only in part in the counter no watts are known. */
static void a_gap_tells_no_watts(void **state)
{
    const struct node *n;
    struct desk d;
    double idle_w;

    (void)state;
    n = a_minute_at_100_watts(&d);
    assert_true(fabs(n->watts - 100) < 1e-9);
    idle_w = n->curve.watts[0];
    d.gaps++;
    energy_report(&d, 55, 101); /* a few joules of five seconds */
    assert_true(isnan(n->watts));
    assert_int_equal(n->watts_provenance, PROVENANCE_AMBIGUOUS);
    assert_true(n->curve.watts[0] == idle_w);
    desk_done(&d);
}

/* A broken meter or a lying agent: a gap, and not a number in everybody's sums. */
static void joules_that_cannot_be_are_not_counted(void **state)
{
    const struct node *n;
    struct desk d;
    uint64_t before_uj;

    (void)state;
    n = a_minute_at_100_watts(&d);
    before_uj = n->energy_measured_uj;
    energy_report(&d, 60, 10000000); /* 600 MJ in five seconds */
    assert_true(d.fx.n_items > 0 && n->wild);
    assert_true(n->energy_measured_uj == before_uj && isnan(n->watts));
    assert_int_equal(n->energy_gaps, 1);
    desk_pass(&d, 5000);
    energy_report(&d, 60, 10000050); /* goes on from there: 3 kJ, 600 W */
    assert_true(n->energy_measured_uj == before_uj + UINT64_C(3000000000) && !n->wild);
    desk_done(&d);
}

static json_t *curve_of(struct desk *d, const char *node)
{
    json_t *o = controller_get(d->core, "nodes", node, d->now_ms, d->wall_ms);
    json_t *curve = json_incref(json_object_get(json_object_get(o, "status"), "curve"));

    json_decref(o);
    return curve;
}

static void assert_curve(struct desk *d, double boot_s, double cycle_j, const char *from)
{
    json_t *curve = curve_of(d, "a");

    assert_true(fabs(json_number_value(json_object_get(curve, "bootS")) - boot_s) < 1e-9);
    assert_true(fabs(json_number_value(json_object_get(curve, "cycleJ")) - cycle_j) < 1e-6);
    assert_string_equal(json_string_value(json_object_get(curve, "cycleFrom")), from);
    json_decref(curve);
}

/* No counter sees a boot: its joules are estimated from its time, or declared, and said to be so.
 */
static void what_a_boot_draws_is_not_called_measured(void **state)
{
    struct node *n;
    struct desk d;

    (void)state;
    desk_init(&d);
    desk_put(&d, DESK_POOL);
    desk_report(&d, "a", NULL, 0);
    n = named_find(&d.core->cluster->nodes, "a");
    n->record.state = NODE_WAKING;
    n->record.transition = 8;
    n->record.entered_ms = n->record.op_started_ms = d.now_ms;
    (void)snprintf(n->record.boot_id, sizeof(n->record.boot_id), "boot-1");
    d.now_ms += 50000;
    d.boot_id = "boot-2";
    desk_report(&d, "a", NULL, 0);
    assert_int_equal(n->record.transition, 9);
    assert_curve(&d, 50, 50 * node_curve_watts(&n->curve, 0.3), "estimated");
    desk_put(&d, "{" API "\"kind\":\"PowerPool\",\"metadata\":{\"name\":\"p\"},"
                 "\"spec\":{\"boot\":{\"time\":\"9s\",\"energy\":\"77J\"}}}");
    assert_curve(&d, 50, 77, "declared"); /* the time was measured */
    desk_done(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_saving_says_what_it_rests_on),
        cmocka_unit_test(the_pools_curve_is_supposed),
        cmocka_unit_test(the_agents_model_is_supposed),
        cmocka_unit_test(a_gap_tells_no_watts),
        cmocka_unit_test(joules_that_cannot_be_are_not_counted),
        cmocka_unit_test(what_a_boot_draws_is_not_called_measured),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
