/* See history.h. */
#include "controller/simulate/history.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/cleanup.h"

#define SPAN_MOST_S (732 * 86400.0)  /* two years */
#define STEPS_MOST ((size_t)1 << 28) /* of all models together: 2 GiB */
#define HOLE 1.5

/* --- spans --------------------------------------------------------------------------------------
 */

/* The median distance of its values. */
static double usual_step(const struct trace *t)
{
    AUTO(mem) double *d = xcalloc(t->n_points, sizeof(*d));

    for (size_t i = 1; i < t->n_points; i++)
        d[i - 1] = t->points[i].at_s - t->points[i - 1].at_s;
    qsort(d, t->n_points - 1, sizeof(*d), array_by_double);
    return d[(t->n_points - 1) / 2];
}

struct span {
    double from_s, to_s;
};

/* Where a model is known: where all of its traces are, or any of those that are partial. */
static struct span span_of(const struct traces *t, const double *usual_s, const char *model)
{
    struct span all = { -INFINITY, INFINITY }, any = { INFINITY, -INFINITY };

    for (size_t i = 0; i < t->n_traces; i++) {
        const struct trace *x = &t->traces[i];
        double from_s = x->points[0].at_s, to_s = x->points[x->n_points - 1].at_s + usual_s[i];

        if (strcmp(x->model, model) != 0)
            continue;
        if (x->partial) {
            any = (struct span){ fmin(any.from_s, from_s), fmax(any.to_s, to_s) };
        } else {
            all = (struct span){ fmax(all.from_s, from_s), fmin(all.to_s, to_s) };
        }
    }
    if (any.from_s > any.to_s)
        return all;
    return (struct span){ fmax(all.from_s, any.from_s), fmin(all.to_s, any.to_s) };
}

/* --- models -------------------------------------------------------------------------------------
 */

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Each model once, by name. */
static int name_models(const struct traces *t, struct history *h, struct err *e)
{
    char(*names)[TRACE_NAME_MAX] = xcalloc(t->n_traces + 1, sizeof(*names));
    uint32_t n = 0;

    h->names = *names;
    for (size_t i = 0; i < t->n_traces; i++)
        memcpy(names[i], t->traces[i].model, sizeof(*names));
    qsort(names, t->n_traces, sizeof(*names), by_name);
    for (size_t i = 0; i < t->n_traces; i++) {
        if (i > 0 && strcmp(names[i - 1], names[i]) == 0)
            continue;
        if (n == RACK_MODELS_MAX)
            return err_set(e, -EINVAL, "more than %d models", RACK_MODELS_MAX);
        h->load.model[n++].name = names[i];
    }
    h->load.n_models = n;
    return 0;
}

static int check_traces(const struct traces *t, struct history *h, struct err *e)
{
    for (size_t i = 0; i < t->n_traces; i++) {
        const struct trace *x = &t->traces[i];
        uint32_t m = 0;

        if (x->n_points < 2)
            return err_set(e, -EINVAL, "%.60s: fewer than two rows of demand", x->model);
        while (m + 1 < h->load.n_models && strcmp(h->load.model[m].name, x->model) != 0)
            m++;
        for (size_t k = 0; k < i; k++)
            if (strcmp(t->traces[k].model, x->model) == 0 && t->traces[k].unit != x->unit)
                return err_set(e, -EINVAL,
                               "%.60s: one source counts requests and another one busy CPUs",
                               x->model);
        h->unit[m] = x->unit;
    }
    return 0;
}

static int find_span(const struct traces *t, const double *usual_s, struct history *h,
                     struct err *e)
{
    struct span all = { -INFINITY, INFINITY }, any = { INFINITY, -INFINITY };
    const char *last = "", *first = "";
    double minute_s = (double)rack_steps(&h->load, RACK_MINUTE_S) * h->load.step_s, minutes;

    for (uint32_t m = 0; m < h->load.n_models; m++) {
        struct span s = span_of(t, usual_s, h->load.model[m].name);

        last = s.from_s > all.from_s ? h->load.model[m].name : last;
        first = s.to_s < all.to_s ? h->load.model[m].name : first;
        any = (struct span){ fmin(any.from_s, s.from_s), fmax(any.to_s, s.to_s) };
        all = (struct span){ fmax(all.from_s, s.from_s), fmin(all.to_s, s.to_s) };
    }
    minutes = floor((all.to_s - all.from_s) / minute_s);
    if (minutes < 1 && all.to_s <= all.from_s)
        return err_set(e, -EINVAL,
                       "there is no time of which all is known: \"%.60s\" ends before \"%.60s\" "
                       "begins; leave one of them out",
                       first, last);
    if (minutes < 1)
        return err_set(e, -EINVAL, "less than %g s of demand", minute_s);
    if (all.to_s - all.from_s > SPAN_MOST_S)
        return err_set(e, -EINVAL, "more than two years");
    h->start_s = all.from_s;
    h->whole_s = any.to_s - any.from_s;
    h->narrow = all.from_s - any.from_s > any.to_s - all.to_s ? last : first;
    h->load.n_steps = (size_t)minutes * (size_t)rack_steps(&h->load, RACK_MINUTE_S);
    if (h->load.n_steps * h->load.n_models > STEPS_MOST)
        return err_set(e, -EINVAL, "%zu steps of %u models: too many; give a longer --resolution",
                       h->load.n_steps, h->load.n_models);
    return 0;
}

/* --- layout -------------------------------------------------------------------------------------
 */

/* One trace at one step; *row is its value in force, which moves on with time. */
static double value_at(const struct trace *t, double usual_s, double from_s, double step_s,
                       size_t *row)
{
    double sum = 0, hold_s = fmax(usual_s, step_s);
    size_t last;

    while (*row + 1 < t->n_points && t->points[*row + 1].at_s <= from_s)
        (*row)++;
    if (*row + 1 < t->n_points)
        hold_s *= HOLE;
    if (t->points[*row].at_s > from_s || from_s >= t->points[*row].at_s + hold_s)
        return NAN;
    last = *row;
    while (usual_s < step_s && last + 1 < t->n_points && t->points[last + 1].at_s < from_s + step_s)
        last++;
    for (size_t k = *row; k <= last; k++)
        sum += t->points[k].value;
    return sum / (double)(last - *row + 1);
}

struct sum { /* over the traces of a model, at one step */
    double value;
    bool known, zero_unknown;
};

static void add(struct sum *s, const struct trace *t, double value)
{
    if (isnan(value) && t->partial)
        return;
    s->known = true;
    s->zero_unknown |= t->zero_unknown;
    s->value += value;
}

static void lay_out_model(const struct traces *t, const double *usual_s, uint32_t m,
                          struct history *h)
{
    AUTO(mem) size_t *row = xcalloc(t->n_traces + 1, sizeof(*row));
    AUTO(mem) size_t *mine = xcalloc(t->n_traces + 1, sizeof(*mine));
    double *rate = &h->rate[(size_t)m * h->load.n_steps];
    size_t n = 0;

    for (size_t i = 0; i < t->n_traces; i++)
        if (strcmp(t->traces[i].model, h->load.model[m].name) == 0)
            mine[n++] = i;
    for (size_t k = 0; k < h->load.n_steps; k++) {
        double from_s = h->start_s + (double)k * h->load.step_s;
        struct sum s = { 0 };

        for (size_t i = 0; i < n; i++)
            add(&s, &t->traces[mine[i]],
                value_at(&t->traces[mine[i]], usual_s[mine[i]], from_s, h->load.step_s, &row[i]));
        if (!s.known || isnan(s.value) || (s.zero_unknown && !(s.value > 0))) {
            h->blind[k] = true;
            s.value = k > 0 ? rate[k - 1] : 0;
        }
        rate[k] = s.value;
    }
}

/* The longest step that divides the usual one and is not longer than any trace's. */
static double finest(const struct traces *t, const double *usual_s)
{
    double step_s = HISTORY_STEP_S, closest_s = HISTORY_STEP_S;

    for (size_t i = 0; i < t->n_traces; i++)
        closest_s = fmin(closest_s, round(usual_s[i]));
    while (step_s > HISTORY_STEP_LEAST_S &&
           (step_s > closest_s || fmod(HISTORY_STEP_S, step_s) > 0))
        step_s--;
    return step_s;
}

int history_lay_out(const struct traces *t, double step_s, struct history *ret_h, struct err *e)
{
    AUTO(mem) double *usual_s = xcalloc(t->n_traces + 1, sizeof(*usual_s));
    struct history h = { .load = { .step_s = step_s } };
    int r = t->n_traces ? name_models(t, &h, e) : err_set(e, -EINVAL, "no demand of any model");

    if (r == 0)
        r = check_traces(t, &h, e);
    for (size_t i = 0; r == 0 && i < t->n_traces; i++)
        usual_s[i] = usual_step(&t->traces[i]);
    if (r == 0 && !(step_s > 0))
        h.load.step_s = finest(t, usual_s);
    if (r == 0)
        r = find_span(t, usual_s, &h, e);
    if (r < 0) {
        history_done(&h);
        return r;
    }
    h.load.rate = h.rate = xcalloc(h.load.n_models * h.load.n_steps, sizeof(*h.rate));
    h.load.blind = h.blind = xcalloc(h.load.n_steps, sizeof(*h.blind));
    for (uint32_t m = 0; m < h.load.n_models; m++)
        lay_out_model(t, usual_s, m, &h);
    *ret_h = h;
    return 0;
}

void history_done(struct history *h)
{
    free(h->rate);
    free(h->blind);
    free(h->names);
}
