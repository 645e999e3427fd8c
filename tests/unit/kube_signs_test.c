/* The condition of a node that sleeps: when it is written, put right and taken off, and when not.
 */
#include "controller/substrate/kube_signs.h"
#include "tests/unit/kube_write_rig.h"

#define ASLEEP_TAINT "{'key':'huddle.energy/asleep','effect':'NoExecute'}"
#define CONDITION(word, why)                                                               \
    "{'type':'huddle.energy/Asleep','status':'" word "','reason':'Asleep','message':'" why \
    "','lastTransitionTime':'t0'}"

struct world {
    struct write_rig rig;
    struct kube_signs *signs;
};

static bool busy(const void *writer)
{
    return kube_signs_busy(writer);
}

/* So many seconds pass; the writes that were seen in them. */
static int pass(struct world *w, int seconds)
{
    int before = w->rig.n_seen;

    w->rig.noted[0] = '\0';
    for (int i = 0; i < seconds; i++) {
        w->rig.now_ms += 1000;
        kube_signs_look(w->signs, w->rig.now_ms);
        rig_run(&w->rig);
    }
    return w->rig.n_seen - before;
}

static void node(struct world *w, const char *taint, const char *condition)
{
    char text[900];
    json_t *o;

    (void)snprintf(text, sizeof(text),
                   "{'metadata':{'name':'n1'},'spec':{'taints':[%s]},'status':{'conditions':["
                   "{'type':'Ready','status':'False'}%s%s]}}",
                   taint, *condition ? "," : "", condition);
    o = object(text);
    kube_signs_node(w->signs, o);
    json_decref(o);
}

static void want_in(struct world *w, enum kube_stage stage, const char *word, uint64_t term)
{
    struct effect e = { .kind = FX_KUBE_NODE };
    char text[400];

    (void)snprintf(text, sizeof(text),
                   "{'nextWake':'t9','conditions':[{'type':'Asleep','status':'%s','reason':"
                   "'Asleep','message':'needless','lastTransitionTime':'t1'}]}",
                   word);
    e.kube_node.node = (char *)(uintptr_t) "n1";
    e.kube_node.stage = stage;
    e.kube_node.epoch = term;
    e.kube_node.status = object(text);
    kube_signs_want(w->signs, &e);
    json_decref(e.kube_node.status);
}

static void want(struct world *w, enum kube_stage stage, const char *word)
{
    want_in(w, stage, word, 3);
}

static int set_up(void **state)
{
    struct world *w = *state = xcalloc(1, sizeof(*w));

    rig_begin(&w->rig);
    w->signs = kube_signs_new(&(struct kube_writer){ .client = w->rig.client,
                                                     .data = &w->rig,
                                                     .begin_write = rig_begin_write,
                                                     .end_write = rig_end_write,
                                                     .epoch = rig_epoch,
                                                     .note = rig_note });
    w->rig.busy = busy;
    w->rig.writer = w->signs;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    kube_signs_free(w->signs);
    rig_end(&w->rig);
    free(w);
    return 0;
}

static void a_sleeper_has_it_and_who_is_awake_has_not(void **state)
{
    struct world *w = *state;

    node(w, "", "");
    want(w, KUBE_STAGE_CLOSED, "False");
    assert_int_equal(pass(w, 2), 0); /* its taint comes first */
    node(w, ASLEEP_TAINT, "");
    assert_int_equal(pass(w, 1), 1);
    assert_true(rig_saw(&w->rig, "PATCH /api/v1/nodes/n1/status {\"status\":{\"conditions\":[{"));
    assert_true(rig_saw(&w->rig, "\"type\":\"huddle.energy/Asleep\",\"status\":\"False\""));
    assert_true(rig_saw(&w->rig, "needless; woken when it is needed, at the latest t9"));
    node(w, ASLEEP_TAINT,
         CONDITION("False", "needless; woken when it is needed, at the latest t9"));
    assert_int_equal(pass(w, 2), 0);
    want(w, KUBE_STAGE_CLOSED, "True");
    assert_int_equal(pass(w, 1), 1);
    assert_true(rig_saw(&w->rig, "\"status\":\"True\",\"reason\":\"Asleep\""));
    assert_true(rig_saw(&w->rig, "\"lastTransitionTime\":\"t1\""));
    node(w, ASLEEP_TAINT, CONDITION("True", "changed by hand"));
    assert_int_equal(pass(w, 1), 1);
    assert_true(rig_saw(&w->rig, "\"lastTransitionTime\":\"t0\"")); /* it has not changed since */
    node(w, "", CONDITION("True", "x"));
    assert_int_equal(pass(w, 1), 1);
    assert_true(rig_saw(&w->rig, "{\"$patch\":\"delete\",\"type\":\"huddle.energy/Asleep\"}"));
    node(w, "", "");
    want(w, KUBE_STAGE_NONE, "False");
    assert_int_equal(pass(w, 3), 0);
    assert_int_equal(w->rig.writes, 0);
}

static void what_another_left_is_taken_off(void **state)
{
    struct world *w = *state;

    node(w, ASLEEP_TAINT, CONDITION("True", "x"));
    assert_int_equal(pass(w, 2),
                     0); /* it sleeps; this controller has not said anything of it yet */
    node(w, "", CONDITION("True", "x"));
    assert_int_equal(pass(w, 1), 1);
    kube_signs_node_gone(w->signs, "n1");
    assert_int_equal(pass(w, 1), 0);
}

static void who_may_not_says_so_once(void **state)
{
    struct world *w = *state;

    w->rig.status = 403;
    node(w, ASLEEP_TAINT, "");
    want(w, KUBE_STAGE_CLOSED, "True");
    assert_int_equal(pass(w, 1), 1);
    assert_non_null(strstr(w->rig.noted, "deploy/kubernetes/act"));
    assert_int_equal(pass(w, 290), 0);
    w->rig.status = 200;
    assert_true(pass(w, 20) > 0);
}

static void who_does_not_lead_writes_nothing(void **state)
{
    struct world *w = *state;

    node(w, ASLEEP_TAINT, "");
    want_in(w, KUBE_STAGE_CLOSED, "True", 2); /* of a term that is over */
    assert_int_equal(pass(w, 2), 0);
    want(w, KUBE_STAGE_CLOSED, "True");
    w->rig.leads = false;
    assert_int_equal(pass(w, 2), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_sleeper_has_it_and_who_is_awake_has_not),
        TEST(what_another_left_is_taken_off),
        TEST(who_may_not_says_so_once),
        TEST(who_does_not_lead_writes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
