/* Requests that wait: how long at most, and by how much greener they were served. By hand. */
#include "controller/state/waiting.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define T INT64_C(1750000500000)

struct rig {
    struct cluster *cluster;
    struct model *model;
    int64_t now_ms;
};

static void begin(struct rig *g, const char *deferrable)
{
    json_t *doc =
        json_pack("{s:s, s:s, s:{s:s}, s:o}", "apiVersion", MANIFEST_API_VERSION, "kind",
                  "ServedModel", "metadata", "name", "m", "spec", json_loads(deferrable, 0, NULL));
    struct manifest *m = NULL;
    struct err e = ERR_INIT;

    if (manifest_from_json(doc, "test", &m, &e) < 0)
        fail_msg("%s", e.text);
    *g = (struct rig){ .cluster = cluster_new() };
    g->model = model_put(g->cluster, m);
    manifest_free(m);
    json_decref(doc);
}

#define BATCH "{\"deferrable\":{\"deadline\":\"1h\"}}"

/* A minute later. */
static void see(struct rig *g, double queue, uint64_t arrived, double grams)
{
    struct waiting_look look = { .queue = queue,
                                 .arrived = arrived,
                                 .seen_ms = g->now_ms,
                                 .from_wall_ms = T + g->now_ms,
                                 .wall_ms = T + g->now_ms + 60000,
                                 .grams = grams };

    g->now_ms += 60000;
    model_see_queue(g->model, &look);
}

static int64_t waited_s(const struct rig *g)
{
    int64_t ms = model_waited_ms(g->model, g->now_ms);

    return ms < 0 ? -1 : ms / 1000;
}

static void served(const struct rig *g, double n, double relief)
{
    double count = series_sum(&g->model->deferred_count, T, T + g->now_ms);
    double sum = series_sum(&g->model->relief, T, T + g->now_ms);

    if (isnan(n) ? !isnan(count) : !(fabs(count - n) < 1e-6 && fabs(sum - relief) < 1e-3))
        fail_msg("%g with %g, not %g with %g", count, sum, n, relief);
}

static void the_oldest_has_not_waited_for_longer(void **state)
{
    struct rig g;

    (void)state;
    begin(&g, BATCH);
    assert_int_equal(waited_s(&g), -1);
    see(&g, 4, 4, 100); /* they may have been there for ever */
    assert_int_equal(waited_s(&g), -1);
    see(&g, 0, 0, 100);
    assert_int_equal(waited_s(&g), 0);
    see(&g, 2, 2, 100); /* since the look before, at most */
    assert_int_equal(waited_s(&g), 60);
    see(&g, 1, 3, 100);
    assert_int_equal(waited_s(&g), 120);
    see(&g, NAN, 0, 100);
    assert_int_equal(waited_s(&g), -1);
    see(&g, 0, 0, 100);
    assert_int_equal(waited_s(&g), 0);
    cluster_free(g.cluster);
}

/* The front door turns away what has waited there for a minute and a half. */
static void nobody_may_wait_for_longer_than_the_front_door_lets_him(void **state)
{
    struct rig g;

    (void)state;
    begin(&g, BATCH);
    see(&g, 0, 0, 100);
    see(&g, 1, 1, 100);
    see(&g, 1, 0, 100);
    assert_int_equal(waited_s(&g), 120);
    assert_int_equal(model_deadline_ms(g.cluster, g.model), 3600000);
    assert_true(model_may_wait(g.cluster, g.model, g.now_ms));
    g.cluster->queue_ms = 90000;
    assert_int_equal(model_deadline_ms(g.cluster, g.model), 90000);
    assert_false(model_may_wait(g.cluster, g.model, g.now_ms));
    assert_true(model_may_wait(g.cluster, g.model, g.now_ms - 31000));
    g.cluster->queue_ms = 0;
    see(&g, NAN, 0, 100); /* unknown */
    assert_false(model_may_wait(g.cluster, g.model, g.now_ms));
    cluster_free(g.cluster);
    begin(&g, "{}"); /* whose requests are not to wait */
    see(&g, 0, 0, 100);
    assert_false(model_may_wait(g.cluster, g.model, g.now_ms));
    cluster_free(g.cluster);
}

static void each_has_the_intensity_of_its_time(void **state)
{
    struct rig g;

    (void)state;
    begin(&g, BATCH);
    see(&g, 0, 0, 500);
    see(&g, 10, 10, 500);
    see(&g, 20, 10, 300);
    served(&g, NAN, 0);
    see(&g, 10, 0, 100);
    served(&g, 10, 10 * 300);
    see(&g, 0, 0, 150);
    served(&g, 20, 10 * 300 + 10 * 250);
    see(&g, 0, 50, 100); /* served as they came */
    served(&g, 20, 10 * 300 + 10 * 250);
    see(&g, 5, 5, 100);
    see(&g, 0, 0, 400); /* waiting has cost */
    served(&g, 25, 5500 - 5 * 300);
    cluster_free(g.cluster);
}

static void what_was_unknown_is_not_said(void **state)
{
    struct rig g;

    (void)state;
    begin(&g, BATCH);
    see(&g, 0, 0, 500);
    see(&g, 10, 10, NAN);
    see(&g, 0, 0, 100);
    served(&g, NAN, 0);
    see(&g, 10, 10, 500);
    see(&g, 0, 0, 100);
    served(&g, 10, 4000);
    see(&g, 10, 10, 500);
    see(&g, 5, 0, NAN); /* nor what it was when they were served */
    served(&g, 10, 4000);
    see(&g, 0, 0, 100);
    served(&g, 15, 4000 + 5 * 400);
    cluster_free(g.cluster);
    begin(&g, BATCH);
    see(&g, 12, 0, 500); /* they came before this controller did */
    see(&g, 12, 0, 500);
    see(&g, 0, 0, 100);
    served(&g, NAN, 0);
    see(&g, 10, 10, 500);
    see(&g, NAN, 0, 500); /* the front door does not answer */
    see(&g, 12, 2, 500);
    see(&g, 0, 0, 100);
    served(&g, NAN, 0);
    see(&g, 10, 10, 500);
    see(&g, 20, 0, 300); /* it counts anew */
    see(&g, 0, 0, 100);
    served(&g, 20, 10 * 400 + 10 * 200);
    cluster_free(g.cluster);
    begin(&g, "{}"); /* whose requests are not to wait */
    see(&g, 10, 10, 500);
    see(&g, 0, 0, 100);
    served(&g, NAN, 0);
    cluster_free(g.cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oldest_has_not_waited_for_longer),
        cmocka_unit_test(nobody_may_wait_for_longer_than_the_front_door_lets_him),
        cmocka_unit_test(each_has_the_intensity_of_its_time),
        cmocka_unit_test(what_was_unknown_is_not_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
