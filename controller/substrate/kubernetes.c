#include "controller/substrate/kubernetes.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/kube_client/kube_watch.h"
#include "controller/substrate/kube_cluster.h"
#include "controller/substrate/kube_herald.h"
#include "controller/substrate/kube_leftovers.h"
#include "controller/substrate/kube_mover.h"
#include "controller/substrate/kube_nodes.h"
#include "controller/substrate/kube_object.h"
#include "controller/substrate/kube_reporter.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"

#define TELL_MS 250       /* at least: changes that come together are told together */
#define TELL_SHARE 10     /* of the time at most one part in so many goes into telling */
#define LOOK_MS 1000      /* at the watches themselves */
#define TROUBLE_MS 150000 /* so long may a watch be down before what is known is old */
/* So long is it said that a definition is not there before it is believed: one server of several
 * that has not read it yet says so too. With it go all objects of it, and their history. */
#define MISSING_MS 5000 /* of objects that were never seen, */
#define LOST_MS 60000   /* ... or were */
#define OWN "/apis/huddle.energy/v1alpha1/"

/* Objects that huddle declares are put into the core; of the others it is told facts. */
static const struct kind {
    const char *plural, *path;
    bool own;
    enum kube_kind kind;         /* not own */
    enum manifest_kind declared; /* own */
} KINDS[] = {
    { "nodes", "/api/v1/nodes", false, KUBE_KIND_NODES, 0 },
    { "pods", "/api/v1/pods", false, KUBE_KIND_PODS, 0 },
    { "replicasets", "/apis/apps/v1/replicasets", false, KUBE_KIND_REPLICA_SETS, 0 },
    { "deployments", "/apis/apps/v1/deployments", false, KUBE_KIND_DEPLOYMENTS, 0 },
    { "statefulsets", "/apis/apps/v1/statefulsets", false, KUBE_KIND_STATEFUL_SETS, 0 },
    { "persistentvolumeclaims", "/api/v1/persistentvolumeclaims", false, KUBE_KIND_CLAIMS, 0 },
    { "persistentvolumes", "/api/v1/persistentvolumes", false, KUBE_KIND_VOLUMES, 0 },
    { "nodepowers", OWN "nodepowers", false, KUBE_KIND_NODE_POWERS, 0 },
    { "servedmodels", OWN "servedmodels", true, 0, KIND_SERVED_MODEL },
    { "powerpools", OWN "powerpools", true, 0, KIND_POWER_POOL },
    { "powerpolicies", OWN "powerpolicies", true, 0, KIND_POWER_POLICY },
};

#define N_KINDS ARRAY_LEN(KINDS)

struct watch {
    struct kubernetes *k;
    const struct kind *kind;
    struct kube_watch *watch;
    struct kube_objects objects; /* of huddle's own: those that were put, or refused */
    int64_t bad_ms;              /* since when it does not work; 0: it does */
    char why[200];
    int64_t absent_ms;   /* since when no server knows its definition; 0: one does */
    atomic_bool missing; /* its definition is not installed */
    atomic_bool had, up; /* it was listed once; it works now */
};

struct kubernetes {
    struct loop *loop;
    struct kubernetes_options options; /* its functions */
    struct kube_client *client;
    struct kube_leader *leader;
    struct kube_herald *herald;
    struct kube_reporter *reporter;
    struct kube_objects writers; /* PowerPools whose mode is recommend or act */
    struct kube_cluster *cluster;
    struct kube_mover *mover;
    struct kube_leftovers leftovers;
    struct kube_nodes *nodes;
    struct loop_timer *tell, *look;
    bool tell_due;
    int64_t tell_took_ms; /* the last one */
    struct watch watches[N_KINDS];
    atomic_bool told_all; /* the core knows that all is told */
    char told_trouble[256], told_missing[256];
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

static void note(const struct kubernetes *k, bool warning, const char *text)
{
    k->options.note(k->options.data, warning, text);
}

static void on_leader(void *data, const struct kube_leader_word *word)
{
    struct kubernetes *k = data;
    struct controller_event event = { .kind = CE_KUBE_LEAD };

    event.kube_lead.leads = word->leads;
    event.kube_lead.epoch = word->epoch;
    event.kube_lead.leader = word->leader;
    event.kube_lead.problem = word->problem;
    if (word->leads)
        kube_leftovers_begin(&k->leftovers, loop_now_ms(k->loop));
    k->options.step(k->options.data, &event);
}

/* --- moves of pods ------------------------------------------------------------------------------
 */

static bool begin_write(void *data)
{
    struct kubernetes *k = data;

    return kube_leader_begin_write(k->leader, clock_boot_ms());
}

static void end_write(void *data)
{
    struct kubernetes *k = data;

    kube_leader_end_write(k->leader);
}

static uint64_t epoch(void *data)
{
    const struct kubernetes *k = data;

    return kube_leader_epoch(k->leader);
}

static void on_moved(void *data, const struct kube_moved *moved)
{
    const struct kubernetes *k = data;
    struct controller_event event = { .kind = CE_KUBE_MOVED, .kube_moved = moved };

    k->options.step(k->options.data, &event);
}

static void note_move(void *data, bool warning, const char *text)
{
    note(data, warning, text);
}

static void make_mover(struct kubernetes *k)
{
    const struct kube_mover_options options = { .kubeconfig = k->options.kubeconfig,
                                                .context = k->options.context,
                                                .data = k,
                                                .moved = on_moved,
                                                .begin_write = begin_write,
                                                .end_write = end_write,
                                                .epoch = epoch,
                                                .note = note_move };

    k->mover = kube_mover_new(k->loop, &options);
}

void kubernetes_move(struct kubernetes *k, const struct effect *e)
{
    kube_mover_give(k->mover, &(struct kube_mover_order){ .model = e->kube_move.model,
                                                          .pod = e->kube_move.pod,
                                                          .uid = e->kube_move.uid,
                                                          .node = e->kube_move.node,
                                                          .abort = e->kube_move.abort });
}

/* --- the watches --------------------------------------------------------------------------------
 */

static bool is_through(const struct watch *w)
{
    return atomic_load(&w->had) || atomic_load(&w->missing);
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
        if (atomic_load(&k->watches[i].missing))
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
    if (!f.synced || (atomic_load(&k->told_all) && strcmp(trouble, k->told_trouble) == 0 &&
                      strcmp(missing, k->told_missing) == 0))
        return;
    memcpy(k->told_trouble, trouble, sizeof(trouble));
    memcpy(k->told_missing, missing, sizeof(missing));
    k->options.step(k->options.data, &event);
    atomic_store(&k->told_all, true);
}

static void on_tell(void *data, int64_t now_ms)
{
    struct kubernetes *k = data;
    const struct kube_sink sink = { k, on_node, on_pod, on_model, on_power };
    struct controller_event last = { .kind = CE_TICK };
    int64_t begun_ms = clock_boot_ms();

    k->tell_due = false;
    if (!all_through(k))
        return;
    kube_cluster_tell(k->cluster, &sink);
    k->options.step(k->options.data, &last);
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

static void refused(struct watch *w, const char *name, const char *why)
{
    struct controller_event event = { .kind = CE_KUBE_REFUSED };

    event.kube_refused.kind = w->kind->declared;
    event.kube_refused.name = name;
    event.kube_refused.why = why;
    w->k->options.step(w->k->options.data, &event);
    kube_objects_add(&w->objects, name); /* what the core kept of it goes with it */
}

static void take_mode(struct kubernetes *k, const char *pool, enum pool_mode mode)
{
    if (mode != POOL_MODE_RECOMMEND && mode != POOL_MODE_ACT) {
        kube_objects_remove(&k->writers, pool);
        return;
    }
    kube_objects_add(&k->writers, pool);
    kube_leader_want(k->leader);
}

static void put_object(struct watch *w, const json_t *object)
{
    struct controller_event event = { .kind = CE_PUT };
    AUTO(manifest) struct manifest *m = NULL;
    struct err e = ERR_INIT;
    char name[KUBE_OBJECT_NAME];

    kube_object_name(object, w->kind->declared, name);
    if (kube_object_read(object, w->kind->declared, &m, &e) < 0 ||
        w->k->options.admit(w->k->options.data, m, &e) < 0) {
        kube_reporter_put(w->k->reporter, w->kind->declared, name, object, e.text);
        refused(w, name, e.text);
        return;
    }
    event.put.object = m;
    event.put.observed = true;
    event.put.who = "kubernetes";
    w->k->options.step(w->k->options.data, &event);
    kube_objects_add(&w->objects, name);
    if (m->kind == KIND_SERVED_MODEL) {
        kube_cluster_model(w->k->cluster, name, m->meta.namespace, &m->model);
        kube_leftovers_model(&w->k->leftovers, name, object, loop_now_ms(w->k->loop));
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
        kube_leftovers_model(&w->k->leftovers, name, NULL, loop_now_ms(w->k->loop));
    }
    if (w->kind->declared == KIND_POWER_POOL)
        kube_objects_remove(&w->k->writers, name);
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
    if (is_kind(w, KUBE_KIND_NODES))
        kube_nodes_node(w->k->nodes, object);
    else if (is_kind(w, KUBE_KIND_NODE_POWERS))
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
    if (is_kind(w, KUBE_KIND_NODES))
        kube_nodes_node_gone(w->k->nodes, key->name);
    else if (is_kind(w, KUBE_KIND_NODE_POWERS))
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
    refused(w, name, text);
}

static void on_unknown(void *data, const struct kube_key *key, const char *why)
{
    struct watch *w = data;
    char text[700];

    (void)snprintf(text, sizeof(text), "one of %s cannot be read: %.253s/%.253s: %.150s",
                   w->kind->plural, key->namespace, key->name, why);
    note(w->k, true, text);
    if (!w->kind->own)
        kube_cluster_unknown(w->k->cluster, w->kind->kind, key);
    else if (*key->name)
        refuse_unread(w, key, why);
    tell_soon(w->k);
}

static void on_synced(void *data)
{
    struct watch *w = data;

    atomic_store(&w->had, true);
    atomic_store(&w->missing, false);
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

static void on_look(void *data, int64_t now_ms)
{
    struct kubernetes *k = data;
    const char *problem = kube_herald_problem(k->herald);

    loop_timer_arm(k->look, now_ms + LOOK_MS);
    kube_leader_look(k->leader);
    if (problem)
        note(k, true, problem);
    kube_reporter_look(k->reporter, atomic_load(&k->told_all) && k->writers.n > 0, now_ms);
    for (size_t i = 0; i < N_KINDS; i++) {
        struct watch *w = &k->watches[i];

        if (w->absent_ms > 0 && !atomic_load(&w->missing) &&
            now_ms - w->absent_ms >= (atomic_load(&w->had) ? LOST_MS : MISSING_MS))
            lose_definition(w);
    }
    if (!atomic_load(&k->told_all)) /* facts come first */
        return;
    tell_watches(k, now_ms);
    if (kube_leader_held(k->leader, clock_boot_ms()))
        kube_leftovers_look(&k->leftovers, k->cluster, k->mover, now_ms);
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
            note(w->k, false, text);
        }
        w->bad_ms = 0;
        return;
    }
    if ((w->kind->own || is_kind(w, KUBE_KIND_NODE_POWERS)) && status->reason == KUBE_NOT_FOUND) {
        w->bad_ms = 0;
        w->absent_ms = loop_now_ms(w->k->loop);
        return;
    }
    if (w->bad_ms == 0)
        w->bad_ms = loop_now_ms(w->k->loop);
    (void)snprintf(w->why, sizeof(w->why), "%s: %.150s", kube_reason_name(status->reason),
                   status->message.text);
    (void)snprintf(text, sizeof(text), "%s are not seen: %s%s", w->kind->plural, w->why,
                   status->reason == KUBE_FORBIDDEN
                       ? "; give huddle's account the ClusterRole of deploy/kubernetes"
                       : "");
    note(w->k, true, text);
}

/* --- writing ------------------------------------------------------------------------------------
 */

static int64_t left_ms(void *data)
{
    const struct kubernetes *k = data;

    return kube_leader_left_ms(k->leader, clock_boot_ms());
}

static void raise_epoch(void *data, uint64_t seen)
{
    const struct kubernetes *k = data;

    kube_leader_raise_epoch(k->leader, seen);
}

static void on_checked(void *data, const struct kube_check_facts *f)
{
    const struct kubernetes *k = data;
    struct controller_event event = { .kind = CE_KUBE_CHECK, .kube_check = f };

    k->options.step(k->options.data, &event);
}

static void on_note(void *data, bool warning, const char *text)
{
    note(data, warning, text);
}

void kubernetes_want_node(struct kubernetes *k, const struct effect *e)
{
    kube_nodes_want(k->nodes, e);
}

static void make_nodes(struct kubernetes *k)
{
    const struct kube_nodes_options options = { .data = k,
                                                .begin_write = begin_write,
                                                .end_write = end_write,
                                                .left_ms = left_ms,
                                                .epoch = epoch,
                                                .raise_epoch = raise_epoch,
                                                .checked = on_checked,
                                                .note = on_note };

    k->nodes = kube_nodes_new(k->loop, k->client, &options);
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

    w->k = k;
    w->kind = &KINDS[i];
    return kube_watch_start(k->client, &watcher, &w->watch, e);
}

static int load_config(const struct kubernetes *k, struct kube_config **ret_config, struct err *e)
{
    const struct kube_config_choice choice = {
        .files = k->options.kubeconfig,
        .context = k->options.context,
        .in_cluster = k->options.kubeconfig ? NULL : KUBE_IN_CLUSTER_DIR,
    };

    return kube_config_load(&choice, ret_config, e);
}

static int make_leader(struct kubernetes *k, struct err *e)
{
    struct kube_config *config = NULL;
    struct kube_leader_options options = { .terms = k->options.lease,
                                           .data = k,
                                           .told = on_leader };
    int r = load_config(k, &config, e);

    if (r < 0)
        return r;
    options.namespace = k->options.namespace    ? k->options.namespace
                        : k->options.kubeconfig ? "huddle-system"
                                                : config->namespace;
    return kube_leader_new(k->loop, config, &options, &k->leader, e);
}

static char *selector_of(void *data, const char *name)
{
    struct kubernetes *k = data;
    struct strbuf text = STRBUF_INIT;

    kube_cluster_selector(k->cluster, name, &text);
    return strbuf_take(&text);
}

static json_t *view_of(void *data, const char *kind, const char *name)
{
    const struct kubernetes *k = data;

    return k->options.view(k->options.data, kind, name);
}

static void warn(void *data, const char *text)
{
    note(data, true, text);
}

static void make_reporter(struct kubernetes *k)
{
    const struct kube_reporter_options options = { .client = k->client,
                                                   .leader = k->leader,
                                                   .data = k,
                                                   .view = view_of,
                                                   .selector = selector_of,
                                                   .note = warn };

    k->reporter = kube_reporter_new(k->loop, &options);
}

int kubernetes_new(struct loop *l, const struct kubernetes_options *options,
                   struct kubernetes **ret_kubernetes, struct err *e)
{
    struct kubernetes *k = xcalloc(1, sizeof(*k));
    struct kube_config *config = NULL;
    int r;

    k->loop = l;
    k->options = *options;
    r = load_config(k, &config, e);
    k->cluster = kube_cluster_new();
    k->tell = loop_timer_add(l, on_tell, k);
    k->look = loop_timer_add(l, on_look, k);
    if (r == 0)
        r = kube_client_new(l, config, &k->client, e);
    if (r == 0)
        r = make_leader(k, e);
    if (r == 0)
        r = kube_herald_new(k->client, &k->herald, e);
    if (r == 0)
        make_reporter(k);
    make_mover(k);
    if (r == 0)
        make_nodes(k);
    for (size_t i = 0; r == 0 && i < N_KINDS; i++)
        r = start_watch(k, i, e);
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
    kube_mover_free(k->mover); /* its threads ask the leader */
    kube_leftovers_done(&k->leftovers);
    kube_reporter_free(k->reporter);
    kube_objects_done(&k->writers);
    kube_herald_free(k->herald);
    kube_nodes_free(k->nodes);
    kube_leader_free(k->leader);
    kube_client_free(k->client);
    loop_timer_remove(k->tell);
    loop_timer_remove(k->look);
    kube_cluster_free(k->cluster);
    free(k);
}

void kubernetes_tell(struct kubernetes *k, const struct effect *e)
{
    enum manifest_kind kind;
    const char *uid = "";

    if (manifest_kind_parse(e->event.kind, &kind) == 0)
        uid = kube_reporter_uid(k->reporter, kind, e->event.name);
    kube_herald_tell(k->herald, e, uid);
}

struct kube_leader *kubernetes_leader(struct kubernetes *k)
{
    return k->leader;
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
    if (i >= N_KINDS)
        return false;
    *ret_kind = KINDS[i].plural;
    *ret_up = atomic_load(&k->watches[i].up);
    return true;
}
