/* See simulation.h. */
#include "controller/cli/simulation.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "controller/cli/look.h"
#include "controller/cli/table.h"
#include "proto/base/array.h"
#include "proto/quantity.h"

#define SLOTS_MOST 64u
#define JOULES_PER_KWH 3.6e6
#define SHUTDOWN_S 60.0 /* as an ordinary server takes */
#define BOOT_FAILED 3.0 /* boot times until a failed boot shows */
#define BARRED_S 1800.0
#define BOOT_LOAD 0.3 /* utilization of a booting node, where no boot energy is declared */
#define LOAD_UNKNOWN_S 60.0
#define LEVELS 11u

/* --- words --------------------------------------------------------------------------------------
 */

static int read_part(const char *key, size_t n_key, const char *value, struct simulation_node *n,
                     struct err *e)
{
    char *end;
    long gpus;

    if (n_key == 3 && strncmp(key, "cpu", 3) == 0)
        return quantity_cpu(value, &n->cpu_milli, e);
    if (n_key == 6 && strncmp(key, "memory", 6) == 0)
        return quantity_bytes(value, &n->memory_bytes, e);
    if (n_key != 4 || strncmp(key, "gpus", 4) != 0)
        return err_set(e, -EINVAL, "\"%.*s\" is none of cpu, memory, gpus", (int)n_key, key);
    gpus = strtol(value, &end, 10);
    if (*end || end == value || gpus < 0 || gpus > (long)SLOTS_MOST)
        return err_set(e, -EINVAL, "gpus: \"%.20s\" is no number from 0 to %u", value, SLOTS_MOST);
    n->gpus = (uint32_t)gpus;
    return 0;
}

int simulation_read_size(const char *text, struct simulation_node *n, struct err *e)
{
    char value[64];

    for (;;) {
        size_t n_key = strcspn(text, "=,"), n_value;

        if (text[n_key] != '=')
            return err_set(e, -EINVAL, "\"%.40s\" is no cpu=16,memory=64Gi,gpus=8", text);
        n_value = strcspn(text + n_key + 1, ",");
        if (n_value >= sizeof(value))
            return err_set(e, -EINVAL, "\"%.40s\" is too long", text);
        memcpy(value, text + n_key + 1, n_value);
        value[n_value] = '\0';
        if (read_part(text, n_key, value, n, e) < 0)
            return -EINVAL;
        text += n_key + 1 + n_value;
        if (*text == '\0')
            return 0;
        text++;
    }
}

int simulation_read_watts(const char *text, struct simulation_node *n, struct err *e)
{
    double w[LEVELS];
    uint32_t held = 0;
    char *end;

    for (;; text = end + 1) {
        if (held == LEVELS)
            return err_set(e, -EINVAL, "more than %u values", LEVELS);
        w[held] = strtod(text, &end);
        if (end == text || (*end != ',' && *end != '\0') || !(w[held] >= 0) || isinf(w[held]) ||
            (held > 0 && w[held] < w[held - 1]))
            return err_set(e, -EINVAL, "\"%.40s\": watts are ascending numbers by commas", text);
        held++;
        if (*end == '\0')
            break;
    }
    if (held != 2 && held != LEVELS)
        return err_set(e, -EINVAL, "%u values; expected 2 (idle, full) or %u (0, 10, ... 100 %%)",
                       held, LEVELS);
    for (uint32_t i = 0; i < LEVELS; i++)
        n->watts[i] = held == 2 ? w[0] + (w[1] - w[0]) * i / (LEVELS - 1) : w[i];
    return 0;
}

/* --- fitting ------------------------------------------------------------------------------------
 */

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
    double cpu = share((double)m->resources.cpu_milli, (double)n->cpu_milli);
    double memory = share((double)m->resources.memory_bytes, (double)n->memory_bytes);

    return fmax(fmax(cpu, memory), share((double)m->resources.gpu_milli, 1000.0 * n->gpus));
}

static bool all_whole(const double *shares, uint32_t n, uint32_t slots)
{
    for (uint32_t m = 0; m < n; m++)
        if (fabs(shares[m] * slots - round(shares[m] * slots)) > 1e-6)
            return false;
    return true;
}

static int fit_model(struct manifest *const *list, size_t n_list, const struct simulation_node *n,
                     struct rack_model *m, double *ret_share, struct err *e)
{
    bool several;
    const struct manifest *found = find(list, n_list, KIND_SERVED_MODEL, m->name, &several);
    const struct served_model *spec = found ? &found->model : NULL;

    if (!spec || several)
        return err_set(e, -EINVAL, "%s ServedModel named \"%.60s\", a column of the history",
                       several ? "more than one" : "no", m->name);
    if (!(spec->capacity.requests_per_second > 0))
        return err_set(e, -EINVAL,
                       "ServedModel \"%.60s\": capacity.requestsPerSecond must be declared here",
                       m->name);
    *ret_share = dominant(spec, n);
    if (!(*ret_share > 0 && *ret_share <= 1))
        return err_set(e, -EINVAL,
                       *ret_share > 0 ? "a replica of \"%.60s\" does not fit on a node of that size"
                                      : "ServedModel \"%.60s\" asks for no cpu, memory or gpu",
                       m->name);
    m->capacity = spec->capacity.requests_per_second;
    m->least = spec->replicas.min > 0 ? (uint32_t)spec->replicas.min : 0;
    m->load_weight = spec->startup_ms >= 0 ? (double)spec->startup_ms / 1000 : LOAD_UNKNOWN_S;
    return 0;
}

static int fit_pool(const struct power_pool *pool, const struct simulation_node *n,
                    struct rack_hardware *hw, struct err *e)
{
    static const double load_s[] = { 1 }; /* times what the model declares */

    if (pool->boot.time_ms <= 0)
        return err_set(e, -EINVAL, "PowerPool: boot.time must be declared here");
    memcpy(hw->watts, n->watts, sizeof(hw->watts));
    hw->asleep_w = pool->standby_mw > 0 ? (double)pool->standby_mw / 1000 : 0;
    hw->boot_lo_s = hw->boot_hi_s = (double)pool->boot.time_ms / 1000;
    hw->boot_w = pool->boot.energy_mj >= 0 ? (double)pool->boot.energy_mj / 1000 / hw->boot_hi_s
                                           : rack_watts(hw, BOOT_LOAD);
    hw->shutdown_s = SHUTDOWN_S;
    hw->boot_failed_s = BOOT_FAILED * hw->boot_hi_s;
    hw->barred_s = BARRED_S;
    hw->load_s = load_s;
    hw->n_load_s = 1;
    hw->load_scale = 1;
    hw->nodes_least = (uint32_t)fmax(1, (double)(pool->min_awake + pool->spare));
    return 0;
}

int simulation_fit(struct manifest *const *list, size_t n_list, const struct simulation_node *n,
                   struct rack_load *load, struct rack_hardware *ret_hw,
                   const struct power_pool **ret_pool, const struct power_policy **ret_policy,
                   struct err *e)
{
    bool several;
    const struct manifest *pool = find(list, n_list, KIND_POWER_POOL, NULL, &several), *policy;
    double shares[RACK_MODELS_MAX];
    uint32_t slots = 1;

    if (!pool || several)
        return err_set(e, -EINVAL, "%s PowerPool; one is simulated", several ? "several" : "no");
    policy = find(list, n_list, KIND_POWER_POLICY, pool->pool.policy, &several);
    for (uint32_t m = 0; m < load->n_models; m++)
        if (fit_model(list, n_list, n, &load->model[m], &shares[m], e) < 0)
            return -EINVAL;
    while (slots < SLOTS_MOST && !all_whole(shares, load->n_models, slots))
        slots++;
    for (uint32_t m = 0; m < load->n_models; m++)
        load->model[m].slots = (uint32_t)ceil(shares[m] * slots - 1e-6);
    ret_hw->slots = slots;
    *ret_pool = &pool->pool;
    *ret_policy = policy ? &policy->policy : NULL;
    return fit_pool(&pool->pool, n, ret_hw, e);
}

/* --- result -------------------------------------------------------------------------------------
 */

static json_t *known(double v)
{
    return isnan(v) ? json_null() : json_real(v);
}

static json_t *row_json(const char *name, double joules, double on_j,
                        const struct simulation_rates *rates)
{
    double kwh = joules / JOULES_PER_KWH;

    return json_pack("{s:s, s:f, s:f, s:o, s:o}", "name", name, "kwh", kwh, "saved",
                     on_j > 0 ? 1 - joules / on_j : 0, "money", known(kwh * rates->price_per_kwh),
                     "kgCO2", known(kwh * rates->carbon_g_per_kwh / 1000));
}

static json_t *policy_json(const struct comparison *c, enum compared i,
                           const struct simulation_rates *rates)
{
    const struct rack_score *s = &c->score[i];
    json_t *row = row_json(compared_name(i), s->joules, c->score[COMPARED_ALWAYS_ON].joules, rates);
    double all = s->requests > 0 ? s->requests : 1;
    json_t *more =
        json_pack("{s:f, s:f, s:f, s:f, s:I, s:I, s:I, s:I, s:I}", "unserved", s->unserved / all,
                  "late", s->late / all, "spareBroken", (double)s->spare_broken / c->steps,
                  "meanAwake", s->awake_sum / c->steps, "moves", (json_int_t)s->moves, "starts",
                  (json_int_t)s->loads, "sleeps", (json_int_t)s->sleeps, "wakes",
                  (json_int_t)s->wakes, "failedBoots", (json_int_t)s->failed_boots);

    json_object_update(row, more);
    json_decref(more);
    return row;
}

json_t *simulation_json(const struct comparison *c, const struct rack_hardware *hw,
                        const struct rack_load *load, const struct simulation_rates *rates,
                        uint64_t seed)
{
    json_t *policies = json_array();

    for (int i = 0; i < COMPARED; i++)
        json_array_append_new(policies, policy_json(c, (enum compared)i, rates));
    json_array_append_new(
        policies, row_json("bound", c->bound_j, c->score[COMPARED_ALWAYS_ON].joules, rates));
    return json_pack("{s:f, s:I, s:I, s:I, s:I, s:s?, s:o}", "days", c->days, "nodes",
                     (json_int_t)hw->nodes, "slotsPerNode", (json_int_t)hw->slots, "models",
                     (json_int_t)load->n_models, "seed", (json_int_t)seed, "currency",
                     rates->currency, "policies", policies);
}

/* With so many decimals; "-" where nothing is known. */
static void cell(struct table *t, const json_t *row, const char *key, int decimals)
{
    const json_t *v = json_object_get(row, key);

    if (json_is_number(v))
        table_cellf(t, "%.*f", decimals, json_number_value(v));
    else
        table_cell(t, "-", PAINT_NONE);
}

static void share_cell(struct table *t, const json_t *row, const char *key, int decimals)
{
    const json_t *v = json_object_get(row, key);

    if (json_is_number(v))
        table_cellf(t, "%.*f%%", decimals, 100 * json_number_value(v));
    else
        table_cell(t, "-", PAINT_NONE);
}

void simulation_table(struct strbuf *out, const json_t *result, bool colour)
{
    static const char *const titles[] = { "POLICY", "KWH",   "SAVED", "MONEY",  "KGCO2", "UNSERVED",
                                          "LATE",   "AWAKE", "MOVES", "SLEEPS", "WAKES" };
    const char *currency = look_text(result, "currency");
    struct table t = { 0 };
    size_t i;
    const json_t *row;

    table_begin(&t, ARRAY_LEN(titles));
    for (size_t k = 0; k < ARRAY_LEN(titles); k++)
        table_cell(&t, k == 3 && currency ? currency : titles[k], PAINT_HEAD);
    json_array_foreach(json_object_get(result, "policies"), i, row) {
        table_cell(&t, look_text(row, "name"), PAINT_NONE);
        cell(&t, row, "kwh", 1);
        share_cell(&t, row, "saved", 1);
        cell(&t, row, "money", 2);
        cell(&t, row, "kgCO2", 1);
        share_cell(&t, row, "unserved", 3);
        share_cell(&t, row, "late", 3);
        cell(&t, row, "meanAwake", 1);
        cell(&t, row, "moves", 0);
        cell(&t, row, "sleeps", 0);
        cell(&t, row, "wakes", 0);
    }
    table_print(&t, out, colour);
    table_done(&t);
}
