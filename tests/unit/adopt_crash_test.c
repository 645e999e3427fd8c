/* A mover that ends at any moment, answers that are lost, a cluster that changes under it: never
 * fewer ready pods than before, never two extra pods, no twins, and nothing is left behind. */
#include "tests/unit/adopt_world.h"

#define N 3
#define SEEDS 400

/* Another mover goes on where one ended, until one comes to an end; how many began. */
static int finish(struct desk *d)
{
    for (int movers = 1; movers < 20; movers++) {
        if (desk_run(d, 900))
            return movers;
        desk_forget(d);
    }
    fail_msg("no mover comes to an end: %s", d->act.why.text);
    return 0;
}

static void settle(struct desk *d)
{
    for (int i = 0; i < 30; i++)
        desk_tick(d);
    desk_assert_clean(d);
}

static void it_ends_before_or_after_each_act(void **state)
{
    int struck = 0;

    (void)state;
    for (int how = BEFORE; how <= REPLY_LOST; how++)
        for (int at = 0; at < 6; at++) {
            struct desk d;

            desk_init(&d, N);
            d.fail_at = at;
            d.fail_how = (enum fail_how)how;
            (void)finish(&d);
            assert_int_equal(d.act.verb, ACT_FINISHED);
            assert_int_equal(d.n_created, 1);
            assert_null(desk_pod(&d, "web-1"));
            assert_int_equal(json_array_size(d.pods), N);
            settle(&d);
            struck += d.n_crashes;
            desk_done(&d);
        }
    assert_int_equal(struck, 6); /* before and after each of three acts */
}

/* Ended after so many looks, each time, for ever: no surge outlives its deadline for long. */
static void it_ends_again_and_again(void **state)
{
    (void)state;
    for (int looks = 1; looks < 30; looks++) {
        struct desk d;
        int movers = 0;

        desk_init(&d, N);
        d.move.deadline_ms = 5000;
        while (!desk_run(&d, looks) && movers++ < 200)
            desk_forget(&d);
        if (looks < 6) /* too few for it to settle: nothing comes of it, nothing is lost */
            assert_int_equal(movers, 201);
        else
            assert_int_equal(d.act.verb, ACT_FINISHED);
        adopt_abort(&d.move);
        (void)finish(&d);
        settle(&d);
        assert_int_equal(json_array_size(d.pods), N);
        desk_done(&d);
    }
}

/* Asked to take it back at each moment, and ended at each act of that. */
static void it_is_taken_back_at_any_moment(void **state)
{
    int n_aborted = 0, n_finished = 0;

    (void)state;
    for (int moment = 0; moment < 40; moment++)
        for (int at = -1; at < 6; at++)
            for (int how = BEFORE; how <= AFTER; how++) {
                struct desk d;

                desk_init(&d, N);
                d.fail_at = at;
                d.fail_how = (enum fail_how)how;
                (void)desk_run(&d, moment);
                adopt_abort(&d.move);
                if (!desk_run(&d, 900))
                    desk_forget(&d);
                adopt_abort(&d.move);
                (void)finish(&d);
                n_aborted += d.act.verb == ACT_ABORTED;
                n_finished += d.act.verb == ACT_FINISHED;
                settle(&d);
                assert_int_equal(json_array_size(d.pods), N);
                desk_done(&d);
            }
    assert_true(n_aborted > 100);
    assert_true(n_finished > 100);
}

/* Two movers of the same move, in turns: as one. */
static void two_movers_are_as_one(void **state)
{
    (void)state;
    for (int turn = 1; turn < 12; turn++) {
        struct desk d;
        struct adopt_move other;
        bool over = false;

        desk_init(&d, N);
        other = d.move;
        for (int i = 0; i < 300 && !over; i++) {
            over = desk_move(&d);
            if (i % turn == 0 && !over) {
                struct adopt_move m = d.move;

                d.move = other;
                over = desk_move(&d);
                other = d.move;
                d.move = m;
            }
            desk_tick(&d);
        }
        assert_true(over);
        assert_int_equal(d.act.verb, ACT_FINISHED);
        assert_int_equal(d.n_created, 1);
        settle(&d);
        desk_done(&d);
    }
}

/* --- a cluster that changes --- */

static json_t *some_pod(const struct desk *d, struct random *r)
{
    return json_array_get(d->pods, random_below(r, json_array_size(d->pods)));
}

static void disturb(struct desk *d, struct random *r)
{
    json_t *pod = some_pod(d, r);
    int64_t wanted = view_integer(d->set, "spec.replicas", N);

    switch (random_below(r, 7)) {
    case 0:
        desk_condition(pod, "Ready", !desk_is_ready(pod), "");
        desk_touch(d, pod);
        break;
    case 1:
        desk_delete(d, pod);
        break;
    case 2:
        wanted += wanted < N + 2;
        break;
    case 3:
        wanted -= wanted > 1;
        break;
    case 4:
        d->controller_stopped = !d->controller_stopped;
        break;
    case 5:
        desk_touch(d, pod); /* whatever was read is older now */
        break;
    default:
        desk_set(d->deployment, "spec.paused", json_boolean(random_below(r, 2)));
        break;
    }
    if (wanted != view_integer(d->set, "spec.replicas", N)) {
        desk_set(d->set, "spec.replicas", json_integer(wanted));
        desk_set(d->deployment, "spec.replicas", json_integer(wanted));
        desk_set(d->set, "metadata.generation",
                 json_integer(1 + view_integer(d->set, "metadata.generation", 1)));
    }
}

static void calm(struct desk *d)
{
    json_t *p;
    size_t i;

    d->controller_stopped = false;
    desk_set(d->deployment, "spec.paused", json_false());
    json_array_foreach(d->pods, i, p)
        if (!strcmp(view_word(p, "status.phase"), "Running")) {
            desk_condition(p, "Ready", true, "");
            desk_touch(d, p);
        }
}

static void nothing_is_left_whatever_happens(void **state)
{
    int outcome[ACT_ABORTED + 1] = { 0 };

    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct random r = random_stream(seed, 1, 2, 3);
        struct desk d;

        desk_init(&d, N);
        d.n_ready_least = d.n_selected_most = -1; /* others take pods away, too */
        d.controller_ticks = 1 + (int)random_below(&r, 6);
        d.fail_at = (int)random_below(&r, 8) - 2;
        d.fail_how = (enum fail_how)random_below(&r, 3);
        for (int i = 0; i < 60 && !desk_move(&d); i++) {
            if (random_below(&r, 12) == 0)
                disturb(&d, &r);
            if (random_below(&r, 60) == 0)
                desk_forget(&d);
            desk_tick(&d);
        }
        calm(&d);
        (void)finish(&d);
        outcome[d.act.verb]++;
        settle(&d);
        assert_int_equal(json_array_size(d.pods), view_integer(d.set, "spec.replicas", 0));
        desk_done(&d);
    }
    assert_true(outcome[ACT_FINISHED] > SEEDS / 10);
    assert_true(outcome[ACT_ABORTED] + outcome[ACT_REFUSED] > SEEDS / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_ends_before_or_after_each_act),
        cmocka_unit_test(it_ends_again_and_again),
        cmocka_unit_test(it_is_taken_back_at_any_moment),
        cmocka_unit_test(two_movers_are_as_one),
        cmocka_unit_test(nothing_is_left_whatever_happens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
