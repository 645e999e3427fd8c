/* When demand that may wait is served: by hand, and over random grids that the deadline is kept and
 * nothing that is unknown makes anybody wait. */
#include "controller/placement/deferral.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "controller/placement/sizing.h"
#include "tests/unit/brain_world.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS (60 * MINUTE_MS)
#define LEAD_MS 6000 /* of the world: 3 s boot, 1 s load, two steps of a second */

struct rig {
    struct world *w;
    struct intensity *weight;
};

/* A model of 0 to 10 replicas of 10 req/s whose requests may wait for three hours; none waits. */
static void begin(struct rig *g, const char *csv)
{
    struct err e = ERR_INIT;

    *g = (struct rig){ .w = xcalloc(1, sizeof(*g->w)) };
    world_init(g->w, 2, 1);
    if (csv && intensity_parse("t", csv, strlen(csv), 0, &g->weight, &e) < 0)
        fail_msg("%s", e.text);
    g->w->policy.weight = g->weight;
    g->w->specs[0].replicas.min = 0;
    g->w->specs[0].replicas.max = 10;
    g->w->specs[0].disruption.min_available = 0;
    g->w->models[0].deadline_ms = 3 * HOUR_MS;
    g->w->models[0].demand = 1;
}

static void end(struct rig *g)
{
    intensity_unref(g->weight);
    free(g->w);
}

static struct deferral ask(struct rig *g, uint32_t alive)
{
    struct snapshot *s = world_snapshot(g->w);
    struct deferral d = deferral_of(s, 0, g->w->models[0].demand, alive);

    free(s);
    return d;
}

static void waits(struct rig *g, uint32_t alive, int64_t begin_ms)
{
    struct deferral d = ask(g, alive);

    if (!d.holds)
        fail_msg("served at once: %s", d.at_once);
    assert_true(d.begin_ms == begin_ms);
}

static void at_once(struct rig *g, uint32_t alive, const char *why)
{
    struct deferral d = ask(g, alive);

    assert_false(d.holds);
    if (!strstr(d.at_once, why))
        fail_msg("expected \"%s\", not \"%s\"", why, d.at_once);
}

#define DAY "0,400\n3600,300\n7200,200\n10800,100\n14400,400\n18000,400\n21600,400\n"

/* 400 g now, each hour better till the fourth. */
static void the_greenest_within_the_deadline(void **state)
{
    struct rig g;

    (void)state;
    begin(&g, DAY);
    waits(&g, 0, 2 * HOUR_MS);
    g.w->step = 1;
    waits(&g, 0, 2 * HOUR_MS); /* the fourth would be too late by what serving takes */
    g.w->models[0].deadline_ms = 4 * HOUR_MS;
    waits(&g, 0, 3 * HOUR_MS);
    g.w->models[0].queue = 1000;
    g.w->models[0].waited_ms = 2 * HOUR_MS;
    waits(&g, 0, HOUR_MS);
    g.w->models[0].waited_ms = 4 * HOUR_MS - LEAD_MS;
    at_once(&g, 0, "no time to wait");
    g.w->models[0].waited_ms = 0;
    g.w->step = 3 * 3600 + 60;
    at_once(&g, 0, "no better hour");
    end(&g);
}

/* 1000 wait: a minute of all ten replicas, and a quarter for safety. */
static void the_queue_takes_its_time(void **state)
{
    struct rig g;
    struct deferral d;

    (void)state;
    begin(&g, DAY);
    g.w->models[0].demand = 0;
    g.w->models[0].queue = 100000; /* 1250 s of everything */
    g.w->models[0].waited_ms = MINUTE_MS;
    g.w->models[0].deadline_ms = HOUR_MS + MINUTE_MS + 1250000 + LEAD_MS;
    waits(&g, 0, HOUR_MS);
    d = ask(&g, 0);
    assert_int_equal(d.replicas, 10);
    g.w->models[0].deadline_ms--;
    at_once(&g, 0, "no better hour");
    g.w->models[0].deadline_ms = 10 * HOUR_MS; /* the whole of the fourth hour: 34.7 req/s */
    waits(&g, 0, 3 * HOUR_MS);
    d = ask(&g, 0);
    assert_int_equal(d.replicas, 4);
    end(&g);
}

/* How long all that sleep take to boot is not proven: ten minutes may pass. */
static void a_slow_boot_makes_nobody_late(void **state)
{
    struct rig g;

    (void)state;
    begin(&g, DAY);
    g.w->pool.boot_p99_ms = 600000;
    g.w->nodes[0].schedulable = g.w->nodes[1].schedulable = false;
    g.w->models[0].demand = 0;
    g.w->models[0].deadline_ms = 2 * HOUR_MS + 603000; /* boot, load, two steps */
    assert_true(ask(&g, 0).holds && ask(&g, 0).begin_ms == 2 * HOUR_MS);
    g.w->models[0].deadline_ms--;
    assert_true(ask(&g, 0).begin_ms == HOUR_MS);
    g.w->models[0].deadline_ms = 603000;
    at_once(&g, 0, "no time to wait");
    end(&g);
}

static void what_serves_goes_on(void **state)
{
    struct rig g;

    (void)state;
    begin(&g, DAY);
    g.w->models[0].queue = 50;
    g.w->models[0].waited_ms = 1000;
    at_once(&g, 3, "serving has begun");
    g.w->models[0].queue = 0;
    g.w->models[0].waited_ms = 0;
    waits(&g, 3, 2 * HOUR_MS); /* the queue is empty: what comes now waits */
    g.w->step = 3600;
    g.w->models[0].deadline_ms = 4 * HOUR_MS;
    waits(&g, 0, 3 * HOUR_MS);
    end(&g);
    begin(&g, "0,100\n3600,90\n7200,90\n10800,90\n"); /* a tenth is not worth a stop and a start */
    waits(&g, 0, HOUR_MS);
    at_once(&g, 1, "no better hour");
    end(&g);
}

static void the_unknown_makes_nobody_wait(void **state)
{
    struct rig g;

    (void)state;
    begin(&g, DAY);
    g.w->models[0].queue = NAN;
    at_once(&g, 0, "how many requests wait");
    g.w->models[0].queue = 5;
    g.w->models[0].waited_ms = -1;
    at_once(&g, 0, "how long the oldest");
    g.w->models[0].waited_ms = 10;
    g.w->step = INT64_C(360000);
    at_once(&g, 0, "what joules weigh now");
    end(&g);
    begin(&g, NULL);
    at_once(&g, 0, "no source");
    end(&g);
}

/* Whatever the grid and the queue are: what is held begins in time, and later than now. */
static void a_hold_keeps_the_deadline(void **state)
{
    struct random r = random_stream(3, 0, 0, 0);
    uint32_t held = 0;

    (void)state;
    for (int round = 0; round < 2000; round++) {
        char csv[1024] = "";
        struct rig g;
        struct deferral d;
        size_t n = 0;

        for (int k = 0; k < 24; k++)
            n += (size_t)snprintf(csv + n, sizeof(csv) - n, "%d,%d\n", 900 * k,
                                  (int)random_below(&r, 500));
        begin(&g, csv);
        g.w->step = (int64_t)random_below(&r, 10000);
        g.w->models[0].demand = 80 * random_unit(&r);
        g.w->models[0].queue = (double)random_below(&r, 20000);
        g.w->models[0].waited_ms = (int64_t)random_below(&r, 3 * HOUR_MS);
        g.w->models[0].deadline_ms = 1000 + (int64_t)random_below(&r, 3 * HOUR_MS);
        d = ask(&g, random_below(&r, 2) ? 0 : 2);
        held += d.holds;
        assert_true(d.replicas <= 10);
        if (d.holds) {
            double begins_s = (double)(d.begin_ms + LEAD_MS - g.w->step * 1000) / 1000;
            double all = g.w->models[0].queue + g.w->models[0].demand * begins_s;

            assert_true(d.begin_ms > g.w->step * 1000 && d.then < d.now);
            assert_true((double)g.w->models[0].waited_ms / 1000 + begins_s + 1.25 * all / 100 <=
                        (double)g.w->models[0].deadline_ms / 1000 + 0.01);
        }
        end(&g);
    }
    assert_true(held > 150);
}

/* In a plan: held at its least, then as many as the queue needs, and the reason is told. */
static void a_plan_holds_and_serves(void **state)
{
    struct plan_model m = { 0 };
    struct snapshot *s;
    struct rig g;

    (void)state;
    begin(&g, DAY);
    g.w->policy_spec.strategy = STRATEGY_DEMAND;
    g.w->models[0].queue = 20000;
    g.w->models[0].waited_ms = 10 * MINUTE_MS;
    s = world_snapshot(g.w);
    sizing(s, 0, 0, NULL, &m);
    assert_true(m.holds && m.target == 0 && m.floor == 0);
    assert_true(m.holds_until_ms == 2 * HOUR_MS && m.then > 0);
    assert_non_null(
        strstr(m.why, "from 02:00 UTC on a kWh weighs 200, not 400; 20000 requests wait"));
    free(s);
    g.w->models[0].waited_ms = 3 * HOUR_MS - 10 * MINUTE_MS;
    s = world_snapshot(g.w);
    m = (struct plan_model){ 0 };
    sizing(s, 0, 0, NULL, &m);
    assert_true(!m.holds && m.target >= 5);
    assert_non_null(strstr(m.why, "served now"));
    free(s);
    end(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_greenest_within_the_deadline),
        cmocka_unit_test(the_queue_takes_its_time),
        cmocka_unit_test(a_slow_boot_makes_nobody_late),
        cmocka_unit_test(what_serves_goes_on),
        cmocka_unit_test(the_unknown_makes_nobody_wait),
        cmocka_unit_test(a_hold_keeps_the_deadline),
        cmocka_unit_test(a_plan_holds_and_serves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
