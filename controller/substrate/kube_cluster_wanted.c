/* Nodes that huddle has closed: what one lacks that it had before it slept. And the NodePowers,
 * which say so. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/kubernetes/view_private.h"
#include "controller/state/snapshot.h"
#include "controller/substrate/kube_cluster_private.h"
#include "controller/substrate/kube_power_object.h"
#include "controller/substrate/kube_stage.h"
#include "proto/base/array.h"
#include "proto/base/random.h"

static struct kube_seen_node *node_at(const struct kube_cluster *k, size_t i)
{
    return (struct kube_seen_node *)(void *)k->nodes.items[i];
}

static const struct kube_seen_pod *pod_at(const struct kube_cluster *k, size_t i)
{
    return (const struct kube_seen_pod *)(const void *)k->pods.items[i];
}

/* --- NodePowers ---------------------------------------------------------------------------------
 */

void kube_power_free(struct kube_seen_power *p)
{
    amounts_done(&p->allocatable);
    string_list_done(&p->csi);
    string_list_done(&p->slices);
    free(p->phase);
    free(p->record);
    json_decref(p->node);
    free(p->name);
    free(p);
}

bool kube_power_keeps(const struct kube_cluster *k, const char *name)
{
    const struct kube_seen_power *p = named_find(&k->powers, name);

    return p && p->node && kube_power_is_off(p->phase);
}

/* Closed, and not ready. The label and taint are not in what was noted before. */
static json_t *as_node(const char *name, const json_t *before)
{
    json_t *labels = json_copy((json_t *)(uintptr_t)view_at(before, "labels"));
    json_t *taints = json_copy((json_t *)(uintptr_t)view_at(before, "taints"));
    json_t *allocatable = (json_t *)(uintptr_t)view_at(before, "allocatable");

    if (!json_is_object(labels) || !json_is_object(allocatable)) {
        json_decref(labels);
        json_decref(taints);
        return NULL;
    }
    if (!json_is_array(taints)) {
        json_decref(taints);
        taints = json_array();
    }
    json_object_set_new(labels, KUBE_LABEL_ASLEEP, json_string(KUBE_LABEL_ASLEEP_VALUE));
    json_array_append_new(taints,
                          json_pack("{s:s, s:s}", "key", KUBE_TAINT_ASLEEP, "effect", "NoExecute"));
    return json_pack("{s:{s:s, s:o}, s:{s:o}, s:{s:O, s:{s:s}}}", "metadata", "name", name,
                     "labels", labels, "spec", "taints", taints, "status", "allocatable",
                     allocatable, "nodeInfo", "bootID", view_word(before, "bootID"));
}

/* Its Node may have been deleted, also before this controller started. */
static void keep_node(struct kube_cluster *k, const struct kube_seen_power *p)
{
    const struct kube_seen_node *n = named_find(&k->nodes, p->name);
    bool keeps = kube_power_keeps(k, p->name);

    if (!n && keeps)
        kube_put_deleted(k, p);
    else if (n && n->deleted && !keeps)
        kube_drop_node(k, p->name);
}

void kube_power_put(struct kube_cluster *k, const json_t *object)
{
    const char *name = view_word(object, "metadata.name");
    struct kube_seen_power *p = named_find(&k->powers, name);

    if (!*name)
        return;
    if (!p) {
        p = xcalloc(1, sizeof(*p));
        p->name = xstrdup(name);
        named_add(&k->powers, p);
    }
    free(p->phase);
    free(p->record);
    amounts_done(&p->allocatable);
    string_list_done(&p->csi);
    string_list_done(&p->slices);
    p->csi = p->slices = (struct string_list){ 0 };
    kube_drivers_before(view_at(object, "status.preSleep"), &p->csi, &p->slices);
    p->epoch = (uint64_t)view_integer(object, "status.leaderEpoch", 0);
    p->phase = view_copy(object, "status.phase");
    p->record = view_copy(object, "status.record");
    amounts_read(&p->allocatable, view_at(object, "status.preSleep.allocatable"));
    json_decref(p->node);
    p->node = as_node(name, view_at(object, "status.preSleep"));
}

void kube_power_drop(struct kube_cluster *k, const char *name)
{
    struct kube_seen_power *p = named_find(&k->powers, name);
    const struct kube_seen_node *n = named_find(&k->nodes, name);

    if (!p)
        return;
    if (n && n->deleted) /* a person wants it forgotten */
        kube_drop_node(k, name);
    if (p->told)
        kube_list_add(&k->gone_powers, name);
    named_remove(&k->powers, name);
    kube_power_free(p);
}

void kube_power_untell(struct kube_cluster *k, const char *name)
{
    struct kube_seen_power *p = named_find(&k->powers, name);

    if (p)
        p->told = 0;
}

bool kube_power_stands(const struct kube_cluster *k, const char *name)
{
    static const enum node_state NO[] = { NODE_UNMANAGED, NODE_AWAKE, NODE_UNREACHABLE };
    const struct kube_seen_power *p = named_find(&k->powers, name);

    for (size_t i = 0; p && i < ARRAY_LEN(NO); i++)
        if (strcmp(p->phase, node_state_name(NO[i])) == 0)
            return false;
    return p && *p->phase;
}

void kube_power_keep(struct kube_cluster *k)
{
    for (size_t i = 0; i < k->powers.n_items; i++)
        keep_node(k, (const struct kube_seen_power *)(void *)k->powers.items[i]);
}

void kube_power_tell(struct kube_cluster *k, const struct kube_sink *sink)
{
    for (size_t i = 0; i < k->gone_powers.n; i++)
        sink->power(sink->data, &(struct kube_power_facts){
                                    .node = k->gone_powers.item[i], .gone = true, .record = "" });
    string_list_done(&k->gone_powers);
    k->gone_powers = (struct string_list){ 0 };
    for (size_t i = 0; i < k->powers.n_items; i++) {
        struct kube_seen_power *p = (struct kube_seen_power *)(void *)k->powers.items[i];
        const struct kube_power_facts f = { .node = p->name,
                                            .epoch = p->epoch,
                                            .record = p->record };
        uint64_t digest = random_mix(p->epoch ^ random_hash(p->record)) | 1;

        if (digest == p->told || !named_find(&k->nodes, p->name)) /* its Node may come back */
            continue;
        p->told = digest;
        sink->power(sink->data, &f);
    }
}

/* --- what a node lacks --------------------------------------------------------------------------
 */

/* A kubelet has no devices until their plugin has registered, some time after the boot. */
static void look_for_resources(const struct kube_cluster *k, struct kube_seen_node *n)
{
    const struct kube_seen_power *p = named_find(&k->powers, n->name);

    n->lacks[0] = '\0';
    n->lacks_daemon = false;
    if (!p || kube_stage_of(&n->view) != KUBE_STAGE_CLOSED)
        return;
    ARRAY_FOREACH(a, &p->allocatable, item) {
        int64_t is = amounts_get(&n->view.allocatable, a->name);

        if (!strchr(a->name, '/') || is >= a->milli) /* memory differs from boot to boot */
            continue;
        (void)snprintf(n->lacks, sizeof(n->lacks),
                       "of %.100s it has less than before it slept (%lld of %lld)", a->name,
                       (long long)(is / 1000), (long long)(a->milli / 1000));
        return;
    }
    /* Pods of DaemonSets bring them: as these they are waited for, and not for ever. */
    n->lacks_daemon = n->view.ready && kube_drivers_lack(k, p, n->lacks);
}

void kube_find_lacks(struct kube_cluster *k)
{
    for (size_t i = 0; i < k->nodes.n_items; i++)
        look_for_resources(k, node_at(k, i));
    for (size_t i = 0; i < k->pods.n_items; i++) {
        const struct view_pod *p = &pod_at(k, i)->view;
        struct kube_seen_node *n;

        if (pod_at(k, i)->unknown || !view_is_daemon(p) || p->ready || p->meta.deleting ||
            view_is_finished(p) || !*p->node)
            continue;
        n = named_find(&k->nodes, p->node);
        if (!n || n->lacks[0])
            continue;
        n->lacks_daemon = true;
        (void)snprintf(n->lacks, sizeof(n->lacks),
                       "its daemon %.90s/%.90s (%.20s %.60s) is not ready", p->meta.namespace,
                       p->meta.name, p->meta.owner.kind, p->meta.owner.name);
    }
}
