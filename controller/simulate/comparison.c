/* See comparison.h. */
#include "controller/simulate/comparison.h"

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

static void run(const struct comparison_of *of, enum compared c, rack_policy *act, void *policy,
                struct comparison *out)
{
    size_t n = of->load->n_steps, runs = of->planned_only ? 1 : COMPARED;
    size_t done = of->planned_only ? 0 : (size_t)c;
    struct rack r;

    rack_init(&r, of->hw, of->load, of->seed, c == COMPARED_ALWAYS_ON);
    chronicle_init(&out->chronicle[c], &r);
    while ((size_t)r.step < n) {
        if (of->told && r.step % TELL_EVERY == 0)
            of->told(of->data, done * n + (size_t)r.step, runs * n, compared_name(c));
        rack_step(&r, act, policy);
        chronicle_note(&out->chronicle[c], &r);
    }
    chronicle_close(&out->chronicle[c]);
    out->score[c] = r.score;
    rack_done(&r);
}

static void run_planned(const struct comparison_of *of, struct comparison *out)
{
    struct planned_setting set = { .policy = of->policy,
                                   .pool = of->pool,
                                   .plain = of->plain,
                                   .seed = of->seed,
                                   .start_s = of->start_s,
                                   .zones = of->zones,
                                   .chronicle = &out->chronicle[COMPARED_PREDICTIVE] };
    struct planned *p = planned_new(of->hw, of->load, &set);

    run(of, COMPARED_PREDICTIVE, planned_act, p, out);
    planned_free(p);
}

void comparison_run(const struct comparison_of *of, struct comparison *ret_c)
{
    struct reactive fixed, reactive;
    struct clairvoyant clairvoyant;
    size_t parts = of->load->n_steps < CHRONICLE_PARTS ? of->load->n_steps : CHRONICLE_PARTS;

    *ret_c = (struct comparison){ .steps = (double)of->load->n_steps };
    ret_c->days = ret_c->steps * of->load->step_s / DAY_S;
    if (of->planned_only) {
        run_planned(of, ret_c);
        return;
    }
    reactive_init(&fixed, HPA_TARGET, 0);
    fixed.fixed = fixed.spread = true;
    run(of, COMPARED_ALWAYS_ON, reactive_act, &fixed, ret_c);
    reactive_init(&reactive, HPA_TARGET, 0);
    run(of, COMPARED_DEMAND, reactive_act, &reactive, ret_c);
    run_planned(of, ret_c);
    clairvoyant_init(&clairvoyant, of->hw, of->load, 1);
    run(of, COMPARED_CLAIRVOYANT, clairvoyant_act, &clairvoyant, ret_c);
    clairvoyant_done(&clairvoyant);
    ret_c->least = xcalloc(parts, sizeof(*ret_c->least));
    ret_c->bound_step_j = xcalloc(of->load->n_steps, sizeof(*ret_c->bound_step_j));
    ret_c->bound_j = bound_joules_shown(
        of->hw, of->load, &(struct bound_shown){ ret_c->bound_step_j, parts, ret_c->least });
}

void comparison_done(struct comparison *c)
{
    for (int i = 0; i < COMPARED; i++)
        chronicle_done(&c->chronicle[i]);
    free(c->bound_step_j);
    free(c->least);
    c->bound_step_j = c->least = NULL;
}
