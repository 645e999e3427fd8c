#include "controller/state/kube_node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"

/* A text that stays is not replaced: the node may point to it. */
static bool set_text(char **at, const char *text)
{
    if (*at ? strcmp(*at, text) == 0 : !*text)
        return false;
    free(*at);
    *at = *text ? xstrdup(text) : NULL;
    return true;
}

static void copy_labels(struct string_map *to, const struct string_map *from)
{
    string_map_done(to);
    *to = (struct string_map){ .n = from->n };
    to->pair = from->n ? xcalloc(from->n, sizeof(*to->pair)) : NULL;
    for (size_t i = 0; i < from->n; i++)
        to->pair[i] =
            (struct string_pair){ xstrdup(from->pair[i].key), xstrdup(from->pair[i].value) };
}

static bool same_labels(const struct string_map *a, const struct string_map *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->pair[i].key, b->pair[i].key) != 0 ||
            strcmp(a->pair[i].value, b->pair[i].value) != 0)
            return false;
    return true;
}

static void set_gpus(struct inventory *v, uint32_t n, const char *model, uint64_t memory_bytes)
{
    for (uint32_t g = 0; g < v->n_gpus; g++)
        free((char *)v->gpus[g].model);
    free(v->gpus);
    v->n_gpus = n < SNAP_GPUS ? n : SNAP_GPUS;
    v->gpus = v->n_gpus ? xcalloc(v->n_gpus, sizeof(*v->gpus)) : NULL;
    for (uint32_t g = 0; g < v->n_gpus; g++)
        v->gpus[g] = (struct snap_gpu){ xstrdup(model), memory_bytes };
}

static bool same_gpus(const struct inventory *v, const struct kube_node_facts *f)
{
    uint32_t n = f->gpus < SNAP_GPUS ? f->gpus : SNAP_GPUS;

    return v->n_gpus == n && (n == 0 || (strcmp(v->gpus[0].model, f->gpu_model) == 0 &&
                                         v->gpus[0].memory_bytes == f->gpu_memory_bytes));
}

static bool take_inventory(struct inventory *v, const struct kube_node_facts *f)
{
    const char *address = v->address ? v->address : "";
    bool changed = !v->known || v->cpu_milli != f->cpu_milli ||
                   v->memory_bytes != f->memory_bytes || !same_gpus(v, f) ||
                   !same_labels(&v->labels, f->labels) || strcmp(address, f->address) != 0;

    if (!changed)
        return false;
    v->known = true;
    v->cpu_milli = f->cpu_milli;
    v->cpus = (uint32_t)((f->cpu_milli + 999) / 1000);
    v->memory_bytes = f->memory_bytes;
    set_gpus(v, f->gpus, f->gpu_model, f->gpu_memory_bytes);
    copy_labels(&v->labels, f->labels);
    free(v->address);
    v->address = xstrdup(f->address);
    return true;
}

void node_kube_restore(struct cluster *c, struct node *n)
{
    const struct inventory *is = &n->kube.is;
    struct inventory *v = &n->inventory;

    if (!n->kube.known)
        return;
    v->known = true;
    v->cpu_milli = is->cpu_milli;
    v->memory_bytes = is->memory_bytes;
    if (v->cpus == 0)
        v->cpus = is->cpus;
    set_gpus(v, is->n_gpus, is->n_gpus ? is->gpus[0].model : "",
             is->n_gpus ? is->gpus[0].memory_bytes : 0);
    copy_labels(&v->labels, &is->labels);
    free(v->address);
    v->address = xstrdup(is->address);
    node_bind_pool(c, n);
}

static bool set_short(char *at, size_t size, const char *text)
{
    if (strncmp(at, text, size - 1) == 0)
        return false;
    (void)snprintf(at, size, "%s", text);
    return true;
}

static void take_daemons(struct node_kube *k, const struct kube_node_facts *f, bool booted,
                         int64_t now_ms)
{
    if (!f->ready || !f->lacks_daemon)
        k->late_ms = 0;
    else if (k->late_ms == 0 || booted)
        k->late_ms = now_ms;
}

/* How far it is closed, and who is left there. */
static bool take_closing(struct node_kube *k, const struct kube_node_facts *f, int64_t now_ms)
{
    bool changed = k->stage != (int)f->stage || k->left != f->left, booted;

    changed |= set_text(&k->first_left, f->first_left ? f->first_left : "");
    changed |= set_text(&k->lacks, f->lacks ? f->lacks : "");
    changed |= set_text(&k->pending, f->pending ? f->pending : "");
    booted = set_short(k->boot_id, sizeof(k->boot_id), f->boot_id ? f->boot_id : "");
    take_daemons(k, f, booted, now_ms);
    changed |= booted;
    changed |= set_short(k->beat, sizeof(k->beat), f->beat ? f->beat : "");
    changed |= k->told_asleep != f->told_asleep;
    k->told_asleep = f->told_asleep;
    k->stage = (int)f->stage;
    k->left = f->left;
    if (k->left > 0 || k->stage < KUBE_STAGE_DRAINING)
        k->empty_ms = 0;
    else if (k->empty_ms == 0)
        k->empty_ms = now_ms;
    return changed;
}

bool node_kube_take(struct cluster *c, struct node *n, const struct kube_node_facts *f,
                    int64_t now_ms)
{
    struct node_kube *k = &n->kube;
    bool was_known = k->known, changed = take_inventory(&k->is, f);
    bool closed = set_text(&k->closed, f->closed), stays = set_text(&k->stays, f->stays);
    bool guest = set_text(&k->guest, f->guest ? f->guest : "");

    if (take_closing(k, f, now_ms) || closed || stays || guest) {
        n->why_not_asleep =
            NULL; /* it may have been one of these texts: reconcile_node() says anew */
        changed = true;
    }
    changed |= k->deleted != f->deleted;
    k->deleted = f->deleted;
    if (!was_known || k->ready != f->ready) {
        changed = true;
        k->unready_ms = now_ms;
    }
    if (k->held_cpu_milli != f->held_cpu_milli || k->held_memory_bytes != f->held_memory_bytes)
        changed = true;
    k->known = true;
    k->ready = f->ready;
    k->held_cpu_milli = f->held_cpu_milli;
    k->held_memory_bytes = f->held_memory_bytes;
    (void)snprintf(n->uid, sizeof(n->uid), "%.79s", f->uid);
    if (changed) {
        node_kube_restore(c, n);
        node_touch(c, n);
    }
    return changed;
}
