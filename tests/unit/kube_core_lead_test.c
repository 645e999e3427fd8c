/* Who may act on a cluster of Kubernetes, and what people are told who ask the controller to. */
#include "tests/unit/kube_core_world.h"

static const char *answer_of(const struct desk *d)
{
    for (size_t i = 0; i < d->fx.n_items; i++)
        if (d->fx.items[i].kind == FX_ANSWER)
            return d->fx.items[i].answer.message;
    return "";
}

static void people_are_sent_to_kubernetes(void **state)
{
    static const enum verb VERBS[] = { VERB_DRAIN,    VERB_SLEEP, VERB_WAKE,    VERB_CORDON,
                                       VERB_UNCORDON, VERB_HOLD,  VERB_RELEASE, VERB_POWER_TEST };
    struct controller_event removal = { .kind = CE_REMOVE_NODE };
    struct desk d;

    (void)state;
    begin(&d);
    tell_all(&d);
    assert_int_equal(desk_put(&d, DESK_POOL), 422);
    assert_non_null(strstr(answer_of(&d), "kubectl apply"));
    assert_int_equal(desk_delete(&d, KIND_SERVED_MODEL, "m.a"), 422);
    for (size_t i = 0; i < ARRAY_LEN(VERBS); i++) {
        assert_int_equal(desk_verb(&d, VERBS[i], "n2"), 422);
        assert_non_null(strstr(answer_of(&d), "observe: huddle acts on nothing"));
    }
    removal.del.ticket = ++d.ticket;
    removal.del.name = "n5";
    removal.del.who = "test";
    desk_step(&d, &removal);
    assert_int_equal(desk_status(&d), 422);
    json_decref(get(&d, "servedmodels", "m.a"));
    assert_int_equal(desk_verb(&d, VERB_PAUSE, ""), 200);
    desk_done(&d);
}

/* Why nothing is done to it, as the API tells. */
static const char *passive(struct desk *d, const char *node)
{
    static char text[200];
    json_t *n = get(d, "nodes", node);

    (void)snprintf(text, sizeof(text), "%s",
                   json_string_value(json_object_get(json_object_get(n, "status"), "passive")));
    json_decref(n);
    return text;
}

static void who_may_act_is_told(void **state)
{
    struct controller_event lead = { .kind = CE_KUBE_LEAD };
    struct desk d;

    (void)state;
    begin(&d);
    tell_all(&d);
    assert_non_null(strstr(passive(&d, "n2"), "observe:"));
    put(&d, POOL_OF("recommend"));
    assert_non_null(strstr(passive(&d, "n2"), "recommend:"));
    put(&d, POOL_OF("act"));
    assert_non_null(strstr(passive(&d, "n2"), "another controller leads"));
    assert_int_equal(desk_verb(&d, VERB_PAUSE, ""), 422); /* it would go on */
    lead.kube_lead.leads = true;
    lead.kube_lead.epoch = 3;
    desk_step(&d, &lead);
    assert_string_equal(passive(&d, "n2"), "");
    lead.kube_lead.leads = false;
    desk_step(&d, &lead);
    assert_non_null(strstr(passive(&d, "n2"), "another controller leads"));
    desk_done(&d);
}

static void lead(struct desk *d, bool leads, const char *leader, const char *problem)
{
    struct controller_event event = { .kind = CE_KUBE_LEAD };

    event.kube_lead.leads = leads;
    event.kube_lead.epoch = 3;
    event.kube_lead.leader = leader;
    event.kube_lead.problem = problem;
    desk_step(d, &event);
}

/* Of status.lead of the cluster. */
static bool lead_is(struct desk *d, const char *leader, const char *problem)
{
    json_t *list = controller_get(d->core, "clusters", NULL, d->now_ms, d->wall_ms);
    const json_t *status = json_object_get(json_array_get(list, 0), "status");
    const json_t *is = json_object_get(status, "lead");
    bool same = strcmp(json_string_value(json_object_get(is, "leader")), leader) == 0 &&
                strcmp(json_string_value(json_object_get(is, "problem")), problem) == 0 &&
                json_integer_value(json_object_get(is, "epoch")) == 3 &&
                json_is_true(json_object_get(is, "leads")) == d->core->cluster->leads;

    json_decref(list);
    return same;
}

static void who_leads_is_told(void **state)
{
    struct desk d;

    (void)state;
    begin(&d);
    tell_all(&d);
    lead(&d, true, "a", "");
    assert_true(heard(&d, "Leading", "epoch 3"));
    assert_true(lead_is(&d, "a", ""));
    lead(&d, true, "a", "");
    assert_false(heard(&d, "Leading", ""));
    lead(&d, false, "b", "");
    assert_true(heard(&d, "LeadLost", "epoch 3"));
    assert_true(lead_is(&d, "b", ""));
    lead(&d, false, "b", "no rights");
    assert_true(heard(&d, "LeaseProblem", "no rights"));
    assert_true(lead_is(&d, "b", "no rights"));
    lead(&d, false, "c", "no rights");
    assert_false(heard(&d, "LeaseProblem", ""));
    lead(&d, false, "c", "");
    assert_true(lead_is(&d, "c", ""));
    desk_done(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_may_act_is_told),
        cmocka_unit_test(who_leads_is_told),
        cmocka_unit_test(people_are_sent_to_kubernetes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
