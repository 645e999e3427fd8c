/* The two networks: answers and gradients against what is worked out by hand, Adam's first step as
 * its paper has it, and the contest, which is decided by the history alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "controller/forecast/contest.h"
#include "controller/forecast/ensemble.h"
#include "controller/forecast/members.h"
#include "proto/base/array.h"
#include "proto/base/random.h"

static void fill(struct series *s, uint32_t n, float value(uint32_t))
{
    memset(s, 0, sizeof(*s));
    for (uint32_t t = 0; t < n; t++)
        (void)series_push(s, t, (double)value(t));
}

/* The same 80 values again and again, without rhyme: who sees only 24 back cannot know. */
static float tune(uint32_t t)
{
    struct random r = random_stream(9, t % 80, 0, 0);

    return 20 + 30 * (float)random_unit(&r);
}

static float noise(uint32_t t)
{
    struct random r = random_stream(9, t, 0, 0);

    return 20 + 30 * (float)random_unit(&r);
}

static float ramp(uint32_t t)
{
    return 10 + (float)(t % 7);
}

static struct past past_of(const struct series *s)
{
    return (struct past){ .series = s,
                          .origin = s->last,
                          .turn = 1440,
                          .unit = 3,
                          .mean = 30,
                          .now = series_at(s, s->last) };
}

/* --- the large one ------------------------------------------------------------------------------
 */

/* With all weights 0 but the bias ln 3 the sigmoid is 3/4: a quarter of the output's width, which
 * is ten standard deviations of a step, is added to the logarithm at each step. */
static void an_answer_is_as_by_hand(void **state)
{
    struct dense_trainer *t = xcalloc(1, sizeof(*t));
    static struct series s;
    float value[DENSE_AHEAD], last;

    (void)state;
    fill(&s, 200, ramp);
    dense_init(t, &s, 3, 1);
    memset(&t->net.w, 0, sizeof(t->net.w));
    last = series_at(&s, 199);
    assert_true(dense_forecast(&t->net, &s, 199, value));
    assert_true(fabsf(value[0] - last) < 1e-3f && fabsf(value[11] - last) < 1e-3f);
    t->net.w.bias = 1.0986123f;
    t->net.step = 0.02f;
    assert_true(dense_forecast(&t->net, &s, 199, value));
    for (uint32_t h = 1; h <= 3; h++)
        assert_true(fabsf(value[h - 1] - 3 * ((1 + last / 3) * expf(0.05f * (float)h) - 1)) <
                    1e-3f);
    t->net.step = 10;
    assert_true(dense_forecast(&t->net, &s, 199, value));
    assert_true(fabsf(value[0] - 1.5f * 16) < 1e-3f); /* cut at half more than ever was */
    assert_false(dense_forecast(&t->net, &s, 98, value));
    free(t);
}

/* Thirty origins at once with logarithms that are kept, one of them without enough of a past, are
 * the same as one by one. */
static void many_answers_are_as_single_ones(void **state)
{
    struct dense_trainer *t = xcalloc(1, sizeof(*t));
    float values[30][DENSE_AHEAD], value[DENSE_AHEAD], logs[SERIES_STEPS];
    int64_t origins[30];
    struct series s;

    (void)state;
    fill(&s, 200, tune);
    dense_init(t, &s, 3, 1);
    for (uint32_t k = 0; k < 30; k++)
        origins[k] = k == 11 ? 50 : 110 + 3 * k;
    dense_logs(&t->net, &s, logs);
    dense_forecasts(&t->net, &s, logs, origins, 30, values);
    for (uint32_t k = 0; k < 30; k++) {
        assert_int_equal(dense_forecast(&t->net, &s, origins[k], value), k != 11);
        if (k == 11)
            assert_true(isnan(values[k][0]));
        else
            assert_memory_equal(values[k], value, sizeof(value));
    }
    free(t);
}

static float *weight_at(struct dense_weights *w, uint32_t i)
{
    return i < DENSE_UNITS       ? &w->second[i]
           : i < 2 * DENSE_UNITS ? &w->first[DENSE_INPUTS][i - DENSE_UNITS]
                                 : &w->first[i % DENSE_INPUTS][i * 7 % DENSE_UNITS];
}

/* Adam's first step is the rate, against the sign of the gradient, whatever its size (Kingma and
 * Ba, section 2.1); the gradient is that of the loss by differences. */
static void gradients_are_those_of_the_loss(void **state)
{
    struct dense_trainer *t = xcalloc(1, sizeof(*t));
    struct dense_batch *b = xcalloc(1, sizeof(*b));
    static struct series s;
    uint32_t checked = 0;

    (void)state;
    fill(&s, 300, noise);
    dense_init(t, &s, 3, 1);
    for (int64_t origin = 120; b->n < DENSE_BATCH; origin += 5)
        assert_true(dense_window(&t->net, &s, NULL, origin, true, b));
    for (uint32_t i = 0; i < 3 * DENSE_UNITS; i += 11) {
        struct dense_trainer *before = xmalloc(sizeof(*before)), *after = xmalloc(sizeof(*after));
        float *w, up, down, step;

        *before = *after = *t;
        w = weight_at(&before->net.w, i);
        *w += 0.01f;
        up = dense_pass(before, b, false);
        *w -= 0.02f;
        down = dense_pass(before, b, false);
        (void)dense_pass(after, b, true);
        step = *weight_at(&after->net.w, i) - *weight_at(&t->net.w, i);
        if (fabsf(up - down) > 2e-6f) {
            float slope = *weight_at(&after->gradient, i), differences = (up - down) / 0.04f;

            assert_true(fabsf(slope - differences) < 0.1f * fabsf(differences));
            assert_true(fabsf(step + copysignf(0.0003f, slope)) < 3e-6f);
            checked++;
        }
        free(before);
        free(after);
    }
    assert_true(checked > 10);
    free(t);
    free(b);
}

/* --- the contest --------------------------------------------------------------------------------
 */

static struct forecast_networks contest_of(uint32_t n, float value(uint32_t), uint32_t portion,
                                           struct dense *ret_large)
{
    static struct series s;
    struct past p;
    struct forecast_networks result;

    fill(&s, n, value);
    p = past_of(&s);
    {
        AUTO(contest) struct contest *c = contest_new(&p);

        assert_non_null(c);
        while (!contest_run(c, portion))
            ;
        result = contest_result(c);
        *ret_large = *contest_large(c);
    }
    return result;
}

static void the_better_one_wins(void **state)
{
    struct dense *large = xmalloc(sizeof(*large));
    struct forecast_networks r = contest_of(600, tune, 1000, large);

    (void)state;
    print_message("a tune: large %.2f, small %.2f req/s, %.1f standard errors\n", (double)r.large,
                  (double)r.small, (double)r.advantage);
    assert_true(r.large_wins && r.large < 0.7f * r.small);
    r = contest_of(600, noise, 1000, large);
    print_message("noise: large %.2f, small %.2f req/s, %.1f standard errors\n", (double)r.large,
                  (double)r.small, (double)r.advantage);
    assert_false(r.large_wins);
    free(large);
}

static void portions_do_not_matter(void **state)
{
    struct dense *large[2] = { xmalloc(sizeof(*large[0])), xmalloc(sizeof(*large[1])) };
    struct forecast_networks a = contest_of(400, tune, 1, large[0]);
    struct forecast_networks b = contest_of(400, tune, 100000000, large[1]);

    (void)state;
    assert_true(a.small == b.small && a.large == b.large && a.large_wins == b.large_wins);
    assert_memory_equal(large[0], large[1], sizeof(*large[0]));
    free(large[0]);
    free(large[1]);
}

static void a_short_history_holds_no_contest(void **state)
{
    static struct series s;
    struct past p;

    (void)state;
    fill(&s, CONTEST_STEPS_MIN - 1, noise);
    p = past_of(&s);
    assert_null(contest_new(&p));
}

/* Of the network alone: it is due, its winner speaks, and it is due again when the history grew by
 * a quarter. */
static void the_winner_speaks(void **state)
{
    const uint32_t others = ~(1u << MEMBER_NETWORK);
    AUTO(ensemble) struct ensemble *m = ensemble_new_without(0, others);
    AUTO(ensemble) struct ensemble *small = ensemble_new_without(0, others);
    uint32_t contests = 0, said = 0;
    float error = 0, small_error = 0;

    (void)state;
    for (uint32_t t = 0; t < 500; t++) {
        AUTO(contest) struct contest *c = NULL;
        struct forecast f, g;

        ensemble_add(m, t, (double)tune(t));
        ensemble_add(small, t, (double)tune(t));
        ensemble_forecast(m, 12, &f);
        ensemble_forecast(small, 12, &g);
        assert_int_equal(f.networks.steps > 0, contests > 0);
        assert_int_equal(g.networks.steps, 0);
        if (f.networks.large_wins) {
            error += fabsf(f.quantile[11][1] - tune(t + 12));
            small_error += fabsf(g.quantile[11][1] - tune(t + 12));
            said++;
        } else {
            assert_memory_equal(&f.quantile, &g.quantile, sizeof(f.quantile));
        }
        c = ensemble_contest(m);
        if (!c)
            continue;
        while (!contest_run(c, 1000))
            ;
        ensemble_settle(m, c);
        contests++;
    }
    print_message("large for %u steps: %.2f of the small one's error\n", said,
                  (double)(error / small_error));
    assert_int_equal(contests, 4); /* at 240, 300, 375, 468 */
    assert_true(said > 20 && error < 0.5f * small_error);
}

/* Of a history as long as it gets: the pause doubles until it is four such histories. */
static void what_stays_the_same_is_contested_ever_later(void **state)
{
    AUTO(ensemble) struct ensemble *m = ensemble_new_without(0, ~(1u << MEMBER_NETWORK));
    const uint32_t due[] = { SERIES_STEPS,         SERIES_STEPS * 3 / 2,  SERIES_STEPS * 5 / 2,
                             SERIES_STEPS * 9 / 2, SERIES_STEPS * 17 / 2, SERIES_STEPS * 25 / 2 };
    uint32_t contests = 0;

    (void)state;
    for (uint32_t t = 1; t <= due[ARRAY_LEN(due) - 1]; t++) {
        AUTO(contest) struct contest *c = NULL;

        ensemble_add(m, t, (double)noise(t));
        c = t < SERIES_STEPS ? NULL : ensemble_contest(m);
        if (!c)
            continue;
        assert_int_equal(t, due[contests]);
        contests++;
        while (!contest_run(c, 10000))
            ;
        assert_false(contest_result(c).large_wins);
        ensemble_settle(m, c);
    }
    assert_int_equal(contests, ARRAY_LEN(due));
}

/* ... and begins anew with an outcome that is another one. */
static void what_changes_is_contested_soon_again(void **state)
{
    AUTO(ensemble) struct ensemble *m = ensemble_new_without(0, ~(1u << MEMBER_NETWORK));
    uint32_t last = 0, pauses = 0, changed = 0;

    (void)state;
    for (uint32_t t = 1; t < 4 * SERIES_STEPS && !(changed && pauses > changed); t++) {
        AUTO(contest) struct contest *c = NULL;

        ensemble_add(m, t, (double)(t < SERIES_STEPS ? noise(t) : tune(t)));
        c = t < SERIES_STEPS ? NULL : ensemble_contest(m);
        if (!c)
            continue;
        pauses++;
        if (changed)
            assert_int_equal(t - last, SERIES_STEPS / 4);
        else if (pauses > 1)
            assert_true(t - last >= SERIES_STEPS / 2);
        last = t;
        while (!contest_run(c, 10000))
            ;
        if (contest_result(c).large_wins && !changed)
            changed = pauses;
        ensemble_settle(m, c);
    }
    assert_true(changed > 1 && pauses > changed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_as_by_hand),
        cmocka_unit_test(many_answers_are_as_single_ones),
        cmocka_unit_test(gradients_are_those_of_the_loss),
        cmocka_unit_test(the_better_one_wins),
        cmocka_unit_test(portions_do_not_matter),
        cmocka_unit_test(a_short_history_holds_no_contest),
        cmocka_unit_test(the_winner_speaks),
        cmocka_unit_test(what_stays_the_same_is_contested_ever_later),
        cmocka_unit_test(what_changes_is_contested_soon_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
