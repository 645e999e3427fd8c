/* The cluster of adopt_world.h: its objects, and what its controllers do to them. */
#include "tests/unit/adopt_world.h"

#include "proto/base/strbuf.h"

json_t *desk_json(const char *text)
{
    AUTO(strbuf) struct strbuf b = STRBUF_INIT;
    json_error_t e;
    json_t *v;

    for (; *text; text++)
        strbuf_putc(&b, *text == '\'' ? '"' : *text);
    v = json_loads(strbuf_text(&b), 0, &e);
    if (!v)
        fail_msg("%s at %d in %s", e.text, e.position, strbuf_text(&b));
    return v;
}

json_t *desk_in(json_t *object, const char *path)
{
    return (json_t *)(uintptr_t)view_at(object, path);
}

/* Sets object.a.b.c, making what is between. */
void desk_set(json_t *object, const char *path, json_t *value)
{
    const char *dot;

    while ((dot = strchr(path, '.'))) {
        AUTO(mem) char *key = strndup(path, (size_t)(dot - path));

        if (!json_is_object(json_object_get(object, key)))
            (void)json_object_set_new(object, key, json_object());
        object = json_object_get(object, key);
        path = dot + 1;
    }
    (void)json_object_set_new(object, path, value);
}

void desk_touch(struct desk *d, json_t *object)
{
    char text[24];

    (void)snprintf(text, sizeof(text), "%d", ++d->versions);
    desk_set(object, "metadata.resourceVersion", json_string(text));
}

json_t *desk_pod(const struct desk *d, const char *name)
{
    json_t *p;
    size_t i;

    json_array_foreach(d->pods, i, p)
        if (!strcmp(view_word(p, "metadata.name"), name))
            return p;
    return NULL;
}

void desk_annotate(struct desk *d, json_t *pod, const char *key, const char *value)
{
    if (!json_is_object(desk_in(pod, "metadata.annotations")))
        desk_set(pod, "metadata.annotations", json_object());
    (void)json_object_set_new(desk_in(pod, "metadata.annotations"), key, json_string(value));
    desk_touch(d, pod);
}

void desk_condition(json_t *object, const char *type, bool status, const char *reason)
{
    desk_set(object, "status.conditions",
             json_pack("[{s:s,s:s,s:s,s:s}]", "type", type, "status", status ? "True" : "False",
                       "reason", reason, "message", reason));
}

bool desk_is_ready(const json_t *pod)
{
    return view_condition(pod, "Ready");
}

bool desk_is_deleting(const json_t *pod)
{
    return *view_word(pod, "metadata.deletionTimestamp");
}

json_t *desk_add(struct desk *d, json_t *pod)
{
    char uid[32], born[CLOCK_TEXT_MAX];

    (void)snprintf(uid, sizeof(uid), "uid-%d", ++d->born);
    clock_format(WALL0 + d->now_ms, born);
    desk_set(pod, "metadata.uid", json_string(uid));
    desk_set(pod, "metadata.creationTimestamp", json_string(born));
    desk_set(pod, "born", json_integer(d->now_ms));
    if (!view_at(pod, "status.phase"))
        desk_set(pod, "status.phase", json_string("Pending"));
    desk_touch(d, pod);
    (void)json_array_append_new(d->pods, pod);
    return pod;
}

void desk_delete(struct desk *d, json_t *pod)
{
    if (desk_is_deleting(pod))
        return;
    desk_set(pod, "metadata.deletionTimestamp", json_string("2026-11-27T00:00:00Z"));
    desk_set(pod, "gone", json_integer(d->now_ms + (int64_t)d->grace_ticks * TICK_MS));
    desk_touch(d, pod);
}

/* --- the cluster's controllers --- */

static const json_t *desk_owner(const json_t *pod)
{
    const json_t *owner;
    size_t i;

    json_array_foreach(view_at(pod, "metadata.ownerReferences"), i, owner)
        if (view_true(owner, "controller"))
            return owner;
    return NULL;
}

static bool desk_counts(const json_t *pod)
{
    return !strcmp(view_word(desk_owner(pod), "uid"), SET_UID) && !desk_is_deleting(pod);
}

static bool desk_in_set(const struct desk *d, const json_t *pod)
{
    struct label_selector s;
    struct string_map labels;
    bool in;

    (void)label_selector_read(view_at(d->set, "spec.selector"), &s);
    view_map(view_at(pod, "metadata.labels"), &labels);
    in = label_selector_matches(&s, &labels);
    label_selector_done(&s);
    string_map_done(&labels);
    return in;
}

long desk_cost(const json_t *pod)
{
    const json_t *v = json_object_get(view_at(pod, "metadata.annotations"), VICTIM_COST);

    return v ? strtol(json_string_value(v), NULL, 10) : 0;
}

/* As the set's controller sees it, which knows at once what it does itself. */
static bool desk_seen(const struct desk *d, const json_t *pod)
{
    return !strcmp(view_word(desk_owner(pod), "uid"), SET_UID) &&
           (!desk_is_deleting(pod) || d->now_ms - view_integer(pod, "evicted_at", INT64_MIN / 2) <
                                          (int64_t)d->lag_ticks * TICK_MS);
}

static int desk_beside(const struct desk *d, const json_t *pod)
{
    json_t *p;
    size_t i;
    int n = 0;

    json_array_foreach(d->pods, i, p)
        n += desk_counts(p) &&
             !strcmp(view_word(p, "spec.nodeName"), view_word(pod, "spec.nodeName"));
    return n;
}

/* Is `a` deleted before `b`? Source: Kubernetes' documentation of ReplicaSet, "Scaling a
 * ReplicaSet". */
static bool desk_goes_before(const struct desk *d, const json_t *a, const json_t *b)
{
    bool on_a = *view_word(a, "spec.nodeName"), on_b = *view_word(b, "spec.nodeName");
    bool run_a = !strcmp(view_word(a, "status.phase"), "Running");
    bool run_b = !strcmp(view_word(b, "status.phase"), "Running");

    if (on_a != on_b)
        return !on_a;
    if (run_a != run_b)
        return !run_a;
    if (desk_is_ready(a) != desk_is_ready(b))
        return !desk_is_ready(a);
    if (desk_cost(a) != desk_cost(b))
        return desk_cost(a) < desk_cost(b);
    if (desk_beside(d, a) != desk_beside(d, b))
        return desk_beside(d, a) > desk_beside(d, b);
    return view_integer(a, "born", 0) > view_integer(b, "born", 0);
}

static void desk_make_replica(struct desk *d, int64_t number)
{
    json_t *pod = json_deep_copy(desk_in(d->set, "spec.template"));
    char name[32];

    (void)snprintf(name, sizeof(name), "web-%lld", (long long)number);
    desk_set(pod, "metadata.name", json_string(name));
    desk_set(pod, "metadata.namespace", json_string("ns"));
    desk_set(pod, "metadata.ownerReferences",
             desk_json("[{'apiVersion':'apps/v1','name':'web-abc','uid':'" SET_UID
                       "','controller':true}]"));
    (void)json_object_set_new(json_array_get(desk_in(pod, "metadata.ownerReferences"), 0), "kind",
                              json_string(d->ordinals ? "StatefulSet" : "ReplicaSet"));
    (void)desk_add(d, pod);
}

static void desk_count(struct desk *d)
{
    int64_t n = 0, ready = 0, generation = view_integer(d->set, "metadata.generation", 0);
    json_t *p;
    size_t i;

    json_array_foreach(d->pods, i, p) {
        n += desk_seen(d, p);
        ready += desk_counts(p) && desk_is_ready(p);
    }
    desk_set(d->set, "status",
             json_pack("{s:I,s:I,s:I,s:I}", "replicas", n, "readyReplicas", ready,
                       "updatedReplicas", n, "observedGeneration", generation));
    desk_set(d->deployment, "status",
             json_pack("{s:I,s:I,s:I}", "replicas", n, "updatedReplicas", n, "observedGeneration",
                       view_integer(d->deployment, "metadata.generation", 0)));
}

/* One pod at a time, in order, each when those before it are ready (OrderedReady). */
static void desk_stateful_set(struct desk *d)
{
    int64_t wanted = view_integer(d->set, "spec.replicas", 0);
    char name[32];
    json_t *pod;

    desk_count(d);
    for (int64_t k = 0;; k++) {
        (void)snprintf(name, sizeof(name), "web-%lld", (long long)k);
        pod = desk_pod(d, name);
        if (pod && k < wanted && (desk_is_deleting(pod) || !desk_is_ready(pod)))
            return;
        if (!pod && k < wanted) {
            desk_make_replica(d, k);
            return;
        }
        if (!pod)
            return;
        if (k >= wanted) { /* these tests have one too many at most */
            desk_delete(d, pod);
            return;
        }
    }
}

static void desk_replica_set(struct desk *d)
{
    int64_t n = 0, wanted = view_integer(d->set, "spec.replicas", 0);
    json_t *p, *owner, *first;
    size_t i, k;

    json_array_foreach(d->pods, i, p) {
        if (!desk_owner(p) && !desk_is_deleting(p) && desk_in_set(d, p)) {
            json_array_foreach(desk_in(p, "metadata.ownerReferences"), k, owner)
                if (!strcmp(view_word(owner, "uid"), SET_UID))
                    (void)json_object_set_new(owner, "controller", json_true());
            desk_touch(d, p);
        }
        n += desk_seen(d, p);
    }
    for (; n > wanted; n--) {
        first = NULL;
        json_array_foreach(d->pods, i, p)
            if (desk_counts(p) && (!first || desk_goes_before(d, p, first)))
                first = p;
        desk_delete(d, first);
    }
    for (; n < wanted; n++)
        desk_make_replica(d, d->born);
    desk_count(d);
}

static const char *desk_pinned_to(const json_t *pod)
{
    const json_t *terms = view_at(pod, "spec.affinity.nodeAffinity."
                                       "requiredDuringSchedulingIgnoredDuringExecution."
                                       "nodeSelectorTerms");
    const json_t *field = json_array_get(view_at(json_array_get(terms, 0), "matchFields"), 0);

    return json_string_value(json_array_get(view_at(field, "values"), 0));
}

static void desk_kubelets(struct desk *d)
{
    json_t *p;
    size_t i;

    for (i = json_array_size(d->pods); i-- > 0;) {
        p = json_array_get(d->pods, i);
        if (desk_is_deleting(p) && d->now_ms >= view_integer(p, "gone", 0)) {
            (void)json_array_remove(d->pods, i);
            continue;
        }
        if (!*view_word(p, "spec.nodeName")) {
            const char *pin = desk_pinned_to(p);

            desk_set(p, "spec.nodeName", json_string(pin ? pin : d->new_pods ? d->new_pods : "n0"));
            desk_touch(d, p);
        } else if (strcmp(view_word(p, "status.phase"), "Running") != 0 && !view_at(p, "stuck") &&
                   d->now_ms - view_integer(p, "born", 0) >= (int64_t)d->start_ticks * TICK_MS) {
            desk_set(p, "status.phase", json_string("Running"));
            desk_condition(p, "Ready", true, "");
            desk_set(p, "ready_at", json_integer(d->now_ms));
            desk_touch(d, p);
        }
    }
}

static bool desk_is_selected(const json_t *pod)
{
    return !strcmp(view_word(pod, "metadata.labels.app"), "web");
}

void desk_endpoints(struct desk *d)
{
    json_t *list = json_array(), *p;
    size_t i;

    json_array_foreach(d->pods, i, p)
        if (desk_is_selected(p) && desk_is_ready(p) &&
            d->now_ms - view_integer(p, "ready_at", 0) >= (int64_t)d->endpoint_ticks * TICK_MS)
            (void)json_array_append_new(
                list,
                json_pack("{s:{s:b,s:b},s:{s:s,s:s}}", "conditions", "ready", !desk_is_deleting(p),
                          "terminating", desk_is_deleting(p), "targetRef", "uid",
                          view_word(p, "metadata.uid"), "name", view_word(p, "metadata.name")));
    desk_set(json_array_get(d->slices, 0), "endpoints", list);
}

static void desk_budgets(struct desk *d)
{
    int64_t healthy = 0;
    json_t *p, *b;
    size_t i;

    json_array_foreach(d->pods, i, p)
        healthy += desk_is_selected(p) && desk_is_ready(p) && !desk_is_deleting(p);
    json_array_foreach(d->budgets, i, b) {
        int64_t least = view_integer(b, "spec.minAvailable", 0);

        desk_set(b, "status",
                 json_pack("{s:I,s:I,s:I,s:I}", "currentHealthy", healthy, "desiredHealthy", least,
                           "disruptionsAllowed", healthy > least ? healthy - least : (int64_t)0,
                           "observedGeneration", view_integer(b, "metadata.generation", 0)));
    }
}

void desk_check(const struct desk *d)
{
    int ready = 0, selected = 0, surges = 0;
    json_t *p;
    size_t i;

    json_array_foreach(d->pods, i, p) {
        if (desk_is_deleting(p) || !desk_is_selected(p))
            continue;
        selected++;
        ready += desk_is_ready(p);
        surges += !desk_owner(p);
    }
    assert_in_range(surges, 0, 1);
    if (d->n_ready_least >= 0)
        assert_in_range(ready, d->n_ready_least, 100);
    if (d->n_selected_most >= 0)
        assert_in_range(selected, 0, d->n_selected_most);
}

void desk_tick(struct desk *d)
{
    d->now_ms += TICK_MS;
    desk_kubelets(d);
    if (!d->controller_stopped && d->now_ms / TICK_MS % d->controller_ticks == 0)
        (d->ordinals ? desk_stateful_set : desk_replica_set)(d);
    desk_endpoints(d);
    desk_budgets(d);
    desk_check(d);
}

/* Nothing of a move is left but a pod that was adopted. */
void desk_assert_clean(const struct desk *d)
{
    json_t *p;
    size_t i;

    json_array_foreach(d->pods, i, p) {
        const json_t *annotations = view_at(p, "metadata.annotations");

        if (desk_is_deleting(p))
            continue;
        assert_true(desk_counts(p));
        assert_null(json_object_get(annotations, VICTIM_MOVE));
        assert_null(json_object_get(annotations, VICTIM_COST_BEFORE));
        assert_null(json_object_get(annotations, STAND_IN_BASE));
        assert_true(desk_cost(p) > INT32_MIN);
    }
}

/* --- to begin with --- */

const char DESK_TEMPLATE[] =
    "{'metadata':{'labels':{'app':'web','pod-template-hash':'abc'}},"
    "'spec':{'terminationGracePeriodSeconds':60,'containers':[{'name':'c','image':'i',"
    "'resources':{'requests':{'cpu':'500m'}},'lifecycle':{'preStop':{'sleep':{'seconds':5}}}}]}}";

void desk_init_as(struct desk *d, int replicas, bool ordinals)
{
    json_t *p;
    size_t i;

    *d = (struct desk){ .pods = json_array(),
                        .grace_ticks = 6,
                        .start_ticks = 5,
                        .endpoint_ticks = 3,
                        .controller_ticks = 1,
                        .fail_at = -1,
                        .ordinals = ordinals,
                        .n_ready_least = -1,
                        .n_selected_most = -1 };
    d->set = desk_json("{'metadata':{'name':'web-abc','namespace':'ns','uid':'" SET_UID
                       "','generation':1,'ownerReferences':[{'apiVersion':'apps/v1',"
                       "'kind':'Deployment','name':'web','uid':'uid-d','controller':true}]},"
                       "'spec':{'selector':{'matchLabels':{'app':'web',"
                       "'pod-template-hash':'abc'}}}}");
    if (ordinals) {
        (void)json_object_del(desk_in(d->set, "metadata"), "ownerReferences");
        desk_set(d->set, "metadata.name", json_string("web"));
    }
    desk_set(d->set, "spec.replicas", json_integer(replicas));
    desk_touch(d, d->set);
    desk_set(d->set, "spec.template", desk_json(DESK_TEMPLATE));
    d->deployment = desk_json("{'metadata':{'name':'web','namespace':'ns','uid':'uid-d',"
                              "'generation':1},'spec':{'selector':{'matchLabels':{'app':'web'}}}}");
    desk_set(d->deployment, "spec.replicas", json_integer(replicas));
    desk_set(d->deployment, "spec.template", desk_json(DESK_TEMPLATE));
    (void)json_object_del(desk_in(d->deployment, "spec.template.metadata.labels"),
                          "pod-template-hash");
    d->budgets = desk_json("[{'metadata':{'name':'b','namespace':'ns','generation':1},"
                           "'spec':{'minAvailable':1,'selector':{'matchLabels':{'app':'web'}}}}]");
    d->services = desk_json("[{'metadata':{'name':'web','namespace':'ns'},"
                            "'spec':{'selector':{'app':'web'}}}]");
    d->slices = desk_json("[{'metadata':{'name':'web-x','namespace':'ns','labels':"
                          "{'kubernetes.io/service-name':'web'}},'addressType':'IPv4'}]");
    for (i = 0; i < NODES; i++) {
        char name[8];

        (void)snprintf(name, sizeof(name), "n%zu", i);
        d->node[i] = desk_json("{'metadata':{},'status':{'allocatable':{'cpu':'4','memory':'8Gi',"
                               "'pods':'10'}}}");
        desk_set(d->node[i], "metadata.name", json_string(name));
        desk_condition(d->node[i], "Ready", true, "");
    }
    desk_touch(d, d->deployment);
    for (i = 0; i < (ordinals ? 60 : 20); i++)
        desk_tick(d);
    json_array_foreach(d->pods, i, p)
        assert_true(desk_is_ready(p));
    assert_int_equal(json_array_size(d->pods), replicas);
    d->n_ready_least = replicas;
    d->n_selected_most = replicas + 1;
    d->move =
        (struct adopt_move){ .pod = "web-1", .node = "n2", .settle_ms = 500, .deadline_ms = 60000 };
}

void desk_init(struct desk *d, int replicas)
{
    desk_init_as(d, replicas, false);
}

void desk_done(struct desk *d)
{
    json_decref(d->pods);
    json_decref(d->set);
    json_decref(d->deployment);
    json_decref(d->budgets);
    json_decref(d->services);
    json_decref(d->slices);
    for (size_t i = 0; i < NODES; i++)
        json_decref(d->node[i]);
    move_act_done(&d->act);
}
