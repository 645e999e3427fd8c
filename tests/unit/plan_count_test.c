/* What a plan says of itself: its sums. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "controller/placement/plan_write.h"
#include "tests/unit/plan_check_world.h"

/* Also of work that is not ours: what else runs on a node goes on after the plan. And an outdated
 * replica that stays goes on asking for what it asks for. */
static void where_nothing_changes_the_watts_do_not(void **state)
{
    struct bench *b = *state;
    struct served_model old = b->w.specs[0];
    struct plan *p = b->plan;
    double watts = 0, moved = 0;

    for (uint32_t n = 0; n < p->snapshot->n_nodes; n++) {
        b->w.nodes[n].utilization = 0.6;
        p->nodes[n].verdict = PLAN_STAY;
        watts += node_curve_watts(&p->snapshot->nodes[n].curve, 0.6);
    }
    for (size_t i = 0; i < p->n_placements; i++) {
        struct plan_placement *pp = &p->placements[i];

        if (pp->replaces == NO_INDEX)
            continue;
        moved++;
        pp->replica = pp->replaces;
        pp->node = p->snapshot->replicas[pp->replica].node;
        pp->replaces = NO_INDEX;
    }
    assert_true(moved > 0);
    old.resources.cpu_milli /= 2;
    b->w.replicas[0].spec = &old;
    b->w.nodes[3].state = NODE_UNMANAGED; /* in no pool, and yet it draws */
    plan_count(p);
    assert_int_equal(p->moves + p->starts + p->sleeps + p->wakes, 0);
    assert_true(fabs(p->watts_after - watts) < 1e-6);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(where_nothing_changes_the_watts_do_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
