/* Drivers of nodes: those of volumes that have registered with a node's kubelet (CSINode), and
 * those that offer devices of it to claims (ResourceSlice). What was there when a node fell asleep
 * stands in its NodePower, and is waited for when it wakes.
 *
 * A kubelet takes slices back when it starts, and its plugins publish them anew. A CSINode outlives
 * a boot: that a driver stands in it says little then, that it does not says that the Node was made
 * anew, or the driver taken off. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/kubernetes/view_private.h"
#include "controller/substrate/kube_cluster_private.h"
#include "proto/base/array.h"

#define NAME_MOST 63

struct kube_seen_drivers { /* of a node */
    char *node;
    struct string_list csi, slices; /* names; of slices one for each slice */
};

struct kube_seen_slice {
    char *name, *node, *driver;
};

void kube_drivers_free(struct kube_seen_drivers *d)
{
    string_list_done(&d->csi);
    string_list_done(&d->slices);
    free(d->node);
    free(d);
}

void kube_slice_free(struct kube_seen_slice *s)
{
    free(s->driver);
    free(s->node);
    free(s->name);
    free(s);
}

static struct kube_seen_drivers *drivers_of(struct kube_cluster *k, const char *node)
{
    struct kube_seen_drivers *d = named_find(&k->drivers, node);

    if (d)
        return d;
    d = xcalloc(1, sizeof(*d));
    d->node = xstrdup(node);
    named_add(&k->drivers, d);
    return d;
}

static void forget_if_none(struct kube_cluster *k, struct kube_seen_drivers *d)
{
    if (d->csi.n > 0 || d->slices.n > 0)
        return;
    named_remove(&k->drivers, d->node);
    kube_drivers_free(d);
}

/* As the API has it; a NodePower takes no longer one. */
static bool is_name(const char *driver)
{
    return *driver && strlen(driver) <= NAME_MOST;
}

static size_t count(const struct string_list *l, const char *name)
{
    size_t n = 0;

    for (size_t i = 0; i < l->n; i++)
        n += strcmp(l->item[i], name) == 0;
    return n;
}

static void take_one_off(struct string_list *l, const char *name)
{
    for (size_t i = 0; i < l->n; i++) {
        if (strcmp(l->item[i], name) != 0)
            continue;
        free(l->item[i]);
        l->item[i] = l->item[--l->n];
        return;
    }
}

/* --- CSINodes -----------------------------------------------------------------------------------
 */

void kube_csi_put(struct kube_cluster *k, const json_t *object)
{
    const char *node = view_word(object, "metadata.name");
    struct kube_seen_drivers *d;
    const json_t *one;
    size_t i;

    if (!*node)
        return;
    kube_csi_drop(k, node);
    d = drivers_of(k, node);
    json_array_foreach((json_t *)(uintptr_t)view_at(object, "spec.drivers"), i, one) {
        if (is_name(view_word(one, "name")) && d->csi.n < KUBE_DRIVERS_MOST)
            kube_list_add(&d->csi, view_word(one, "name"));
    }
    forget_if_none(k, d);
}

void kube_csi_drop(struct kube_cluster *k, const char *node)
{
    struct kube_seen_drivers *d = named_find(&k->drivers, node);

    if (!d)
        return;
    string_list_done(&d->csi);
    d->csi = (struct string_list){ 0 };
    forget_if_none(k, d);
}

/* --- ResourceSlices -----------------------------------------------------------------------------
 */

/* One of no single node is none of a node's that wakes. */
void kube_slice_put(struct kube_cluster *k, const json_t *object)
{
    const char *name = view_word(object, "metadata.name"),
               *node = view_word(object, "spec.nodeName");
    const char *driver = view_word(object, "spec.driver");
    struct kube_seen_slice *s;

    if (*name)
        kube_slice_drop(k, name);
    if (!*name || !*node || !is_name(driver))
        return;
    s = xcalloc(1, sizeof(*s));
    *s = (struct kube_seen_slice){ xstrdup(name), xstrdup(node), xstrdup(driver) };
    named_add(&k->slices, s);
    kube_list_add(&drivers_of(k, node)->slices, driver);
}

void kube_slice_drop(struct kube_cluster *k, const char *name)
{
    struct kube_seen_slice *s = named_find(&k->slices, name);
    struct kube_seen_drivers *d = s ? named_find(&k->drivers, s->node) : NULL;

    if (!s)
        return;
    if (d) {
        take_one_off(&d->slices, s->driver);
        forget_if_none(k, d);
    }
    named_remove(&k->slices, name);
    kube_slice_free(s);
}

/* --- what was there before ----------------------------------------------------------------------
 */

/* Adds what a NodePower says of one driver: the word in `key`, as often as it says. */
static void read_before(struct string_list *l, const json_t *list, bool counted)
{
    const json_t *one;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)list, i, one) {
        int64_t n = counted ? view_integer(one, "slices", 1) : 1;

        for (; n > 0 && l->n < KUBE_SLICES_MOST; n--)
            kube_list_add(l, view_word(one, "name"));
    }
}

void kube_drivers_before(const json_t *pre_sleep, struct string_list *ret_csi,
                         struct string_list *ret_slices)
{
    read_before(ret_csi, view_at(pre_sleep, "csiDrivers"), false);
    read_before(ret_slices, view_at(pre_sleep, "resourceDrivers"), true);
}

json_t *kube_cluster_drivers(const struct kube_cluster *k, const char *node)
{
    const struct kube_seen_drivers *d = named_find(&k->drivers, node);
    json_t *csi = json_array(), *slices = json_array();
    size_t counted = 0;

    for (size_t i = 0; d && i < d->csi.n; i++)
        json_array_append_new(csi, json_pack("{s:s}", "name", d->csi.item[i]));
    for (size_t i = 0; d && i < d->slices.n && json_array_size(slices) < KUBE_DRIVERS_MOST; i++) {
        const char *name = d->slices.item[i];
        const struct string_list before = { .item = d->slices.item, .n = i };
        size_t n = count(&d->slices, name);

        if (count(&before, name) > 0 || counted + n > KUBE_SLICES_MOST)
            continue;
        counted += n;
        json_array_append_new(slices,
                              json_pack("{s:s, s:I}", "name", name, "slices", (json_int_t)n));
    }
    return json_pack("{s:o, s:o}", "csiDrivers", csi, "resourceDrivers", slices);
}

/* Which of them is there less often; NULL: none. */
static const char *missing_of(const struct string_list *before, const struct string_list *now)
{
    for (size_t i = 0; i < before->n; i++)
        if (!now || count(now, before->item[i]) < count(before, before->item[i]))
            return before->item[i];
    return NULL;
}

bool kube_drivers_lack(const struct kube_cluster *k, const struct kube_seen_power *p,
                       char why[KUBE_WHY_MAX])
{
    const struct kube_seen_drivers *d = named_find(&k->drivers, p->name);
    const char *csi =
        k->blind[KUBE_KIND_CSI_NODES] ? NULL : missing_of(&p->csi, d ? &d->csi : NULL);
    const char *slice =
        k->blind[KUBE_KIND_RESOURCE_SLICES] ? NULL : missing_of(&p->slices, d ? &d->slices : NULL);

    if (csi)
        (void)snprintf(why, KUBE_WHY_MAX, "its CSI driver %.100s has not registered (CSINode)",
                       csi);
    else if (slice)
        (void)snprintf(why, KUBE_WHY_MAX,
                       "driver %.100s offers fewer of its devices than before it slept (%zu of %zu "
                       "ResourceSlices)",
                       slice, d ? count(&d->slices, slice) : 0, count(&p->slices, slice));
    return csi || slice;
}
