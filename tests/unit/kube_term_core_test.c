/* Leaders of a cluster of Kubernetes, one after the other: what each takes over of nodes that go to
 * sleep, and whose terms it believes. */
#include "tests/unit/kube_sleep_rig.h"

/* --- leaders ------------------------------------------------------------------------------------
 */

static void who_does_not_lead_does_nothing(void **state)
{
    struct rig r;

    (void)state;
    begin(&r);
    fall_asleep(&r);
    lead(&r, false, 3);
    r.any = false;
    r.wakes = 0;
    r.n1.pending = "b/job cannot be scheduled elsewhere, and fits here";
    tell(&r);
    pass(&r, 60);
    STATE(&r, "asleep");
    assert_int_equal(desk_verb(&r.d, VERB_WAKE, "n1"), 422);
    pass(&r, 3);
    assert_true(!r.any && r.wakes == 0);
    end(&r);
}

/* A controller with an empty store: its record is in the NodePower. */
static void take_over_in(struct rig *r, struct rig *next, const char *pool)
{
    *next = (struct rig){ .d = { .now_ms = 500, .wall_ms = r->d.wall_ms },
                          .agent_boot = r->agent_boot };
    next->d.options =
        (struct controller_options){ .cluster_id = "desk", .seed = 9, .kubernetes = true };
    desk_start(&next->d);
    next->d.sequence = r->d.sequence;
    start(next);
    put(next, pool);
    next->n1 = r->n1;
    tell(next);
    tell_power(next, r->record, 3);
    lead(next, true, 4);
    pass(next, 2);
}

static void take_over(struct rig *r, struct rig *next)
{
    take_over_in(r, next, POOL_OF("act", "1"));
}

/* The pools were set to observe while no controller ran: who has the Lease opens what stands. */
static void in_an_observed_pool_what_was_begun_is_taken_back(void **state)
{
    void (*const until[])(struct rig * r) = { drain, empty, prepare };
    struct rig r, next;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(until); i++) {
        begin(&r);
        until[i](&r);
        take_over_in(&r, &next, POOL_OF("observe", "1"));
        pass(&next, 10);
        STATE(&next, "awake");
        assert_int_equal(next.wanted, KUBE_STAGE_NONE);
        assert_false(next.asleep);
        assert_non_null(strstr(next.record, "\"state\":1")); /* its NodePower says so, too */
        tell_power(&next, next.record, 4);
        put(&next, POOL_OF("recommend", "1"));
        pass(&next, 2);
        assert_string_equal(next.record, ""); /* and is left alone from then on */
        end(&r);
        end(&next);
    }
    begin(&r);
    fall_asleep(&r);
    take_over_in(&r, &next, POOL_OF("observe", "1"));
    next.n1.pending = "b/job cannot be scheduled elsewhere, and fits here";
    tell(&next);
    probe(&next, POWER_OFF);
    pass(&next, 10);
    STATE(&next, "waking");
    assert_int_equal(next.wakes, 1);
    end(&r);
    end(&next);
}

static void an_empty_store_goes_on(void **state)
{
    struct rig r, next;

    (void)state;
    begin(&r);
    drain(&r);
    take_over(&r, &next);
    STATE(&next, "awake"); /* T3: the plan behind it is gone */
    assert_int_equal(next.wanted, KUBE_STAGE_NONE);
    end(&r);
    end(&next);

    begin(&r);
    prepare(&r);
    take_over(&r, &next);
    next.d.stage_op = r.op; /* its agent is ready, and nobody turns the second key */
    next.d.stage = POWER_STAGE_READY;
    check(&next, "");
    pass(&next, 60);
    STATE(&next, "awake");
    assert_int_equal(next.wanted, KUBE_STAGE_NONE);
    end(&r);
    end(&next);

    begin(&r);
    fall_asleep(&r);
    take_over(&r, &next);
    STATE(&next, "asleep");
    assert_int_equal(next.wanted, KUBE_STAGE_CLOSED);
    assert_true(next.asleep);
    probe(&next, POWER_OFF); /* it asked at once */
    assert_int_equal(desk_verb(&next.d, VERB_WAKE, "n1"), 200);
    take_effects(&next);
    pass(&next, 5);
    STATE(&next, "waking");
    assert_int_equal(next.wakes, 1);
    end(&r);
    end(&next);
}

/* What is committed and not yet done is called back when a pod comes late, the node is open, or
 * another controller decided it; until its own NodePower is there, it waits. */
static void a_commit_is_called_back(void **state)
{
    struct rig r, next;

    (void)state;
    begin(&r);
    commit(&r);
    tell_power(&r, "{\"state\":\"preparing\"}", 3);
    assert_int_equal(r.order, POWER_ORDER_PREPARE);
    tell_power(&r, r.record, 3);
    assert_int_equal(r.order, POWER_ORDER_COMMIT);
    r.n1.left = 1;
    r.n1.first_left = "a/late";
    tell(&r);
    pass(&r, 1);
    assert_int_equal(r.order, POWER_ORDER_CANCEL);
    r.n1.left = 0;
    r.n1.first_left = "";
    r.n1.stage = KUBE_STAGE_NONE;
    tell(&r);
    pass(&r, 1);
    assert_int_equal(r.order, POWER_ORDER_CANCEL);
    end(&r);

    begin(&r);
    commit(&r);
    take_over(&r, &next);
    STATE(&next, "sleeping");
    next.d.stage_op = r.op;
    next.d.stage = POWER_STAGE_READY;
    next.n1.stage = KUBE_STAGE_CLOSED;
    tell(&next);
    pass(&next, 2);
    assert_int_equal(next.order, POWER_ORDER_CANCEL);
    end(&r);
    end(&next);
}

/* By itself no node sleeps while its waking is tested; by the test it does. */
static void waking_is_tested(void **state)
{
    struct rig r;

    (void)state;
    begin(&r);
    assert_int_equal(desk_verb(&r.d, VERB_POWER_TEST, "n1"), 200);
    take_effects(&r);
    r.n1.closed = "cordoned";
    tell(&r);
    pass(&r, 10);
    STATE(&r, "awake");
    r.n1.closed = "";
    tell(&r);
    pass(&r, 3);
    STATE(&r, "draining");
    end(&r);
}

/* Its own word, read late, and that of a leader before it, change nothing. */
static void an_older_record_is_not_taken(void **state)
{
    struct rig r;
    char awake[9000];

    (void)state;
    begin(&r);
    (void)snprintf(awake, sizeof(awake), "%s", r.record);
    assert_non_null(strstr(awake, "\"state\":"));
    fall_asleep(&r);
    tell_power(&r, awake, 3);
    tell_power(&r, awake, 2);
    pass(&r, 1);
    STATE(&r, "asleep");
    end(&r);
}

/* --- terms that agents have seen ----------------------------------------------------------------
 */

/* Of the newest FX_KUBE_EPOCH; 0: none. */
static uint64_t epoch_asked(struct rig *r)
{
    uint64_t epoch = 0;

    for (size_t i = 0; i < r->d.fx.n_items; i++)
        if (r->d.fx.items[i].kind == FX_KUBE_EPOCH)
            epoch = r->d.fx.items[i].kube_epoch;
    return epoch;
}

static void hear_term_of(struct rig *r, const char *node, uint64_t term)
{
    r->d.max_term = term;
    desk_report(&r->d, node, NULL, 0);
}

static void hear_term(struct rig *r, uint64_t term)
{
    hear_term_of(r, "n1", term);
}

static int disputed(const struct rig *r)
{
    int n = 0;

    for (size_t i = 0; i < r->d.fx.n_items; i++)
        n += r->d.fx.items[i].kind == FX_EVENT &&
             strcmp(r->d.fx.items[i].event.reason, "TermDisputed") == 0;
    return n;
}

#define RAISE_MS 600000 /* one agent's word counts so seldom */

/* Epoch 3 has the terms 256 to 319. */
static void a_term_of_a_later_leader_is_passed_by_winning_the_lease_alone(void **state)
{
    struct rig r;

    (void)state;
    begin(&r);
    assert_int_equal(r.d.core->cluster->term, 256);
    hear_term(&r, 300);
    assert_int_equal(r.d.core->cluster->term, 301); /* of its own epoch */
    hear_term(&r, 319);
    assert_int_equal(r.d.core->cluster->term, 301);
    assert_int_equal(epoch_asked(&r), 4);
    desk_pass(&r.d, RAISE_MS);
    hear_term(&r, 700);
    assert_int_equal(r.d.core->cluster->term, 301);
    assert_int_equal(epoch_asked(&r), 9);
    desk_pass(&r.d, RAISE_MS);
    hear_term(&r, 700); /* no news */
    assert_int_equal(epoch_asked(&r), 0);
    lead(&r, false, 3);
    hear_term(&r, 800); /* also who does not lead keeps it in mind */
    assert_int_equal(r.d.core->cluster->term, 301);
    assert_int_equal(epoch_asked(&r), 11);
    lead(&r, true, 12);
    assert_int_equal(r.d.core->cluster->term, 832);
    end(&r);
}

/* It would lose the Lease, and win it again, with each report. */
static void one_agent_deposes_no_leader_again_and_again(void **state)
{
    struct rig r;

    (void)state;
    begin(&r);
    hear_term(&r, 400);
    assert_int_equal(epoch_asked(&r), 5);
    lead(&r, true, 6);
    hear_term(&r, 600);
    assert_int_equal(epoch_asked(&r), 0);
    hear_term_of(&r, "n2", 600); /* another's word does */
    assert_int_equal(epoch_asked(&r), 8);
    lead(&r, true, 9);
    desk_pass(&r.d, RAISE_MS);
    hear_term(&r, 800);
    assert_int_equal(epoch_asked(&r), 11);
    end(&r);
}

/* Of epoch 3, whose terms begin at 256, 67 epochs on is too far, unless most say it: the Lease may
 * have been deleted. */
static void of_a_term_that_is_far_one_agent_is_not_believed(void **state)
{
    const uint64_t last = (3 + 1 + 64) * 64 + 62, far = last + 2;
    struct rig r;

    (void)state;
    begin(&r);
    hear_term_of(&r, "n2", 0);
    hear_term(&r, last);
    assert_int_equal(epoch_asked(&r), 67);
    desk_pass(&r.d, RAISE_MS);
    hear_term(&r, far);
    assert_int_equal(disputed(&r), 1);
    assert_int_equal(epoch_asked(&r), 0);
    hear_term(&r, far); /* people know */
    assert_int_equal(disputed(&r), 0);
    hear_term_of(&r, "n2", far); /* most */
    assert_int_equal(disputed(&r), 0);
    assert_int_equal(epoch_asked(&r), 68);
    end(&r);

    begin(&r);
    hear_term_of(&r, "n2", far); /* the first to report is no majority yet */
    hear_term(&r, far);
    assert_int_equal(epoch_asked(&r), 0);
    end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_an_observed_pool_what_was_begun_is_taken_back),
        cmocka_unit_test(who_does_not_lead_does_nothing),
        cmocka_unit_test(a_commit_is_called_back),
        cmocka_unit_test(waking_is_tested),
        cmocka_unit_test(an_empty_store_goes_on),
        cmocka_unit_test(an_older_record_is_not_taken),
        cmocka_unit_test(a_term_of_a_later_leader_is_passed_by_winning_the_lease_alone),
        cmocka_unit_test(one_agent_deposes_no_leader_again_and_again),
        cmocka_unit_test(of_a_term_that_is_far_one_agent_is_not_believed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
