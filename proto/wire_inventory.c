/* The inventory of a Report, what a node is: plain struct <-> generated. */
#include "proto/base/array.h"
#include "proto/wire_private.h"

int wire_inventory_check(const struct wire_inventory *v, struct err *e)
{
    const struct {
        const char *text, *field;
    } NAMES[] = {
        { v->machine_id, "machine_id" },
        { v->product_uuid, "product_uuid" },
        { v->virtualization, "virtualization" },
        { v->host_node, "host_node" },
        { v->architecture, "architecture" },
        { v->kernel, "kernel" },
        { v->power_model, "power_model" },
        { v->address, "address" },
        { v->version, "version" },
    };
    int r;

    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++) {
        if ((r = check_name(NAMES[i].text, NAMES[i].field, e)) < 0)
            return r;
    }
    if ((r = check_count(v->n_gpus, WIRE_GPUS_MAX, "gpus", e)) < 0 ||
        (r = check_names(v->runtimes, v->n_runtimes, "runtimes", e)) < 0 ||
        (r = check_pairs(v->labels, v->n_labels, "labels", e)) < 0 ||
        (r = check_names(v->macs, v->n_macs, "mac", e)) < 0 ||
        (r = check_range(v->cpu_milli, 100000000, "cpu_milli", e)) < 0)
        return r;
    for (size_t i = 0; i < v->n_gpus; i++) {
        if ((r = check_name(v->gpus[i].model, "model", e)) < 0 ||
            (r = check_name(v->gpus[i].uuid, "uuid", e)) < 0 ||
            (r = check_range(v->gpus[i].utilization_permille, 1000, "utilization_permille", e)) < 0)
            return check_below(e, r, "gpus[%zu]", i);
    }
    return 0;
}

/* --- plain -> generated --------------------------------------------------------------------------
 */

static bool put_inventory_lists(struct arena *a, const struct wire_inventory *v,
                                Huddle__V1__Inventory *o)
{
    if (!NEW_LIST(a, Huddle__V1__Gpu, HUDDLE__V1__GPU__INIT, v->n_gpus, o->gpus) ||
        !NEW_LIST(a, Huddle__V1__Inventory__LabelsEntry, HUDDLE__V1__INVENTORY__LABELS_ENTRY__INIT,
                  v->n_labels, o->labels))
        return false;
    o->n_gpus = v->n_gpus;
    for (size_t i = 0; i < v->n_gpus; i++) {
        o->gpus[i]->model = lend(v->gpus[i].model);
        o->gpus[i]->uuid = lend(v->gpus[i].uuid);
        o->gpus[i]->memory_bytes = v->gpus[i].memory_bytes;
        o->gpus[i]->memory_used_bytes = v->gpus[i].memory_used_bytes;
        o->gpus[i]->utilization_permille = v->gpus[i].utilization_permille;
    }
    o->n_labels = v->n_labels;
    for (size_t i = 0; i < v->n_labels; i++) {
        o->labels[i]->key = lend(v->labels[i].key);
        o->labels[i]->value = lend(v->labels[i].value);
    }
    o->runtimes = (char **)(uintptr_t)v->runtimes;
    o->n_runtimes = v->n_runtimes;
    o->mac = (char **)(uintptr_t)v->macs;
    o->n_mac = v->n_macs;
    return true;
}

bool wire_inventory_put(struct arena *a, const struct wire_inventory *v, Huddle__V1__Report *out)
{
    Huddle__V1__Inventory *o;

    if (!v)
        return true;
    o = out->inventory = arena_alloc(a, sizeof(*o));
    if (!o)
        return false;
    *o = (Huddle__V1__Inventory)HUDDLE__V1__INVENTORY__INIT;
    o->cpus = v->cpus;
    o->cpu_milli = v->cpu_milli;
    o->memory_bytes = v->memory_bytes;
    o->machine_id = lend(v->machine_id);
    o->product_uuid = lend(v->product_uuid);
    o->virtualization = lend(v->virtualization);
    o->host_node = lend(v->host_node);
    o->architecture = lend(v->architecture);
    o->kernel = lend(v->kernel);
    o->power_model = lend(v->power_model);
    o->allow_sleep = v->allow_sleep;
    o->allow_commands = v->allow_commands;
    o->address = lend(v->address);
    o->version = lend(v->version);
    return put_inventory_lists(a, v, o);
}

/* --- generated -> plain --------------------------------------------------------------------------
 */

static bool take_inventory_lists(struct arena *a, const Huddle__V1__Inventory *in,
                                 struct wire_inventory *v)
{
    v->gpus = arena_array(a, in->n_gpus, sizeof(*v->gpus));
    v->labels = arena_array(a, in->n_labels, sizeof(*v->labels));
    if (!v->gpus || !v->labels)
        return false;
    v->n_gpus = in->n_gpus;
    for (size_t i = 0; i < in->n_gpus; i++) {
        v->gpus[i] = (struct wire_gpu){
            .model = in->gpus[i]->model,
            .uuid = in->gpus[i]->uuid,
            .memory_bytes = in->gpus[i]->memory_bytes,
            .memory_used_bytes = in->gpus[i]->memory_used_bytes,
            .utilization_permille = in->gpus[i]->utilization_permille,
        };
    }
    v->n_labels = in->n_labels;
    for (size_t i = 0; i < in->n_labels; i++)
        v->labels[i] = (struct wire_pair){ in->labels[i]->key, in->labels[i]->value };
    v->runtimes = (const char **)in->runtimes;
    v->n_runtimes = in->n_runtimes;
    v->macs = (const char **)in->mac;
    v->n_macs = in->n_mac;
    return true;
}

bool wire_inventory_take(struct arena *a, const Huddle__V1__Inventory *in, struct wire_report *p)
{
    struct wire_inventory *v;

    if (!in)
        return true;
    v = arena_array(a, 1, sizeof(*v));
    if (!v)
        return false;
    p->inventory = v;
    *v = (struct wire_inventory){
        .cpus = in->cpus,
        .cpu_milli = in->cpu_milli,
        .memory_bytes = in->memory_bytes,
        .machine_id = in->machine_id,
        .product_uuid = in->product_uuid,
        .virtualization = in->virtualization,
        .host_node = in->host_node,
        .architecture = in->architecture,
        .kernel = in->kernel,
        .power_model = in->power_model,
        .address = in->address,
        .version = in->version,
        .allow_sleep = in->allow_sleep,
        .allow_commands = in->allow_commands,
    };
    return take_inventory_lists(a, in, v);
}
