#include "controller/substrate/kubernetes_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/clock.h"

#define TELL_MS 250       /* at least: changes that come together are told together */
#define TELL_SHARE 10     /* of the time at most one part in so many goes into telling */
#define TELL_MOST 2000    /* nodes and pods in one turn of the loop */
#define BUSY_MS 20        /* before it is looked again whether a part has been carried out, */
#define BUSY_MOST_MS 1000 /* ... which others may keep from being seen */
#define LOOK_MS 1000      /* at the watches themselves */
#define TROUBLE_MS 150000 /* so long may a watch be down before what is known is old */
/* So long is it said that a definition is not there before it is believed: one server of several
 * that has not read it yet says so too. With it go all objects of it, and their history. */
#define MISSING_MS 5000 /* of objects that were never seen, */
#define LOST_MS 60000   /* ... or were */
/* So long a server says that something may not be listed before it is believed: roles are written
 * one after the other. */
#define REFUSED_MS 5000
#define OWN "/apis/huddle.energy/v1alpha1/"

/* Objects that huddle declares are put into the core; of the others it is told facts. */
static const struct kind {
    const char *plural, *path;
    bool own;
    enum kube_kind kind;         /* not own */
    enum manifest_kind declared; /* own */
    const char *without; /* followed once this controller asks to lead, if it may be: what is lost
                            else; NULL: nothing goes without it */
    bool spared; /* without it the rest is told all the same: what is there is then not found */
} KINDS[N_KINDS] = {
    { "nodes", "/api/v1/nodes", false, KUBE_KIND_NODES, 0, NULL, false },
    { "pods", "/api/v1/pods", false, KUBE_KIND_PODS, 0, NULL, false },
    { "replicasets", "/apis/apps/v1/replicasets", false, KUBE_KIND_REPLICA_SETS, 0, NULL, true },
    { "deployments", "/apis/apps/v1/deployments", false, KUBE_KIND_DEPLOYMENTS, 0, NULL, true },
    { "statefulsets", "/apis/apps/v1/statefulsets", false, KUBE_KIND_STATEFUL_SETS, 0, NULL, true },
    { "persistentvolumeclaims", "/api/v1/persistentvolumeclaims", false, KUBE_KIND_CLAIMS, 0, NULL,
      true },
    { "persistentvolumes", "/api/v1/persistentvolumes", false, KUBE_KIND_VOLUMES, 0, NULL, true },
    { "nodepowers", OWN "nodepowers", false, KUBE_KIND_NODE_POWERS, 0, NULL, false },
    { "servedmodels", OWN "servedmodels", true, 0, KIND_SERVED_MODEL, NULL, false },
    { "powerpools", OWN "powerpools", true, 0, KIND_POWER_POOL, NULL, false },
    { "powerpolicies", OWN "powerpolicies", true, 0, KIND_POWER_POLICY, NULL, false },
    { "poddisruptionbudgets", "/apis/policy/v1/poddisruptionbudgets", false, KUBE_KIND_BUDGETS, 0,
      "plans count on pods that a PodDisruptionBudget never lets go", false },
    { "csinodes", "/apis/storage.k8s.io/v1/csinodes", false, KUBE_KIND_CSI_NODES, 0,
      "woken nodes are not kept closed until their CSI drivers are back", false },
    { "resourceslices", "/apis/resource.k8s.io/v1/resourceslices", false, KUBE_KIND_RESOURCE_SLICES,
      0, "woken nodes are not kept closed until their devices for claims are back", false },
};

/* --- to the core --------------------------------------------------------------------------------
 */

static void on_node(void *data, const struct kube_node_facts *f)
{
    const struct kubernetes *k = data;
    struct controller_event event = { .kind = CE_KUBE_NODE, .kube_node = f, .more = true };

    k->options.step(k->options.data, &event);
}

static void on_pod(void *data, const struct kube_pod_facts *f)
{
    const struct kubernetes *k = data;
    struct controller_event event = { .kind = CE_KUBE_POD, .kube_pod = f, .more = true };

    k->options.step(k->options.data, &event);
}

static void on_model(void *data, const struct kube_model_facts *f)
{
    const struct kubernetes *k = data;
    struct controller_event event = { .kind = CE_KUBE_MODEL, .kube_model = f, .more = true };

    k->options.step(k->options.data, &event);
}

static void on_power(void *data, const struct kube_power_facts *f)
{
    const struct kubernetes *k = data;
    struct controller_event event = { .kind = CE_KUBE_POWER, .kube_power = f, .more = true };

    k->options.step(k->options.data, &event);
}

static void on_wait(void *data, const struct kube_wait_facts *f)
{
    const struct kubernetes *k = data;
    struct controller_event event = { .kind = CE_KUBE_WAIT, .kube_wait = f, .more = true };

    k->options.step(k->options.data, &event);
}

void kubernetes_note(void *data, bool warning, const char *text)
{
    const struct kubernetes *k = data;

    k->options.note(k->options.data, warning, text);
}

/* --- the watches --------------------------------------------------------------------------------
 */

static bool is_through(const struct watch *w)
{
    return w->kind->without || atomic_load(&w->had) || atomic_load(&w->missing) ||
           atomic_load(&w->forgone);
}

static bool is_refused(const struct watch *w, int64_t now_ms)
{
    return w->refused_ms > 0 && now_ms - w->refused_ms >= REFUSED_MS;
}

static bool all_through(const struct kubernetes *k)
{
    for (size_t i = 0; i < N_KINDS; i++)
        if (!is_through(&k->watches[i]))
            return false;
    return true;
}

static void find_trouble(const struct kubernetes *k, int64_t now_ms, char text[256])
{
    text[0] = '\0';
    for (size_t i = 0; i < N_KINDS; i++) {
        const struct watch *w = &k->watches[i];

        if (w->kind->without)
            continue;
        if (is_refused(w, now_ms)) {
            (void)snprintf(text, 256,
                           "%s may not be listed and watched: give huddle's account the "
                           "ClusterRole of deploy/kubernetes (huddlectl auth check)",
                           w->kind->plural);
            return;
        }
        if (w->bad_ms == 0 || now_ms - w->bad_ms <= TROUBLE_MS)
            continue;
        (void)snprintf(text, 256, "%s of Kubernetes have not been seen for %d s and more: %s",
                       w->kind->plural, TROUBLE_MS / 1000, w->why);
        return;
    }
}

static void find_missing(const struct kubernetes *k, char text[256])
{
    size_t at = 0;

    text[0] = '\0';
    for (size_t i = 0; i < N_KINDS; i++)
        if (!k->watches[i].kind->without && atomic_load(&k->watches[i].missing))
            at += (size_t)snprintf(text + at, 256 - at, "%s%s", at ? ", " : "",
                                   k->watches[i].kind->plural);
    if (at)
        (void)snprintf(text + at, 256 - at,
                       " cannot be declared: their definitions are not installed in the cluster; "
                       "huddlectl install crds does");
}

/* What is known of the watches, when that changed. */
static void tell_watches(struct kubernetes *k, int64_t now_ms)
{
    char trouble[256], missing[256];
    const struct kube_watch_facts f = { all_through(k), trouble, missing };
    struct controller_event event = { .kind = CE_KUBE_WATCH, .kube_watch = &f };

    find_trouble(k, now_ms, trouble);
    find_missing(k, missing);
    if (!f.synced && !trouble[0])
        return;
    if ((atomic_load(&k->told_all) || !f.synced) && strcmp(trouble, k->told_trouble) == 0 &&
        strcmp(missing, k->told_missing) == 0)
        return;
    memcpy(k->told_trouble, trouble, sizeof(trouble));
    memcpy(k->told_missing, missing, sizeof(missing));
    k->options.step(k->options.data, &event);
    if (f.synced)
        atomic_store(&k->told_all, true);
}

static void tell_on(struct kubernetes *k, int64_t at_ms)
{
    k->tell_due = true;
    loop_timer_arm(k->tell, at_ms);
}

static void on_tell(void *data, int64_t now_ms)
{
    struct kubernetes *k = data;
    const struct kube_sink sink = { k, on_node, on_pod, on_model, on_power, on_wait };
    struct controller_event last = { .kind = CE_TICK };
    int64_t begun_ms = clock_boot_ms();
    bool more;

    k->tell_due = false;
    if (!all_through(k))
        return;
    if (now_ms < k->busy_by_ms && k->options.busy(k->options.data)) { /* with a part before */
        tell_on(k, now_ms + BUSY_MS);
        return;
    }
    more = kube_cluster_tell(k->cluster, now_ms, TELL_MOST, &sink);
    k->options.step(k->options.data, &last);
    k->busy_by_ms = more ? now_ms + BUSY_MOST_MS : 0;
    if (more) { /* behind what else waits for the loop; nothing is planned on a part at first */
        tell_on(k, now_ms);
        return;
    }
    k->tell_by_ms = kube_cluster_due_ms(k->cluster);
    tell_watches(k, now_ms);
    k->tell_took_ms = clock_boot_ms() - begun_ms;
}

static void tell_soon(struct kubernetes *k)
{
    int64_t pause_ms = TELL_SHARE * k->tell_took_ms;

    if (k->tell_due)
        return;
    k->tell_due = true;
    loop_timer_arm(k->tell, loop_now_ms(k->loop) + (pause_ms > TELL_MS ? pause_ms : TELL_MS));
}

/* --- huddle's own objects -----------------------------------------------------------------------
 */

/* `release`: see CE_KUBE_REFUSED. */
static void refused(struct watch *w, const char *name, const char *why,
                    const struct manifest *release)
{
    struct controller_event event = { .kind = CE_KUBE_REFUSED };

    event.kube_refused.kind = w->kind->declared;
    event.kube_refused.name = name;
    event.kube_refused.why = why;
    event.kube_refused.release = release;
    w->k->options.step(w->k->options.data, &event);
    kube_objects_add(&w->objects, name); /* what the core kept of it goes with it */
}

static void take_mode(struct kubernetes *k, const char *pool, enum pool_mode mode)
{
    if (mode != POOL_MODE_RECOMMEND && mode != POOL_MODE_ACT && mode != POOL_MODE_RELEASE) {
        kube_objects_remove(&k->writers, pool);
        return;
    }
    kube_objects_add(&k->writers, pool);
    kube_leader_want(k->leader);
}

/* A pool that is to be given back is, whatever is wrong with it: else it could not be deleted, and
 * its nodes would keep what huddle did to them. */
static void refuse_object(struct watch *w, const char *name, const json_t *object, const char *why)
{
    const struct kubernetes_options *o = &w->k->options;
    AUTO(manifest) struct manifest *release = NULL;

    if (w->kind->declared == KIND_POWER_POOL && kube_object_is_released(object))
        release = kube_object_release(object, o->admit, o->data);
    kube_reporter_put(w->k->reporter, w->kind->declared, name, object, why);
    refused(w, name, why, release);
    if (release)
        take_mode(w->k, name, POOL_MODE_RELEASE);
}

static void put_object(struct watch *w, const json_t *object)
{
    struct controller_event event = { .kind = CE_PUT };
    AUTO(manifest) struct manifest *m = NULL;
    struct err e = ERR_INIT;
    char name[KUBE_OBJECT_NAME];

    kube_object_name(object, w->kind->declared, name);
    if (w->kind->declared == KIND_POWER_POOL)
        kube_finalizers_put(w->k->finalizers, object);
    if (kube_object_read(object, w->kind->declared, &m, &e) < 0 ||
        w->k->options.admit(w->k->options.data, m, &e) < 0) {
        refuse_object(w, name, object, e.text);
        return;
    }
    event.put.object = m;
    event.put.observed = true;
    event.put.who = "kubernetes";
    w->k->options.step(w->k->options.data, &event);
    kube_objects_add(&w->objects, name);
    if (m->kind == KIND_SERVED_MODEL) {
        kube_cluster_model(w->k->cluster, name, m->meta.namespace, &m->model);
        kube_leftovers_model(&w->k->leftovers, name, object);
    }
    if (m->kind == KIND_POWER_POOL)
        take_mode(w->k, name, m->pool.mode);
    kube_reporter_put(w->k->reporter, m->kind, name, object, NULL);
}

static void drop_object(struct watch *w, const char *name)
{
    struct controller_event event = { .kind = CE_DELETE };

    if (!kube_objects_has(&w->objects, name))
        return;
    event.del.kind = w->kind->declared;
    event.del.name = name;
    event.del.observed = true;
    event.del.who = "kubernetes";
    if (w->kind->declared == KIND_SERVED_MODEL) {
        kube_cluster_forget_model(w->k->cluster, name);
        kube_leftovers_model(&w->k->leftovers, name, NULL);
    }
    if (w->kind->declared == KIND_POWER_POOL) {
        kube_objects_remove(&w->k->writers, name);
        kube_finalizers_drop(w->k->finalizers, name);
    }
    kube_reporter_drop(w->k->reporter, w->kind->declared, name);
    w->k->options.step(w->k->options.data, &event);
    kube_objects_remove(&w->objects, name);
}

/* --- from the watches ---------------------------------------------------------------------------
 */

static bool is_kind(const struct watch *w, enum kube_kind kind)
{
    return !w->kind->own && w->kind->kind == kind;
}

static void on_changed(void *data, const json_t *object)
{
    struct watch *w = data;

    if (w->kind->own)
        put_object(w, object);
    else
        kube_cluster_put(w->k->cluster, w->kind->kind, object);
    if (is_kind(w, KUBE_KIND_NODES)) {
        kube_nodes_node(w->k->nodes, object);
        kube_signs_node(w->k->signs, object);
    }
    if (is_kind(w, KUBE_KIND_NODE_POWERS))
        kube_nodes_power(w->k->nodes, object);
    tell_soon(w->k);
}

static void on_gone(void *data, const struct kube_key *key)
{
    struct watch *w = data;
    char name[KUBE_OBJECT_NAME];

    kube_object_key(key, w->kind->declared, name);
    if (w->kind->own)
        drop_object(w, name);
    else
        kube_cluster_drop(w->k->cluster, w->kind->kind, key);
    if (is_kind(w, KUBE_KIND_NODES)) {
        kube_nodes_node_gone(w->k->nodes, key->name);
        kube_signs_node_gone(w->k->signs, key->name);
    }
    if (is_kind(w, KUBE_KIND_NODE_POWERS))
        kube_nodes_power_gone(w->k->nodes, key->name);
    tell_soon(w->k);
}

/* Of NUL in a key, as of all that no parser reads, the name is known all the same. */
static void refuse_unread(struct watch *w, const struct kube_key *key, const char *why)
{
    char name[KUBE_OBJECT_NAME], text[400];

    kube_object_key(key, w->kind->declared, name);
    (void)snprintf(text, sizeof(text), "it cannot be read: %.200s; take that out (kubectl edit)",
                   why);
    refused(w, name, text, NULL);
}

static void on_unknown(void *data, const struct kube_key *key, const char *why)
{
    struct watch *w = data;
    char text[700];

    (void)snprintf(text, sizeof(text), "one of %s cannot be read: %.253s/%.253s: %.150s",
                   w->kind->plural, key->namespace, key->name, why);
    kubernetes_note(w->k, true, text);
    if (!w->kind->own)
        kube_cluster_unknown(w->k->cluster, w->kind->kind, key);
    else if (*key->name)
        refuse_unread(w, key, why);
    tell_soon(w->k);
}

static void goes_with(struct watch *w)
{
    atomic_store(&w->missing, false);
    atomic_store(&w->shown, true);
    kube_cluster_blind(w->k->cluster, w->kind->kind, false);
}

static void on_synced(void *data)
{
    struct watch *w = data;

    atomic_store(&w->had, true);
    atomic_store(&w->missing, false);
    if (w->kind->without)
        goes_with(w);
    if (!w->kind->own)
        kube_cluster_listed(w->k->cluster, w->kind->kind);
    tell_soon(w->k);
}

/* With a definition all objects of it go. */
static void lose_definition(struct watch *w)
{
    atomic_store(&w->missing, true);
    while (w->objects.n > 0) {
        char *name = xstrdup(w->objects.item[w->objects.n - 1]);

        drop_object(w, name);
        free(name);
    }
    tell_soon(w->k);
}

static int start_watch(struct kubernetes *k, size_t i, struct err *e);

/* What is of use to a leader alone, and takes rights that observing does not need. */
static void start_more(struct kubernetes *k)
{
    struct err e = ERR_INIT;

    for (size_t i = 0; i < N_KINDS && kube_leader_is_wanted(k->leader); i++)
        if (KINDS[i].without && !k->watches[i].watch && start_watch(k, i, &e) < 0)
            kubernetes_note(k, true, e.text);
}

static void on_look(void *data, int64_t now_ms)
{
    struct kubernetes *k = data;

    loop_timer_arm(k->look, now_ms + LOOK_MS);
    if (now_ms >= k->tell_by_ms)
        tell_soon(k);
    start_more(k);
    for (size_t i = 0; i < N_KINDS; i++) {
        struct watch *w = &k->watches[i];

        if (w->absent_ms > 0 && !atomic_load(&w->missing) &&
            now_ms - w->absent_ms >= (atomic_load(&w->had) ? LOST_MS : MISSING_MS))
            lose_definition(w);
        if (w->kind->spared && is_refused(w, now_ms) && !is_through(w)) {
            atomic_store(&w->forgone, true);
            tell_soon(k);
        }
    }
    if (atomic_load(&k->told_all) || !all_through(k)) /* facts come first */
        tell_watches(k, now_ms);
    kubernetes_acts_look(k, atomic_load(&k->told_all), now_ms);
}

/* True: it is one that the rest goes without, and may not be read, or is not served. */
static bool goes_without(struct watch *w, const struct kube_status *status)
{
    bool forbidden = status->reason == KUBE_FORBIDDEN;
    char text[400];

    if (!w->kind->without || (!forbidden && status->reason != KUBE_NOT_FOUND))
        return false;
    if (forbidden && !atomic_load(&w->missing)) {
        (void)snprintf(text, sizeof(text),
                       "%s are not seen: %.150s; %s: give huddle's account the ClusterRole of "
                       "deploy/kubernetes/act",
                       w->kind->plural, status->message.text, w->kind->without);
        kubernetes_note(w->k, true, text);
    }
    w->bad_ms = 0;
    atomic_store(&w->shown, forbidden);
    atomic_store(&w->missing, true);
    kube_cluster_blind(w->k->cluster, w->kind->kind, true);
    tell_soon(w->k);
    return true;
}

static void on_state(void *data, int code, const struct kube_status *status)
{
    struct watch *w = data;
    char text[400];

    atomic_store(&w->up, code == 0);
    w->absent_ms = 0;
    if (code == 0) {
        if (w->bad_ms > 0) {
            (void)snprintf(text, sizeof(text), "%s are seen again", w->kind->plural);
            kubernetes_note(w->k, false, text);
        }
        w->bad_ms = w->refused_ms = 0;
        if (w->kind->without && atomic_load(&w->had))
            goes_with(w);
        return;
    }
    if (goes_without(w, status))
        return;
    if ((w->kind->own || is_kind(w, KUBE_KIND_NODE_POWERS)) && status->reason == KUBE_NOT_FOUND) {
        w->bad_ms = w->refused_ms = 0;
        w->absent_ms = loop_now_ms(w->k->loop);
        return;
    }
    if (status->reason != KUBE_FORBIDDEN)
        w->refused_ms = 0;
    else if (w->refused_ms == 0)
        w->refused_ms = loop_now_ms(w->k->loop);
    if (w->bad_ms == 0)
        w->bad_ms = loop_now_ms(w->k->loop);
    (void)snprintf(w->why, sizeof(w->why), "%s: %.150s", kube_reason_name(status->reason),
                   status->message.text);
    (void)snprintf(text, sizeof(text), "%s are not seen: %s%s", w->kind->plural, w->why,
                   status->reason == KUBE_FORBIDDEN
                       ? "; give huddle's account the ClusterRole of deploy/kubernetes"
                       : "");
    kubernetes_note(w->k, true, text);
}

/* --- life ---------------------------------------------------------------------------------------
 */

static int start_watch(struct kubernetes *k, size_t i, struct err *e)
{
    struct watch *w = &k->watches[i];
    /* Paged lists are had from every version; a watch behind them is the same. */
    const struct kube_watcher watcher = { .path = KINDS[i].path,
                                          .data = w,
                                          .changed = on_changed,
                                          .gone = on_gone,
                                          .unknown = on_unknown,
                                          .synced = on_synced,
                                          .state = on_state };

    return kube_watch_start(k->client, &watcher, &w->watch, e);
}

int kubernetes_config(const struct kubernetes *k, struct kube_config **ret_config, struct err *e)
{
    const struct kube_config_choice choice = {
        .files = k->options.kubeconfig,
        .context = k->options.context,
        .in_cluster = k->options.kubeconfig ? NULL : KUBE_IN_CLUSTER_DIR,
    };

    return kube_config_load(&choice, ret_config, e);
}

static int start_reviewer(struct kubernetes *k, struct err *e)
{
    struct kube_config *config = NULL;
    int r;

    if (!k->options.verdict)
        return 0;
    r = kubernetes_config(k, &config, e);
    return r < 0 ? r
                 : kube_reviewer_new(k->loop, config, k->options.verdict, k->options.data,
                                     &k->reviewer, e);
}

void kubernetes_ask(struct kubernetes *k, uint64_t ticket, const struct kube_question *q)
{
    kube_reviewer_ask(k->reviewer, ticket, q);
}

int kubernetes_new(struct loop *l, const struct kubernetes_options *options,
                   struct kubernetes **ret_kubernetes, struct err *e)
{
    struct kubernetes *k = xcalloc(1, sizeof(*k));
    struct kube_config *config = NULL;
    int r;

    k->loop = l;
    k->options = *options;
    r = kubernetes_config(k, &config, e);
    k->limit = kube_limit_new();
    k->cluster = kube_cluster_new();
    k->tell = loop_timer_add(l, on_tell, k);
    k->look = loop_timer_add(l, on_look, k);
    if (r == 0)
        r = kube_client_new(l, config, &k->client, e);
    if (r == 0)
        kube_client_share(k->client, k->limit, false);
    if (r == 0)
        r = start_reviewer(k, e);
    if (r == 0)
        r = kubernetes_acts_begin(k, e);
    for (size_t i = 0; r == 0 && i < N_KINDS; i++) {
        k->watches[i].k = k;
        k->watches[i].kind = &KINDS[i];
        if (!KINDS[i].without)
            r = start_watch(k, i, e);
    }
    if (r < 0) {
        kubernetes_free(k);
        return r;
    }
    loop_timer_arm(k->look, loop_now_ms(l) + LOOK_MS);
    *ret_kubernetes = k;
    return 0;
}

void kubernetes_free(struct kubernetes *k)
{
    if (!k)
        return;
    for (size_t i = 0; i < N_KINDS; i++) {
        kube_watch_stop(k->watches[i].watch);
        kube_objects_done(&k->watches[i].objects);
    }
    kubernetes_acts_end(k);
    kube_reviewer_free(k->reviewer);
    kube_client_free(k->client);
    kube_limit_free(k->limit);
    loop_timer_remove(k->tell);
    loop_timer_remove(k->look);
    kube_cluster_free(k->cluster);
    free(k);
}

const char *kubernetes_waits_for(const struct kubernetes *k)
{
    for (size_t i = 0; i < N_KINDS; i++)
        if (!is_through(&k->watches[i]))
            return KINDS[i].plural;
    return atomic_load(&k->told_all) ? NULL : "all of it is being taken in";
}

bool kubernetes_watch_up(const struct kubernetes *k, size_t i, const char **ret_kind, bool *ret_up)
{
    for (size_t at = 0; at < N_KINDS; at++) {
        const struct watch *w = &k->watches[at];

        if ((w->kind->without && !atomic_load(&w->shown)) || i-- > 0)
            continue;
        *ret_kind = KINDS[at].plural;
        *ret_up = atomic_load(&w->up);
        return true;
    }
    return false;
}
