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
                                 .replica_set = d->ordinals ? NULL : &x->set,
                                 .stateful_set = d->ordinals ? &x->set : NULL,
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
                                 .scaler = d->scaler,
                                 .deletion_cost = true,
                                 .tells_writers = !d->old };
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

json_t *desk_workload(const struct desk *d)
{
    return view_at(d->set, "metadata.ownerReferences") ? d->deployment : d->set;
}

void desk_scale(struct desk *d, int64_t replicas)
{
    json_t *both[] = { d->set, d->deployment };

    for (size_t i = 0; i < ARRAY_LEN(both); i++) {
        desk_set(both[i], "spec.replicas", json_integer(replicas));
        desk_set(both[i], "metadata.managedFields", json_null());
        desk_set(both[i], "metadata.generation",
                 json_integer(1 + view_integer(both[i], "metadata.generation", 0)));
        desk_touch(d, both[i]);
    }
}

static void desk_serve_scale(struct desk *d, const struct move_act *a)
{
    json_t *w = desk_workload(d);

    assert_string_equal(a->name, view_word(w, "metadata.name"));
    if (strcmp(view_word(a->body, "metadata.resourceVersion"),
               view_word(w, "metadata.resourceVersion")) != 0)
        return;
    desk_scale(d, view_integer(a->body, "spec.replicas", -1));
    desk_set(w, "metadata.managedFields",
             json_pack("[{s:s,s:s,s:{s:{s:{}}}}]", "manager", a->grows ? VIEW_ONE_MORE : "huddle",
                       "subresource", "scale", "fieldsV1", "f:spec", "f:replicas"));
}

/* Kubernetes charges the budget before it looks at the preconditions. */
static void desk_serve_eviction(struct desk *d, const struct move_act *a)
{
    const json_t *asked = view_at(a->body, "deleteOptions.preconditions"), *b;
    json_t *pod = desk_pod(d, a->name);
    size_t i;

    json_array_foreach(d->budgets, i, b)
        if (view_integer(b, "status.disruptionsAllowed", 0) < 1) {
            d->n_denied++;
            return;
        }
    if (!pod || strcmp(view_word(asked, "uid"), view_word(pod, "metadata.uid")) != 0 ||
        strcmp(view_word(asked, "resourceVersion"), view_word(pod, "metadata.resourceVersion")))
        return;
    d->n_evicted++;
    desk_set(pod, "evicted_at", json_integer(d->now_ms));
    desk_delete(d, pod);
}

void desk_serve(struct desk *d, const struct move_act *a)
{
    json_t *pod = desk_pod(d, a->name);
    const json_t *meta = view_at(a->body, "metadata"), *pre = view_at(a->body, "preconditions");
    const json_t *asked = a->verb == ACT_DELETE_SURGE ? pre : meta;

    if (a->verb == ACT_EVICT && d->may_not_evict) {
        d->n_denied++;
        return;
    }
    if (a->verb == ACT_SCALE || a->verb == ACT_EVICT) {
        (a->verb == ACT_SCALE ? desk_serve_scale : desk_serve_eviction)(d, a);
        desk_check(d);
        return;
    }
    if (a->verb == ACT_CREATE) {
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
    if (a->verb == ACT_DELETE_SURGE) {
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
                                   .acknowledge_drain = m->acknowledge_drain,
                                   .on_proof = m->on_proof };
    d->n_crashes++;
}

void desk_look(struct desk *d, struct adopt_move *m, struct move_act *ret_act)
{
    struct desk_facts x;

    desk_facts_read(d, &x);
    (d->stand_in ? stand_in_next : adopt_next)(&x.f, m, d->now_ms, WALL0 + d->now_ms, ret_act);
    desk_facts_done(&x);
}

/* One look, and one act. True: it is over. */
bool desk_move(struct desk *d)
{
    bool strikes;

    move_act_done(&d->act);
    desk_look(d, &d->move, &d->act);
    if (d->act.verb >= ACT_FINISHED)
        return true;
    if (d->act.verb == ACT_WAIT) {
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
    d->move.by_cost |= d->act.verb == ACT_EVICT && d->may_not_evict; /* as who sent it is told */
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
