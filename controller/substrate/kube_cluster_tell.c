/* From what is kept to what is told: facts, and of those what changed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/kubernetes/recipe.h"
#include "controller/kubernetes/stand_in.h"
#include "controller/kubernetes/surge.h"
#include "controller/substrate/kube_cluster_private.h"
#include "controller/substrate/kube_stage.h"
#include "proto/base/random.h"

#define PREDICTOR_LABEL "serving.kserve.io/inferenceservice"
#define PROBLEM_MAX 700

/* --- digests ------------------------------------------------------------------------------------
 */

static uint64_t mix_number(uint64_t digest, int64_t n)
{
    return random_mix(digest ^ (uint64_t)n) + 0x9e3779b97f4a7c15u;
}

static uint64_t mix_text(uint64_t digest, const char *text)
{
    return mix_number(digest, (int64_t)random_hash(text));
}

/* True: it has to be told. 0 stands for "not told". */
static bool is_news(uint64_t *told, uint64_t digest)
{
    bool news = *told != (digest | 1);

    *told = digest | 1;
    return news;
}

/* --- nodes --------------------------------------------------------------------------------------
 */

static const char *device_of(const struct view_node *n)
{
    static const char *const DEVICES[] = { "nvidia.com/gpu", "amd.com/gpu" };

    for (size_t i = 0; i < ARRAY_LEN(DEVICES); i++)
        if (amounts_get(&n->allocatable, DEVICES[i]) > 0)
            return DEVICES[i];
    return NULL;
}

static void fill_gpus(const struct kube_seen_node *n, struct kube_node_facts *f)
{
    const char *device = device_of(&n->view);
    const char *model = string_map_get(&n->view.meta.labels, "nvidia.com/gpu.product");
    const char *mebibytes = string_map_get(&n->view.meta.labels, "nvidia.com/gpu.memory");
    int64_t left =
        device ? amounts_get(&n->view.allocatable, device) - amounts_get(&n->held, device) : 0;

    f->gpus = left > 0 ? (uint32_t)(left / 1000) : 0;
    f->gpu_model = model ? model : "";
    f->gpu_memory_bytes = mebibytes ? strtoull(mebibytes, NULL, 10) << 20 : 0;
}

static uint64_t node_digest(const struct kube_node_facts *f)
{
    uint64_t d = mix_text(mix_text(mix_number(f->deleted ? 2 : 1, f->ready), f->uid), f->address);

    for (size_t i = 0; i < f->labels->n; i++)
        d = mix_text(mix_text(d, f->labels->pair[i].key), f->labels->pair[i].value);
    d = mix_number(mix_number(d, f->cpu_milli), f->memory_bytes);
    d = mix_number(mix_number(d, f->held_cpu_milli), f->held_memory_bytes);
    d = mix_number(mix_text(mix_number(d, f->gpus), f->gpu_model), (int64_t)f->gpu_memory_bytes);
    d = mix_text(mix_text(mix_number(d, (int64_t)f->stage), f->boot_id), f->lacks);
    if (f->stage == KUBE_STAGE_CLOSED) /* else it is written again and again to say nothing new */
        d = mix_text(d, f->beat);
    d = mix_text(mix_text(mix_number(d, f->left), f->first_left), f->pending);
    d = mix_number(d, f->told_asleep);
    return mix_text(mix_text(mix_text(d, f->closed), f->stays), f->guest);
}

static void tell_node(struct kube_cluster *k, struct kube_seen_node *n,
                      const struct kube_sink *sink)
{
    struct kube_node_facts f = {
        .name = n->name,
        .uid = n->view.meta.uid,
        .address = n->view.address,
        .labels = &n->view.meta.labels,
        .ready = n->view.ready,
        .cpu_milli = amounts_get(&n->view.allocatable, "cpu"),
        .memory_bytes = amounts_get(&n->view.allocatable, "memory") / 1000,
        .held_cpu_milli = amounts_get(&n->held, "cpu"),
        .held_memory_bytes = amounts_get(&n->held, "memory") / 1000,
        .closed = n->closed,
        .stays = n->stays,
        .guest = n->guest,
        .stage = kube_stage_of(&n->view),
        .told_asleep = n->view.told_asleep,
        .boot_id = n->view.boot_id,
        .beat = n->view.beat,
        .first_left = "",
        .lacks = n->lacks,
        .lacks_daemon = n->lacks_daemon,
        .deleted = n->deleted,
        .pending = n->pending,
    };

    if (f.stage >= KUBE_STAGE_DRAINING) { /* of the others nobody asks */
        f.left = n->left;
        f.first_left = n->first_left;
    }
    fill_gpus(n, &f);
    if (!is_news(&n->told, node_digest(&f)))
        return;
    sink->node(sink->data, &f);
    k->may_tell--;
}

/* --- models -------------------------------------------------------------------------------------
 */

static bool owns(const struct kube_model_target *m, const struct view_pod *p,
                 const struct survey_owner *owner)
{
    const char *predictor = string_map_get(&p->meta.labels, PREDICTOR_LABEL);

    if (strcmp(m->namespace, p->meta.namespace) != 0)
        return false;
    if (strcmp(m->kind, "InferenceService") == 0)
        return predictor && strcmp(predictor, m->target) == 0;
    return strcmp(m->kind, owner->kind) == 0 && strcmp(m->target, owner->name) == 0;
}

struct kube_model_target *kube_model_of(const struct kube_cluster *k, const struct view_pod *p)
{
    const struct survey_owner owner = survey_owner_of(&k->look, p);

    for (size_t i = 0; i < k->models.n_items; i++) {
        struct kube_model_target *m = (struct kube_model_target *)(void *)k->models.items[i];

        if (owns(m, p, &owner))
            return m;
    }
    return NULL;
}

static bool is_target(const struct kube_model_target *m, const struct kube_workload *w)
{
    const char *predictor =
        w->has_pod ? string_map_get(&w->pod.meta.labels, PREDICTOR_LABEL) : NULL;

    if (strcmp(w->view.meta.namespace, m->namespace) != 0)
        return false;
    if (strcmp(m->kind, "InferenceService") == 0)
        return predictor && strcmp(predictor, m->target) == 0;
    return strcmp(w->view.meta.name, m->target) == 0;
}

/* KServe's predictor is a Deployment. */
static const struct named_set *set_of(const struct kube_cluster *k, const char *kind)
{
    static const char *const KINDS[] = { "ReplicaSet", "Deployment", "StatefulSet" };

    for (size_t i = 0; i < ARRAY_LEN(KINDS); i++)
        if (strcmp(kind, KINDS[i]) == 0)
            return &k->workloads[i];
    return strcmp(kind, "InferenceService") == 0 ? &k->workloads[1] : NULL;
}

static void find_workload(const struct kube_cluster *k, struct kube_model_target *m)
{
    const struct named_set *set = set_of(k, m->kind);
    const struct kube_workload *before = m->workload;

    m->workload = NULL;
    for (size_t i = 0; set && i < set->n_items && !m->workload; i++)
        if (is_target(m, (struct kube_workload *)(void *)set->items[i]))
            m->workload = (struct kube_workload *)(void *)set->items[i];
    if (m->workload != before)
        m->fit_known = false;
}

static void find_unfit(const struct kube_cluster *k, struct kube_model_target *m)
{
    if (m->fit_known)
        return;
    m->fit_known = true;
    string_list_done(&m->unfit);
    m->unfit = (struct string_list){ 0 };
    for (size_t i = 0; m->workload && m->workload->has_pod && i < k->nodes.n_items; i++) {
        const struct kube_seen_node *n = (struct kube_seen_node *)(void *)k->nodes.items[i];

        if (!kube_fits(&m->workload->pod, &n->view))
            kube_list_add(&m->unfit, n->name);
    }
}

static void say_problem(const struct kube_cluster *k, const struct kube_model_target *m,
                        char text[PROBLEM_MAX])
{
    text[0] = '\0';
    if (!*m->kind)
        (void)snprintf(text, PROBLEM_MAX,
                       "it has no spec.targetRef: name the workload whose pods serve it");
    else if (!set_of(k, m->kind))
        (void)snprintf(text, PROBLEM_MAX,
                       "spec.targetRef.kind %.60s is none that huddle follows: Deployment, "
                       "StatefulSet, ReplicaSet, InferenceService",
                       m->kind);
    else if (!m->workload)
        (void)snprintf(text, PROBLEM_MAX,
                       "there is no %.60s %.253s in namespace %.63s: correct spec.targetRef, or "
                       "create it",
                       m->kind, m->target, m->namespace);
}

/* Of both makers; more than anybody has is as good as too many. */
static int64_t gpus_of(const struct view_pod *p)
{
    int64_t nvidia = amounts_get(&p->requests, "nvidia.com/gpu"), sum;

    if (__builtin_add_overflow(nvidia, amounts_get(&p->requests, "amd.com/gpu"), &sum))
        return INT64_MAX;
    return sum;
}

/* Why its pods may not be borrowed (stand_in.h); NULL: they may. */
static const char *not_borrowed(const struct kube_model_target *m, const struct view_workload *set)
{
    const struct recipe *r =
        recipe_of(RECIPE_SET, set->meta.owner.api_version, set->meta.owner.kind);

    if (!(r->ways & RECIPE_BORROW))
        return *r->why ? r->why : "its StatefulSet belongs to a controller that writes replicas";
    if (set->claim_templates.n && !set->claims_go)
        return "its StatefulSet has volumeClaimTemplates, and one pod more would leave a volume: "
               "set "
               "persistentVolumeClaimRetentionPolicy.whenScaled to Delete";
    return m->external ? "a StatefulSet's pod is moved by one more replica, and its replicas are "
                         "another's: scaling.owner is External"
                       : NULL;
}

/* Of a pod that ends without losing a request, by a recipe that there is. */
static void say_held(const struct kube_cluster *k, struct kube_model_target *m)
{
    const struct kube_workload *w = m->workload;
    const char *why = NULL;

    m->held[0] = '\0';
    if (w && strcmp(m->kind, "StatefulSet") == 0)
        why = not_borrowed(m, &w->view);
    if (w)
        (void)snprintf(m->held, sizeof(m->held), "%.*s", (int)sizeof(m->held) - 1,
                       why ? why : w->loses.text);
    if (w && w->has_pod && !m->held[0])
        (void)kube_budget_holds(k, w, m->held);
}

static uint64_t model_digest(const struct kube_model_facts *f)
{
    uint64_t d = mix_number(mix_text(mix_text(1, f->problem), f->held), f->cpu_milli);

    d = mix_text(mix_text(d, f->drain), f->loses);

    d = mix_number(mix_number(mix_number(d, f->memory_bytes), f->gpu_milli), f->wanted);
    d = mix_text(mix_number(d, f->pending), f->pending_why);
    for (size_t i = 0; i < f->n_unfit; i++)
        d = mix_text(d, f->unfit[i]);
    return d;
}

/* One that stands in for another is not wanted for itself. */
static uint32_t wanted_of(const struct kube_model_target *m)
{
    int64_t n = m->workload->view.replicas;

    if (m->before && n == m->before + 1)
        n = m->before;
    return n > 0 ? (uint32_t)n : 0;
}

static void tell_model(const struct kube_cluster *k, struct kube_model_target *m,
                       const struct kube_sink *sink)
{
    const struct kube_workload *w = m->workload;
    const struct view_pod *pod = w && w->has_pod ? &w->pod : NULL;
    char problem[PROBLEM_MAX];
    struct kube_model_facts f = { .model = m->name,
                                  .problem = problem,
                                  .held = m->held,
                                  .drain = "",
                                  .loses = "",
                                  .pending = m->pending,
                                  .pending_why = m->pending_why };

    say_problem(k, m, problem);
    find_unfit(k, m);
    f.unfit = (const char *const *)m->unfit.item;
    f.n_unfit = m->unfit.n;
    if (pod) {
        f.cpu_milli = amounts_get(&pod->requests, "cpu");
        f.memory_bytes = amounts_get(&pod->requests, "memory") / 1000;
        f.gpu_milli = gpus_of(pod);
        f.drain = drain_safety_name(w->drain);
        f.loses = w->loses.text;
    }
    if (w)
        f.wanted = wanted_of(m);
    if (is_news(&m->told, model_digest(&f)))
        sink->model(sink->data, &f);
}

/* --- pods ---------------------------------------------------------------------------------------
 */

static void tell_gone(const char *uid, const struct kube_sink *sink)
{
    const struct kube_pod_facts f = { .uid = uid,
                                      .gone = true,
                                      .name = "",
                                      .model = "",
                                      .node = "",
                                      .address = "",
                                      .reason = "",
                                      .replaces = "" };

    sink->pod(sink->data, &f);
}

/* What is not a replica any more, though it is there. */
static void untell(struct kube_seen_pod *p, const struct kube_sink *sink)
{
    if (p->told)
        tell_gone(p->uid, sink);
    p->told = 0;
    p->told_node = p->told_model = NULL;
}

static void tell_pod(struct kube_cluster *k, struct kube_seen_pod *seen,
                     const struct kube_sink *sink)
{
    const struct view_pod *p = &seen->view;
    const struct kube_model_target *m = seen->model;
    const char *replaces = "", *by = NULL, *node;
    const struct kube_seen_node *on;
    char name[600];
    struct kube_pod_facts f;
    uint64_t d;

    if (seen->unknown || seen->clean) /* of unknown: the last that is known stays, its node awake */
        return;
    node = kube_place_of(seen);
    if (!m || !*node || view_is_finished(p)) {
        untell(seen, sink);
        seen->clean = true;
        return;
    }
    on = named_find(&k->nodes, node);
    if (!on) {
        untell(seen, sink);
        return;
    }
    seen->clean = true;
    if (seen->coming) {
        replaces = string_map_get(&p->meta.annotations, SURGE_REPLACES);
        by = string_map_get(&p->meta.annotations, SURGE_BY);
    } else if (stand_in_is_open(p) && string_map_get(&p->meta.annotations, STAND_IN_FOR)) {
        replaces = string_map_get(&p->meta.annotations, STAND_IN_FOR);
        by = string_map_get(&p->meta.annotations, STAND_IN_BY);
    }
    (void)snprintf(name, sizeof(name), "%.256s/%.256s", p->meta.namespace, p->meta.name);
    f = (struct kube_pod_facts){ .uid = seen->uid,
                                 .name = name,
                                 .model = m->name,
                                 .node = node,
                                 .address = p->ip,
                                 .reason = p->reason,
                                 .replaces = replaces,
                                 .planned = strcmp(by ? by : "", SURGE_BY_PLAN) == 0,
                                 .ready = p->ready,
                                 .deleting = p->meta.deleting,
                                 .created_wall_ms = p->meta.created_wall_ms };
    d = mix_text(mix_text(mix_text(1, f.model), f.node), f.address);
    d = mix_number(mix_text(d, f.replaces), f.planned);
    d = mix_number(mix_number(mix_text(d, f.reason), f.ready), f.deleting);
    if (!is_news(&seen->told, d))
        return;
    seen->told_node = on->name;
    seen->told_model = m->name;
    sink->pod(sink->data, &f);
    k->may_tell--;
}

/* Made by a controller of huddle, and nobody else's. */
static bool is_surge(const struct kube_seen_pod *p)
{
    const char *by = p->unknown ? NULL : string_map_get(&p->view.meta.annotations, SURGE_BY);

    return by && strcmp(by, SURGE_BY_PLAN) == 0 && surge_is_waiting(&p->view) &&
           !p->view.meta.deleting;
}

static bool is_planned_stand_in(const struct kube_seen_pod *p)
{
    const char *by = p->unknown ? NULL : string_map_get(&p->view.meta.annotations, STAND_IN_BY);

    return by && strcmp(by, SURGE_BY_PLAN) == 0 && stand_in_is_open(&p->view);
}

/* Until its deadline a move has whoever began it: the core, which knows of models, or a person. The
 * pod may be on its way out: one that stands in for it, or none, is found as well. */
static bool is_left_stand_in(const struct kube_seen_pod *p, int64_t wall_ms)
{
    return !p->unknown && stand_in_is_open(&p->view) && !p->view.meta.deleting &&
           ((is_planned_stand_in(p) && !p->model) || stand_in_is_late(&p->view, wall_ms));
}

/* A pod that says to be another's, of another namespace: not huddle's, whatever it says. */
static bool is_forged(const struct kube_cluster *k, const struct kube_seen_pod *p, const char *uid)
{
    const struct kube_seen_pod *victim = named_find(&k->pods, uid);

    return victim && !victim->unknown &&
           strcmp(victim->view.meta.namespace, p->view.meta.namespace) != 0;
}

void kube_cluster_orphans(const struct kube_cluster *k, int64_t wall_ms, kube_orphan_fn *fn,
                          void *data)
{
    for (size_t i = 0; i < k->pods.n_items; i++) {
        const struct kube_seen_pod *p = (const struct kube_seen_pod *)(void *)k->pods.items[i];
        const struct view_meta *meta = &p->view.meta;
        bool surge = is_surge(p) && !p->model;
        const char *name, *uid;
        char pod[600];

        if (!surge && !is_left_stand_in(p, wall_ms))
            continue;
        name = string_map_get(&meta->annotations, surge ? SURGE_REPLACES_POD : STAND_IN_FOR_POD);
        uid = string_map_get(&meta->annotations, surge ? SURGE_REPLACES : STAND_IN_FOR);
        if (!surge && (!name || !uid)) { /* it was to go */
            name = meta->name;
            uid = p->uid;
        }
        if (is_forged(k, p, uid))
            continue;
        (void)snprintf(pod, sizeof(pod), "%.256s/%.256s", meta->namespace, name ? name : "");
        fn(data, pod, uid, surge ? surge_pin(&p->view) : "");
    }
}

bool kube_cluster_has_own(const struct kube_cluster *k)
{
    for (size_t i = 0; i < k->nodes.n_items; i++) {
        const struct kube_seen_node *n = (const struct kube_seen_node *)(void *)k->nodes.items[i];

        if (!n->unknown &&
            (kube_stage_stands(&n->view) || n->view.told_asleep || kube_power_stands(k, n->name)))
            return true;
    }
    for (size_t i = 0; i < k->pods.n_items; i++) {
        const struct kube_seen_pod *p = (const struct kube_seen_pod *)(void *)k->pods.items[i];

        if (is_surge(p) || is_planned_stand_in(p))
            return true;
    }
    return false;
}

static bool is_waited_for(const struct kube_cluster *k, const struct view_pod *victim)
{
    for (size_t i = 0; i < k->pods.n_items; i++) {
        const struct kube_seen_pod *p = (const struct kube_seen_pod *)(void *)k->pods.items[i];
        const char *replaces =
            p->unknown ? NULL : string_map_get(&p->view.meta.annotations, SURGE_REPLACES);

        if (replaces && strcmp(replaces, victim->meta.uid) == 0 && surge_is_waiting(&p->view))
            return true;
    }
    return false;
}

/* It is to delete one of its pods: which one, the marks say. */
static bool shrinks(const struct kube_cluster *k, const struct view_pod *p)
{
    const struct kube_workload *w =
        named_find(&k->workloads[0], p->meta.owner.uid); /* ReplicaSets */

    return w && w->view.status_replicas > w->view.replicas;
}

static bool is_over(const struct kube_cluster *k, const struct view_pod *p)
{
    static const char *const OLD[] = { SURGE_REPLACES, STAND_IN_FOR };

    for (size_t i = 0; i < ARRAY_LEN(OLD); i++) {
        const char *uid = string_map_get(&p->meta.annotations, OLD[i]);
        const struct kube_seen_pod *old = uid ? named_find(&k->pods, uid) : NULL;

        if (old && old->view.meta.deleting)
            return false;
    }
    return !is_waited_for(k, p) && !shrinks(k, p) && !stand_in_is_open(p);
}

void kube_cluster_marked(const struct kube_cluster *k, kube_marked_fn *fn, void *data)
{
    for (size_t i = 0; i < k->pods.n_items; i++) {
        const struct kube_seen_pod *p = (const struct kube_seen_pod *)(void *)k->pods.items[i];

        if (p->unknown || p->view.meta.deleting || !surge_is_marked(&p->view) ||
            !is_over(k, &p->view))
            continue;
        fn(data, &p->view);
    }
}

/* --- all ----------------------------------------------------------------------------------------
 */

static void tell_what_is_gone(struct kube_cluster *k, const struct kube_sink *sink)
{
    for (size_t i = 0; i < k->gone_pods.n; i++)
        tell_gone(k->gone_pods.item[i], sink);
    for (size_t i = 0; i < k->gone_nodes.n; i++) {
        const struct kube_node_facts f = { .name = k->gone_nodes.item[i], .gone = true };

        sink->node(sink->data, &f);
    }
    string_list_done(&k->gone_pods);
    string_list_done(&k->gone_nodes);
    k->gone_pods = k->gone_nodes = (struct string_list){ 0 };
}

int64_t kube_cluster_due_ms(const struct kube_cluster *k)
{
    return k->due_ms;
}

bool kube_cluster_tell(struct kube_cluster *k, int64_t now_ms, size_t most,
                       const struct kube_sink *sink)
{
    k->now_ms = now_ms;
    k->may_tell = most;
    k->due_ms = INT64_MAX;
    kube_power_keep(k);
    kube_look(k);
    for (size_t i = 0; i < k->models.n_items; i++) {
        struct kube_model_target *m = (struct kube_model_target *)(void *)k->models.items[i];

        m->fit_known &= !k->fit_dirty;
        find_workload(k, m);
        say_held(k, m);
    }
    k->fit_dirty = false;
    kube_weigh_nodes(k);
    kube_weigh_spread(k);
    kube_find_lacks(k);
    kube_deal_pending(k);
    tell_what_is_gone(k, sink);
    for (size_t i = 0; i < k->nodes.n_items && k->may_tell > 0; i++)
        tell_node(k, (struct kube_seen_node *)(void *)k->nodes.items[i], sink);
    if (k->may_tell == 0) /* the core has to know nodes before what stands on them */
        return true;
    kube_power_tell(k, sink);
    for (size_t i = 0; i < k->models.n_items; i++)
        tell_model(k, (struct kube_model_target *)(void *)k->models.items[i], sink);
    for (size_t i = 0; i < k->pods.n_items && k->may_tell > 0; i++)
        tell_pod(k, (struct kube_seen_pod *)(void *)k->pods.items[i], sink);
    if (k->may_tell == 0)
        return true;
    kube_tell_waits(k, sink);
    return false;
}

void kube_cluster_selector(struct kube_cluster *k, const char *name, struct strbuf *ret_text)
{
    struct kube_model_target *m = named_find(&k->models, name);

    if (!m)
        return;
    find_workload(k, m);
    if (m->workload)
        label_selector_text(&m->workload->view.selector, ret_text);
}
