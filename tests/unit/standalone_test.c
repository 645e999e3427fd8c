/* What the front door is told of a replica, by what its agent says of it. */
#include "controller/substrate/standalone.h"
#include "tests/unit/core_world.h"

#define MODEL                                                                                     \
    "{" API "\"kind\":\"ServedModel\",\"metadata\":{\"name\":\"m\"},\"spec\":{\"runtime\""        \
    ":\"r\",\"replicas\":{\"min\":1,\"max\":1},\"readiness\":{\"type\":\"exec\",\"command\":[\"/" \
    "c\"]}}}"

static enum door_state told(struct desk *d, enum replica_phase phase, enum leaving leaving)
{
    struct wire_replica w = {
        .uid = "m-1", .model = "m", .reason = "", .phase = phase, .port = 80
    };
    struct replica *r;

    desk_report(d, "a", &w, 1);
    r = named_find(&d->core->cluster->replicas, "m-1");
    assert_non_null(r);
    r->leaving = leaving;
    return standalone_door_want(r);
}

static void new_requests_go_only_to_the_ready(void **state)
{
    struct desk d;

    (void)state;
    desk_init(&d);
    desk_put(&d, MODEL);
    assert_int_equal(told(&d, REPLICA_STARTING, LEAVING_NO), DOOR_ABSENT);
    assert_int_equal(told(&d, REPLICA_UNREADY, LEAVING_NO), DOOR_ABSENT); /* it never served */
    assert_int_equal(told(&d, REPLICA_READY, LEAVING_NO), DOOR_READY);
    assert_int_equal(told(&d, REPLICA_UNREADY, LEAVING_NO), DOOR_DRAIN);
    assert_int_equal(told(&d, REPLICA_READY, LEAVING_NO), DOOR_READY);
    assert_int_equal(told(&d, REPLICA_BACKOFF, LEAVING_NO), DOOR_ABSENT);
    assert_int_equal(told(&d, REPLICA_READY, LEAVING_DRAIN), DOOR_DRAIN);
    assert_int_equal(told(&d, REPLICA_UNREADY, LEAVING_DRAIN), DOOR_DRAIN);
    assert_int_equal(told(&d, REPLICA_DRAINING, LEAVING_DRAIN), DOOR_DRAIN);
    assert_int_equal(told(&d, REPLICA_READY, LEAVING_STOP), DOOR_ABSENT);
    desk_done(&d);
}

/* Its node is silent, or not heard since this controller began: the last word holds. */
static void silence_takes_nobody_out(void **state)
{
    struct replica *r;
    struct desk d;

    (void)state;
    desk_init(&d);
    desk_put(&d, MODEL);
    assert_int_equal(told(&d, REPLICA_READY, LEAVING_NO), DOOR_READY);
    desk_pass(&d, 1000);
    desk_start(&d);
    r = named_find(&d.core->cluster->replicas, "m-1");
    assert_int_equal(standalone_door_want(r), DOOR_READY);
    desk_report(&d, "a", NULL, 0); /* it is gone */
    assert_int_equal(standalone_door_want(r), DOOR_ABSENT);
    desk_done(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_requests_go_only_to_the_ready),
        cmocka_unit_test(silence_takes_nobody_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
