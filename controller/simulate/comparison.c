/* See comparison.h. */
#include "controller/simulate/comparison.h"

#include "controller/simulate/clairvoyant.h"
#include "controller/simulate/planned.h"
#include "controller/simulate/reactive.h"

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
    size_t n = of->load->n_steps;
    struct rack r;

    rack_init(&r, of->hw, of->load, of->seed, c == COMPARED_ALWAYS_ON);
    while ((size_t)r.step < n) {
        if (of->told && r.step % TELL_EVERY == 0)
            of->told(of->data, (size_t)c * n + (size_t)r.step, COMPARED * n, compared_name(c));
        rack_step(&r, act, policy);
    }
    out->score[c] = r.score;
    rack_done(&r);
}

void comparison_run(const struct comparison_of *of, struct comparison *ret_c)
{
    struct reactive fixed, reactive;
    struct clairvoyant clairvoyant;
    struct planned *planned = planned_new(of->hw, of->load, of->policy, of->pool);

    *ret_c = (struct comparison){ .steps = (double)of->load->n_steps };
    ret_c->days = ret_c->steps * of->load->step_s / DAY_S;
    reactive_init(&fixed, HPA_TARGET, 0);
    fixed.fixed = fixed.spread = true;
    run(of, COMPARED_ALWAYS_ON, reactive_act, &fixed, ret_c);
    reactive_init(&reactive, HPA_TARGET, 0);
    run(of, COMPARED_DEMAND, reactive_act, &reactive, ret_c);
    run(of, COMPARED_PREDICTIVE, planned_act, planned, ret_c);
    clairvoyant_init(&clairvoyant, of->hw, of->load, 1);
    run(of, COMPARED_CLAIRVOYANT, clairvoyant_act, &clairvoyant, ret_c);
    ret_c->bound_j = bound_joules(of->hw, of->load);
    clairvoyant_done(&clairvoyant);
    planned_free(planned);
}
