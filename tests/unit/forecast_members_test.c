/* Each member by itself, against values worked out by hand or by a plain reference, and what the
 * members do together: weights, bans, new starts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "controller/forecast/members.h"
#include "proto/base/array.h"
#include "proto/base/random.h"

#define NEAR(a, b, e) assert_true(fabs((double)(a) - (double)(b)) <= (e))

struct fixture {
    struct series series;
    struct past past;
};

/* The unit 1 keeps logarithms simple: log(1 + x). */
static void observe(struct fixture *f, double x)
{
    int64_t step = f->series.n ? f->series.last + 1 : 0;

    (void)series_push(&f->series, step, x);
    f->past.series = &f->series;
    f->past.origin = step;
    f->past.now = series_bridged(&f->series, step);
    f->past.gap = f->series.gap > 0;
    f->past.unit = 1;
    f->past.turn = f->past.season ? f->past.season : 1440;
    f->past.log_now = past_log(&f->past, f->past.now);
    f->past.log_mean12 = f->past.log_mean48 = f->past.log_now;
}

static struct fixture *of(const double *values, size_t n, uint32_t season)
{
    struct fixture *f = xcalloc(1, sizeof(*f));

    f->past.season = season;
    for (size_t i = 0; i < n; i++)
        observe(f, values[i]);
    return f;
}

/* --- without state ------------------------------------------------------------------------------
 */

static void the_last_value_is_the_last(void **state)
{
    static const double x[] = { 1, 2, 7 };
    AUTO(mem) struct fixture *f = of(x, ARRAY_LEN(x), 0);

    (void)state;
    NEAR(member_last(&f->past, 1), 7, 0);
    NEAR(member_last(&f->past, 24), 7, 0);
}

/* The newest nine are 100 5 4 6 2 7 5 4 3, in order 2 3 4 4 5 5 6 7 100; of two, their mean. */
static void the_median_is_without_spikes(void **state)
{
    static const double x[] = { 50, 60, 100, 5, 4, 6, 2, 7, 5, 4, 3 };
    AUTO(mem) struct fixture *f = of(x, ARRAY_LEN(x), 0);
    AUTO(mem) struct fixture *two = of(x, 2, 0);

    (void)state;
    NEAR(member_median(&f->past, 12), 5, 0);
    NEAR(member_median(&two->past, 1), 55, 0);
}

/* A season of four. Two steps ahead stands at the phase of 32 and 30: (32 + 30 / 2) / 1.5. Now, 24,
 * is 24 - (22 + 20 / 2) / 1.5 above its phase, of which .98 squared is left for h = 2. */
static void a_profile_is_as_by_hand(void **state)
{
    static const double x[] = { 10, 20, 25, 30, 12, 22, 27, 32, 14, 24 };
    AUTO(mem) struct fixture *f = of(x, ARRAY_LEN(x), 4);
    double deviation = 24 - (22 + 10) / 1.5;

    (void)state;
    NEAR(member_profile(&f->past, 1), (27 + 12.5) / 1.5 + 0.98 * deviation, 1e-3);
    NEAR(member_profile(&f->past, 2), (32 + 15) / 1.5 + 0.9604 * deviation, 1e-3);
    f->past.season = 0;
    NEAR(member_profile(&f->past, 2), 24, 0);
}

/* Five alike seasons of twelve, then one step ahead of it by d: all profiles are those of the
 * season, smoothed 1-2-1, and the level is .3 d / (1 - .7^10), of which .95^h is left. */
static void a_log_profile_is_as_by_hand(void **state)
{
    AUTO(mem) struct fixture *f = of(NULL, 0, 12);
    double d = 0.4, z[12], smooth[12], sum = 0, level;

    (void)state;
    for (int k = 0; k < 12; k++)
        z[k] = 3 + 0.1 * (k < 6 ? k : 12 - k);
    for (int k = 0; k < 12; k++)
        smooth[k] = (z[(k + 11) % 12] + 2 * z[k] + z[(k + 1) % 12]) / 4;
    for (int t = 0; t < 60; t++)
        observe(f, exp(z[t % 12]) - 1);
    observe(f, exp(z[0] + d) - 1);
    for (int back = 0; back < 10; back++)
        sum += pow(0.7, back) * (z[(60 - back) % 12] - smooth[(60 - back) % 12]);
    level = (sum + d) / ((1 - pow(0.7, 10)) / 0.3);
    for (int h = 1; h <= 8; h++)
        NEAR(member_log_profile(&f->past, (uint32_t)h), exp(smooth[h] + level * pow(0.95, h)) - 1,
             0.01);
}

/* --- that learn ---------------------------------------------------------------------------------
 */

/* The first step that is learned: gain = P x / (lambda + x' P x) with P = .01 I and lambda = .998,
 * coefficients = gain times the first truth (Haykin, Adaptive Filter Theory, table of the RLS). */
static void the_first_gain_is_as_by_hand(void **state)
{
    static const double x[] = { 10, 14 };
    AUTO(mem) struct fixture *f = of(x, 1, 0);
    AUTO(mem) struct regression *r = xcalloc(1, sizeof(*r));
    double squares = 0, truth = log(15.0 / 11);

    (void)state;
    regression_init(r);
    regression_add(r, &f->past);
    for (uint32_t i = 0; i < REGRESSION_FEATURES; i++)
        squares += pow((double)r->origin[0].input[i], 2);
    observe(f, x[1]);
    regression_add(r, &f->past);
    for (uint32_t i = 0; i < REGRESSION_FEATURES; i++)
        NEAR(r->theta[0][i],
             0.01 * (double)r->origin[0].input[i] / (0.998 + 0.01 * squares) * truth, 1e-6);
    assert_true(r->theta[1][0] == 0); /* two steps ahead has no truth yet */
}

#define N REGRESSION_FEATURES

/* Gauss' elimination with pivots: a x = b. */
static void solve(double a[N][N], double b[N])
{
    for (uint32_t k = 0; k < N; k++) {
        uint32_t pivot = k;

        for (uint32_t i = k + 1; i < N; i++)
            if (fabs(a[i][k]) > fabs(a[pivot][k]))
                pivot = i;
        for (uint32_t j = 0; j < N; j++) {
            double swapped = a[k][j];

            a[k][j] = a[pivot][j];
            a[pivot][j] = swapped;
        }
        double swapped = b[k];
        b[k] = b[pivot];
        b[pivot] = swapped;
        for (uint32_t i = 0; i < N; i++) {
            double share = i == k ? 0 : a[i][k] / a[k][k];

            for (uint32_t j = 0; j < N; j++)
                a[i][j] -= share * a[k][j];
            b[i] -= share * b[k];
        }
    }
    for (uint32_t k = 0; k < N; k++)
        b[k] /= a[k][k];
}

/* Recursive least squares is least squares with weights .998^age, and a prior of precision 100 that
 * fades alike (Haykin, chapter on the RLS): after 300 steps the coefficients are those of the
 * normal equations. */
static void a_regression_is_weighted_least_squares(void **state)
{
    AUTO(mem) struct fixture *f = of(NULL, 0, 0);
    AUTO(mem) struct regression *r = xcalloc(1, sizeof(*r));
    double a[N][N] = { { 0 } }, b[N] = { 0 }, before = 0;
    struct random random = { 8 };

    (void)state;
    regression_init(r);
    for (uint32_t i = 0; i < N; i++)
        a[i][i] = 100;
    for (uint32_t t = 0; t < 300; t++) {
        const float *x = r->origin[(t + REGRESSION_FAR - 1) % REGRESSION_FAR].input;
        float input[N];

        memcpy(input, x, sizeof(input));               /* of the step before */
        observe(f, random_below(&random, 2) ? 30 : 3); /* errors alike in size: none is clipped */
        regression_add(r, &f->past);
        for (uint32_t i = 0; t > 0 && i < N; i++) {
            for (uint32_t j = 0; j < N; j++)
                a[i][j] = 0.998 * a[i][j] + (double)input[i] * (double)input[j];
            b[i] = 0.998 * b[i] + (double)input[i] * ((double)f->past.log_now - before);
        }
        before = (double)f->past.log_now;
    }
    solve(a, b);
    for (uint32_t i = 0; i < N; i++)
        NEAR(r->theta[0][i], b[i], 2e-4);
    assert_true(fabs(b[14]) > 0.05); /* of the level */
    assert_true(isnan(regression_forecast(r, &f->past, REGRESSION_FAR + 1)));
}

#undef N

/* The ten nearest of all stretches, found plainly. */
static float nearest_plainly(const struct series *s, uint32_t h)
{
    double distance[10], value[10];
    uint32_t n = 0;

    for (uint32_t lag = ANALOGUES_LAG_MIN; lag + 25 <= s->n && lag <= ANALOGUES_LAG_MAX; lag++) {
        double sum = 0;
        uint32_t at = n;

        for (int64_t back = 0; back < 24; back++)
            sum +=
                pow((double)(series_at(s, s->last - back) - series_at(s, s->last - back - lag)), 2);
        if (n == 10 && sum >= distance[9])
            continue;
        at = n < 10 ? n++ : 9;
        for (; at > 0 && distance[at - 1] > sum; at--) {
            distance[at] = distance[at - 1];
            value[at] = value[at - 1];
        }
        distance[at] = sum;
        value[at] = (double)series_at(s, s->last - lag + h);
    }
    for (uint32_t i = 1; i < n; i++)
        for (uint32_t k = i; k > 0 && value[k - 1] > value[k]; k--) {
            double swapped = value[k];

            value[k] = value[k - 1];
            value[k - 1] = swapped;
        }
    return (float)(n % 2 ? value[n / 2] : (value[n / 2 - 1] + value[n / 2]) / 2);
}

static void analogues_are_the_nearest(void **state)
{
    AUTO(mem) struct fixture *f = of(NULL, 0, 0);
    AUTO(mem) struct analogues *a = xcalloc(1, sizeof(*a));
    struct random r = { 4 };

    (void)state;
    for (int t = 0; t < 1500; t++) {
        observe(f, 10 + 5 * sin(t / 9.0) + 4 * random_unit(&r));
        analogues_add(a, &f->past);
        if (t > 60 && t % 37 == 0)
            NEAR(analogues_forecast(a, &f->past, 5), nearest_plainly(&f->series, 5), 1e-4);
    }
}

/* With no weights but the last layer's biases b, the answer h steps ahead is now's logarithm and
 * b(h). */
static void a_small_networks_answer_is_as_by_hand(void **state)
{
    AUTO(mem) struct fixture *f = of(NULL, 0, 0);
    AUTO(mem) struct network *n = xcalloc(1, sizeof(*n));

    (void)state;
    for (int t = 0; t < 30; t++)
        observe(f, 10 + t % 3);
    network_init(n, 1);
    memset(n->weight, 0, sizeof(n->weight));
    for (uint32_t o = 0; o < NETWORK_OUTPUTS; o++)
        n->weight[NETWORK_UNITS * NETWORK_INPUTS + o * (NETWORK_UNITS + 1) + NETWORK_UNITS] =
            0.01f * (float)(o + 1);
    network_add(n, &f->past);
    n->fade_moment = 0.9f; /* it learned once */
    for (uint32_t h = 1; h <= NETWORK_OUTPUTS; h++)
        NEAR(network_forecast(n, &f->past, h), 13 * exp(0.01 * h) - 1, 1e-3);
    assert_true(isnan(network_forecast(n, &f->past, NETWORK_OUTPUTS + 1)));
}

/* Adam's first step is the rate for every weight that has a gradient (Kingma and Ba, section 2.1),
 * and a wave is learned. */
static void a_small_network_learns(void **state)
{
    AUTO(mem) struct fixture *f = of(NULL, 0, 0);
    AUTO(mem) struct network *n = xcalloc(1, sizeof(*n));
    struct network before;
    double error = 0, naive = 0;
    uint32_t moved = 0;

    (void)state;
    network_init(n, 1);
    for (int t = 0; t < 1500; t++) {
        double now = 30 + 20 * sin(t / 4.0), then = 30 + 20 * sin((t + 6) / 4.0);

        observe(f, now);
        before = *n;
        network_add(n, &f->past);
        for (uint32_t i = 0; before.fade_moment >= 1 && i < NETWORK_WEIGHTS; i++) {
            float step = fabsf(n->weight[i] - before.weight[i]);

            assert_true(step < 0.00201f);
            moved += step > 0.0019f;
        }
        if (t < 1000)
            continue;
        error += fabs((double)network_forecast(n, &f->past, 6) - then);
        naive += fabs(now - then);
    }
    assert_true(moved > NETWORK_WEIGHTS / 3);
    assert_true(error < 0.1 * naive);
}

/* --- together -----------------------------------------------------------------------------------
 */

/* Half again the best one's loss: e to the -5 of its weight; one that is left out has none. */
static void weights_follow_losses(void **state)
{
    AUTO(mem) struct members *m = xcalloc(1, sizeof(*m));
    float weight[MEMBERS];

    (void)state;
    members_init(m, 1u << MEMBER_MEDIAN);
    for (uint32_t i = 0; i < MEMBERS; i++)
        m->loss[i] = 3;
    m->loss[MEMBER_LAST] = 2;
    m->loss[MEMBER_MEDIAN] = 0;
    members_weigh(m, weight);
    NEAR(weight[MEMBER_LAST], 1, 1e-5);
    NEAR(weight[MEMBER_NETWORK], exp(-5), 1e-5);
    NEAR(weight[MEMBER_MEDIAN], 0, 0);
    members_done(m);
}

static void what_says_no_numbers_is_banned_and_starts_over(void **state)
{
    AUTO(mem) struct fixture *f = of(NULL, 0, 0);
    AUTO(mem) struct members *m = xcalloc(1, sizeof(*m));
    float weight[MEMBERS], value[MEMBERS];
    uint32_t silent = 0;

    (void)state;
    members_init(m, 0);
    for (int t = 0; t < 160; t++) {
        observe(f, 30 + 20 * sin(t / 4.0));
        for (uint32_t i = 0; i < MEMBERS; i++)
            m->loss[i] = i == MEMBER_REGRESSION ? 1 : 2; /* it leads */
        if (t == 100)
            m->regression.theta[3][0] = NAN;
        members_add(m, &f->past);
        members_weigh(m, weight);
        NEAR(members_forecast(m, &f->past, weight, 4, value), 30, 40);
        assert_int_equal(m->leader == MEMBER_REGRESSION, isnan(value[MEMBER_REGRESSION]));
        silent += isnan(value[MEMBER_REGRESSION]) ? 1 : 0;
        assert_true(value[MEMBER_LAST] > 0);
    }
    assert_int_equal(silent, MEMBERS_BANNED);
    assert_true(isfinite(m->regression.theta[3][0]));
    members_done(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_value_is_the_last),
        cmocka_unit_test(the_median_is_without_spikes),
        cmocka_unit_test(a_profile_is_as_by_hand),
        cmocka_unit_test(a_log_profile_is_as_by_hand),
        cmocka_unit_test(the_first_gain_is_as_by_hand),
        cmocka_unit_test(a_regression_is_weighted_least_squares),
        cmocka_unit_test(analogues_are_the_nearest),
        cmocka_unit_test(a_small_networks_answer_is_as_by_hand),
        cmocka_unit_test(a_small_network_learns),
        cmocka_unit_test(weights_follow_losses),
        cmocka_unit_test(what_says_no_numbers_is_banned_and_starts_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
