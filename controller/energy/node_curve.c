/* Learning is a weighted mean per point: each interval's watts are laid on the two points beside u,
 * with evidence in seconds that is capped, so that a curve follows a node that ages. A prior counts
 * as much as PRIOR_S seconds. The curve is then made ascending by pooling adjacent violators. It
 * must never invent precision: `provenance` says whose joules it rests on. */
#include "controller/energy/node_curve.h"

#include <math.h>
#include <stddef.h>

#define PRIOR_S 60.0          /* evidence that the prior is worth at each point */
#define EVIDENCE_MAX_S 7200.0 /* older evidence fades beyond this */
#define DOMINATES_S 120.0     /* own evidence from which a curve counts as the node's own */
#define PLAUSIBLE 4.0         /* off by more than this factor: a faulty reading, or a wrong prior */
#define AS_GOOD 1.01          /* curves are not known better */
#define WAKE_RATE 0.3         /* weight of the newest wake */
#define CYCLE_S_DEFAULT 120.0 /* shutdown and boot of an ordinary server */
#define STANDBY_W_DEFAULT 5.0

/* Asleep and on the way, as the watts awake suggest. */
static void suppose_cycle(struct node_curve *c)
{
    double idle_w = c->watts[0], top_w = c->watts[CURVE_POINTS - 1];

    c->standby_w = STANDBY_W_DEFAULT < idle_w ? STANDBY_W_DEFAULT : idle_w / 10;
    c->boot_s = c->boot_p99_s = CYCLE_S_DEFAULT;
    c->cycle_j = CYCLE_S_DEFAULT * (idle_w + top_w) / 2;
}

struct node_curve node_curve_linear(double idle_w, double full_w)
{
    struct node_curve c = { .provenance = PROVENANCE_ESTIMATED };
    double top_w = full_w > idle_w ? full_w : idle_w;

    for (size_t i = 0; i < CURVE_POINTS; i++)
        c.watts[i] = idle_w + (top_w - idle_w) * (double)i / (CURVE_POINTS - 1);
    suppose_cycle(&c);
    return c;
}

struct node_curve node_curve_named(const struct power_curve *named, uint32_t cpus)
{
    struct node_curve c = { .provenance = PROVENANCE_ESTIMATED };

    for (size_t i = 0; i < CURVE_POINTS; i++)
        c.watts[i] = power_curve_watts(named, (double)i / (CURVE_POINTS - 1), cpus);
    suppose_cycle(&c);
    return c;
}

double node_curve_watts(const struct node_curve *c, double u)
{
    double at = (u > 0 ? fmin(u, 1) : 0) * (CURVE_POINTS - 1); /* NAN reads as idle */
    size_t low = (size_t)at;

    if (low >= CURVE_POINTS - 1)
        return c->watts[CURVE_POINTS - 1];
    return c->watts[low] + (c->watts[low + 1] - c->watts[low]) * (at - (double)low);
}

/* --- learning ----------------------------------------------------------------------------------
 */

static double belief(const struct node_curve *c, size_t i)
{
    return c->weight[i] + PRIOR_S;
}

static void learn_point(struct node_curve *c, size_t i, double error_w, double evidence_s)
{
    c->watts[i] += error_w * evidence_s / (belief(c, i) + evidence_s);
    c->weight[i] = fmin(c->weight[i] + evidence_s, EVIDENCE_MAX_S);
}

static double own_evidence_s(const struct node_curve *c)
{
    double sum_s = 0;

    for (size_t i = 0; i < CURVE_POINTS; i++)
        sum_s += c->weight[i];
    return sum_s;
}

/* Of a curve that has learned, what was visited: linear between, and above it as steep as below.
 * What a prior says of uses that the node was never seen at would bend it for no reason. */
static void visited_watts(const struct node_curve *c, double watts[CURVE_POINTS])
{
    size_t last = 0;
    double slope = (c->watts[CURVE_POINTS - 1] - c->watts[0]) / (CURVE_POINTS - 1);

    for (size_t i = 0; i < CURVE_POINTS; i++)
        watts[i] = c->watts[i];
    if (own_evidence_s(c) <= 0)
        return;
    for (size_t i = 1; i < CURVE_POINTS; i++) {
        if (c->weight[i] < PRIOR_S)
            continue;
        slope = (c->watts[i] - watts[last]) / (double)(i - last);
        for (size_t k = last + 1; k < i; k++)
            watts[k] = watts[last] + slope * (double)(k - last);
        last = i;
    }
    for (size_t k = last + 1; k < CURVE_POINTS; k++)
        watts[k] = watts[last] + slope * (double)(k - last);
}

double node_curve_best_use(const struct node_curve *c)
{
    double watts[CURVE_POINTS], least = INFINITY;
    size_t best = CURVE_POINTS - 1;

    visited_watts(c, watts);
    for (size_t i = 1; i < CURVE_POINTS; i++)
        least = fmin(least, (watts[i] - c->standby_w) / (double)i);
    while (best > 1 && (watts[best] - c->standby_w) / (double)best > AS_GOOD * least)
        best--;
    return (double)best / (CURVE_POINTS - 1);
}

void node_curve_suppose(struct node_curve *c, const struct node_curve *prior)
{
    struct node_curve was = *c;

    if (own_evidence_s(c) > 0)
        return;
    *c = *prior;
    if (was.wakes == 0)
        return;
    c->wakes = was.wakes;
    c->boot_s = was.boot_s;
    c->boot_p99_s = was.boot_p99_s;
    c->cycle_j = was.cycle_j;
}

/* Points that nobody visited follow those that were, half way: a node that draws more than supposed
 * at one level mostly does so at the others. */
static void shift_prior(struct node_curve *c, double error_w, double seconds)
{
    double share = seconds / (PRIOR_S + own_evidence_s(c));

    for (size_t i = 0; i < CURVE_POINTS; i++)
        if (c->weight[i] <= 0)
            c->watts[i] = fmax(0, c->watts[i] + error_w * share / 2);
}

/* Far from what was supposed, and as yet nothing says that the reading is at fault: the node is a
 * smaller or larger machine of the same shape. A single faulty reading is undone by the next. */
static void rescale(struct node_curve *c, double factor)
{
    for (size_t i = 0; i < CURVE_POINTS; i++) {
        c->watts[i] *= factor;
        c->weight[i] = 0;
    }
    c->standby_w *= factor;
    if (c->wakes == 0)
        c->cycle_j *= factor;
}

/* Pool adjacent violators: the nearest ascending curve in weighted squares. */
static void make_ascending(struct node_curve *c)
{
    double mean[CURVE_POINTS], mass[CURVE_POINTS];
    size_t length[CURVE_POINTS], n = 0, at = 0;

    for (size_t i = 0; i < CURVE_POINTS; i++) {
        mean[n] = c->watts[i];
        mass[n] = c->weight[i] + 1; /* what was seen outweighs what was supposed */
        length[n++] = 1;
        while (n > 1 && mean[n - 2] > mean[n - 1]) {
            double both = mass[n - 2] + mass[n - 1];

            mean[n - 2] = (mean[n - 2] * mass[n - 2] + mean[n - 1] * mass[n - 1]) / both;
            mass[n - 2] = both;
            length[n - 2] += length[n - 1];
            n--;
        }
    }
    for (size_t block = 0; block < n; block++)
        for (size_t k = 0; k < length[block]; k++)
            c->watts[at++] = mean[block];
}

static void judge_provenance(struct node_curve *c, enum provenance p)
{
    if (p != PROVENANCE_MEASURED)
        c->provenance = PROVENANCE_ESTIMATED;
    else if (own_evidence_s(c) >= DOMINATES_S)
        c->provenance = PROVENANCE_MEASURED;
}

void node_curve_learn(struct node_curve *c, double u, double watts, double seconds,
                      enum provenance p)
{
    double expected_w, at, share, evidence_s;
    size_t low;

    if (!isfinite(u) || !isfinite(watts) || !isfinite(seconds) || u < 0 || u > 1.05 || watts <= 0 ||
        seconds <= 0)
        return;
    if (p != PROVENANCE_MEASURED && p != PROVENANCE_ESTIMATED)
        return;
    expected_w = node_curve_watts(c, u);
    if (expected_w > 0 && (watts > PLAUSIBLE * expected_w || watts < expected_w / PLAUSIBLE)) {
        if (own_evidence_s(c) >= DOMINATES_S)
            return;
        rescale(c, watts / expected_w);
        expected_w = watts;
    }
    at = fmin(u, 1) * (CURVE_POINTS - 1);
    low = at >= CURVE_POINTS - 1 ? CURVE_POINTS - 2 : (size_t)at;
    share = at - (double)low;
    evidence_s = fmin(seconds, PRIOR_S);
    learn_point(c, low, watts - expected_w, evidence_s * (1 - share));
    learn_point(c, low + 1, watts - expected_w, evidence_s * share);
    shift_prior(c, watts - expected_w, evidence_s);
    make_ascending(c);
    judge_provenance(c, p);
}

void node_curve_learn_wake(struct node_curve *c, double boot_s, double boot_j)
{
    double rate;

    if (!isfinite(boot_s) || boot_s <= 0)
        return;
    rate = c->wakes == 0 ? 1 : WAKE_RATE;
    c->boot_s += rate * (boot_s - c->boot_s);
    /* A running p99 of few values: their largest, slowly forgotten. */
    if (c->wakes == 0 || boot_s > c->boot_p99_s)
        c->boot_p99_s = boot_s;
    else
        c->boot_p99_s += 0.02 * (boot_s - c->boot_p99_s);
    if (isfinite(boot_j) && boot_j >= 0)
        c->cycle_j += rate * (boot_j - c->cycle_j);
    c->wakes++;
}

double node_curve_break_even_s(const struct node_curve *c)
{
    double saved_w = c->watts[0] - c->standby_w;

    return saved_w > 0 ? fmax(c->cycle_j, 0) / saved_w : INFINITY;
}
