/* Somebody else writes the workload while a pod of it moves, at every moment: an autoscaler scales,
 * a person pauses or rolls out, GitOps puts `replicas` back once a second. Whatever comes of the
 * move: it ends, `replicas` is what the other said, there are as many pods, no more than one is
 * extra, as many serve as the other leaves, and nothing of huddle's stays behind. */
#include "tests/unit/adopt_world.h"

#define N 3
#define MOMENTS 40 /* ticks: a move by adoption takes 20, by one more replica 30 */

struct other {
    const char *name;
    void (*change)(struct desk *d);
    int64_t replicas;
};

static void up(struct desk *d)
{
    d->n_selected_most = N + 2;
    desk_scale(d, N + 1);
}

static void down(struct desk *d)
{
    d->n_ready_least = N - 1;
    desk_scale(d, N - 1);
}

static void up_and_down(struct desk *d)
{
    up(d);
    for (int i = 0; i < 5; i++)
        desk_tick(d);
    desk_scale(d, N);
}

static void pause_rollouts(struct desk *d)
{
    desk_set(d->deployment, "spec.paused", json_true());
    desk_touch(d, d->deployment);
}

static void cordon(struct desk *d)
{
    desk_set(d->node[2], "spec.unschedulable", json_true());
    desk_touch(d, d->node[2]);
}

static void nothing(struct desk *d)
{
    (void)d;
}

static const struct other OTHERS[] = {
    { "scaled up", up, N + 1 },        { "scaled down", down, N - 1 },
    { "up and down", up_and_down, N }, { "paused", pause_rollouts, N },
    { "cordoned", cordon, N },         { "left alone", nothing, N },
};

static void settle(struct desk *d, const struct other *o, int moment)
{
    for (int i = 0; i < 100; i++)
        desk_tick(d);
    desk_assert_clean(d);
    if (view_integer(desk_workload(d), "spec.replicas", 0) != o->replicas ||
        (int64_t)json_array_size(d->pods) != o->replicas)
        fail_msg("%s after %d: %lld replicas, %zu pods", o->name, moment,
                 (long long)view_integer(desk_workload(d), "spec.replicas", 0),
                 json_array_size(d->pods));
}

/* Moves it, and is interrupted after so many ticks. True: it was moved. */
static bool moved_with(const struct other *o, int moment)
{
    struct desk d;
    bool moved;

    desk_init(&d, N);
    (void)desk_run(&d, moment);
    o->change(&d);
    if (!desk_run(&d, 1500))
        fail_msg("%s after %d: no end: %s %s", o->name, moment, d.act.reason, d.act.why.text);
    moved = d.act.verb == ACT_FINISHED;
    settle(&d, o, moment);
    desk_done(&d);
    return moved;
}

static void others_change_it_while_it_is_adopted(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(OTHERS); i++) {
        int moved = 0;

        for (int moment = 0; moment < MOMENTS; moment++)
            moved += moved_with(&OTHERS[i], moment);
        if (moved == 0)
            fail_msg("%s: never moved", OTHERS[i].name);
        if (OTHERS[i].change == nothing)
            assert_int_equal(moved, MOMENTS);
    }
}

/* Of a Deployment moved by one more replica. The reverter comes once a second. */
static void git_puts_replicas_back_once_a_second(void **state)
{
    static const struct other GIT = { "put back", nothing, N };
    int moved = 0, kept = 0;

    (void)state;
    for (int phase = 0; phase < 10; phase++) {
        struct desk d;
        bool ended = false;

        desk_init(&d, N);
        d.stand_in = true;
        d.new_pods = "n3";
        for (int i = 0; i < 1500 && !ended; i++) {
            ended = desk_move(&d);
            if (i % 10 == phase && view_integer(desk_workload(&d), "spec.replicas", 0) != N)
                desk_scale(&d, N);
            desk_tick(&d);
        }
        if (!ended)
            fail_msg("no end in phase %d: %s %s", phase, d.act.reason, d.act.why.text);
        moved += d.act.verb == ACT_FINISHED;
        kept += d.act.verb == ACT_ABORTED;
        settle(&d, &GIT, phase);
        desk_done(&d);
    }
    assert_int_equal(moved + kept, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(others_change_it_while_it_is_adopted),
        cmocka_unit_test(git_puts_replicas_back_once_a_second),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
