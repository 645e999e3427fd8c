/* To which nodes pods that ask for huddle as their scheduler may be bound. */
#include "tests/unit/kube_sleep_rig.h"

#define BINDING "\"scheduling\":\"bind\","

static void pods_are_bound_to_nodes_that_are_open(void **state)
{
    struct rig r;

    (void)state;
    begin(&r);
    assert_int_equal(r.bind, KUBE_BIND_NEVER);
    put(&r, POOL_WITH(BINDING "\"mode\":\"act\"", "1"));
    pass(&r, 2);
    assert_int_equal(r.bind, KUBE_BIND_OPEN);
    drain(&r);
    assert_int_equal(r.bind, KUBE_BIND_CLOSED);
    put(&r, POOL_WITH(BINDING "\"mode\":\"observe\"", "1")); /* what was begun is being ended */
    assert_int_equal(r.bind, KUBE_BIND_NEVER);
    put(&r, POOL_WITH(BINDING "\"mode\":\"act\"", "1"));
    assert_int_equal(desk_verb(&r.d, VERB_WAKE, "n1"), 200);
    take_effects(&r);
    pass(&r, 2);
    assert_int_equal(r.bind, KUBE_BIND_OPEN);
    assert_int_equal(desk_verb(&r.d, VERB_PAUSE, ""), 200); /* a pod without a node serves nobody */
    take_effects(&r);
    pass(&r, 2);
    assert_int_equal(r.bind, KUBE_BIND_OPEN);
    put(&r, POOL_WITH(BINDING "\"mode\":\"observe\"", "1"));
    pass(&r, 2);
    assert_int_equal(r.bind, KUBE_BIND_NEVER);
    end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pods_are_bound_to_nodes_that_are_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
