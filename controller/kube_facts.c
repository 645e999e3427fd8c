/* What Kubernetes is told to be becomes the cluster: nodes without an agent, replicas that are
 * pods, models whose workload says what a replica needs. Kubernetes is right about all of it, and
 * keeps it: nothing here is an intent, and nothing is acted upon (observe). */
#include "controller/kube_facts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/kube_power.h"
#include "controller/reconcile/reconcile.h"
#include "controller/state/kube_node.h"
#include "controller/state/snapshot_build.h"
#include "controller/substrate/standalone.h"
#include "proto/base/array.h"
#include "proto/base/random.h"

/* --- agents of no node --------------------------------------------------------------------------
 */

#define STRANGERS_MOST 1000

static size_t place_of(const struct string_list *l, const char *name)
{
    size_t i = 0;

    while (i < l->n && strcmp(l->item[i], name) != 0)
        i++;
    return i;
}

static void no_stranger(struct string_list *l, const char *name)
{
    size_t i = place_of(l, name);

    if (i == l->n)
        return;
    free(l->item[i]);
    l->item[i] = l->item[--l->n];
}

static void tell_stranger(struct controller *c, const char *name)
{
    struct string_list *l = &c->kube.strangers;

    if (place_of(l, name) < l->n || l->n == STRANGERS_MOST)
        return;
    l->item = xrealloc(l->item, (l->n + 1) * sizeof(*l->item));
    l->item[l->n++] = xstrdup(name);
    core_event(c, true, "node", name, "NotInKubernetes",
               "its agent reports, and Kubernetes has no node of that name: not counted; stop the "
               "agent, or set `node` in its agent.yaml to the name that kubectl get nodes shows");
}

/* Without an answer it would be asked to report twice a second. */
static void answer_stranger(struct controller *c, const struct wire_report *w)
{
    const struct node nobody = { .n_strangers = 1 }; /* it goes on as it is */
    const struct reply_head head = {
        .cluster_id = c->cluster->id,
        .term = c->cluster->term,
        .instance = c->cluster->instance,
        .next_interval_ms = (uint32_t)c->options.report_interval_ms,
        .order = { .op = "", .boot_id = "" },
    };
    struct strbuf bytes = STRBUF_INIT;
    struct err e = ERR_INIT;

    if (standalone_reply(&nobody, &head, &bytes, &e) < 0)
        strbuf_done(&bytes);
    else
        fx_reply(c->fx, w->node, &bytes);
}

bool kube_is_stranger(struct controller *c, const struct wire_report *w)
{
    if (!c->options.kubernetes || !c->kube.synced || named_find(&c->cluster->nodes, w->node))
        return false;
    tell_stranger(c, w->node);
    answer_stranger(c, w);
    return true;
}

/* --- nodes --------------------------------------------------------------------------------------
 */

static struct node *add_node(struct controller *c, const char *name)
{
    struct node *n = node_add(c->cluster, name);

    n->created_wall_ms = c->wall_ms;
    n->baseline = true;
    marks_begin(&n->power_marks, c->wall_ms);
    core_event(c, false, "node", name, "NodeAdded", "Kubernetes has it");
    return n;
}

/* Which devices a pod holds is its kubelet's knowledge; that it holds so many is enough to count:
 * all of a node are dealt anew whenever their number, or who wants how many, has changed. */
static void deal_gpus(const struct node *n)
{
    uint32_t next = 0;

    for (size_t i = 0; i < n->n_replicas; i++) {
        struct replica *r = n->replicas[i];
        int64_t wanted = model_spec(r->model)->resources.gpu_milli / 1000;

        r->gpu_mask = 0;
        for (; wanted > 0 && next < n->inventory.n_gpus; wanted--)
            r->gpu_mask |= UINT64_C(1) << next++;
    }
}

static void tell_deleted(struct controller *c, const struct node *n)
{
    if (n->kube.deleted)
        core_event(
            c, true, "node", n->name, "NodeDeletedAsleep",
            "its Node was deleted while its machine was off: its NodePower keeps it, and it is "
            "woken when it is needed (at once: huddlectl wake node %s); is the machine gone "
            "for good, then kubectl delete nodepower %s",
            n->name, n->name);
    else
        core_event(c, false, "node", n->name, "NodeBack",
                   "Kubernetes has it again; labels that people had given it are gone with its old "
                   "Node");
}

void kube_node(struct controller *c, const struct kube_node_facts *f)
{
    struct node *n = named_find(&c->cluster->nodes, f->name);
    bool was_deleted = n && n->kube.deleted;

    if (f->gone) {
        if (n)
            core_forget_node(c, n, "Kubernetes has it no more");
        return;
    }
    no_stranger(&c->kube.strangers, f->name);
    if (!n)
        n = add_node(c, f->name);
    if (!node_kube_take(c->cluster, n, f, c->now_ms))
        return;
    if (was_deleted != f->deleted)
        tell_deleted(c, n);
    deal_gpus(n);
    reconcile_node(c, n);
    c->plan_wanted = true;
}

/* --- pods ---------------------------------------------------------------------------------------
 */

static void set_text(char **at, const char *text)
{
    if (*at && strcmp(*at, text) == 0)
        return;
    free(*at);
    *at = xstrdup(text);
}

static struct replica *add_replica(struct controller *c, const struct kube_pod_facts *f,
                                   struct model *m, struct node *n)
{
    struct replica *r;

    if (strlen(f->uid) >= UID_MAX)
        return NULL;
    r = replica_add(c->cluster, f->uid, m, n);
    r->since_ms = c->now_ms;
    r->created_wall_ms = f->created_wall_ms > 0 ? f->created_wall_ms : c->wall_ms;
    r->baseline = r->arrived = true;
    deal_gpus(n);
    (void)snprintf(r->why, sizeof(r->why), "Kubernetes placed it");
    return r;
}

static void take_phase(struct controller *c, struct replica *r, const struct kube_pod_facts *f)
{
    enum replica_phase phase = f->ready       ? REPLICA_READY
                               : r->was_ready ? REPLICA_UNREADY
                                              : REPLICA_STARTING;

    r->reported = true;
    r->phase = phase;
    r->leaving = f->deleting ? LEAVING_DRAIN : LEAVING_NO;
    if (f->ready && r->ready_ms == NEVER_MS)
        r->ready_ms = c->now_ms;
    else if (!f->ready)
        r->ready_ms = NEVER_MS;
    r->was_ready |= f->ready;
    set_text(&r->pod, f->name);
    set_text(&r->pod_address, f->address);
    set_text(&r->reason, f->reason);
}

/* While a pod is to take another's place it follows that one, as a moved replica does elsewhere. */
static void take_succession(struct controller *c, struct replica *r, const struct kube_pod_facts *f)
{
    const struct replica *old =
        *f->replaces ? named_find(&c->cluster->replicas, f->replaces) : NULL;

    r->planned = f->planned;
    if (!*f->replaces) {
        free(r->replaces);
        r->replaces = NULL;
        return;
    }
    set_text(&r->replaces, f->replaces);
    if (old && old->pod)
        (void)snprintf(r->why, sizeof(r->why), "moves %.64s here from node %.50s", old->pod,
                       old->node->name);
}

void kube_pod(struct controller *c, const struct kube_pod_facts *f)
{
    struct replica *r = named_find(&c->cluster->replicas, f->uid);
    struct model *m = f->gone ? NULL : named_find(&c->cluster->models, f->model);
    struct node *n = f->gone ? NULL : named_find(&c->cluster->nodes, f->node);

    if (r && (!m || r->model != m || r->node != n)) {
        replica_forget(c, r);
        r = NULL;
    }
    c->plan_wanted = true;
    if (!m || !n || m->deleting)
        return;
    if (!r)
        r = add_replica(c, f, m, n);
    if (!r)
        return;
    take_phase(c, r, f);
    take_succession(c, r, f);
    replica_touch(c->cluster, r);
    node_touch(c->cluster, n);
    model_touch(c->cluster, m);
}

/* --- models -------------------------------------------------------------------------------------
 */

static int64_t within(int64_t v, int64_t least, int64_t most)
{
    return v < least ? least : v > most ? most : v;
}

/* As an object can have it: a pod may request nothing at all, or more than there is anywhere. */
void kube_model_fill(const struct model *m, struct served_model *spec)
{
    if (!m || !m->kube.known || m->kube.problem)
        return;
    spec->resources.cpu_milli = within(m->kube.cpu_milli, 1, 100000000);
    spec->resources.memory_bytes = within(m->kube.memory_bytes, 1, INT64_MAX / 2);
    spec->resources.gpu_milli = within(m->kube.gpu_milli, 0, 256000);
}

static bool same_unfit(const struct string_list *l, const struct kube_model_facts *f)
{
    if (l->n != f->n_unfit)
        return false;
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->item[i], f->unfit[i]) != 0)
            return false;
    return true;
}

static void set_unfit(struct string_list *l, const struct kube_model_facts *f)
{
    string_list_done(l);
    *l = (struct string_list){ .n = f->n_unfit };
    l->item = f->n_unfit ? xcalloc(f->n_unfit, sizeof(*l->item)) : NULL;
    for (size_t i = 0; i < f->n_unfit; i++)
        l->item[i] = xstrdup(f->unfit[i]);
}

/* What replicas are planned with: the same object, with what a pod of its workload requests. */
static void refill(struct controller *c, struct model *m)
{
    AUTO(manifest) struct manifest *object = manifest_copy(m->revision->object);

    kube_model_fill(m, &object->model);
    (void)model_put(c->cluster, object);
    for (size_t i = 0; i < m->n_replicas; i++)
        replica_set_revision(m->replicas[i], m->revision);
    for (size_t i = 0; i < m->n_replicas; i++)
        deal_gpus(m->replicas[i]->node);
}

void kube_model(struct controller *c, const struct kube_model_facts *f)
{
    struct model *m = named_find(&c->cluster->models, f->model);
    struct model_kube *k = m ? &m->kube : NULL;
    bool needs_more, had_problem;

    if (!m || m->deleting)
        return;
    had_problem = k->problem != NULL;
    needs_more = !k->known || k->cpu_milli != f->cpu_milli || k->memory_bytes != f->memory_bytes ||
                 k->gpu_milli != f->gpu_milli || had_problem != (*f->problem != '\0');
    k->known = true;
    k->cpu_milli = f->cpu_milli;
    k->memory_bytes = f->memory_bytes;
    k->gpu_milli = f->gpu_milli;
    k->wanted = f->wanted;
    k->pending = f->pending;
    free(k->held);
    k->held = *f->held ? xstrdup(f->held) : NULL;
    (void)snprintf(k->drain, sizeof(k->drain), "%s", f->drain);
    free(k->loses);
    k->loses = *f->loses ? xstrdup(f->loses) : NULL;
    free(k->pending_why);
    k->pending_why = *f->pending_why ? xstrdup(f->pending_why) : NULL;
    if (*f->problem && (!k->problem || strcmp(k->problem, f->problem) != 0))
        core_event(c, true, "servedmodel", m->name, "TargetNotFound", "%s", f->problem);
    free(k->problem);
    k->problem = *f->problem ? xstrdup(f->problem) : NULL;
    if (!same_unfit(&k->unfit, f))
        set_unfit(&k->unfit, f);
    if (needs_more)
        refill(c, m);
    c->plan_wanted = true;
    model_touch(c->cluster, m);
}

void kube_wait(struct controller *c, const struct kube_wait_facts *f)
{
    if (f->n > 1)
        core_event(c, false, "pod", f->pod, "WakeWithheld", "%zu pods like it wait: %s", f->n,
                   f->why);
    else
        core_event(c, false, "pod", f->pod, "WakeWithheld", "%s", f->why);
    c->fx->items[c->fx->n_items - 1].event.uid = xstrdup(f->uid); /* the last one is the event */
}

void kube_confirm(struct controller *c, enum manifest_kind kind, const char *name)
{
    struct model *m = kind == KIND_SERVED_MODEL ? named_find(&c->cluster->models, name) : NULL;
    struct pool *p = kind == KIND_POWER_POOL ? named_find(&c->cluster->pools, name) : NULL;
    struct policy *q = kind == KIND_POWER_POLICY ? named_find(&c->cluster->policies, name) : NULL;

    if (m)
        m->kube.confirmed = true;
    if (p)
        p->confirmed = true;
    if (q)
        q->confirmed = true;
}

void kube_count(struct controller *c, struct model *m)
{
    double s = (double)(c->wall_ms - m->pending_wall_ms) / 1000;

    if (m->pending_wall_ms > 0 && s > 0 && model_counted(m) && !kube_unseen(c))
        demand_add(&m->demand, m->pending_wall_ms, c->wall_ms, m->kube.wanted * s);
    m->pending_wall_ms = c->wall_ms;
}

/* --- the watches --------------------------------------------------------------------------------
 */

static void drop_object(struct controller *c, enum manifest_kind kind, const char *name)
{
    struct controller_event e = { .kind = CE_DELETE };
    char *copy = xstrdup(name); /* of the object that goes */

    e.del.kind = kind;
    e.del.name = copy;
    e.del.who = "kubernetes";
    e.del.observed = true;
    core_delete(c, &e);
    free(copy);
}

/* What an earlier life of this controller knew, and Kubernetes has no more. */
static void sweep(struct controller *c)
{
    struct cluster *k = c->cluster;

    for (size_t i = k->models.n_items; i-- > 0;)
        if (!cluster_model(k, i)->kube.confirmed)
            drop_object(c, KIND_SERVED_MODEL, cluster_model(k, i)->name);
    for (size_t i = k->pools.n_items; i-- > 0;)
        if (!cluster_pool(k, i)->confirmed)
            drop_object(c, KIND_POWER_POOL, cluster_pool(k, i)->name);
    for (size_t i = k->policies.n_items; i-- > 0;)
        if (!cluster_policy(k, i)->confirmed)
            drop_object(c, KIND_POWER_POLICY, cluster_policy(k, i)->name);
    for (size_t i = k->nodes.n_items; i-- > 0;)
        if (!cluster_node(k, i)->kube.known)
            core_forget_node(c, cluster_node(k, i), "Kubernetes has it no more");
}

void kube_watch(struct controller *c, const struct kube_watch_facts *f)
{
    bool first = f->synced && !c->kube.synced;
    bool changed = strcmp(c->kube.trouble, f->trouble) != 0;

    if (first)
        sweep(c);
    if (first)
        core_event(c, false, "cluster", c->cluster->id, "ClusterRead",
                   "Kubernetes has told all: %zu nodes, %zu models, %zu replicas",
                   c->cluster->nodes.n_items, c->cluster->models.n_items,
                   c->cluster->replicas.n_items);
    c->kube.synced |= f->synced;
    if (changed && *f->trouble)
        core_event(c, true, "cluster", c->cluster->id, "ClusterUnseen", "nothing is planned: %s",
                   f->trouble);
    else if (changed)
        core_event(c, false, "cluster", c->cluster->id, "ClusterSeen", "planning goes on");
    (void)snprintf(c->kube.trouble, sizeof(c->kube.trouble), "%s", f->trouble);
    if (*f->missing && !c->kube.missing[0])
        core_event(c, true, "cluster", c->cluster->id, "DefinitionsMissing", "%s", f->missing);
    (void)snprintf(c->kube.missing, sizeof(c->kube.missing), "%s", f->missing);
    c->plan_wanted |= first || changed;
}

/* A term that ended with no word of it (a restart) began as none. */
static void begin_or_end_term(struct controller *c, bool leads, uint64_t epoch)
{
    if (c->cluster->leads == leads && c->kube.epoch == epoch)
        return;
    c->cluster->leads = leads;
    if (leads)
        core_recommend_anew(c);
    c->kube.epoch = epoch;
    if (leads)
        kube_power_begin(c);
    core_event(c, !leads, "cluster", c->cluster->id, leads ? "Leading" : "LeadLost",
               leads ? "this controller acts from now on (epoch %llu)"
                     : "another controller may act from now on: this one only watches (epoch %llu)",
               (unsigned long long)epoch);
    for (size_t i = 0; i < c->cluster->nodes.n_items; i++)
        node_touch(c->cluster, cluster_node(c->cluster, i));
    c->plan_wanted = true;
}

void kube_lead(struct controller *c, const struct controller_event *e)
{
    const char *leader = e->kube_lead.leader ? e->kube_lead.leader : "";
    const char *problem = e->kube_lead.problem ? e->kube_lead.problem : "";

    (void)snprintf(c->kube.leader, sizeof(c->kube.leader), "%s", leader);
    if (*problem && strcmp(c->kube.no_lead, problem) != 0)
        core_event(c, true, "cluster", c->cluster->id, "LeaseProblem", "%s", problem);
    (void)snprintf(c->kube.no_lead, sizeof(c->kube.no_lead), "%s", problem);
    begin_or_end_term(c, e->kube_lead.leads, e->kube_lead.epoch);
}

/* As it was when it was taken in last, if it has a driver; but its mode. A driver that may be run
 * no more is asked all the same, and says so: whoever runs it looks whether it may be. */
static void give_back(struct controller *c, const struct manifest *left)
{
    const struct pool *p = named_find(&c->cluster->pools, left->meta.name);
    bool wakes = p && strcmp(pool_spec(p)->driver.type, "none") != 0;
    AUTO(manifest) struct manifest *m = manifest_copy(wakes ? p->revision->object : left);
    struct controller_event e = { .kind = CE_PUT };

    m->pool.mode = POOL_MODE_RELEASE;
    e.put.object = m;
    e.put.observed = true;
    e.put.who = "kubernetes";
    core_put(c, &e);
}

void kube_refused(struct controller *c, const struct controller_event *e)
{
    char kind[40];
    size_t n;

    (void)snprintf(kind, sizeof(kind), "%s", manifest_kind_name(e->kube_refused.kind));
    for (n = 0; kind[n]; n++)
        kind[n] = (char)(kind[n] >= 'A' && kind[n] <= 'Z' ? kind[n] - 'A' + 'a' : kind[n]);
    if (e->kube_refused.release)
        give_back(c, e->kube_refused.release);
    kube_confirm(c, e->kube_refused.kind, e->kube_refused.name); /* what it was before holds */
    core_event(c, true, kind, e->kube_refused.name, "ObjectRefused", "%s: %s",
               e->kube_refused.release ? "its nodes are given back all the same"
                                       : "what it was before holds, if anything",
               e->kube_refused.why);
}

const char *kube_unseen(const struct controller *c)
{
    if (!c->options.kubernetes)
        return NULL;
    if (c->kube.trouble[0])
        return c->kube.trouble;
    return c->kube.synced ? NULL : "Kubernetes has not told all yet";
}
