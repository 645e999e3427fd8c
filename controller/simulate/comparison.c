/* See comparison.h. */
#include "controller/simulate/comparison.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "controller/simulate/clairvoyant.h"
#include "controller/simulate/planned.h"
#include "controller/simulate/reactive.h"
#include "proto/base/array.h"

#define HPA_TARGET 0.7 /* the usual one of autoscalers */
#define TELL_EVERY 1024
#define DAY_S 86400.0

const char *compared_name(enum compared c)
{
    static const char *const names[COMPARED] = { "always-on", "demand", "predictive",
                                                 "clairvoyant" };

    return names[c];
}

/* Of one comparison; threads share it. */
struct work {
    const struct comparison_of *of;
    struct comparison *out;
    struct planned *planned;
    struct ahead *ahead; /* NULL: the planner foresees as it goes */
    bool together;       /* other runs go on beside this one */
    atomic_size_t done;  /* steps, of all runs */
};

/* Where runs go on together, the planner tells for all: it takes the longest. */
static void tell(struct work *w, enum compared c)
{
    size_t runs = w->of->planned_only ? 1 : COMPARED;

    if (w->of->told && (!w->together || c == COMPARED_PREDICTIVE))
        w->of->told(w->of->data, w->done, runs * w->of->load->n_steps, compared_name(c));
}

static void run(struct work *w, enum compared c, rack_policy *act, void *policy)
{
    size_t n = w->of->load->n_steps;
    struct chronicle *chronicle = &w->out->chronicle[c];
    struct rack r;

    rack_init(&r, w->of->hw, w->of->load, w->of->seed, c == COMPARED_ALWAYS_ON);
    chronicle_init(chronicle, &r);
    while ((size_t)r.step < n) {
        if (r.step % TELL_EVERY == 0)
            tell(w, c);
        rack_step(&r, act, policy);
        chronicle_note(chronicle, &r);
        w->done++;
    }
    chronicle_close(chronicle);
    w->out->score[c] = r.score;
    rack_done(&r);
}

static void run_planned(void *data)
{
    struct work *w = data;

    run(w, COMPARED_PREDICTIVE, planned_act, w->planned);
}

static void run_ahead(void *data)
{
    ahead_run(((struct work *)data)->ahead);
}

static void run_autoscalers(struct work *w)
{
    struct reactive fixed, reactive;

    reactive_init(&fixed, HPA_TARGET, 0);
    fixed.fixed = fixed.spread = true;
    run(w, COMPARED_ALWAYS_ON, reactive_act, &fixed);
    reactive_init(&reactive, HPA_TARGET, 0);
    run(w, COMPARED_DEMAND, reactive_act, &reactive);
}

static void run_references(struct work *w)
{
    const struct comparison_of *of = w->of;
    struct comparison *out = w->out;
    size_t parts = of->load->n_steps < CHRONICLE_PARTS ? of->load->n_steps : CHRONICLE_PARTS;
    struct clairvoyant clairvoyant;

    clairvoyant_init(&clairvoyant, of->hw, of->load, 1);
    run(w, COMPARED_CLAIRVOYANT, clairvoyant_act, &clairvoyant);
    clairvoyant_done(&clairvoyant);
    out->least = xcalloc(parts, sizeof(*out->least));
    out->bound_step_j = xcalloc(of->load->n_steps, sizeof(*out->bound_step_j));
    out->bound_j = bound_joules_shown(
        of->hw, of->load, &(struct bound_shown){ out->bound_step_j, parts, out->least });
}

static void run_others(void *data)
{
    run_autoscalers(data);
    run_references(data);
}

/* The planner, its forecasts and the other policies side by side; false: they cannot be. */
static bool run_together(struct work *w)
{
    struct beside_task tasks[3] = { { run_planned, w, false } };
    size_t n = 1;

    if (!w->of->beside)
        return false;
    w->ahead = planned_look_ahead(w->planned, w->of->hw, w->of->load);
    if (w->ahead)
        tasks[n++] = (struct beside_task){ run_ahead, w, false };
    if (!w->of->planned_only)
        tasks[n++] = (struct beside_task){ run_others, w, true };
    w->together = n > 1;
    if (w->together && w->of->beside(tasks, n))
        return true;
    w->together = false;
    planned_look_back(w->planned);
    return false;
}

static void run_in_turns(struct work *w)
{
    if (!w->of->planned_only)
        run_autoscalers(w);
    run_planned(w);
    if (!w->of->planned_only)
        run_references(w);
}

void comparison_run(const struct comparison_of *of, struct comparison *ret_c)
{
    struct planned_setting set = { .policy = of->policy,
                                   .pool = of->pool,
                                   .plain = of->plain,
                                   .seed = of->seed,
                                   .start_s = of->start_s,
                                   .zones = of->zones,
                                   .chronicle = &ret_c->chronicle[COMPARED_PREDICTIVE] };
    struct work w = { .of = of, .out = ret_c };

    *ret_c = (struct comparison){ .steps = (double)of->load->n_steps };
    ret_c->days = ret_c->steps * of->load->step_s / DAY_S;
    w.planned = planned_new(of->hw, of->load, &set);
    if (!run_together(&w))
        run_in_turns(&w);
    planned_free(w.planned);
}

void comparison_done(struct comparison *c)
{
    for (int i = 0; i < COMPARED; i++)
        chronicle_done(&c->chronicle[i]);
    free(c->bound_step_j);
    free(c->least);
    c->bound_step_j = c->least = NULL;
}
