/* A mover that writes `replicas` and ends before or after any call, answers that are lost, a move
 * that is taken back at any moment: never fewer ready pods than before, never two extra pods,
 * `replicas` as before at the end, and nothing is left behind. */
#include "tests/unit/adopt_world.h"

#define N 3

enum way { BY_EVICTION, BY_BORROWING, BY_COST, WAYS };

static void begin(struct desk *d, enum way way)
{
    desk_init_as(d, N, way == BY_BORROWING);
    d->may_not_evict = way == BY_COST;
    d->stand_in = true;
    d->move.on_proof = true;
    d->new_pods = "n3";
}

/* Another mover, with an empty memory, goes on where one ended, until one comes to an end. */
static void finish(struct desk *d)
{
    for (int movers = 1; movers < 20; movers++) {
        if (desk_run(d, 900))
            return;
        desk_forget(d);
    }
    fail_msg("no mover comes to an end: %s", d->act.why.text);
}

static void settle(struct desk *d)
{
    for (int i = 0; i < 60; i++)
        desk_tick(d);
    desk_assert_clean(d);
    assert_int_equal(view_integer(desk_workload(d), "spec.replicas", 0), N);
    assert_int_equal(json_array_size(d->pods), N);
}

static bool was_moved(const struct desk *d, const char *uid)
{
    const json_t *p = desk_pod(d, "web-1");

    return !p || strcmp(view_word(p, "metadata.uid"), uid) != 0;
}

static void it_ends_before_or_after_each_call(void **state)
{
    static const int CALLS[WAYS] = { 6, 5, 7 };

    (void)state;
    for (int way = 0; way < WAYS; way++) {
        int struck = 0;

        for (int how = BEFORE; how <= REPLY_LOST; how++)
            for (int at = 0; at < 8; at++) {
                struct desk d;
                AUTO(mem) char *uid = NULL;

                begin(&d, (enum way)way);
                uid = xstrdup(view_word(desk_pod(&d, "web-1"), "metadata.uid"));
                d.fail_at = at;
                d.fail_how = (enum fail_how)how;
                finish(&d);
                if (d.ordinals && d.n_crashes &&
                    d.act.verb == ACT_REFUSED) /* it has come, and asks */
                    assert_string_equal(d.act.reason, "Scaling");
                else
                    assert_int_equal(d.act.verb, ACT_FINISHED);
                assert_true(was_moved(&d, uid));
                assert_int_equal(d.n_evicted, way != BY_COST);
                struck += d.n_crashes;
                settle(&d);
                desk_done(&d);
            }
        assert_int_equal(struck, 2 * CALLS[way]);
    }
}

/* Asked to take it back at each moment, and ended at each call of that. */
static void it_is_taken_back_at_any_moment(void **state)
{
    (void)state;
    for (int way = 0; way < WAYS; way++) {
        int n_aborted = 0, n_moved = 0;

        for (int moment = 0; moment < 70; moment += 2)
            for (int at = -1; at < 9; at++)
                for (int how = BEFORE; how <= AFTER; how++) {
                    struct desk d;
                    AUTO(mem) char *uid = NULL;

                    begin(&d, (enum way)way);
                    uid = xstrdup(view_word(desk_pod(&d, "web-1"), "metadata.uid"));
                    d.fail_at = at;
                    d.fail_how = (enum fail_how)how;
                    (void)desk_run(&d, moment);
                    adopt_abort(&d.move);
                    if (!desk_run(&d, 900))
                        desk_forget(&d);
                    adopt_abort(&d.move);
                    finish(&d);
                    n_aborted += d.act.verb == ACT_ABORTED && !was_moved(&d, uid);
                    n_moved += was_moved(&d, uid);
                    assert_true(d.n_evicted <= 1);
                    settle(&d);
                    desk_done(&d);
                }
        assert_true(n_aborted > 100);
        assert_true(n_moved > 100);
    }
}

/* The pod that says what the move is dies with its mover: a model's status still has the number. */
static void it_dies(bool foreign)
{
    for (int moment = 0; moment < 40; moment++) {
        struct desk d;
        json_t *p, *extra = NULL;
        int64_t generation;
        size_t i;

        begin(&d, BY_EVICTION);
        generation = view_integer(desk_workload(&d), "metadata.generation", 0);
        d.fail_at = 3; /* the eviction was done */
        d.fail_how = AFTER;
        while (!d.n_crashes && !desk_move(&d))
            desk_tick(&d);
        d.n_ready_least = -1; /* not by huddle's hand */
        for (i = 0; i < (size_t)moment; i++)
            desk_tick(&d);
        json_array_foreach(d.pods, i, p)
            if (json_object_get(view_at(p, "metadata.annotations"), STAND_IN_FOR))
                extra = p;
        assert_non_null(extra);
        (void)snprintf(d.move.victim_uid, sizeof(d.move.victim_uid), "%s",
                       json_string_value(
                           json_object_get(view_at(extra, "metadata.annotations"), STAND_IN_FOR)));
        desk_delete(&d, extra);
        for (i = 0; i < 20; i++)
            desk_tick(&d);
        d.move.base = N;
        d.move.base_generation = generation - (foreign ? 1 : 0);
        adopt_abort(&d.move);
        assert_true(desk_run(&d, 900));
        if (foreign) {
            assert_int_equal(view_integer(desk_workload(&d), "spec.replicas", 0), N + 1);
            desk_done(&d);
            continue;
        }
        settle(&d);
        desk_done(&d);
    }
}

static void who_stands_in_dies(void **state)
{
    (void)state;
    it_dies(false);
}

/* Another has changed the workload since: the larger number may be what that one wants. */
static void a_number_that_may_be_anothers_is_kept(void **state)
{
    (void)state;
    it_dies(true);
}

/* --- two of one workload --- */

struct pair {
    struct desk *d;
    struct adopt_move move[2];
    struct move_act act[2]; /* as was decided, and not sent yet */
    bool waits[2], over[2];
    enum move_verb end[2];
};

static void step(struct pair *p, int i)
{
    if (p->over[i])
        return;
    if (p->waits[i]) { /* what was decided of an older look */
        desk_serve(p->d, &p->act[i]);
        p->move[i].by_cost |= p->act[i].verb == ACT_EVICT && p->d->may_not_evict;
        move_act_done(&p->act[i]);
        p->waits[i] = false;
        return;
    }
    desk_look(p->d, &p->move[i], &p->act[i]);
    p->over[i] = p->act[i].verb >= ACT_FINISHED;
    p->end[i] = p->act[i].verb;
    p->waits[i] = !p->over[i] && p->act[i].verb != ACT_WAIT;
    if (!p->waits[i])
        move_act_done(&p->act[i]);
}

/* Whoever is quicker, whatever each has seen: one at least gets there, none waits for the other,
 * and there is never a second pod more. */
static void two_that_begin_at_once_do_not_wait_for_each_other(void **state)
{
    int n_both = 0, n_one = 0;

    (void)state;
    for (int seed = 0; seed < 150; seed++) {
        struct random dice = random_stream((uint64_t)seed, 0, 0, 0);
        struct desk d;
        struct pair p = { .d = &d };

        begin(&d, (enum way)(seed % WAYS));
        p.move[0] = p.move[1] = d.move;
        p.move[1].pod = "web-0";
        step(&p, 0); /* neither sees the other */
        step(&p, 1);
        for (int ticks = 0; ticks < 500 && !(p.over[0] && p.over[1]);) {
            step(&p, (int)random_below(&dice, 2));
            if (random_below(&dice, 2) == 0) {
                desk_tick(&d);
                ticks++;
            }
        }
        assert_true(p.over[0] && p.over[1]);
        assert_true(p.end[0] == ACT_FINISHED || p.end[1] == ACT_FINISHED);
        (p.end[0] == p.end[1] ? n_both++ : n_one++);
        settle(&d);
        desk_done(&d);
    }
    assert_true(n_one > 30);
    (void)n_both; /* one after the other, where the second looked late */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_ends_before_or_after_each_call),
        cmocka_unit_test(it_is_taken_back_at_any_moment),
        cmocka_unit_test(who_stands_in_dies),
        cmocka_unit_test(two_that_begin_at_once_do_not_wait_for_each_other),
        cmocka_unit_test(a_number_that_may_be_anothers_is_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
