/* The controller's core, one event at a time: what people and agents may do in any order. */
#include "tests/unit/core_world.h"

#define POOL                                                                             \
    "{" API "\"kind\":\"PowerPool\",\"metadata\":{\"name\":\"p\"},"                      \
    "\"spec\":{\"driver\":{\"type\":\"exec\",\"program\":\"/bin/true\"},\"minAwake\":0," \
    "\"spare\":0,\"wakeProven\":true}}"

/* A wish outlives the pool that would have to grant it. */
static void a_node_that_lost_its_pool_does_not_sleep(void **state)
{
    struct desk d;

    (void)state;
    desk_init(&d);
    assert_int_equal(desk_put(&d, POOL), 201);
    desk_report(&d, "a", NULL, 0);
    desk_report(&d, "b", NULL, 0);
    desk_pass(&d, 1000);
    assert_int_equal(desk_delete(&d, KIND_POWER_POOL, "p"), 200);
    assert_int_equal(desk_verb(&d, VERB_SLEEP, "a"), 422);
    assert_int_equal(desk_put(&d, POOL), 201);
    desk_pass(&d, 1000);
    assert_int_equal(desk_verb(&d, VERB_SLEEP, "a"), 200);
    assert_int_equal(desk_delete(&d, KIND_POWER_POOL, "p"), 200);
    desk_pass(&d, 1000);
    assert_int_equal(desk_verb(&d, VERB_SLEEP, "a"), 422);
    desk_done(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_that_lost_its_pool_does_not_sleep),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
