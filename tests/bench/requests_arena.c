/* See requests_arena.h. */
#include "tests/bench/requests_arena.h"

#include <math.h>
#include <stdlib.h>

#include "controller/simulate/clairvoyant.h"
#include "controller/simulate/executor.h"
#include "controller/simulate/planned.h"
#include "controller/simulate/reactive.h"
#include "proto/base/array.h"
#include "proto/base/cleanup.h"

#define REPLICAS_LEAST 2
#define JOULES_PER_KWH 3.6e6

const char *arena_policy_name(enum arena_policy p)
{
    static const char *const names[ARENA_POLICIES] = { "always-on", "demand", "huddle",
                                                       "clairvoyant" };

    return names[p];
}

/* --- demand -------------------------------------------------------------------------------------
 */

static void count_requests(struct arena *a)
{
    for (uint32_t m = 0; m < a->n_services; m++) {
        double *rate = &a->rate[m * a->load.n_steps];

        for (size_t i = 0; i < a->service[m].n_requests; i++)
            rate[(size_t)((a->service[m].requests[i].at_s - a->from_s) / ARENA_STEP_S)] +=
                1 / ARENA_STEP_S;
        for (size_t t = a->once; t < a->load.n_steps; t++)
            rate[t] = rate[t - a->once];
    }
}

/* In nodes, of the minute with the most demand. */
static double fullest_minute(const struct arena *a, uint32_t slots)
{
    size_t minute = executor_steps(&a->load);
    double most = 0;

    for (size_t t = 0; t + minute <= a->once; t += minute) {
        double need = 0;

        for (uint32_t m = 0; m < a->n_services; m++)
            need += a->engine->gpus * rack_mean(&a->load, m, (int64_t)t, (int64_t)(t + minute)) /
                    a->pace[m].capacity;
        most = fmax(most, need / slots);
    }
    return most;
}

static void lay_out(struct arena *a)
{
    double to_s = 0;

    a->from_s = INFINITY;
    for (uint32_t m = 0; m < a->n_services; m++) {
        const struct service *s = &a->service[m];

        a->from_s = fmin(a->from_s, floor(s->requests[0].at_s));
        to_s = fmax(to_s, s->requests[s->n_requests - 1].at_s);
    }
    a->once = (size_t)floor((to_s - a->from_s) / ARENA_STEP_S) + 1;
}

void arena_init(struct arena *a, const struct engine *g, const struct service *s,
                uint32_t n_services, uint32_t times)
{
    *a = (struct arena){ .engine = g, .service = s, .n_services = n_services, .times = times };
    lay_out(a);
    a->load = (struct rack_load){ .n_models = n_services,
                                  .n_steps = a->once * times,
                                  .step_s = ARENA_STEP_S };
    a->load.rate = a->rate = xcalloc(n_services * a->load.n_steps, sizeof(*a->rate));
    count_requests(a);
    for (uint32_t m = 0; m < n_services; m++) {
        a->pace[m] = engine_pace(g, &s[m]);
        a->load.model[m] = (struct rack_model){ .name = s[m].name,
                                                .slots = g->gpus,
                                                .least = REPLICAS_LEAST,
                                                .capacity = a->pace[m].capacity,
                                                .load_weight = g->gpus };
    }
    a->nodes =
        (uint32_t)rack_ceil(fullest_minute(a, (uint32_t)FORTNIGHT_SLOTS) / ARENA_FULLEST) + 1;
}

void arena_done(struct arena *a)
{
    free(a->rate);
}

/* --- waits --------------------------------------------------------------------------------------
 */

static double quantile(const double *ascending, size_t n, double level)
{
    size_t rank = (size_t)rack_ceil(level * (double)n); /* the least that `level` of all keep to */

    return ascending[rank > 0 ? rank - 1 : 0];
}

/* Sorts `wait_s`. */
static struct queue_score score_waits(double *wait_s, size_t n)
{
    struct queue_score x = { .n = n };
    size_t served = 0;
    double sum = 0;

    if (n == 0)
        return x;
    qsort(wait_s, n, sizeof(*wait_s), array_by_double);
    for (size_t i = 0; i < n; i++) {
        x.late += wait_s[i] > RACK_LATE_S;
        x.unserved += wait_s[i] > RACK_PATIENCE_S;
        if (isinf(wait_s[i]))
            continue;
        sum += wait_s[i];
        served++;
    }
    x.late /= (double)n;
    x.unserved /= (double)n;
    x.mean = served > 0 ? sum / (double)served : INFINITY;
    x.p50 = quantile(wait_s, n, 0.50);
    x.p95 = quantile(wait_s, n, 0.95);
    x.p99 = quantile(wait_s, n, 0.99);
    return x;
}

static struct play *plays_of(const struct arena *a, uint32_t m)
{
    const struct service *s = &a->service[m];
    struct play *plays = xcalloc(s->n_requests * a->times, sizeof(*plays)), *next = plays;
    double mean_s = a->engine->places / a->pace[m].capacity;

    for (uint32_t k = 0; k < a->times; k++)
        for (size_t i = 0; i < s->n_requests; i++) {
            const struct request *x = &s->requests[i];
            double at_s = x->at_s - a->from_s + k * (double)a->once * ARENA_STEP_S;

            *next++ =
                (struct play){ at_s, a->alike ? mean_s : engine_busy_s(a->engine, &a->pace[m], x) };
        }
    return plays;
}

struct waits {
    double *wait_s;
    size_t n_wait_s, cap_wait_s;
};

struct tally { /* of a policy, over its runs */
    const struct arena *a;
    struct arena_score score; /* sums */
    struct waits waits[ARENA_SERVICES_MAX][PLAYER_QUEUES][ARENA_SPANS];
};

static void play(struct tally *y, const struct lives *lives, uint32_t m)
{
    const struct arena *a = y->a;
    size_t once = a->service[m].n_requests, n = once * a->times, n_lives;
    AUTO(mem) struct play *plays = plays_of(a, m);
    AUTO(mem) struct life *of = lives_of(lives, m, &n_lives);
    AUTO(mem) double *wait_s = xcalloc(n, sizeof(*wait_s));

    for (int q = 0; q < PLAYER_QUEUES; q++) {
        struct player_rules rules = { (enum player_queue)q, a->engine->places, RACK_PATIENCE_S };

        y->score.cut[q] += (double)player_run(&rules, of, n_lives, plays, n, wait_s);
        for (size_t i = 0; i < n; i++)
            *ARRAY_ADD(&y->waits[m][q][i < once ? ARENA_FIRST : ARENA_LATER], wait_s) = wait_s[i];
    }
}

/* --- a run --------------------------------------------------------------------------------------
 */

struct mark { /* of the rack, at the end of the first hour */
    double joules;
    struct rack_served served[ARENA_SERVICES_MAX];
};

static void add_fluid(struct fluid_score *sum, const struct rack_served *from,
                      const struct rack_served *to)
{
    sum->requests += to->requests - from->requests;
    sum->late += to->late - from->late;
    sum->unserved += to->unserved - from->unserved;
}

static void add_rack(struct tally *y, const struct rack *r, const struct mark *mark)
{
    const struct rack_served none = { 0 };
    struct arena_score *x = &y->score;

    x->kwh[ARENA_FIRST] += mark->joules / JOULES_PER_KWH;
    x->kwh[ARENA_LATER] += (r->score.joules - mark->joules) / JOULES_PER_KWH / (y->a->times - 1);
    x->awake += r->score.awake_sum / (double)r->step;
    x->loads += (double)r->score.loads;
    x->moves += (double)r->score.moves;
    x->wakes += (double)r->score.wakes;
    for (uint32_t m = 0; m < y->a->n_services; m++) {
        add_fluid(&x->service[m].fluid[ARENA_FIRST], &none, &mark->served[m]);
        add_fluid(&x->service[m].fluid[ARENA_LATER], &mark->served[m], &r->served[m]);
    }
}

static void run(struct tally *y, const struct rack_hardware *hw, uint64_t seed, bool spread,
                rack_policy *act, void *policy)
{
    const struct arena *a = y->a;
    struct lives lives = { 0 };
    struct mark mark = { 0 };
    struct rack r;

    rack_init(&r, hw, &a->load, seed, spread);
    while ((size_t)r.step < a->load.n_steps) {
        rack_due(&r);
        act(policy, &r);
        lives_note(&lives, &r);
        rack_serve(&r);
        if ((size_t)r.step != a->once)
            continue;
        mark.joules = r.score.joules;
        for (uint32_t m = 0; m < a->n_services; m++)
            mark.served[m] = r.served[m];
    }
    add_rack(y, &r, &mark);
    for (uint32_t m = 0; m < a->n_services; m++)
        play(y, &lives, m);
    lives_done(&lives);
    rack_done(&r);
}

static void run_reactive(struct tally *y, const struct rack_hardware *hw, uint64_t seed, bool fixed)
{
    struct reactive p;

    reactive_init(&p, FORTNIGHT_HPA_TARGET, 0);
    p.fixed = p.spread = fixed;
    run(y, hw, seed, fixed, reactive_act, &p);
}

static void run_huddle(struct tally *y, const struct rack_hardware *hw, uint64_t seed)
{
    struct planned *p = planned_new(hw, &y->a->load, &(struct planned_setting){ 0 });

    run(y, hw, seed, false, planned_act, p);
    planned_free(p);
}

static void run_clairvoyant(struct tally *y, const struct rack_hardware *hw, uint64_t seed)
{
    struct clairvoyant p;

    clairvoyant_init(&p, hw, &y->a->load, fortnight_fill('G'));
    run(y, hw, seed, false, clairvoyant_act, &p);
    clairvoyant_done(&p);
}

/* Sums become means and shares; the waits are spent. */
static struct arena_score finish(struct tally *y, uint32_t runs)
{
    struct arena_score *x = &y->score;
    double *means[] = {
        &x->kwh[ARENA_FIRST], &x->kwh[ARENA_LATER], &x->awake, &x->loads, &x->moves, &x->wakes,
        &x->cut[PLAYER_OWN],  &x->cut[PLAYER_DOOR]
    };

    for (size_t i = 0; i < ARRAY_LEN(means); i++)
        *means[i] /= runs;
    for (uint32_t m = 0; m < y->a->n_services; m++)
        for (int s = 0; s < ARENA_SPANS; s++) {
            struct fluid_score *f = &x->service[m].fluid[s];

            f->late /= f->requests;
            f->unserved /= f->requests;
            for (int q = 0; q < PLAYER_QUEUES; q++) {
                struct waits *w = &y->waits[m][q][s];

                x->service[m].queue[q][s] = score_waits(w->wait_s, w->n_wait_s);
                free(w->wait_s);
            }
        }
    return *x;
}

struct arena_score arena_run(const struct arena *a, const struct rack_hardware *hw,
                             enum arena_policy p, struct arena_seeds seeds)
{
    struct rack_hardware own = *hw;
    struct tally y = { .a = a };

    own.nodes = a->nodes;
    for (uint64_t seed = seeds.first; seed < seeds.first + seeds.runs; seed++) {
        if (p == ARENA_HUDDLE)
            run_huddle(&y, &own, seed);
        else if (p == ARENA_CLAIRVOYANT)
            run_clairvoyant(&y, &own, seed);
        else
            run_reactive(&y, &own, seed, p == ARENA_ALWAYS_ON);
    }
    return finish(&y, seeds.runs);
}

/* --- the gate -----------------------------------------------------------------------------------
 */

struct sums { /* over all services */
    double requests, late, unserved;
};

static void add_shares(struct sums *sum, double requests, double late, double unserved)
{
    sum->requests += requests;
    sum->late += requests * late;
    sum->unserved += requests * unserved;
}

static struct sums fluid_sums(const struct arena *a, const struct arena_score *x, enum arena_span s)
{
    struct sums sum = { 0 };

    for (uint32_t m = 0; m < a->n_services; m++) {
        const struct fluid_score *f = &x->service[m].fluid[s];

        add_shares(&sum, f->requests, f->late, f->unserved);
    }
    return sum;
}

static struct sums queue_sums(const struct arena *a, const struct arena_score *x,
                              enum player_queue q, enum arena_span s)
{
    struct sums sum = { 0 };

    for (uint32_t m = 0; m < a->n_services; m++) {
        const struct queue_score *w = &x->service[m].queue[q][s];

        add_shares(&sum, (double)w->n, w->late, w->unserved);
    }
    return sum;
}

static bool keeps(struct sums x, struct sums on)
{
    return x.unserved / x.requests <= on.unserved / on.requests + FORTNIGHT_UNSERVED_MORE &&
           x.late / x.requests <= on.late / on.requests + FORTNIGHT_LATE_MORE;
}

bool arena_fluid_keeps(const struct arena *a, const struct arena_score *x,
                       const struct arena_score *always_on, enum arena_span s)
{
    return keeps(fluid_sums(a, x, s), fluid_sums(a, always_on, s));
}

bool arena_queue_keeps(const struct arena *a, const struct arena_score *x,
                       const struct arena_score *always_on, enum player_queue q, enum arena_span s)
{
    return keeps(queue_sums(a, x, q, s), queue_sums(a, always_on, q, s));
}
