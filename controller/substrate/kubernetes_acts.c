/* What the leader does in a cluster of Kubernetes, and how others know who leads: see
 * kubernetes_private.h. */
#include <stdlib.h>

#include "controller/substrate/kubernetes_private.h"
#include "proto/base/clock.h"

/* --- who leads ----------------------------------------------------------------------------------
 */

static void on_leader(void *data, const struct kube_leader_word *word)
{
    struct kubernetes *k = data;
    struct controller_event event = { .kind = CE_KUBE_LEAD };

    event.kube_lead.leads = word->leads;
    event.kube_lead.epoch = word->epoch;
    event.kube_lead.leader = word->leader;
    event.kube_lead.problem = word->problem;
    if (word->leads)
        kube_leftovers_begin(&k->leftovers);
    k->options.step(k->options.data, &event);
}

static int make_leader(struct kubernetes *k, struct err *e)
{
    struct kube_config *config = NULL;
    struct kube_leader_options options = { .terms = k->options.lease,
                                           .data = k,
                                           .told = on_leader };
    int r = kubernetes_config(k, &config, e);

    if (r < 0)
        return r;
    options.namespace = k->options.namespace    ? k->options.namespace
                        : k->options.kubeconfig ? "huddle-system"
                                                : config->namespace;
    return kube_leader_new(k->loop, config, &options, &k->leader, e);
}

/* --- moves of pods ------------------------------------------------------------------------------
 */

static int64_t begin_write(void *data)
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

static void make_mover(struct kubernetes *k)
{
    const struct kube_mover_options options = { .kubeconfig = k->options.kubeconfig,
                                                .context = k->options.context,
                                                .limit = k->limit,
                                                .data = k,
                                                .moved = on_moved,
                                                .begin_write = begin_write,
                                                .end_write = end_write,
                                                .epoch = epoch,
                                                .note = kubernetes_note };

    k->mover = kube_mover_new(k->loop, &options);
}

static bool mover_has(void *data, const char *uid)
{
    const struct kubernetes *k = data;

    return kube_mover_has(k->mover, uid);
}

static void give_to_mover(void *data, const struct kube_mover_order *order)
{
    const struct kubernetes *k = data;

    kube_mover_give(k->mover, order);
}

static void look_for_leftovers(struct kubernetes *k, int64_t now_ms)
{
    const struct kube_leftovers_hand hand = { k, mover_has, give_to_mover };

    kube_leftovers_look(&k->leftovers, k->cluster, &hand, now_ms, clock_wall_ms());
}

void kubernetes_move(struct kubernetes *k, const struct effect *e)
{
    kube_mover_give(k->mover, &(struct kube_mover_order){ .model = e->kube_move.model,
                                                          .pod = e->kube_move.pod,
                                                          .uid = e->kube_move.uid,
                                                          .node = e->kube_move.node,
                                                          .abort = e->kube_move.abort });
}

static void make_marks(struct kubernetes *k)
{
    const struct kube_marks_options options = { .client = k->client,
                                                .leader = k->leader,
                                                .cluster = k->cluster,
                                                .mover = k->mover,
                                                .data = k,
                                                .note = kubernetes_note };

    k->marks = kube_marks_new(&options);
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

void kubernetes_raise_epoch(struct kubernetes *k, uint64_t seen)
{
    kube_leader_raise_epoch(k->leader, seen);
}

static void on_checked(void *data, const struct kube_check_facts *f)
{
    const struct kubernetes *k = data;
    struct controller_event event = { .kind = CE_KUBE_CHECK, .kube_check = f };

    k->options.step(k->options.data, &event);
}

void kubernetes_want_node(struct kubernetes *k, const struct effect *e)
{
    kube_nodes_want(k->nodes, e);
    kube_binder_want(k->binder, e);
    kube_evictor_want(k->evictor, e);
    kube_signs_want(k->signs, e);
}

static json_t *drivers(void *data, const char *node)
{
    const struct kubernetes *k = data;

    return kube_cluster_drivers(k->cluster, node);
}

static void make_nodes(struct kubernetes *k)
{
    const struct kube_nodes_options options = { .data = k,
                                                .begin_write = begin_write,
                                                .end_write = end_write,
                                                .left_ms = left_ms,
                                                .epoch = epoch,
                                                .raise_epoch = raise_epoch,
                                                .drivers = drivers,
                                                .checked = on_checked,
                                                .note = kubernetes_note };

    k->nodes = kube_nodes_new(k->loop, k->client, &options);
}

static void say(void *data, const struct kube_event *event)
{
    const struct kubernetes *k = data;

    kube_herald_say(k->herald, event);
}

static void make_binder(struct kubernetes *k)
{
    const struct kube_binder_options options = { .data = k,
                                                 .begin_write = begin_write,
                                                 .end_write = end_write,
                                                 .epoch = epoch,
                                                 .say = say,
                                                 .note = kubernetes_note };

    k->binder = kube_binder_new(k->client, &options);
}

static struct kube_writer writer_of(struct kubernetes *k)
{
    return (struct kube_writer){ .client = k->client,
                                 .data = k,
                                 .begin_write = begin_write,
                                 .end_write = end_write,
                                 .epoch = epoch,
                                 .note = kubernetes_note };
}

static void make_evictor(struct kubernetes *k)
{
    const struct kube_writer options = writer_of(k);

    k->evictor = kube_evictor_new(&options);
}

static void make_signs(struct kubernetes *k)
{
    const struct kube_writer options = writer_of(k);

    k->signs = kube_signs_new(&options);
}

/* --- what people read ---------------------------------------------------------------------------
 */

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
    kubernetes_note(data, true, text);
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

static void make_finalizers(struct kubernetes *k)
{
    const struct kube_finalizers_options options = { .client = k->client,
                                                     .leader = k->leader,
                                                     .data = k,
                                                     .view = view_of,
                                                     .note = kubernetes_note };

    k->finalizers = kube_finalizers_new(&options);
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

/* --- life ---------------------------------------------------------------------------------------
 */

int kubernetes_acts_begin(struct kubernetes *k, struct err *e)
{
    int r = make_leader(k, e);

    if (r == 0)
        r = kube_herald_new(k->client, &k->herald, e);
    if (r < 0)
        return r;
    make_reporter(k);
    make_finalizers(k);
    make_mover(k);
    make_marks(k);
    make_nodes(k);
    make_binder(k);
    make_evictor(k);
    make_signs(k);
    return 0;
}

bool kubernetes_is_led_elsewhere(const struct kubernetes *k)
{
    return kube_leader_is_elsewhere(k->leader, clock_boot_ms());
}

void kubernetes_acts_look(struct kubernetes *k, bool facts_told, int64_t now_ms)
{
    const char *problem = kube_herald_problem(k->herald);

    if (facts_told && !kube_leader_is_wanted(k->leader) &&
        (k->leftovers.n_items > 0 || kube_cluster_has_own(k->cluster)))
        kube_leader_want(k->leader);
    kube_leader_look(k->leader);
    if (problem)
        kubernetes_note(k, true, problem);
    kube_reporter_look(k->reporter, facts_told && k->writers.n > 0, now_ms);
    if (!facts_told || !kube_leader_held(k->leader, clock_boot_ms()))
        return;
    look_for_leftovers(k, now_ms);
    kube_marks_look(k->marks, now_ms);
    kube_finalizers_look(k->finalizers, now_ms);
    kube_binder_look(k->binder, k->cluster, clock_boot_ms());
    kube_evictor_look(k->evictor, k->cluster, now_ms);
    kube_signs_look(k->signs, now_ms);
}

void kubernetes_acts_end(struct kubernetes *k)
{
    kube_marks_free(k->marks);
    kube_mover_free(k->mover); /* its threads ask the leader */
    kube_leftovers_done(&k->leftovers);
    kube_reporter_free(k->reporter);
    kube_finalizers_free(k->finalizers);
    kube_objects_done(&k->writers);
    kube_herald_free(k->herald);
    kube_nodes_free(k->nodes);
    kube_binder_free(k->binder);
    kube_evictor_free(k->evictor);
    kube_signs_free(k->signs);
    kube_leader_free(k->leader);
}
