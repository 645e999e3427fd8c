/* GPUs through NVML: see gpu.h. */
#include "agent/sensor/gpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/sensor/nvml.h"
#include "proto/base/array.h"

#define GPUS_MAX 256u          /* as WIRE_GPUS_MAX */
#define LOOK_AGAIN_EVERY 60u   /* reads between two attempts to find what is lost */
#define INTEGRATE_MAX_MS 60000 /* between two reads of power; longer may hold a suspend */
#define DEFAULT_POWER_UW 2000000000u

struct gpu {
    char name[16]; /* "gpu-0", by its place when it was first seen */
    char model[96], uuid[64];
    nvml_device device; /* NULL: lost */
    int result;         /* why it is lost */
    uint64_t max_power_uw;
    bool has_counter, has_power;

    /* The integral of power, where there is no counter. */
    bool seen;
    int64_t last_ms;
    unsigned last_mw;
    uint64_t half_uj;
};

struct gpus {
    struct nvml nvml;
    struct err error; /* why there is no GPU to be seen, if it should not be so */
    bool started;     /* nvml.init() succeeded */
    unsigned reads;
    struct gpu *gpus; /* in the order in which they first appeared; none is ever removed */
    size_t n_gpus, cap_gpus;
};

static void make_printable(char *text)
{
    for (; *text; text++) {
        if (*text < ' ' || *text > '~')
            *text = '?';
    }
}

static struct gpu *find(struct gpus *g, const char *uuid)
{
    ARRAY_FOREACH(gpu, g, gpus) {
        if (strcmp(gpu->uuid, uuid) == 0)
            return gpu;
    }
    return NULL;
}

static uint64_t max_power_uw(const struct gpus *g, nvml_device device)
{
    unsigned least_mw, most_mw;

    if (!g->nvml.power_limits ||
        g->nvml.power_limits(device, &least_mw, &most_mw) != NVML_SUCCESS || most_mw == 0)
        return DEFAULT_POWER_UW;
    return 2000ull * most_mw; /* twice: it is a limit of averages, and counters move in steps */
}

/* The GPU of this index, if it is one that can be told apart. A handle that shows the UUID of
 * another, or of an instance, is a part of a GPU that is counted already. */
static void look_at(struct gpus *g, unsigned index)
{
    char uuid[NVML_TEXT_MAX], model[NVML_TEXT_MAX];
    unsigned long long mj;
    nvml_device device;
    struct gpu *gpu;
    unsigned mw;

    if (g->nvml.by_index(index, &device) != NVML_SUCCESS ||
        g->nvml.uuid(device, uuid, sizeof(uuid)) != NVML_SUCCESS)
        return; /* lost: those known already say so */
    uuid[sizeof(uuid) - 1] = '\0';
    make_printable(uuid);
    if (strlen(uuid) >= sizeof(gpu->uuid) || strncmp(uuid, "MIG-", 4) == 0)
        return;
    gpu = find(g, uuid);
    if (!gpu) {
        if (g->n_gpus == GPUS_MAX)
            return;
        gpu = ARRAY_ADD(g, gpus);
        (void)snprintf(gpu->name, sizeof(gpu->name), "gpu-%zu", g->n_gpus - 1);
        memcpy(gpu->uuid, uuid, strlen(uuid) + 1);
    }
    if (gpu->device)
        return;
    if (g->nvml.name(device, model, sizeof(model)) != NVML_SUCCESS)
        model[0] = '\0';
    model[sizeof(model) - 1] = '\0';
    make_printable(model);
    (void)snprintf(gpu->model, sizeof(gpu->model), "%s", model);
    gpu->device = device;
    gpu->max_power_uw = max_power_uw(g, device);
    gpu->has_counter = g->nvml.energy && g->nvml.energy(device, &mj) == NVML_SUCCESS;
    gpu->has_power = g->nvml.power && g->nvml.power(device, &mw) == NVML_SUCCESS;
}

static void stop(struct gpus *g)
{
    if (g->started)
        (void)g->nvml.shutdown();
    g->started = false;
    ARRAY_FOREACH(gpu, g, gpus)
        gpu->device = NULL;
}

static bool is_any_there(const struct gpus *g)
{
    ARRAY_FOREACH(gpu, g, gpus) {
        if (gpu->device)
            return true;
    }
    return false;
}

/* Finds what is there now. NVML lists GPUs only when it starts; but it is not started afresh while
 * one of them works, for a driver that nobody holds open may drop that one's counter. */
static void look(struct gpus *g)
{
    unsigned count = 0;
    int result = NVML_SUCCESS;

    if (!is_any_there(g)) {
        stop(g);
        result = g->nvml.init();
        g->started = result == NVML_SUCCESS;
    }
    if (result == NVML_SUCCESS)
        result = g->nvml.count(&count);
    g->error.text[0] = '\0';
    if (result != NVML_SUCCESS)
        (void)err_set(&g->error, 0, "GPUs: NVML: %.100s", nvml_text(&g->nvml, result));
    for (unsigned i = 0; result == NVML_SUCCESS && i < count && i < GPUS_MAX; i++)
        look_at(g, i);
}

struct gpus *gpus_new(const char *library)
{
    struct gpus *g = xcalloc(1, sizeof(*g));

    if (!library)
        library = NVML_LIBRARY;
    if (*library && nvml_open(library, &g->nvml, &g->error) < 0)
        (void)err_prefix(&g->error, 0, "GPUs");
    if (g->nvml.library)
        look(g);
    return g;
}

void gpus_free(struct gpus *g)
{
    if (!g)
        return;
    stop(g);
    nvml_close(&g->nvml);
    free(g->gpus);
    free(g);
}

/* --- reading ------------------------------------------------------------------------------------
 */

/* The mean of the power at both ends over the time between. A gap starts the integral anew: a
 * counter that fell is what the energy counter takes for a gap, and never for 0 joules. */
static void integrate(struct gpu *gpu, unsigned mw, int64_t now_ms)
{
    int64_t elapsed_ms = now_ms - gpu->last_ms;

    if (gpu->seen && elapsed_ms >= 0 && elapsed_ms <= INTEGRATE_MAX_MS)
        gpu->half_uj += ((uint64_t)gpu->last_mw + mw) * (uint64_t)elapsed_ms;
    else
        gpu->half_uj = 0;
    gpu->seen = true;
    gpu->last_ms = now_ms;
    gpu->last_mw = mw;
}

static int read_energy(struct gpus *g, struct gpu *gpu, int64_t now_ms, struct sample_zone *z)
{
    unsigned long long mj = 0;
    unsigned mw = 0;
    int result;

    if (gpu->has_counter) {
        result = g->nvml.energy(gpu->device, &mj);
        if (result == NVML_SUCCESS && mj > UINT64_MAX / 1000)
            return NVML_ERROR_NOT_SUPPORTED; /* 585 years at 1 kW: no counter */
        z->raw_uj = (uint64_t)mj * 1000;
        return result;
    }
    if (!gpu->has_power)
        return NVML_ERROR_NOT_SUPPORTED;
    result = g->nvml.power(gpu->device, &mw);
    if (result == NVML_SUCCESS)
        integrate(gpu, mw, now_ms);
    z->raw_uj = gpu->half_uj / 2;
    return result;
}

static bool is_unsupported(int result)
{
    return result == NVML_ERROR_NOT_SUPPORTED || result == NVML_ERROR_FUNCTION_NOT_FOUND;
}

/* Memory, and how busy it is. A GPU that shares the host's memory does not tell the one, one that
 * is divided into MIG instances not the other. */
static int read_use(struct gpus *g, const struct gpu *gpu, struct sample_gpu *s)
{
    struct nvml_utilization utilization = { 0 };
    struct nvml_memory memory = { 0 };
    int result = g->nvml.memory(gpu->device, &memory);

    if (result != NVML_SUCCESS && !is_unsupported(result))
        return result;
    s->memory_known = result == NVML_SUCCESS;
    s->memory_bytes = memory.total_bytes;
    s->memory_used_bytes = memory.used_bytes;
    result = g->nvml.utilization(gpu->device, &utilization);
    if (result != NVML_SUCCESS && !is_unsupported(result))
        return result;
    s->utilization_known = result == NVML_SUCCESS && utilization.gpu <= 100;
    s->utilization_permille = s->utilization_known ? utilization.gpu * 10 : 0;
    return NVML_SUCCESS;
}

static void lose(struct gpu *gpu, int result)
{
    gpu->device = NULL;
    gpu->result = result;
    gpu->seen = false;
}

static void tell(const struct gpus *g, const struct gpu *gpu, int result, struct sample_zone *z,
                 struct sample *out)
{
    char what[200];

    (void)snprintf(z->error, sizeof(z->error), "NVML: %.100s", nvml_text(&g->nvml, result));
    (void)snprintf(what, sizeof(what), "%s (%.40s, %.63s): %.80s", gpu->name, gpu->model, gpu->uuid,
                   z->error);
    sample_problem(out, what,
                   is_unsupported(result)
                       ? "it tells neither energy nor power: the node's total is without it"
                       : "look at the kernel log for \"NVRM: Xid\"; the GPU may need a reset");
}

static void read_gpu(struct gpus *g, struct gpu *gpu, struct sample *out)
{
    struct sample_zone *z = ARRAY_ADD(out, zones);
    struct sample_gpu *s = ARRAY_ADD(out, gpus);
    int result = gpu->result;

    (void)snprintf(z->name, sizeof(z->name), "%s", gpu->name);
    (void)snprintf(z->path, sizeof(z->path), "nvml:%s", gpu->uuid);
    z->kind = ZONE_GPU;
    z->counted = gpu->has_counter || gpu->has_power;
    z->provenance = gpu->has_counter ? PROVENANCE_MEASURED : PROVENANCE_ESTIMATED;
    z->max_power_uw = gpu->max_power_uw;
    (void)snprintf(s->model, sizeof(s->model), "%s", gpu->model);
    (void)snprintf(s->uuid, sizeof(s->uuid), "%s", gpu->uuid);
    if (gpu->device) {
        result = read_use(g, gpu, s);
        s->valid = result == NVML_SUCCESS;
    }
    if (s->valid)
        result = read_energy(g, gpu, out->boot_ms, z);
    z->valid = s->valid && result == NVML_SUCCESS;
    if (z->valid)
        return;
    tell(g, gpu, result, z, out);
    if (gpu->device && !is_unsupported(result)) {
        s->valid = false;
        lose(gpu, result);
    }
}

static bool is_one_lost(const struct gpus *g)
{
    ARRAY_FOREACH(gpu, g, gpus) {
        if (!gpu->device)
            return true;
    }
    return !g->started;
}

void gpus_read(struct gpus *g, struct sample *out)
{
    g->reads++;
    if (g->nvml.library && g->reads % LOOK_AGAIN_EVERY == 0 && is_one_lost(g))
        look(g);
    if (g->error.text[0])
        sample_problem(out, g->error.text,
                       "look at nvidia-smi; or set nvmlLibrary: \"\" to look for no GPU");
    ARRAY_FOREACH(gpu, g, gpus)
        read_gpu(g, gpu, out);
}
