/* The report over any window, from what the history keeps ("Report" in api/OBJECTS.md). What was
 * not recorded is null, never 0. Reads only. */
#include <math.h>

#include "controller/core.h"
#include "controller/view.h"

#define POINTS_MOST 300 /* of each series: what a screen can show */

struct window {
    int64_t from_ms, to_ms;
};

static json_t *count_or_null(int64_t n)
{
    return n < 0 ? json_null() : json_integer((json_int_t)n);
}

/* Amounts of whole things come back from half-sized floats. */
static json_t *whole_or_null(double v)
{
    return isfinite(v) ? json_integer((json_int_t)llround(v)) : json_null();
}

/* --- nodes and models ---------------------------------------------------------------------------
 */

static json_t *report_node(const struct node *n, struct window w)
{
    const struct marks *m = &n->power_marks;

    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "name", view_text(n->name), "usedJ",
                     view_number(series_sum(&n->joules, w.from_ms, w.to_ms)), "asleepS",
                     view_number(marks_between_s(m, MARK_ASLEEP, MARK_UP, w.from_ms, w.to_ms)),
                     "sleeps", count_or_null(marks_count(m, MARK_ASLEEP, w.from_ms, w.to_ms)),
                     "wakes", count_or_null(marks_count(m, MARK_WOKEN, w.from_ms, w.to_ms)));
}

/* By waiting for greener hours: each request at the joules of a mean one of this window, at the
 * difference of the intensities. */
static double avoided_kg(const struct model *m, struct window w)
{
    double used_j =
        series_sum(&m->idle_j, w.from_ms, w.to_ms) + series_sum(&m->dynamic_j, w.from_ms, w.to_ms);
    double requests = series_sum(&m->request_count, w.from_ms, w.to_ms);
    double relief = series_sum(&m->relief, w.from_ms, w.to_ms);

    return requests > 0 ? used_j / requests / 3.6e6 * relief / 1000 : NAN;
}

static json_t *report_model(const struct model *m, struct window w)
{
    double idle_j = series_sum(&m->idle_j, w.from_ms, w.to_ms);
    double dynamic_j = series_sum(&m->dynamic_j, w.from_ms, w.to_ms);

    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "name", view_text(m->name),
                     "usedJ", view_number(idle_j + dynamic_j), "idleJ", view_number(idle_j),
                     "dynamicJ", view_number(dynamic_j), "requests",
                     whole_or_null(series_sum(&m->request_count, w.from_ms, w.to_ms)), "errors",
                     whole_or_null(series_sum(&m->error_count, w.from_ms, w.to_ms)), "deferred",
                     whole_or_null(series_sum(&m->deferred_count, w.from_ms, w.to_ms)), "avoidedKg",
                     view_number(avoided_kg(m, w)));
}

static json_t *report_nodes(const struct cluster *k, struct window w)
{
    json_t *a = json_array();

    for (size_t i = 0; i < k->nodes.n_items; i++)
        json_array_append_new(a, report_node(cluster_node(k, i), w));
    return a;
}

static json_t *report_models(const struct cluster *k, struct window w)
{
    json_t *a = json_array();

    for (size_t i = 0; i < k->models.n_items; i++)
        json_array_append_new(a, report_model(cluster_model(k, i), w));
    return a;
}

/* Marks of a kind over all nodes; -1: of none of them was anything recorded. */
static int64_t count_marks(const struct cluster *k, int kind, struct window w)
{
    int64_t sum = -1;

    for (size_t i = 0; i < k->nodes.n_items; i++) {
        int64_t n = marks_count(&cluster_node(k, i)->power_marks, kind, w.from_ms, w.to_ms);

        if (n >= 0)
            sum = (sum < 0 ? 0 : sum) + n;
    }
    return sum;
}

/* --- series -------------------------------------------------------------------------------------
 */

/* The shortest step that gives no more than POINTS_MOST points and is not finer than what is still
 * kept of the window's beginning. */
static int64_t step_of(struct window w, int64_t now_ms)
{
    static const int64_t STEPS_S[] = {
        5, 10, 30, 60, 120, 300, 900, 1800, 3600, 10800, 21600, 86400
    };
    int64_t finest_ms = 5000, step_ms = 0;

    if (now_ms - w.from_ms > INT64_C(25) * 60000)
        finest_ms = 60000;
    if (now_ms - w.from_ms > INT64_C(11) * 3600000)
        finest_ms = 900000;
    for (size_t i = 0; i < sizeof(STEPS_S) / sizeof(STEPS_S[0]); i++) {
        step_ms = STEPS_S[i] * 1000;
        if (step_ms >= finest_ms && (w.to_ms - w.from_ms) / step_ms < POINTS_MOST)
            break;
    }
    return step_ms;
}

/* Per second of each step. */
static json_t *rates(const struct series *a, const struct series *b, struct window w,
                     int64_t step_ms)
{
    json_t *points = json_array();

    for (int64_t at = w.from_ms / step_ms * step_ms; at < w.to_ms; at += step_ms) {
        int64_t from_ms = at > w.from_ms ? at : w.from_ms;
        int64_t to_ms = at + step_ms < w.to_ms ? at + step_ms : w.to_ms;
        double sum = series_sum(a, from_ms, to_ms) + (b ? series_sum(b, from_ms, to_ms) : 0);

        json_array_append_new(points, view_number(sum * 1000 / (double)(to_ms - from_ms)));
    }
    return points;
}

/* Carbon intensity of the joules of each step: their grams over their kilowatt-hours. */
static json_t *intensities(const struct energy_history *h, struct window w, int64_t step_ms)
{
    json_t *points = json_array();

    for (int64_t at = w.from_ms / step_ms * step_ms; at < w.to_ms; at += step_ms) {
        int64_t from_ms = at > w.from_ms ? at : w.from_ms;
        int64_t to_ms = at + step_ms < w.to_ms ? at + step_ms : w.to_ms;
        struct energy_totals t = energy_history_totals(h, from_ms, to_ms);
        double kwh = (t.carbon.fixed_j + t.carbon.profile_j + t.carbon.file_j) / 3.6e6;

        json_array_append_new(points, view_number(kwh > 0 ? t.carbon.used_g / kwh : NAN));
    }
    return points;
}

/* Mean of the demand steps that were observed. */
static json_t *demand_points(const struct demand *d, struct window w, int64_t step_ms)
{
    json_t *points = json_array();

    for (int64_t at = w.from_ms / step_ms * step_ms; at < w.to_ms; at += step_ms) {
        double sum = 0;
        int64_t n = 0;

        for (int64_t k = at / d->step_ms; k * d->step_ms < at + step_ms; k++) {
            double v = demand_at(d, k);

            if (isnan(v))
                continue;
            sum += v;
            n++;
        }
        json_array_append_new(points, n > 0 ? json_real(sum / (double)n) : json_null());
    }
    return points;
}

static json_t *report_series(const struct cluster *k, struct window w, int64_t now_ms)
{
    int64_t step_ms = step_of(w, now_ms), last_ms = w.to_ms / step_ms * step_ms;
    int64_t start_ms = w.from_ms / step_ms * step_ms;
    json_t *demand = json_object();

    /* A sliver at the end is left out: its reports are still to come. */
    if (last_ms > w.from_ms && w.to_ms - last_ms < step_ms / 2)
        w.to_ms = last_ms;
    for (size_t i = 0; i < k->models.n_items; i++) {
        const struct model *m = cluster_model(k, i);

        json_object_set_new(demand, m->name, demand_points(&m->demand, w, step_ms));
    }
    return json_pack("{s:I, s:I, s:o, s:o, s:o, s:o, s:o}", "stepMs", (json_int_t)step_ms,
                     "startMs", (json_int_t)start_ms, "usedW",
                     rates(&k->energy.measured_j, &k->energy.estimated_j, w, step_ms),
                     "counterfactualW", rates(&k->energy.always_j, NULL, w, step_ms), "gramsPerKwh",
                     intensities(&k->energy, w, step_ms), "awake",
                     rates(&k->awake, NULL, w, step_ms), "demand", demand);
}

/* --- the whole ----------------------------------------------------------------------------------
 */

static json_t *report_energy(const struct energy_totals *t)
{
    return json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "usedJ", view_number(t->used_j), "measuredJ",
        view_number(t->measured_j), "estimatedJ", view_number(t->estimated_j), "counterfactualJ",
        view_number(t->counterfactual_j), "savedJ", view_number(t->saved_j), "savedLowJ",
        view_number(t->saved_low_j), "savedHighJ", view_number(t->saved_high_j));
}

static json_t *report_cost(const struct energy_history *h, const struct energy_totals *t)
{
    if (!isfinite(t->cost_saved))
        return json_null();
    return json_pack("{s:f, s:f, s:f, s:o, s:s}", "used", t->cost_used, "counterfactual",
                     t->cost_always, "saved", t->cost_saved, "pricedJ", view_number(t->priced_j),
                     "currency", h->currency);
}

/* Of all models that have waited; NAN: none has. */
static double all_avoided_kg(const struct cluster *k, struct window w)
{
    double sum = NAN;

    for (size_t i = 0; i < k->models.n_items; i++) {
        double kg = avoided_kg(cluster_model(k, i), w);

        if (!isnan(kg))
            sum = (isnan(sum) ? 0 : sum) + kg;
    }
    return sum;
}

static json_t *report_carbon(const struct cluster *k, const struct energy_totals *t,
                             struct window w)
{
    if (!isfinite(t->carbon.used_g))
        return json_null();
    return json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:o, s:{s:f, s:f, s:f, s:o}}", "usedKg",
                     t->carbon.used_g / 1000, "measuredKg", t->carbon.measured_g / 1000,
                     "estimatedKg", t->carbon.estimated_g / 1000, "counterfactualKg",
                     t->carbon.always_g / 1000, "savedKg", t->carbon.saved_g / 1000, "savedLowKg",
                     t->carbon.saved_low_g / 1000, "savedHighKg", t->carbon.saved_high_g / 1000,
                     "avoidedKg", view_number(all_avoided_kg(k, w)), "weighed", "fixedJ",
                     t->carbon.fixed_j, "profileJ", t->carbon.profile_j, "fileJ", t->carbon.file_j,
                     "unknownJ",
                     view_number(fmax(0, t->used_j - t->carbon.fixed_j - t->carbon.profile_j -
                                             t->carbon.file_j)));
}

json_t *controller_report(struct controller *c, int64_t from_wall_ms, int64_t to_wall_ms,
                          int64_t wall_ms)
{
    const struct cluster *k = c->cluster;
    const struct window asked = { from_wall_ms, to_wall_ms };
    struct energy_totals t = energy_history_totals(&k->energy, from_wall_ms, to_wall_ms);
    int64_t begin_ms = series_begin(&k->awake);
    struct window w = { .from_ms = from_wall_ms > begin_ms ? from_wall_ms : begin_ms,
                        .to_ms = to_wall_ms < wall_ms ? to_wall_ms : wall_ms };
    bool recorded = w.from_ms < w.to_ms;
    json_t *o = json_pack("{s:o, s:o, s:f, s:o}", "from", view_time(from_wall_ms), "to",
                          view_time(to_wall_ms), "seconds",
                          (double)(to_wall_ms - from_wall_ms) / 1000, "energy", report_energy(&t));

    view_set(o, "recordedS",
             recorded ? json_real((double)(w.to_ms - w.from_ms) / 1000) : json_null());
    view_set(o, "cost", report_cost(&k->energy, &t));
    view_set(o, "carbon", report_carbon(k, &t, asked));
    view_set(o, "sleeps", count_or_null(count_marks(k, MARK_ASLEEP, asked)));
    view_set(o, "wakes", count_or_null(count_marks(k, MARK_WOKEN, asked)));
    view_set(o, "moves", count_or_null(marks_count(&k->move_marks, 0, from_wall_ms, to_wall_ms)));
    view_set(o, "requests", whole_or_null(series_sum(&k->request_count, from_wall_ms, to_wall_ms)));
    view_set(o, "nodes", report_nodes(k, asked));
    view_set(o, "models", report_models(k, asked));
    view_set(o, "series", recorded ? report_series(k, w, wall_ms) : json_null());
    return o;
}
