/* A node's inventory: copies of what its agent reported. */
#include <stdlib.h>
#include <string.h>

#include "controller/state/cluster.h"
#include "proto/base/array.h"

static void list_done(struct string_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->item[i]);
    free(l->item);
    *l = (struct string_list){ 0 };
}

static void list_set(struct string_list *l, const char *const *items, size_t n)
{
    l->item = n ? xcalloc(n, sizeof(*l->item)) : NULL;
    l->n = n;
    for (size_t i = 0; i < n; i++)
        l->item[i] = xstrdup(items[i]);
}

void inventory_done(struct inventory *i)
{
    for (uint32_t g = 0; g < i->n_gpus; g++)
        free((char *)i->gpus[g].model);
    free(i->gpus);
    free(i->address);
    free(i->architecture);
    free(i->kernel);
    free(i->virtualization);
    free(i->power_model);
    free(i->version);
    free(i->product_uuid);
    free(i->machine_id);
    free(i->host_node);
    list_done(&i->runtimes);
    list_done(&i->macs);
    for (size_t k = 0; k < i->labels.n; k++) {
        free(i->labels.pair[k].key);
        free(i->labels.pair[k].value);
    }
    free(i->labels.pair);
    *i = (struct inventory){ 0 };
}

static int64_t bounded(uint64_t value)
{
    return value > INT64_MAX / 2 ? INT64_MAX / 2 : (int64_t)value;
}

static void set_texts(struct inventory *i, const struct wire_inventory *w)
{
    i->address = xstrdup(w->address);
    i->architecture = xstrdup(w->architecture);
    i->kernel = xstrdup(w->kernel);
    i->virtualization = xstrdup(w->virtualization);
    i->power_model = xstrdup(w->power_model);
    i->version = xstrdup(w->version);
    i->product_uuid = xstrdup(w->product_uuid);
    i->machine_id = xstrdup(w->machine_id);
    i->host_node = xstrdup(w->host_node);
}

void inventory_identify(struct inventory *i)
{
    i->identity = machine_identity_of((const char *const *)i->macs.item, i->macs.n, i->machine_id,
                                      i->product_uuid);
}

void inventory_set(struct inventory *i, const struct wire_inventory *w)
{
    inventory_done(i);
    i->known = true;
    i->cpus = w->cpus;
    i->cpu_milli = bounded(w->cpu_milli);
    i->memory_bytes = bounded(w->memory_bytes);
    i->allow_sleep = w->allow_sleep;
    i->allow_commands = w->allow_commands;
    set_texts(i, w);
    i->n_gpus = (uint32_t)(w->n_gpus > SNAP_GPUS ? SNAP_GPUS : w->n_gpus);
    i->gpus = i->n_gpus ? xcalloc(i->n_gpus, sizeof(*i->gpus)) : NULL;
    for (uint32_t g = 0; g < i->n_gpus; g++)
        i->gpus[g] = (struct snap_gpu){ xstrdup(w->gpus[g].model), w->gpus[g].memory_bytes };
    list_set(&i->runtimes, w->runtimes, w->n_runtimes);
    list_set(&i->macs, w->macs, w->n_macs);
    inventory_identify(i);
    i->labels.n = w->n_labels;
    i->labels.pair = w->n_labels ? xcalloc(w->n_labels, sizeof(*i->labels.pair)) : NULL;
    for (size_t k = 0; k < w->n_labels; k++) {
        i->labels.pair[k].key = xstrdup(w->labels[k].key);
        i->labels.pair[k].value = xstrdup(w->labels[k].value);
    }
}
