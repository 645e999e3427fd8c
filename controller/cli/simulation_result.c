/* The result of a simulation, as JSON and as a table: see simulation.h. */
#include <math.h>
#include <string.h>

#include "controller/cli/look.h"
#include "controller/cli/simulation.h"
#include "controller/cli/simulation_columns.h"
#include "controller/cli/table.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"

#define JOULES_PER_KWH 3.6e6
#define GRAMS_PER_KG 1000.0

/* --- JSON ---------------------------------------------------------------------------------------
 */

static json_t *known(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

struct weighing { /* what the rows of a variant share */
    const struct grid *grid;
    struct grid_span span;
    double on_j; /* always on */
};

static json_t *row_json(const char *name, double joules, const double *step_j,
                        const struct weighing *w)
{
    return json_pack("{s:s, s:o, s:o, s:o, s:o}", "name", name, "kwh",
                     known(joules / JOULES_PER_KWH), "saved",
                     known(w->on_j > 0 ? 1 - joules / w->on_j : NAN), "money",
                     known(grid_weigh(w->grid, GRID_PRICE, &w->span, step_j)), "kgCO2",
                     known(grid_weigh(w->grid, GRID_CARBON, &w->span, step_j) / GRAMS_PER_KG));
}

static json_t *policy_json(const struct comparison *c, enum compared i, const struct weighing *w)
{
    const struct rack_score *s = &c->score[i];
    json_t *row = row_json(compared_name(i), s->joules, c->chronicle[i].joules, w);
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

/* Three decimals are more than a plot shows. */
static json_t *rounded(double v)
{
    return known(round(v * 1000) / 1000);
}

static json_t *numbers(const double *v, size_t n)
{
    json_t *out = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(out, rounded(v[i]));
    return out;
}

static json_t *fan_json(const struct chronicle *c, size_t model)
{
    const struct chronicle_fan *fan = &c->fan[model * c->n_parts];
    json_t *low = json_array(), *median = json_array(), *high = json_array();

    for (size_t i = 0; i < c->n_parts; i++) {
        json_array_append_new(low, rounded(fan[i].low));
        json_array_append_new(median, rounded(fan[i].median));
        json_array_append_new(high, rounded(fan[i].high));
    }
    return json_pack("{s:o, s:o, s:o, s:o}", "actual",
                     numbers(&c->demand[model * c->n_parts], c->n_parts), "low", low, "median",
                     median, "high", high);
}

static json_t *close_json(const struct chronicle *c)
{
    json_t *needed = json_array(), *serving = json_array(), *ready = json_array(),
           *awake = json_array(), *waiting = json_array();

    for (size_t i = 0; i < c->n_close; i++) {
        json_array_append_new(needed, json_real(c->close[i].needed));
        json_array_append_new(serving, json_real(c->close[i].serving));
        json_array_append_new(ready, json_real(c->close[i].ready));
        json_array_append_new(awake, json_real(c->close[i].awake));
        json_array_append_new(waiting, json_real(c->close[i].waiting));
    }
    return json_pack("{s:f, s:f, s:f, s:o, s:o, s:o, s:o, s:o}", "fromS",
                     (double)c->close_from * c->step_s, "stepS", c->step_s, "missed",
                     fmax(0, c->worst), "needed", needed, "serving", serving, "ready", ready,
                     "awake", awake, "waiting", waiting);
}

static json_t *series_json(const struct simulation_variant *v, const struct comparison *shared)
{
    const struct comparison *c = v->result;
    const struct chronicle *own = &c->chronicle[COMPARED_PREDICTIVE];
    json_t *watts = json_object(), *awake = json_object(), *demand = json_object();

    for (int i = 0; i < COMPARED; i++) {
        const struct chronicle *ch = i == COMPARED_PREDICTIVE ? own : &shared->chronicle[i];

        json_object_set_new(watts, compared_name((enum compared)i),
                            numbers(ch->watts, ch->n_parts));
        json_object_set_new(awake, compared_name((enum compared)i),
                            numbers(ch->awake, ch->n_parts));
    }
    for (uint32_t m = 0; m < v->rack->load.n_models; m++)
        json_object_set_new(demand, v->rack->load.model[m].name, fan_json(own, m));
    return json_pack("{s:f, s:o, s:o, s:o, s:o, s:o}", "stepS",
                     c->steps * own->step_s / (double)own->n_parts, "watts", watts, "awake", awake,
                     "least", numbers(shared->least, own->n_parts), "demand", demand, "worstHour",
                     close_json(own));
}

static json_t *share_known(const struct weighing *w, enum grid_rate which)
{
    return w->grid->rate[which] ? json_real(grid_known(w->grid, which, &w->span)) : json_null();
}

static json_t *variant_json(const struct simulation_variant *v, double start_s)
{
    const struct comparison *shared = v->shared ? v->shared : v->result;
    const struct rack_load *load = &v->rack->load;
    struct weighing w = { .grid = &v->grid,
                          .span = { start_s, load->step_s, load->n_steps },
                          .on_j = shared->score[COMPARED_ALWAYS_ON].joules };
    json_t *policies = json_array(), *out;

    for (int i = 0; i < COMPARED; i++)
        json_array_append_new(policies, policy_json(i == COMPARED_PREDICTIVE ? v->result : shared,
                                                    (enum compared)i, &w));
    json_array_append_new(policies, row_json("bound", shared->bound_j, shared->bound_step_j, &w));
    out = json_pack("{s:s?, s:f, s:f, s:I, s:I, s:I, s:s?, s:o, s:o, s:o, s:o}", "name", v->name,
                    "days", v->result->days, "stepS", load->step_s, "nodes",
                    (json_int_t)v->rack->hw.nodes, "slotsPerNode", (json_int_t)v->rack->hw.slots,
                    "models", (json_int_t)load->n_models, "currency", v->currency, "priceKnown",
                    share_known(&w, GRID_PRICE), "carbonKnown", share_known(&w, GRID_CARBON),
                    "policies", policies, "series", series_json(v, shared));
    if (!v->name)
        json_object_del(out, "name");
    return out;
}

json_t *simulation_json(const struct simulation_variant *v, size_t n, double start_s, uint64_t seed)
{
    json_t *out = n == 1 ? variant_json(v, start_s) : json_object(), *all;
    char from[CLOCK_TEXT_MAX];

    if (start_s >= SIMULATION_DATES_S) { /* else they count from nothing */
        clock_format((int64_t)(start_s * 1000), from);
        json_object_set_new(out, "from", json_string(from));
    }
    json_object_set_new(out, "seed", json_integer((json_int_t)seed));
    if (n == 1)
        return out;
    all = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(all, variant_json(&v[i], start_s));
    json_object_set_new(out, "variants", all);
    return out;
}

/* --- table --------------------------------------------------------------------------------------
 */

/* Of several variants, what is the same in all of them stands once. */
static bool repeated(const json_t *variants, size_t variant, size_t policy)
{
    const json_t *first =
        json_array_get(json_object_get(json_array_get(variants, 0), "policies"), policy);
    const json_t *own =
        json_array_get(json_object_get(json_array_get(variants, variant), "policies"), policy);

    return variant > 0 && json_equal(first, own);
}

static void titles(struct table *t, const struct simulation_columns *columns, const json_t *variant)
{
    table_begin(t, columns->n + 1);
    table_cell(t, "POLICY", PAINT_HEAD);
    for (size_t i = 0; i < columns->n; i++)
        table_cell(t, simulation_title(columns->column[i], SIMULATION_TABLE, variant), PAINT_HEAD);
}

static void row(struct table *t, const struct simulation_columns *columns, const json_t *row,
                const char *variant)
{
    const char *name = look_text(row, "name");
    char text[SIMULATION_FIGURE_MAX];

    if (variant)
        table_cellf(t, "%s %s", name, variant);
    else
        table_cell(t, name, PAINT_NONE);
    for (size_t i = 0; i < columns->n; i++)
        table_cell(t, simulation_figure(columns->column[i], row, text), PAINT_NONE);
}

static void notes(struct strbuf *out, const json_t *variant)
{
    AUTO(strbuf) struct strbuf whose = STRBUF_INIT;

    if (look_text(variant, "name"))
        strbuf_printf(&whose, "%s: ", look_text(variant, "name"));
    simulation_notes(out, variant, strbuf_text(&whose), "\n");
}

void simulation_table(struct strbuf *out, const json_t *result, bool colour)
{
    const json_t *variants = json_object_get(result, "variants"), *first;
    json_t *one = variants ? NULL : json_pack("[O]", result);
    struct simulation_columns columns;
    struct table t = { 0 };

    variants = variants ? variants : one;
    first = json_array_get(variants, 0);
    columns = simulation_columns(SIMULATION_TABLE, first);
    titles(&t, &columns, first);
    for (size_t p = 0; p <= COMPARED; p++)
        for (size_t v = 0; v < json_array_size(variants); v++) {
            const json_t *variant = json_array_get(variants, v);
            bool own = p == COMPARED_PREDICTIVE || v > 0 || !repeated(variants, 1, p);

            if (!repeated(variants, v, p) || p == COMPARED_PREDICTIVE)
                row(&t, &columns, json_array_get(json_object_get(variant, "policies"), p),
                    own && !one ? look_text(variant, "name") : NULL);
        }
    table_print(&t, out, colour);
    table_done(&t);
    for (size_t v = 0; v < json_array_size(variants); v++)
        notes(out, json_array_get(variants, v));
    json_decref(one);
}
