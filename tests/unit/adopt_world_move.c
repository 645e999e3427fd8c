/* The mover of adopt_world.h: what it reads, and what the API server does with its acts. */
#include "tests/unit/adopt_world.h"

void desk_facts_read(const struct desk *d, struct desk_facts *x)
{
    json_t *o;
    size_t i;

    *x = (struct desk_facts){ 0 };
    x->pods = xcalloc(json_array_size(d->pods) + 1, sizeof(*x->pods));
    x->on_target = xcalloc(json_array_size(d->pods) + 1, sizeof(*x->on_target));
    json_array_foreach(d->pods, i, o) {
        assert_int_equal(view_pod_read(o, &x->pods[x->n_pods++]), 0);
        if (!strcmp(view_word(o, "spec.nodeName"), d->move.node))
            assert_int_equal(view_pod_read(o, &x->on_target[x->n_on_target++]), 0);
    }
    json_array_foreach(d->budgets, i, o)
        assert_int_equal(view_budget_read(o, true, &x->budget[i]), 0);
    json_array_foreach(d->services, i, o)
        assert_int_equal(view_service_read(o, &x->service[i]), 0);
    json_array_foreach(d->slices, i, o)
        assert_int_equal(view_slice_read(o, &x->slice[i]), 0);
    assert_int_equal(view_workload_read(d->set, &x->set), 0);
    assert_int_equal(view_workload_read(d->deployment, &x->deployment), 0);
    x->f = (struct adopt_facts){ .pods = x->pods,
                                 .n_pods = x->n_pods,
                                 .replica_set = &x->set,
                                 .deployment = strcmp(x->set.meta.owner.kind, "Deployment")
                                                   ? NULL
                                                   : &x->deployment,
                                 .budgets = x->budget,
                                 .n_budgets = json_array_size(d->budgets),
                                 .services = x->service,
                                 .n_services = json_array_size(d->services),
                                 .slices = x->slice,
                                 .n_slices = json_array_size(d->slices),
                                 .on_target = x->on_target,
                                 .n_on_target = x->n_on_target,
                                 .deletion_cost = true };
    for (i = 0; i < NODES; i++)
        if (!strcmp(view_word(d->node[i], "metadata.name"), d->move.node)) {
            assert_int_equal(view_node_read(d->node[i], &x->node), 0);
            x->f.target = &x->node;
        }
}

void desk_facts_done(struct desk_facts *x)
{
    for (size_t i = 0; i < x->n_pods; i++)
        view_pod_done(&x->pods[i]);
    for (size_t i = 0; i < x->n_on_target; i++)
        view_pod_done(&x->on_target[i]);
    for (size_t i = 0; i < 2; i++) {
        view_budget_done(&x->budget[i]);
        view_service_done(&x->service[i]);
        view_slice_done(&x->slice[i]);
    }
    free(x->pods);
    free(x->on_target);
    view_workload_done(&x->set);
    view_workload_done(&x->deployment);
    view_node_done(&x->node);
}

static void desk_merge(json_t *into, json_t *from)
{
    const char *key;
    json_t *value;

    json_object_foreach(from, key, value) {
        if (json_is_null(value)) {
            (void)json_object_del(into, key);
        } else if (json_is_object(value)) {
            if (!json_is_object(json_object_get(into, key)))
                (void)json_object_set_new(into, key, json_object());
            desk_merge(json_object_get(into, key), value);
        } else {
            (void)json_object_set(into, key, value);
        }
    }
}

/* What the API server does with an act. */
static void desk_serve(struct desk *d, const struct adopt_act *a)
{
    json_t *pod = desk_pod(d, a->name);
    const json_t *meta = view_at(a->body, "metadata"), *pre = view_at(a->body, "preconditions");
    const json_t *asked = a->verb == ADOPT_DELETE_SURGE ? pre : meta;

    if (a->verb == ADOPT_CREATE) {
        if (!pod) {
            (void)desk_add(d, json_deep_copy(a->body));
            d->n_created++;
        }
        return; /* else AlreadyExists */
    }
    if (!pod || strcmp(view_word(asked, "uid"), view_word(pod, "metadata.uid")) != 0 ||
        strcmp(view_word(asked, "resourceVersion"), view_word(pod, "metadata.resourceVersion")) !=
            0)
        return; /* 404, 409 */
    if (a->verb == ADOPT_DELETE_SURGE) {
        desk_delete(d, pod);
    } else {
        desk_merge(pod, a->body);
        desk_touch(d, pod);
    }
    desk_check(d);
}

void desk_forget(struct desk *d) /* the mover ends and another goes on */
{
    struct adopt_move *m = &d->move;

    d->move = (struct adopt_move){ .pod = m->pod,
                                   .node = m->node,
                                   .settle_ms = m->settle_ms,
                                   .deadline_ms = m->deadline_ms,
                                   .acknowledge_drain = m->acknowledge_drain };
    d->n_crashes++;
}

/* One look, and one act. True: it is over. */
bool desk_move(struct desk *d)
{
    struct desk_facts x;
    bool strikes;

    desk_facts_read(d, &x);
    adopt_act_done(&d->act);
    adopt_next(&x.f, &d->move, d->now_ms, WALL0 + d->now_ms, &d->act);
    desk_facts_done(&x);
    if (d->act.verb >= ADOPT_FINISHED)
        return true;
    if (d->act.verb == ADOPT_WAIT) {
        assert_true(*d->act.reason && *d->act.why.text);
        return false;
    }
    assert_non_null(d->act.body);
    strikes = d->n_acts++ == d->fail_at;
    if (strikes && d->fail_how == BEFORE) {
        desk_forget(d);
        return false;
    }
    desk_serve(d, &d->act);
    if (strikes && d->fail_how == AFTER)
        desk_forget(d);
    return false; /* a lost reply: it looks again, as it does anyway */
}

bool desk_run(struct desk *d, int ticks)
{
    while (ticks-- > 0) {
        if (desk_move(d))
            return true;
        desk_tick(d);
    }
    return false;
}
