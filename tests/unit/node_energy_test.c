/* Joules of nodes by hand: every one in the node's account, in the cluster's, and once. */
#include "controller/state/node_energy.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#define T INT64_C(1750000500000) /* a whole quarter of an hour */

/* 100 W idle, 200 W busy, 8 W off, 1200 J a cycle; the load spread over all is 0.3: 130 W. */
static struct node *add(struct cluster *c, const char *name, enum provenance p)
{
    struct node *n = node_add(c, name);

    n->curve = node_curve_linear(100, 200);
    n->curve.weight[0] = 1; /* its own: a pool's curve does not replace it */
    n->curve.standby_w = 8;
    n->curve.cycle_j = 1200;
    n->curve.provenance = p;
    c->even_utilization = 0.3;
    return n;
}

static struct manifest *parse(const char *kind, const char *spec)
{
    json_t *doc = json_pack("{s:s, s:s, s:{s:s}, s:o}", "apiVersion", MANIFEST_API_VERSION, "kind",
                            kind, "metadata", "name", "p", "spec", json_loads(spec, 0, NULL));
    struct manifest *m = NULL;

    assert_int_equal(manifest_from_json(doc, "test", &m, NULL), 0);
    json_decref(doc);
    return m;
}

/* All nodes are in a pool whose electricity is 0.36 EUR/kWh; its standby is what the curve says. */
static void set_price(struct cluster *c)
{
    AUTO(manifest)
    struct manifest *policy = parse("PowerPolicy", "{\"pricePerKwh\":0.36,\"currency\":\"EUR\"}");
    AUTO(manifest)
    struct manifest *pool = parse("PowerPool", "{\"policy\":\"p\",\"standby\":\"8W\"}");

    struct pool *p = pool_put(c, pool);

    policy_put(c, policy)->price.series = intensity_fixed(0.36);
    for (size_t i = 0; i < c->nodes.n_items; i++)
        cluster_node(c, i)->pool = p;
    energy_history_set_currency(&c->energy, "EUR");
}

static void near(double value, double wanted)
{
    if (!(fabs(value - wanted) <= fabs(wanted) * 0.0005 + 1e-9))
        fail_msg("%.9g, not %.9g", value, wanted);
}

static void a_report_and_a_sleeper(void **state)
{
    AUTO(cluster) struct cluster *c = cluster_new();
    struct node *a = add(c, "a", PROVENANCE_MEASURED), *b = add(c, "b", PROVENANCE_ESTIMATED);
    struct energy_totals t;

    (void)state;
    set_price(c);
    node_energy_count(
        c, a,
        &(struct node_joules){
            .from_ms = T, .to_ms = T + 100000, .measured_j = 15000, .estimated_j = 1000 });
    b->record.state = NODE_ASLEEP;
    node_energy_pass(c, b, T, T + 100000);
    t = energy_history_totals(&c->energy, T, T + 100000);
    near(t.measured_j, 15000);
    near(t.estimated_j, 1000 + 800); /* 8 W off for 100 s */
    near(t.used_j, 16800);
    near(t.counterfactual_j, 2 * 130 * 100);
    near(t.saved_j, 26000 - 16800);
    /* 3 % of what was measured, 15 % estimated, 30 % assumed; a's curve is its own, b's is not. */
    near(t.saved_high_j - t.saved_j,
         0.03 * 15000 + 0.15 * 1000 + 0.3 * 800 + 0.03 * 13000 + 0.15 * 13000);
    near(t.saved_j - t.saved_low_j, t.saved_high_j - t.saved_j);
    near(t.cost_saved, 9200 / 3.6e6 * 0.36);
    near(series_sum(&a->joules, T, T + 100000), 16000);
    near(series_sum(&b->joules, T, T + 100000), 800);
    near(energy_history_totals(&c->energy, T, T + 50000).used_j, 8400);
    assert_true(isnan(energy_history_totals(&c->energy, T - 100000, T).used_j));
    assert_true(isnan(energy_history_totals(&c->energy, T - 100000, T).saved_low_j));
    assert_true(energy_history_begin(&c->energy) == T);
}

/* Awake till T, off from T + 20 s to T + 620 s, woken by T + 680 s. */
static void a_night_by_hand(void **state)
{
    AUTO(cluster) struct cluster *c = cluster_new();
    struct node *a = add(c, "a", PROVENANCE_MEASURED);
    struct energy_totals t;

    (void)state;
    set_price(c);
    node_energy_count(c, a,
                      &(struct node_joules){ .from_ms = T - 5000, .to_ms = T, .measured_j = 700 });
    a->base[0].wall_ms = T;
    a->record.state = NODE_ASLEEP;
    node_energy_off(c, a, T + 20000);
    for (int s = 20; s < 620; s++)
        node_energy_pass(c, a, T + (s - 1) * INT64_C(1000),
                         T + (s + 1) * INT64_C(1000)); /* overlaps: counted once */
    a->record.state = NODE_WAKING;
    node_energy_up(a, T + 620000);
    a->record.state = NODE_AWAKE;
    node_energy_booted(c, a, T + 680000, true);
    t = energy_history_totals(&c->energy, T - 5000, T + 700000);
    near(t.measured_j, 700);
    near(t.estimated_j, 600 * 8 + 1200);
    near(t.counterfactual_j, 130 * (5 + 20 + 600 + 60));
    near(series_sum(&a->joules, T - 5000, T + 700000), t.used_j);
    assert_int_equal(marks_count(&a->power_marks, MARK_ASLEEP, T, T + 700000), 1);
    assert_int_equal(marks_count(&a->power_marks, MARK_WOKEN, T, T + 700000), 1);
    near(marks_between_s(&a->power_marks, MARK_ASLEEP, MARK_UP, T, T + 700000), 600);
    /* The first report of the new life: an instant, and no saving. */
    node_energy_count(
        c, a,
        &(struct node_joules){ .from_ms = T + 681000, .to_ms = T + 681000, .measured_j = 300 });
    near(energy_history_totals(&c->energy, T - 5000, T + 700000).saved_j, t.saved_j);
}

static void what_is_unknown_is_no_saving(void **state)
{
    AUTO(cluster) struct cluster *c = cluster_new();
    struct node *a = add(c, "a", PROVENANCE_MEASURED), *b = add(c, "b", PROVENANCE_ESTIMATED);
    struct energy_totals t;

    (void)state;
    set_price(c);
    c->even_utilization = NAN;
    node_energy_count(c, a,
                      &(struct node_joules){ .from_ms = T, .to_ms = T + 10000, .measured_j = 900 });
    b->watts_provenance = PROVENANCE_MEASURED; /* its own reports tell */
    b->utilization = 0.5;
    node_energy_pass(c, b, T, T + 10000);
    assert_true(isnan(series_sum(&b->joules, T, T + 10000)));
    t = energy_history_totals(&c->energy, T, T + 10000);
    near(t.used_j, 900);
    near(t.saved_j, 0);
    c->even_utilization = 0.3;
    b->watts_provenance = PROVENANCE_UNAVAILABLE; /* no meter and no model: its curve at 0.5 */
    node_energy_pass(c, b, T, T + 10000);
    near(series_sum(&b->joules, T, T + 10000), 1500);
    near(energy_history_totals(&c->energy, T, T + 10000).counterfactual_j, 900 + 1300);
}

static void another_currency_begins_anew(void **state)
{
    AUTO(cluster) struct cluster *c = cluster_new();
    struct node *a = add(c, "a", PROVENANCE_MEASURED);
    const struct node_joules j = { .from_ms = T, .to_ms = T + 100000, .measured_j = 10000 };

    (void)state;
    set_price(c);
    node_energy_count(c, a, &j);
    near(energy_history_totals(&c->energy, T, T + 100000).cost_saved, 3000 / 3.6e6 * 0.36);
    energy_history_set_currency(&c->energy, "EUR");
    near(energy_history_totals(&c->energy, T, T + 100000).cost_saved, 3000 / 3.6e6 * 0.36);
    energy_history_set_currency(&c->energy, "USD");
    node_energy_count(c, a, &j); /* its policy's price is in another one */
    assert_true(isnan(energy_history_totals(&c->energy, T, T + 100000).cost_saved) != 0);
}

/* Half of the time at 300 g/kWh, then unknown; prices below zero are paid back. */
static void carbon_is_of_the_time_that_it_is_known(void **state)
{
    AUTO(cluster) struct cluster *c = cluster_new();
    struct node *a = add(c, "a", PROVENANCE_MEASURED);
    const char *half = "1750000400,300\n1750000550,\n", *paid = "1750000400,-0.1\n1750000800,0\n";
    struct policy *policy;
    struct energy_totals t;

    (void)state;
    set_price(c);
    policy = named_find(&c->policies, "p");
    intensity_unref(policy->price.series);
    assert_int_equal(intensity_parse("f", half, strlen(half), 0, &policy->carbon.series, NULL), 0);
    assert_int_equal(intensity_parse("f", paid, strlen(paid), -1, &policy->price.series, NULL), 0);
    node_energy_count(
        c, a,
        &(struct node_joules){
            .from_ms = T, .to_ms = T + 100000, .measured_j = 15000, .estimated_j = 1000 });
    t = energy_history_totals(&c->energy, T, T + 100000);
    near(t.carbon.measured_g, 7500 / 3.6e6 * 300);
    near(t.carbon.estimated_g, 500 / 3.6e6 * 300);
    near(t.carbon.used_g, 8000 / 3.6e6 * 300);
    near(t.carbon.always_g, 6500 / 3.6e6 * 300);
    near(t.carbon.saved_g, -1500 / 3.6e6 * 300);
    near(t.carbon.saved_high_g - t.carbon.saved_g,
         (0.03 * 15000 + 0.15 * 1000 + 0.03 * 13000) / 2 / 3.6e6 * 300);
    near(t.carbon.fixed_j, 0);
    near(t.carbon.file_j + t.carbon.profile_j, 8000);
    near(t.cost_used, 16000 / 3.6e6 * -0.1);
    near(t.cost_saved, 3000 / 3.6e6 * 0.1);
    near(t.priced_j, 16000);
    intensity_unref(policy->carbon.series);
    policy->carbon.series = NULL;
    node_energy_count(
        c, a,
        &(struct node_joules){ .from_ms = T + 100000, .to_ms = T + 200000, .measured_j = 15000 });
    t = energy_history_totals(&c->energy, T, T + 200000);
    near(t.used_j, 31000);
    near(t.carbon.used_g, 8000 / 3.6e6 * 300);
    near(t.carbon.file_j + t.carbon.profile_j, 8000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_report_and_a_sleeper),
        cmocka_unit_test(a_night_by_hand),
        cmocka_unit_test(what_is_unknown_is_no_saving),
        cmocka_unit_test(another_currency_begins_anew),
        cmocka_unit_test(carbon_is_of_the_time_that_it_is_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
