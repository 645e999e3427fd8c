/* Moves of pods as the controller's core orders them: when one is begun, carried on and taken back,
 * and what is made of its answer. */
#include <math.h>

#include "tests/unit/kube_core_world.h"

#define POLICY(spec) \
    "{" API "\"kind\":\"PowerPolicy\",\"metadata\":{\"name\":\"q\"},\"spec\":{" spec "}}"
#define POOL_WITH_POLICY                                                                           \
    "{" API "\"kind\":\"PowerPool\",\"metadata\":{\"name\":\"p\"},\"spec\":{\"minAwake\":1,"       \
    "\"mode\":\"act\",\"policy\":\"q\",\"spare\":0,\"boot\":{\"time\":\"10s\",\"energy\":\"1J\"}," \
    "\"driver\":{\"type\":\"none\"}}}" /* no agents report here: nodes are emptied, and stay on */

struct world {
    struct desk desk;
    struct brain *brain;
    struct effect last; /* FX_KUBE_MOVE: its texts are below */
    char uid[64], node[64];
    size_t orders;
};

static void lead(struct desk *d, bool leads)
{
    struct controller_event event = { .kind = CE_KUBE_LEAD };

    event.kube_lead.leads = leads;
    event.kube_lead.epoch = 3;
    desk_step(d, &event);
}

/* n1 cannot be emptied; m-2 on n2 and o-1 on n3 can come to it. */
static void begin_world(struct world *w, const char *pool)
{
    *w = (struct world){ .brain = brain_new(1) };
    begin(&w->desk);
    put(&w->desk, POLICY("\"budget\":{\"moves\":1}"));
    put(&w->desk, pool);
    put(&w->desk, MODEL("m.a"));
    NODE(&w->desk, "n1", .stays = DB, .held_cpu_milli = 500);
    NODE(&w->desk, "n2");
    NODE(&w->desk, "n3");
    tell_model(&w->desk, (struct kube_model_facts){ .model = "m.a", .wanted = 2 });
    POD(&w->desk, "m-1", "m.a", "n1");
    POD(&w->desk, "m-2", "m.a", "n2");
    tell_watch(&w->desk, "");
    lead(&w->desk, true);
}

static void end_world(struct world *w)
{
    brain_free(w->brain);
    desk_done(&w->desk);
}

static void take_orders(struct world *w)
{
    for (size_t i = 0; i < w->desk.fx.n_items; i++) {
        const struct effect *e = &w->desk.fx.items[i];

        if (e->kind != FX_KUBE_MOVE)
            continue;
        w->orders++;
        w->last.kube_move.abort = e->kube_move.abort;
        (void)snprintf(w->uid, sizeof(w->uid), "%s", e->kube_move.uid);
        (void)snprintf(w->node, sizeof(w->node), "%s", e->kube_move.node);
        assert_string_equal(e->kube_move.model, "m.a");
        assert_true(strncmp(e->kube_move.pod, "a/", 2) == 0);
    }
}

/* Seconds with a planner; true: something was ordered. */
static bool pass(struct world *w, int seconds)
{
    size_t before = w->orders;

    for (int i = 0; i < seconds && w->orders == before; i++) {
        desk_pass(&w->desk, 1000);
        take_orders(w);
        if (plan_with(&w->desk, w->brain))
            take_orders(w);
    }
    return w->orders > before;
}

static void assert_ordered(struct world *w, int seconds, bool abort)
{
    if (!pass(w, seconds))
        fail_msg("nothing was ordered");
    assert_string_equal(w->uid, "m-2");
    assert_string_equal(w->node, "n1");
    assert_int_equal(w->last.kube_move.abort, abort);
}

static void answer(struct world *w, enum kube_move_end end)
{
    const struct kube_moved moved = { .uid = "m-2",
                                      .pod = "a/m-2",
                                      .node = "n1",
                                      .end = end,
                                      .reason = "NoRoom",
                                      .why = "it is full" };
    struct controller_event event = { .kind = CE_KUBE_MOVED, .kube_moved = &moved };

    desk_step(&w->desk, &event);
    take_orders(w);
}

static void surge(struct world *w, bool planned)
{
    tell_pod(&w->desk,
             (struct kube_pod_facts){
                 .uid = "s", .model = "m.a", .node = "n1", .replaces = "m-2", .planned = planned });
}

static void drop_pod(struct world *w, const char *uid)
{
    tell_pod(&w->desk,
             (struct kube_pod_facts){ .uid = uid, .gone = true, .model = "", .node = "" });
}

static json_int_t moves_of(struct world *w)
{
    json_t *o = get(&w->desk, "clusters", "desk");
    json_int_t n = json_integer_value(json_object_get(json_object_get(o, "status"), "moves"));

    json_decref(o);
    return n;
}

static void a_move_is_ordered_once_and_counted_when_done(void **state)
{
    struct world w;

    (void)state;
    begin_world(&w, POOL_WITH_POLICY);
    assert_ordered(&w, 900, false);
    assert_text(&w.desk, "replicas", "m-2", "why", "moves to node n1: the plan wants it there");
    assert_false(pass(&w, 25));
    assert_ordered(&w, 10, false); /* no answer: it may be lost */
    surge(&w, true);
    assert_false(pass(&w, 25));
    POD(&w.desk, "s", "m.a", "n1"); /* adopted */
    drop_pod(&w, "m-2");
    answer(&w, KUBE_MOVE_DONE);
    assert_int_equal(moves_of(&w), 1);
    assert_false(pass(&w, 900)); /* nothing is left to do */
    end_world(&w);
}

/* Of the model, as the condition Consolidating has it. */
static void assert_consolidation(struct world *w, bool on, const char *reason)
{
    json_t *o = get(&w->desk, "servedmodels", "m.a");
    const json_t *is = json_object_get(json_object_get(o, "status"), "consolidation");

    if (json_is_true(json_object_get(is, "on")) != on ||
        strcmp(json_string_value(json_object_get(is, "reason")), reason) != 0)
        fail_msg("%s, not %d %s", json_dumps(is, 0), on, reason);
    assert_true(*json_string_value(json_object_get(is, "message")));
    json_decref(o);
}

static void how_a_model_stands_is_told(void **state)
{
    struct world w;
    json_t *o;

    (void)state;
    begin_world(&w, POOL_OF("observe"));
    assert_consolidation(&w, false, "Stopped");
    put(&w.desk, POOL_WITH_POLICY);
    assert_consolidation(&w, true, "Settled");
    assert_text(&w.desk, "servedmodels", "m.a", "lastMove", "");
    assert_ordered(&w, 900, false);
    assert_consolidation(&w, true, "Moving");
    answer(&w, KUBE_MOVE_REFUSED);
    (void)pass(&w, 30);
    assert_consolidation(&w, true, "Planned");
    tell_model(&w.desk, (struct kube_model_facts){ .model = "m.a", .wanted = 2, .held = "it is" });
    assert_consolidation(&w, false, "NotMovable");
    answer(&w, KUBE_MOVE_DONE); /* of a move that nobody has in hand: whose it was is not known */
    assert_text(&w.desk, "servedmodels", "m.a", "lastMove", "");
    tell_model(&w.desk, (struct kube_model_facts){
                            .model = "m.a", .wanted = 2, .drain = "NoPreStop", .loses = "some" });
    assert_ordered(&w, 900, false);
    answer(&w, KUBE_MOVE_DONE);
    o = get(&w.desk, "servedmodels", "m.a");
    assert_true(*text_at(o, "status", "lastMove"));
    assert_string_equal(text_at(json_object_get(o, "status"), "drain", "reason"), "NoPreStop");
    assert_string_equal(text_at(json_object_get(o, "status"), "drain", "message"), "some");
    json_decref(o);
    end_world(&w);
}

static void of_a_model_one_pod_at_a_time(void **state)
{
    struct world w;

    (void)state;
    begin_world(&w, POOL_WITH_POLICY);
    put(&w.desk, POLICY("\"budget\":{\"moves\":4}"));
    tell_model(&w.desk, (struct kube_model_facts){ .model = "m.a", .wanted = 3 });
    POD(&w.desk, "m-3", "m.a", "n3");
    assert_true(pass(&w, 900));
    assert_false(pass(&w, 25));
    assert_int_equal(w.orders, 1);
    end_world(&w);
}

/* Each row's reason stands beside the placement in the plan. */
static void nothing_is_begun(const char *pool, const char *policy, const char *why)
{
    struct world w;
    char *text;
    json_t *o;

    begin_world(&w, pool);
    if (policy)
        put(&w.desk, policy);
    if (pass(&w, 900))
        fail_msg("a move was ordered in spite of: %s", why);
    o = get(&w.desk, "plans", "current");
    text = json_dumps(o, 0);
    if (!strstr(text, why))
        fail_msg("not told: %s\nbut: %s", why, text);
    free(text);
    json_decref(o);
    end_world(&w);
}

static void what_stands_against_a_move_is_told(void **state)
{
    (void)state;
    nothing_is_begun(POOL_OF("observe"), NULL, "observe: huddle acts on nothing here");
    nothing_is_begun(POOL_OF("recommend"), NULL, "recommend: huddle tells what it would do");
    nothing_is_begun(POOL_WITH_POLICY, POLICY("\"dryRun\":true"), "dry run");
    nothing_is_begun(POOL_WITH_POLICY, POLICY("\"paused\":true"), "its policy is paused");
}

static void of_a_model_that_is_not_whole_nothing_moves(void **state)
{
    const char *const why[] = { "not all replicas of its model serve", "it drops requests",
                                "not all replicas of its model serve" };
    struct world w;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(why); i++) {
        begin_world(&w, POOL_WITH_POLICY);
        if (i == 0)
            tell_pod(&w.desk,
                     (struct kube_pod_facts){ .uid = "m-1", .model = "m.a", .node = "n1" });
        else
            tell_model(&w.desk, (struct kube_model_facts){ .model = "m.a",
                                                           .wanted = 2,
                                                           .held = i == 1 ? why[1] : "",
                                                           .pending = i == 2 });
        assert_false(pass(&w, 900));
        end_world(&w);
    }
}

static void who_does_not_lead_orders_nothing(void **state)
{
    struct world w;

    (void)state;
    begin_world(&w, POOL_WITH_POLICY);
    lead(&w.desk, false);
    surge(&w, true);
    assert_false(pass(&w, 600));
    lead(&w.desk, true); /* and takes up what stands there */
    assert_ordered(&w, 2, false);
    end_world(&w);
}

static void what_was_refused_waits(void **state)
{
    struct world w;

    (void)state;
    begin_world(&w, POOL_WITH_POLICY);
    assert_ordered(&w, 900, false);
    answer(&w, KUBE_MOVE_REFUSED);
    assert_text(&w.desk, "replicas", "m-2", "why", "stays: its move to n1: it is full");
    assert_false(pass(&w, 55));
    assert_ordered(&w, 900, false);
    assert_int_equal(moves_of(&w), 0);
    answer(&w, KUBE_MOVE_LEFT); /* nothing stands there: as refused */
    assert_false(pass(&w, 100));
    end_world(&w);
}

static void a_pause_takes_back_what_was_begun(void **state)
{
    struct world w;

    (void)state;
    begin_world(&w, POOL_WITH_POLICY);
    assert_ordered(&w, 900, false);
    surge(&w, true);
    put(&w.desk, POLICY("\"paused\":true"));
    assert_ordered(&w, 2, true);
    assert_false(pass(&w, 20));
    drop_pod(&w, "s");
    answer(&w, KUBE_MOVE_ABORTED);
    assert_text(&w.desk, "replicas", "m-2", "why", "stays: its move to n1: its policy is paused");
    put(&w.desk, POLICY("\"budget\":{\"moves\":1}"));
    assert_ordered(&w, 50, false); /* no failure: it does not wait */
    end_world(&w);
}

static void a_move_of_a_model_that_is_gone_is_taken_back(void **state)
{
    struct world w;

    (void)state;
    begin_world(&w, POOL_WITH_POLICY);
    assert_ordered(&w, 900, false);
    surge(&w, true);
    drop(&w.desk, KIND_SERVED_MODEL, "m.a");
    assert_ordered(&w, 2, true);
    answer(&w, KUBE_MOVE_ABORTED);
    assert_false(pass(&w, 60));
    end_world(&w);
}

/* The core knows nothing of moves of an earlier life: pods tell of them. */
static void what_an_earlier_life_began_is_carried_on_or_taken_back(void **state)
{
    struct world w;

    (void)state;
    begin_world(&w, POOL_WITH_POLICY);
    surge(&w, true);
    assert_ordered(&w, 2, false);
    end_world(&w);
    begin_world(&w, POOL_OF("observe"));
    surge(&w, true);
    put(&w.desk, POOL_OF("recommend"));
    assert_ordered(&w, 2, true);
    end_world(&w);
    begin_world(&w, POOL_WITH_POLICY);
    surge(&w, false); /* a person's: it is left alone, and nothing else of the model moves */
    assert_false(pass(&w, 600));
    end_world(&w);
}

/* n1 is closed meanwhile: the next plan has the pod where it is, or elsewhere. */
static void what_the_plan_does_not_want_any_more_is_taken_back(void **state)
{
    static const char *const unfit[] = { "n1" };
    struct world w;

    (void)state;
    begin_world(&w, POOL_WITH_POLICY);
    assert_ordered(&w, 900, false);
    tell_model(&w.desk, (struct kube_model_facts){
                            .model = "m.a", .wanted = 2, .unfit = unfit, .n_unfit = 1 });
    for (int i = 0; i < 40 && !w.last.kube_move.abort; i++)
        (void)pass(&w, 30);
    assert_true(w.last.kube_move.abort);
    end_world(&w);
}

/* Seconds until the next order, which is a move of m-2 to n1 again. */
static int rests(struct world *w)
{
    static const char *const unfit[] = { "n1" };
    int seconds = 0;

    tell_model(&w->desk, (struct kube_model_facts){
                             .model = "m.a", .wanted = 2, .unfit = unfit, .n_unfit = 1 });
    for (int i = 0; i < 40 && !w->last.kube_move.abort; i++)
        (void)pass(w, 30);
    assert_true(w->last.kube_move.abort);
    tell_model(&w->desk, (struct kube_model_facts){ .model = "m.a", .wanted = 2 });
    answer(w, KUBE_MOVE_ABORTED);
    while (seconds < 2000 && !pass(w, 1))
        seconds++;
    assert_false(w->last.kube_move.abort);
    return seconds;
}

/* A pod would be made and deleted each time. */
static void a_plan_that_changes_its_mind_again_and_again_is_heard_less_and_less(void **state)
{
    struct world w;
    int first, second;

    (void)state;
    begin_world(&w, POOL_WITH_POLICY);
    assert_ordered(&w, 900, false);
    first = rests(&w);
    assert_in_range(first, 55, 100);
    second = rests(&w);
    assert_in_range(second, 115, 200);
    POD(&w.desk, "s", "m.a", "n1"); /* once it is moved, that is forgotten */
    drop_pod(&w, "m-2");
    answer(&w, KUBE_MOVE_DONE);
    POD(&w.desk, "m-2", "m.a", "n2");
    drop_pod(&w, "s");
    assert_ordered(&w, 900, false);
    assert_in_range(rests(&w), 55, 100);
    end_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_move_is_ordered_once_and_counted_when_done),
        cmocka_unit_test(how_a_model_stands_is_told),
        cmocka_unit_test(of_a_model_one_pod_at_a_time),
        cmocka_unit_test(what_stands_against_a_move_is_told),
        cmocka_unit_test(of_a_model_that_is_not_whole_nothing_moves),
        cmocka_unit_test(who_does_not_lead_orders_nothing),
        cmocka_unit_test(what_was_refused_waits),
        cmocka_unit_test(a_pause_takes_back_what_was_begun),
        cmocka_unit_test(a_move_of_a_model_that_is_gone_is_taken_back),
        cmocka_unit_test(what_an_earlier_life_began_is_carried_on_or_taken_back),
        cmocka_unit_test(what_the_plan_does_not_want_any_more_is_taken_back),
        cmocka_unit_test(a_plan_that_changes_its_mind_again_and_again_is_heard_less_and_less),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
