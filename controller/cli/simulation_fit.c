/* Fits models to nodes: see simulation.h. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "controller/cli/simulation.h"
#include "proto/base/array.h"
#include "proto/power_curve.h"

#define SLOTS_MOST 64u
#define BOOT_FAILED 3.0 /* boot times until a failed boot shows */
#define BARRED_S 1800.0
#define BOOT_LOAD 0.3 /* utilization of a booting node, where no boot energy is declared */
#define LOAD_UNKNOWN_S 60.0
#define USUAL_LEAST 0.9 /* of declared times, where nothing is said of how they vary */
#define USUAL_MOST 1.1

static const struct manifest *find(struct manifest *const *list, size_t n, enum manifest_kind kind,
                                   const char *name, bool *ret_several)
{
    const struct manifest *found = NULL;

    *ret_several = false;
    for (size_t i = 0; i < n; i++) {
        if (list[i]->kind != kind || (name && strcmp(list[i]->meta.name, name) != 0))
            continue;
        *ret_several |= found != NULL;
        found = found ? found : list[i];
    }
    return found;
}

static double share(double asked, double there)
{
    return asked <= 0 ? 0 : there > 0 ? asked / there : INFINITY;
}

/* Of a node, by the resource of which a replica needs most. */
static double dominant(const struct served_model *m, const struct simulation_node *n)
{
    double cpu = n->cpu_milli ? share((double)m->resources.cpu_milli, (double)n->cpu_milli) : 0;
    double memory =
        n->memory_bytes ? share((double)m->resources.memory_bytes, (double)n->memory_bytes) : 0;

    return fmax(fmax(cpu, memory), share((double)m->resources.gpu_milli, 1000.0 * n->gpus));
}

static bool all_whole(const double *shares, uint32_t n, uint32_t slots)
{
    for (uint32_t m = 0; m < n; m++)
        if (fabs(shares[m] * slots - round(shares[m] * slots)) > 1e-6)
            return false;
    return true;
}

/* req/s of a replica, or, of a history of busy CPUs, its CPUs. */
static int read_capacity(const struct served_model *spec, enum trace_unit unit, const char *name,
                         double *ret, struct err *e)
{
    *ret = unit == TRACE_CPUS ? (double)spec->resources.cpu_milli / 1000
                              : spec->capacity.requests_per_second;
    if (*ret > 0)
        return 0;
    return err_set(e, -EINVAL,
                   unit == TRACE_CPUS
                       ? "ServedModel \"%.60s\": resources.cpu must be declared here, for its "
                         "history is of busy CPUs"
                       : "ServedModel \"%.60s\": capacity.requestsPerSecond must be declared here",
                   name);
}

static int fit_model(struct manifest *const *list, size_t n_list, const struct simulation_node *n,
                     enum trace_unit unit, struct rack_model *m, double *ret_share, struct err *e)
{
    bool several;
    const struct manifest *found = find(list, n_list, KIND_SERVED_MODEL, m->name, &several);
    const struct served_model *spec = found ? &found->model : NULL;

    if (!spec || several)
        return err_set(e, -EINVAL, "%s ServedModel named \"%.60s\", of which there is demand%s",
                       several ? "more than one" : "no", m->name,
                       several ? "" : ": declare it (-f), or leave its demand out (--query)");
    if (read_capacity(spec, unit, m->name, &m->capacity, e) < 0)
        return -EINVAL;
    *ret_share = dominant(spec, n);
    if (!(*ret_share > 0 && *ret_share <= 1))
        return err_set(e, -EINVAL,
                       *ret_share > 0
                           ? "a replica of \"%.60s\" does not fit on a node of that size"
                           : "ServedModel \"%.60s\" asks for nothing of what --size names",
                       m->name);
    m->spec = spec;
    m->least = (uint32_t)served_model_least(spec);
    m->load_weight = spec->startup_ms >= 0 ? (double)spec->startup_ms / 1000 : LOAD_UNKNOWN_S;
    return 0;
}

/* What no policy may serve would count for all of them, and for the bound against it. */
static int check_most(const struct rack_load *load, uint32_t m, struct err *e)
{
    const struct rack_model *model = &load->model[m];
    double peak = 0;
    int64_t needed;

    for (size_t t = 0; t < load->n_steps; t++)
        peak = fmax(peak, load->rate[m * load->n_steps + t]);
    needed = (int64_t)rack_ceil(peak / model->capacity);
    if (needed <= model->spec->replicas.max)
        return 0;
    return err_set(
        e, -EINVAL,
        "ServedModel \"%.60s\": its demand needs %lld replicas at its peak (%.3g of %.3g "
        "each), replicas.max is %lld: raise it, as with --set "
        "model/%.60s.replicas.max=%lld",
        model->name, (long long)needed, peak, model->capacity, (long long)model->spec->replicas.max,
        model->name, (long long)(2 * needed));
}

static int fit_watts(const struct power_pool *pool, const struct simulation_node *n,
                     struct rack_hardware *hw, struct err *e)
{
    const struct power_curve *curve = power_curve_find(pool->curve);

    if (n->has_watts) {
        memcpy(hw->watts, n->watts, sizeof(hw->watts));
        return 0;
    }
    if (!curve)
        return err_set(e, -EINVAL,
                       "what does a node draw? Give --watts (60,250, or a recording of "
                       "huddle-agent), or let the PowerPool name a curve: %s",
                       power_curve_names());
    if (curve->per_cpu && n->cpu_milli == 0)
        return err_set(e, -EINVAL, "the curve \"%s\" is for one CPU: name the CPUs, --size cpu=16",
                       curve->name);
    for (uint32_t i = 0; i < RACK_CURVE; i++)
        hw->watts[i] = power_curve_watts(curve, i / (RACK_CURVE - 1.0),
                                         (uint32_t)((n->cpu_milli + 999) / 1000));
    return 0;
}

/* Boot times, load times, failures and noise. */
static int fit_chance(const struct power_pool *pool, const struct simulation_chance *chance,
                      struct simulation_rack *ret, struct err *e)
{
    struct rack_hardware *hw = &ret->hw;
    double declared_s = (double)pool->boot.time_ms / 1000;

    if (isnan(chance->boot_lo_s) && pool->boot.time_ms <= 0)
        return err_set(e, -EINVAL,
                       "PowerPool: boot.time must be declared here, or --boot 2m..5m given");
    hw->boot_lo_s = isnan(chance->boot_lo_s) ? USUAL_LEAST * declared_s : chance->boot_lo_s;
    hw->boot_hi_s = isnan(chance->boot_lo_s) ? USUAL_MOST * declared_s : chance->boot_hi_s;
    for (size_t i = 0; i < SIMULATION_SAMPLES; i++)
        ret->load_s[i] = chance->has_load ? chance->load_s[i]
                                          : USUAL_LEAST + (USUAL_MOST - USUAL_LEAST) * (double)i /
                                                              (SIMULATION_SAMPLES - 1);
    for (uint32_t m = 0; m < ret->load.n_models && chance->has_load; m++)
        ret->load.model[m].load_weight = 1;
    hw->load_s = ret->load_s;
    hw->n_load_s = SIMULATION_SAMPLES;
    hw->load_scale = 1;
    hw->boot_failed_share = chance->boot_failures;
    hw->meter_noise = chance->meter_noise;
    return 0;
}

static int fit_pool(const struct power_pool *pool, const struct simulation_node *n,
                    const struct simulation_chance *chance, struct simulation_rack *ret,
                    struct err *e)
{
    struct rack_hardware *hw = &ret->hw;
    double boot_s;

    if (fit_watts(pool, n, hw, e) < 0 || fit_chance(pool, chance, ret, e) < 0)
        return -EINVAL;
    boot_s = (hw->boot_lo_s + hw->boot_hi_s) / 2;
    hw->asleep_w = pool->standby_mw > 0 ? (double)pool->standby_mw / 1000 : 0;
    hw->boot_w = pool->boot.energy_mj >= 0 ? (double)pool->boot.energy_mj / 1000 / boot_s
                                           : rack_watts(hw, BOOT_LOAD);
    hw->shutdown_lo_s = chance->shutdown_lo_s;
    hw->shutdown_hi_s = chance->shutdown_hi_s;
    hw->boot_failed_s = BOOT_FAILED * hw->boot_hi_s;
    hw->barred_s = BARRED_S;
    hw->unspared = pool->spare == 0;
    hw->nodes_least = (uint32_t)fmax(1, (double)(pool->min_awake + pool->spare));
    return 0;
}

int simulation_fit(struct manifest *const *list, size_t n_list, const struct simulation_node *n,
                   const struct simulation_chance *chance, uint32_t nodes,
                   const struct history *history, struct simulation_rack *ret, struct err *e)
{
    bool several;
    const struct manifest *pool = find(list, n_list, KIND_POWER_POOL, NULL, &several), *policy;
    double shares[RACK_MODELS_MAX];
    uint32_t slots = 1;

    if (!pool || several)
        return err_set(e, -EINVAL, "%s PowerPool; one is simulated", several ? "several" : "no");
    policy = find(list, n_list, KIND_POWER_POLICY, pool->pool.policy, &several);
    *ret = (struct simulation_rack){ .hw = { .nodes = nodes },
                                     .load = history->load,
                                     .pool = &pool->pool,
                                     .policy = policy ? &policy->policy : NULL };
    for (uint32_t m = 0; m < ret->load.n_models; m++)
        if (fit_model(list, n_list, n, history->unit[m], &ret->load.model[m], &shares[m], e) < 0 ||
            check_most(&ret->load, m, e) < 0)
            return -EINVAL;
    ret->plain = true;
    for (uint32_t m = 0; m < ret->load.n_models; m++)
        ret->plain &= ret->load.model[m].spec->resources.gpu_milli <= 0;
    while (slots < SLOTS_MOST && !all_whole(shares, ret->load.n_models, slots))
        slots++;
    for (uint32_t m = 0; m < ret->load.n_models; m++)
        ret->load.model[m].slots = (uint32_t)ceil(shares[m] * slots - 1e-6);
    ret->hw.slots = slots;
    return fit_pool(&pool->pool, n, chance, ret, e);
}
