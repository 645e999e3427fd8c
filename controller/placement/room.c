/* Counting what is free. A device that is shared by parts never serves a whole one. */
#include "controller/placement/room.h"

#include <string.h>

#define WHOLE 1000

static uint32_t devices_wanted(const struct served_model *spec)
{
    return (uint32_t)((spec->resources.gpu_milli + WHOLE - 1) / WHOLE);
}

static int64_t milli_of_one(const struct served_model *spec)
{
    return spec->resources.gpu_milli < WHOLE ? spec->resources.gpu_milli : WHOLE;
}

int64_t room_device_bytes(const struct served_model *spec, const struct snap_gpu *g)
{
    if (spec->resources.gpu_memory_bytes >= 0)
        return spec->resources.gpu_memory_bytes;
    return (int64_t)(g->memory_bytes / WHOLE) * milli_of_one(spec);
}

static bool model_allowed(const struct served_model *spec, const char *model)
{
    if (spec->resources.gpu_models.n == 0)
        return true;
    for (size_t i = 0; i < spec->resources.gpu_models.n; i++)
        if (strcmp(spec->resources.gpu_models.item[i], model) == 0)
            return true;
    return false;
}

static inline bool device_fits(const struct room *r, const struct snap_node *n,
                               const struct served_model *spec, uint32_t g)
{
    return r->gpus[g].milli >= milli_of_one(spec) &&
           r->gpus[g].memory_bytes >= room_device_bytes(spec, &n->gpus[g]) &&
           model_allowed(spec, n->gpus[g].model);
}

bool room_device_fits(const struct room *r, const struct snap_node *n,
                      const struct served_model *spec, uint32_t g)
{
    return device_fits(r, n, spec, g);
}

/* The first ones that fit. */
static bool pick_whole(const struct room *r, const struct snap_node *n,
                       const struct served_model *spec, uint64_t *ret_mask)
{
    uint32_t left = devices_wanted(spec);

    for (uint32_t g = 0; g < n->n_gpus && g < SNAP_GPUS && left > 0; g++)
        if (device_fits(r, n, spec, g)) {
            *ret_mask |= (uint64_t)1 << g;
            left--;
        }
    if (left > 0)
        *ret_mask = 0;
    return left == 0;
}

/* The fullest one that fits. */
static bool pick_part(const struct room *r, const struct snap_node *n,
                      const struct served_model *spec, uint64_t *ret_mask)
{
    uint32_t best = NO_INDEX;

    for (uint32_t g = 0; g < n->n_gpus && g < SNAP_GPUS; g++)
        if (device_fits(r, n, spec, g) &&
            (best == NO_INDEX || r->gpus[g].milli < r->gpus[best].milli))
            best = g;
    *ret_mask = best == NO_INDEX ? 0 : (uint64_t)1 << best;
    return best != NO_INDEX;
}

bool room_fits(const struct room *r, const struct snap_node *n, const struct served_model *spec,
               uint64_t *ret_mask)
{
    *ret_mask = 0;
    if (spec->resources.cpu_milli > r->cpu_milli || spec->resources.memory_bytes > r->memory_bytes)
        return false;
    if (spec->resources.gpu_milli <= 0)
        return true;
    return spec->resources.gpu_milli < WHOLE ? pick_part(r, n, spec, ret_mask)
                                             : pick_whole(r, n, spec, ret_mask);
}

static void change_devices(struct room *r, const struct snap_node *n,
                           const struct served_model *spec, uint64_t mask, int64_t sign)
{
    for (; mask; mask &= mask - 1) {
        uint32_t g = (uint32_t)__builtin_ctzll(mask);

        if (g >= n->n_gpus)
            return;
        r->gpus[g].milli += sign * milli_of_one(spec);
        r->gpus[g].memory_bytes += sign * room_device_bytes(spec, &n->gpus[g]);
    }
}

static void change(struct room *r, const struct snap_node *n, const struct served_model *spec,
                   uint64_t mask, int64_t sign)
{
    r->cpu_milli += sign * spec->resources.cpu_milli;
    r->memory_bytes += sign * spec->resources.memory_bytes;
    change_devices(r, n, spec, mask, sign);
}

void room_init(struct room *r, const struct snap_node *n, struct room_gpu *gpus)
{
    *r = (struct room){ n->cpu_milli, n->memory_bytes, gpus };
    for (uint32_t g = 0; g < n->n_gpus; g++)
        gpus[g] = (struct room_gpu){ WHOLE, (int64_t)n->gpus[g].memory_bytes };
    for (uint32_t i = 0; i < n->n_held; i++)
        change_devices(r, n, n->held[i].spec, n->held[i].gpu_mask, -1);
}

void room_take(struct room *r, const struct snap_node *n, const struct served_model *spec,
               uint64_t mask)
{
    change(r, n, spec, mask, -1);
}

void room_give(struct room *r, const struct snap_node *n, const struct served_model *spec,
               uint64_t mask)
{
    change(r, n, spec, mask, 1);
}
