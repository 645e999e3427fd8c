/* Room that is awake for what may come within the time of a boot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "controller/placement/reserve.h"
#include "tests/unit/brain_world.h"

#define NODES 8

/* Nodes of 8 CPUs, the first two awake; one model with 4 replicas of 2 CPUs, which all fit on the
 * first. How many are awake when so many times the present demand may come before a boot ends? */
struct reserved {
    uint32_t hosts;
    uint32_t others; /* woken of the other pool */
    bool spares;     /* the second node could be closed */
};

static struct reserved reserved(double growth, int64_t max_awake, bool two_pools)
{
    struct world *w = xcalloc(1, sizeof(*w));
    struct outlook *o = xcalloc(1, sizeof(*o));
    struct plan_model m = { .target = 4, .floor = 1 };
    struct snap_pool pools[2];
    struct reserved out = { 0 };
    struct snapshot *s;
    struct packing p;
    struct reserve r;
    uint64_t first_half = 0xf;

    world_init(w, NODES, 1);
    w->pool_spec.max_awake = max_awake;
    pools[0] = pools[1] = w->pool;
    for (uint32_t n = 2; n < NODES; n++) {
        w->nodes[n].state = NODE_ASLEEP;
        w->nodes[n].schedulable = w->nodes[n].sleepable = false;
        w->nodes[n].wakeable = true;
        w->nodes[n].pool = two_pools && n >= 4;
    }
    if (two_pools)
        w->models[0].eligible = &first_half;
    for (uint32_t i = 0; i < 4; i++)
        world_run(w, 0, 0, 0, REPLICA_READY);
    s = world_snapshot(w);
    s->pools = pools;
    s->n_pools = two_pools ? 2 : 1;
    o->growth = growth;
    packing_init(&p, s, &m, 1000000);
    reserve_init(&r, &p, o);
    out.spares = reserve_spares(&r, &p, 1);
    reserve_wake(&r, &p);
    for (uint32_t n = 0; n < NODES; n++) {
        out.hosts += s->nodes[n].pool == 0 && (p.host[n] == HOST_AWAKE || p.host[n] == HOST_COMING);
        out.others += s->nodes[n].pool == 1 && p.host[n] == HOST_COMING;
    }
    reserve_done(&r);
    packing_done(&p);
    free(s);
    free(o);
    free(w);
    return out;
}

/* A node holds four replicas, and one is spare. Half a replica is rounding; of the room beside what
 * runs, two thirds are of use. */
static void nodes_are_awake_for_what_may_come(void **state)
{
    (void)state;
    assert_int_equal(reserved(NAN, -1, false).hosts, 2); /* four replicas as they are */
    assert_int_equal(reserved(0.8, -1, false).hosts, 2); /* 3.7 */
    assert_int_equal(reserved(1, -1, false).hosts, 3);   /* 4 and .75 */
    assert_int_equal(reserved(2, -1, false).hosts, 4);   /* 4 and 6.75 */
    assert_int_equal(reserved(4, -1, false).hosts, 7);   /* 4 and 18.75 */
    assert_int_equal(reserved(99, -1, false).hosts, 8);  /* all there are */
    assert_int_equal(reserved(99, 5, false).hosts, 5);   /* no more than may be */
}

static void a_node_that_is_reserved_is_not_spared(void **state)
{
    (void)state;
    assert_false(reserved(NAN, -1, false).spares);
}

/* Of the other pool only minimum and spare, however much may come here. */
static void nodes_of_other_pools_are_left_alone(void **state)
{
    (void)state;
    assert_int_equal(reserved(99, -1, true).hosts, 4);
    assert_int_equal(reserved(99, -1, true).others, 2);
    assert_int_equal(reserved(NAN, -1, true).hosts, 2);
    assert_int_equal(reserved(NAN, -1, true).others, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_are_awake_for_what_may_come),
        cmocka_unit_test(a_node_that_is_reserved_is_not_spared),
        cmocka_unit_test(nodes_of_other_pools_are_left_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
