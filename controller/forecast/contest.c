/* Phases, each resumed where it stopped. */
#include "controller/forecast/contest.h"

#include <math.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/random.h"

#define SEED 1u
#define FIT_SHARE 65u /* % of the history */
#define STOP_SHARE 80u
#define STOP_ORIGINS 48u
#define JUDGE_ORIGINS 192u
#define EPOCHS_MAX 60u
#define PATIENCE 8u
#define WORK_MAX 120000u /* windows of training before the judging */
#define SURE 2.326       /* the normal quantile 0.99 */
#define STEP_COST 2u     /* of a step of the small one, in windows */
#define FORECAST_COST 3u /* of a forecast of the large one */

enum phase { FITTING, JUDGING, REFITTING, DECIDED };

struct contest {
    struct series series;
    struct past past; /* of the small one's second life */
    struct series lived;
    float logs[SERIES_STEPS]; /* of both: their unit is the same and does not change */
    struct network small;
    struct dense_trainer trainer;
    struct dense best;
    uint16_t order[SERIES_STEPS]; /* windows of an epoch, by their distance from `first` */
    enum phase phase;
    int64_t first, fit_end, stop_end; /* origins: of the first window, behind each part */
    uint32_t n_order, at;
    uint32_t epoch, best_epoch;
    uint64_t work;
    double best_error;
    double small_error, large_error; /* sums */
    uint32_t n_errors, n_origins;
    double better[2 * JUDGE_ORIGINS]; /* by how much the large one was, from each origin */
    int64_t lived_to;
};

static void order_windows(struct contest *c, int64_t end)
{
    c->n_order = (uint32_t)(end - c->first);
    for (uint32_t i = 0; i < c->n_order; i++)
        c->order[i] = (uint16_t)i;
    c->at = 0;
}

struct contest *contest_new(const struct past *p)
{
    struct contest *c;

    if (p->series->n < CONTEST_STEPS_MIN)
        return NULL;
    c = xcalloc(1, sizeof(*c));
    c->series = c->lived = *p->series;
    c->past = *p;
    c->past.series = &c->lived;
    c->first = p->series->last - p->series->n + DENSE_INPUTS;
    c->fit_end = p->series->last - p->series->n + p->series->n * FIT_SHARE / 100;
    c->stop_end = p->series->last - p->series->n + p->series->n * STOP_SHARE / 100;
    c->lived_to = p->series->last - p->series->n;
    network_init(&c->small, SEED);
    dense_init(&c->trainer, &c->series, p->unit, SEED);
    dense_logs(&c->trainer.net, &c->series, c->logs);
    c->past.logs = c->logs;
    c->best = c->trainer.net;
    c->best_error = INFINITY;
    order_windows(c, c->fit_end);
    c->at = c->n_order; /* the untrained one is judged first: it stands for no change */
    return c;
}

void contest_free(struct contest *c)
{
    free(c);
}

/* --- training -----------------------------------------------------------------------------------
 */

/* Fisher and Yates, anew for each epoch. */
static void shuffle(struct contest *c)
{
    struct random r = random_stream(SEED, 3, c->epoch, c->phase);

    for (uint32_t i = c->n_order; i > 1; i--) {
        uint32_t k = (uint32_t)random_below(&r, i);
        uint16_t swapped = c->order[k];

        c->order[k] = c->order[i - 1];
        c->order[i - 1] = swapped;
    }
    c->at = 0;
}

/* The next batch of the epoch; its cost. */
static uint32_t train(struct contest *c)
{
    struct dense_batch b;

    b.n = 0;
    while (b.n < DENSE_BATCH && c->at < c->n_order)
        (void)dense_window(&c->trainer.net, &c->series, c->logs, c->first + c->order[c->at++], true,
                           &b);
    (void)dense_pass(&c->trainer, &b, true);
    return b.n + 1;
}

/* --- judging ------------------------------------------------------------------------------------
 */

/* Sum of the absolute errors from `origin`; adds to n. */
static double errors_of(const struct contest *c, const float value[DENSE_AHEAD], int64_t origin,
                        uint32_t *n)
{
    double sum = 0;

    for (uint32_t h = 1; h <= DENSE_AHEAD; h++) {
        float truth = series_at(&c->series, origin + h);

        if (isnan(truth) || isnan(value[h - 1]))
            continue;
        sum += (double)fabsf(truth - value[h - 1]);
        (*n)++;
    }
    return sum;
}

static double error_before_stop(const struct contest *c)
{
    int64_t length = c->stop_end - DENSE_AHEAD - c->fit_end, origins[STOP_ORIGINS];
    float values[DENSE_BATCH][DENSE_AHEAD];
    double sum = 0;
    uint32_t n = 0, n_origins = 0;

    for (uint32_t i = 0; i < STOP_ORIGINS; i++) {
        origins[n_origins] = c->fit_end + length * i / STOP_ORIGINS;
        n_origins += series_known(&c->series, origins[n_origins]);
    }
    for (uint32_t from = 0; from < n_origins; from += DENSE_BATCH) {
        uint32_t some = n_origins - from < DENSE_BATCH ? n_origins - from : DENSE_BATCH;

        dense_forecasts(&c->trainer.net, &c->series, c->logs, origins + from, some, values);
        for (uint32_t i = 0; i < some; i++)
            sum += errors_of(c, values[i], origins[from + i], &n);
    }
    return n ? sum / n : INFINITY;
}

static int64_t judged_apart(const struct contest *c)
{
    return (c->series.last - DENSE_AHEAD - c->stop_end) / JUDGE_ORIGINS + 1;
}

/* Diebold and Mariano's statistic of the large one's advantage. Forecasts of overlapping steps err
 * together: their covariance is counted with Bartlett's weights (Newey and West, 1987). */
static double advantage(const struct contest *c)
{
    uint32_t n = c->n_origins, reach = DENSE_AHEAD / (uint32_t)judged_apart(c);
    double mean = 0, variance = 0;

    for (uint32_t i = 0; i < n; i++)
        mean += c->better[i] / n;
    for (uint32_t lag = 0; lag <= reach && lag < n; lag++) {
        double sum = 0;

        for (uint32_t i = lag; i < n; i++)
            sum += (c->better[i] - mean) * (c->better[i - lag] - mean) / n;
        variance += sum * (lag ? 2 * (1 - lag / (reach + 1.0)) : 1);
    }
    return variance > 0 ? mean / sqrt(variance / n) : 0;
}

/* One more step of the small one's second life; it is judged with the large one at some of them. */
static uint32_t live(struct contest *c)
{
    int64_t origin = ++c->lived_to, last = c->series.last - DENSE_AHEAD;
    int64_t apart = judged_apart(c);
    double of_small, of_large;
    float small[DENSE_AHEAD], large[DENSE_AHEAD];
    uint32_t n = 0;

    c->lived.last = origin;
    c->lived.n = (uint32_t)(origin - (c->series.last - c->series.n));
    c->past.origin = origin;
    c->past.now = series_bridged(&c->lived, origin);
    c->past.log_now = past_log(&c->past, c->past.now);
    c->past.gap = !series_known(&c->series, origin);
    network_add(&c->small, &c->past);
    if (origin < c->stop_end || origin > last || (origin - c->stop_end) % apart || c->past.gap ||
        !dense_forecast(&c->best, &c->series, origin, large))
        return STEP_COST;
    for (uint32_t h = 1; h <= DENSE_AHEAD; h++)
        small[h - 1] = network_forecast(&c->small, &c->past, h);
    if (isnan(small[0]))
        return STEP_COST + FORECAST_COST;
    of_large = errors_of(c, large, origin, &n);
    of_small = errors_of(c, small, origin, &c->n_errors);
    c->large_error += of_large;
    c->small_error += of_small;
    if (n > 0)
        c->better[c->n_origins++] = (of_small - of_large) / n;
    return STEP_COST + FORECAST_COST;
}

/* --- phases -------------------------------------------------------------------------------------
 */

static uint32_t end_epoch(struct contest *c)
{
    double error = error_before_stop(c);

    if (error < c->best_error) {
        c->best_error = error;
        c->best_epoch = c->epoch;
        c->best = c->trainer.net;
    }
    if (c->epoch >= EPOCHS_MAX || c->epoch - c->best_epoch >= PATIENCE || c->work > WORK_MAX) {
        c->phase = JUDGING;
    } else {
        c->epoch++;
        shuffle(c);
    }
    return STOP_ORIGINS * FORECAST_COST;
}

static void end_judging(struct contest *c)
{
    c->phase = DECIDED;
    if (!contest_result(c).large_wins)
        return;
    dense_init(&c->trainer, &c->series, c->best.unit, SEED);
    order_windows(c, c->series.last);
    c->phase = REFITTING;
    c->epoch = 1;
    shuffle(c);
}

static void end_refit(struct contest *c)
{
    if (++c->epoch <= c->best_epoch) {
        shuffle(c);
        return;
    }
    c->best = c->trainer.net;
    c->phase = DECIDED;
}

static uint32_t go_on(struct contest *c)
{
    switch (c->phase) {
    case FITTING:
        return c->at < c->n_order ? train(c) : end_epoch(c);
    case JUDGING:
        if (c->lived_to < c->series.last)
            return live(c);
        end_judging(c);
        return 1;
    case REFITTING:
        if (c->at < c->n_order)
            return train(c);
        end_refit(c);
        return 1;
    default:
        return 0;
    }
}

bool contest_run(struct contest *c, uint32_t windows)
{
    uint32_t done = 0;

    while (done < windows && c->phase != DECIDED) {
        uint32_t cost = go_on(c);

        done += cost;
        c->work += cost;
    }
    return c->phase == DECIDED;
}

struct forecast_networks contest_result(const struct contest *c)
{
    float n = c->n_errors ? (float)c->n_errors : NAN;

    return (struct forecast_networks){
        .steps = c->series.n,
        .origins = c->n_origins,
        .small = (float)c->small_error / n,
        .large = (float)c->large_error / n,
        .advantage = (float)advantage(c),
        .large_wins = c->best_epoch > 0 && advantage(c) > SURE,
    };
}

const struct dense *contest_large(const struct contest *c)
{
    return &c->best;
}

const struct network *contest_small(const struct contest *c)
{
    return &c->small;
}
