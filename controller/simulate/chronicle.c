/* See chronicle.h. */
#include "controller/simulate/chronicle.h"

#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"

#define HOUR_S 3600.0

static size_t part_of(const struct chronicle *c, size_t step)
{
    return step * c->n_parts / c->n_steps;
}

void chronicle_init(struct chronicle *c, const struct rack *r)
{
    size_t n = r->load->n_steps < CHRONICLE_PARTS ? r->load->n_steps : CHRONICLE_PARTS;
    size_t models = r->load->n_models;

    *c = (struct chronicle){ .n_parts = n,
                             .n_steps = r->load->n_steps,
                             .step_s = r->load->step_s,
                             .n_models = models,
                             .n_ring = (size_t)rack_steps(r->load, CHRONICLE_CLOSE_S),
                             .worst = -1 };
    c->joules = xcalloc(c->n_steps, sizeof(*c->joules));
    c->watts = xcalloc(n, sizeof(*c->watts));
    c->awake = xcalloc(n, sizeof(*c->awake));
    c->demand = xcalloc(models * n, sizeof(*c->demand));
    c->fan = xcalloc(models * n, sizeof(*c->fan));
    c->fans = xcalloc(models * n, sizeof(*c->fans));
    c->ring = xcalloc(c->n_ring, sizeof(*c->ring));
    c->close = xcalloc(c->n_ring, sizeof(*c->close));
}

void chronicle_done(struct chronicle *c)
{
    free(c->joules);
    free(c->watts);
    free(c->awake);
    free(c->demand);
    free(c->fan);
    free(c->fans);
    free(c->ring);
    free(c->close);
    *c = (struct chronicle){ 0 };
}

/* --- close up -----------------------------------------------------------------------------------
 */

/* What the step that was just served looked like. */
static struct chronicle_step look(const struct chronicle *c, const struct rack *r)
{
    size_t t = (size_t)r->step - 1;
    struct chronicle_step s = { .awake = r->score.awake_sum - c->before.awake_sum };

    for (uint32_t m = 0; m < r->load->n_models; m++) {
        const struct rack_model *model = &r->load->model[m];

        s.needed += model->slots * r->load->rate[m * r->load->n_steps + t] / model->capacity;
        s.serving += model->slots * r->serving[m];
        s.waiting += r->backlog[m];
    }
    s.needed /= r->hw->slots;
    s.serving /= r->hw->slots;
    s.ready = rack_count(r, RACK_READY);
    return s;
}

/* Was the hour that ends here the worst so far? Where none was bad, the one with least room. */
static void judge_hour(struct chronicle *c, size_t end)
{
    bool worse =
        c->hour_bad > c->worst || (!(c->hour_bad < c->worst) && c->hour_tight > c->tightest);

    if (worse) {
        c->worst = c->hour_bad;
        c->tightest = c->hour_tight;
        c->n_close = end < c->n_ring ? end : c->n_ring;
        c->close_from = end - c->n_close;
        for (size_t i = 0; i < c->n_close; i++)
            c->close[i] = c->ring[(c->close_from + i) % c->n_ring];
    }
    c->hour_bad = c->hour_tight = 0;
}

void chronicle_note(struct chronicle *c, const struct rack *r)
{
    size_t step = (size_t)r->step - 1, part = part_of(c, step), models = r->load->n_models;
    struct chronicle_step s = look(c, r);

    c->joules[step] = r->score.joules - c->before.joules;
    c->watts[part] += c->joules[step] / c->step_s;
    c->awake[part] += s.awake;
    for (size_t m = 0; m < models; m++)
        c->demand[m * c->n_parts + part] += r->load->rate[m * c->n_steps + step];
    c->ring[step % c->n_ring] = s;
    c->hour_bad += r->score.unserved - c->before.unserved + r->score.late - c->before.late;
    c->hour_tight = fmax(c->hour_tight, s.serving > 0 ? s.needed / s.serving : 0);
    c->before = r->score;
    if ((step + 1) % (size_t)rack_steps(r->load, HOUR_S) == 0 || step + 1 == c->n_steps)
        judge_hour(c, step + 1);
}

/* --- fans ---------------------------------------------------------------------------------------
 */

void chronicle_forecast(struct chronicle *c, uint32_t model, int64_t step,
                        const struct chronicle_fan *fan)
{
    size_t at;

    if (step < 0 || (size_t)step >= c->n_steps || isnan(fan->low + fan->median + fan->high))
        return;
    at = model * c->n_parts + part_of(c, (size_t)step);
    c->fan[at].low += fan->low;
    c->fan[at].median += fan->median;
    c->fan[at].high += fan->high;
    c->fans[at]++;
}

void chronicle_close(struct chronicle *c)
{
    for (size_t p = 0; p < c->n_parts; p++) {
        /* The steps of a part are those that part_of() gives to it. */
        size_t from = (p * c->n_steps + c->n_parts - 1) / c->n_parts;
        size_t to = ((p + 1) * c->n_steps + c->n_parts - 1) / c->n_parts;
        double n = (double)(to - from);

        c->watts[p] /= n;
        c->awake[p] /= n;
        for (size_t m = 0; m < c->n_models; m++)
            c->demand[m * c->n_parts + p] /= n;
    }
    for (size_t i = 0; i < c->n_models * c->n_parts; i++) {
        double n = c->fans[i] ? (double)c->fans[i] : (double)NAN;

        c->fan[i].low /= n;
        c->fan[i].median /= n;
        c->fan[i].high /= n;
    }
}
