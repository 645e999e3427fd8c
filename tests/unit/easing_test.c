/* How busy replicas are best: by the curve of their nodes and by what a request was measured to
 * use; where nothing was measured, nothing is asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "controller/placement/easing.h"
#include "tests/unit/brain_world.h"

/* Dell R740, SPECpower_ssj2008: a request draws least at 70 %. */
static const double server[CURVE_POINTS] = {
    52.3, 129, 147, 170, 195, 224, 255, 292, 344, 408, 457
};

/* Nodes of eight CPUs, ten req/s a replica; two replicas of one CPU that serve five each. */
static struct world *with_use(double milli)
{
    struct world *w = xcalloc(1, sizeof(*w));

    world_init(w, 2, 1);
    w->specs[0].resources.cpu_milli = 1000;
    for (uint32_t n = 0; n < 2; n++) {
        memcpy(w->nodes[n].curve.watts, server, sizeof(server));
        w->nodes[n].curve.standby_w = 12;
        world_run(w, 0, n, 0, REPLICA_READY);
        w->replicas[n].cpu_use_known = true;
        w->replicas[n].cpu_use_milli = milli;
    }
    return w;
}

static double best_load(struct world *w, struct easing_work *work)
{
    struct snapshot *s = world_snapshot(w);
    struct easing e;
    double share;

    easing_init(&e, s);
    share = easing_best_load(&e, s, 0, work);
    easing_done(&e);
    free(s);
    return share;
}

static double best_load_of(struct world *w)
{
    struct easing_work work = { 0 };
    double share = best_load(w, &work);

    free(w);
    return share;
}

static void near(double a, double b)
{
    if (fabs(a - b) > 1e-9)
        fail_msg("%.9f, not %.9f", a, b);
}

static void replicas_are_best_where_their_nodes_draw_least(void **state)
{
    (void)state;
    near(best_load_of(with_use(500)), 0.7);   /* a CPU at ten req/s: as declared */
    near(best_load_of(with_use(400)), 0.875); /* .8: eight of them use 6.4 CPUs */
    near(best_load_of(with_use(350)), 1);     /* never more than is best */
    near(best_load_of(with_use(300)), 1);
    near(best_load_of(with_use(5000)), 0.25); /* ten times what is declared: hardly */
}

static void what_else_fills_a_node_counts(void **state)
{
    struct world *w = with_use(500);

    (void)state;
    w->specs[0].resources.memory_bytes = w->nodes[0].memory_bytes / 6;
    near(best_load_of(w), 5.6 / 6); /* six fill it */
    w = with_use(500);
    w->specs[0].placement.max_per_node = 4;
    near(best_load_of(w), 1);
    w = with_use(500);
    w->specs[0].port = 8080;
    near(best_load_of(w), 1);
}

static void a_curve_that_is_not_convex_asks_for_nothing(void **state)
{
    struct world *w = with_use(500);

    (void)state;
    for (uint32_t n = 0; n < 2; n++)
        w->nodes[n].curve = node_curve_linear(50, 450);
    near(best_load_of(w), 1);
    w = with_use(500);
    w->nodes[1].curve = node_curve_linear(50, 450); /* half of its nodes */
    near(best_load_of(w), 0.85);
}

static void what_is_not_known_asks_for_nothing(void **state)
{
    struct world *w = with_use(500);

    (void)state;
    w->replicas[0].cpu_use_known = w->replicas[1].cpu_use_known = false;
    near(best_load_of(w), 1);
    w = with_use(500);
    w->models[0].capacity = NAN;
    near(best_load_of(w), 1);
    w = with_use(500);
    w->models[0].demand = NAN;
    near(best_load_of(w), 1);
    w = with_use(500);
    w->replicas[1].cpu_use_known = false; /* taken to be as busy as the other one */
    near(best_load_of(w), 0.7);
}

/* Use is a mean over minutes, demand is of now. */
static void what_a_request_uses_is_learned_over_many_plans(void **state)
{
    struct world *w = with_use(500);
    struct easing_work work = { 0 };

    (void)state;
    near(best_load(w, &work), 0.7);
    w->models[0].demand = 20; /* just doubled */
    assert_true(best_load(w, &work) < 0.72);
    for (int i = 0; i < 500; i++)
        (void)best_load(w, &work); /* or it is so: half of the use for a request */
    assert_true(best_load(w, &work) > 0.99);
    free(w);
}

/* Twenty replicas of the first of two models, full, on so many nodes; the second one has none yet.
 */
static void twenty_on(struct world *w, uint32_t nodes, double second)
{
    world_init(w, nodes, 2);
    w->policy_spec.strategy = STRATEGY_DEMAND; /* and a margin of .15 */
    for (uint32_t m = 0; m < 2; m++) {
        w->specs[m].resources.cpu_milli = 1000;
        w->models[m].capacity = 5;
    }
    w->models[0].demand = 100;
    w->models[1].demand = second;
    for (uint32_t n = 0; n < nodes; n++) {
        memcpy(w->nodes[n].curve.watts, server, sizeof(server));
        w->nodes[n].curve.standby_w = 12;
    }
    for (uint32_t i = 0; i < 20; i++) {
        world_run(w, 0, i % nodes, 0, REPLICA_READY);
        w->replicas[i].cpu_use_known = true;
        w->replicas[i].cpu_use_milli = 1000;
    }
}

static struct plan *plan_on(uint32_t nodes, double second, struct brain *b, struct world *w)
{
    twenty_on(w, nodes, second);
    return world_plan(w, b);
}

static uint32_t first_target(struct world *w, struct brain *b)
{
    AUTO(plan) struct plan *p = world_plan(w, b);

    assert_int_equal(p->models[0].placed, p->models[0].target);
    return p->models[0].target;
}

static void a_plan_has_as_many_as_draw_least_where_there_is_room(void **state)
{
    struct world *w = xcalloc(1, sizeof(*w));
    AUTO(brain) struct brain *b = brain_new(1);
    AUTO(plan) struct plan *with = plan_on(6, 5, b, w), *without = NULL;

    (void)state;
    assert_int_equal(plan_model_needed(&with->models[0]), 23);
    assert_int_equal(with->models[0].target, 29);
    assert_int_equal(with->models[0].placed, 29);
    assert_int_equal(with->models[1].placed, 2);
    memset(w, 0, sizeof(*w));
    without = plan_on(4, 25, b, w); /* 32 places; six more for the second model */
    assert_int_equal(without->models[0].target, 23);
    assert_int_equal(without->models[0].eased, 0);
    assert_int_equal(without->models[1].placed, 6);
    assert_non_null(strstr(without->models[0].why, "no room"));
    free(w);
}

/* Else they would come and go with each plan. */
static void once_others_lacked_room_none_is_eased_for_an_hour(void **state)
{
    struct world *w = xcalloc(1, sizeof(*w));
    AUTO(brain) struct brain *b = brain_new(1);

    (void)state;
    twenty_on(w, 4, 25);
    assert_int_equal(first_target(w, b), 23);
    twenty_on(w, 6, 5);
    w->step = 3599;
    assert_int_equal(first_target(w, b), 23);
    w->step = 3600;
    assert_int_equal(first_target(w, b), 29);
    free(w);
}

/* 29 and three fill four nodes: no refuge is left for one of the three, unless a node can be woken.
 */
static void room_for_a_loss_is_not_taken(void **state)
{
    struct world *w = xcalloc(1, sizeof(*w));
    AUTO(brain) struct brain *b = brain_new(1);

    (void)state;
    twenty_on(w, 5, 10);
    w->specs[1].disruption.min_available = 3;
    w->nodes[4].state = NODE_ASLEEP;
    w->nodes[4].schedulable = w->nodes[4].sleepable = false;
    w->nodes[4].wakeable = true;
    for (uint32_t i = 0; i < 20; i++)
        w->replicas[i].node = i % 4;
    assert_int_equal(first_target(w, b), 29);
    w->n_nodes = 4;
    assert_int_equal(first_target(w, b), 23);
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replicas_are_best_where_their_nodes_draw_least),
        cmocka_unit_test(what_else_fills_a_node_counts),
        cmocka_unit_test(a_curve_that_is_not_convex_asks_for_nothing),
        cmocka_unit_test(what_is_not_known_asks_for_nothing),
        cmocka_unit_test(a_plan_has_as_many_as_draw_least_where_there_is_room),
        cmocka_unit_test(once_others_lacked_room_none_is_eased_for_an_hour),
        cmocka_unit_test(room_for_a_loss_is_not_taken),
        cmocka_unit_test(what_a_request_uses_is_learned_over_many_plans),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
