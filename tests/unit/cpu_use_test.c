/* Mean and variance of a replica's CPU from its counter: what counts as an interval and what does
 * not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "controller/state/cpu_use.h"

#define S UINT64_C(1000000000)

/* So many seconds in reports 5 s apart, `a` and `b` CPUs by turns. */
static void run(struct cpu_use *u, uint64_t *ns, int64_t *ms, int seconds, double a, double b)
{
    for (int k = 0; k < seconds / 5; k++) {
        *ns += (uint64_t)(5 * (k % 2 ? b : a) * (double)S);
        *ms += 5000;
        cpu_use_take(u, 7, *ms, *ns);
    }
}

static void a_steady_use_is_known_after_half_a_minute(void **state)
{
    struct cpu_use u = { 0 };
    uint64_t ns = S;
    int64_t ms = 100000;

    (void)state;
    run(&u, &ns, &ms, 30, 0.5, 0.5); /* the first report is where it begins */
    assert_false(cpu_use_known(&u));
    run(&u, &ns, &ms, 5, 0.5, 0.5);
    assert_true(cpu_use_known(&u));
    assert_true(fabs(u.mean_milli - 500) < 1e-6 && u.variance < 1e-6);
}

/* Half the time .2, half .6: .4 with a standard deviation of .2; and the past is forgotten. */
static void fluctuation_is_seen_and_the_past_fades(void **state)
{
    struct cpu_use u = { 0 };
    uint64_t ns = S;
    int64_t ms = 0;

    (void)state;
    run(&u, &ns, &ms, 3600, 0.2, 0.6);
    assert_true(fabs(u.mean_milli - 400) < 10);
    assert_true(fabs(sqrt(u.variance) - 200) < 10);
    run(&u, &ns, &ms, 3600, 1, 1);
    assert_true(fabs(u.mean_milli - 1000) < 5 && sqrt(u.variance) < 40);
}

static void what_is_no_interval_counts_nothing(void **state)
{
    struct cpu_use u = { 0 };
    uint64_t ns = 100 * S;
    int64_t ms = 0;

    (void)state;
    run(&u, &ns, &ms, 60, 0.5, 0.5);
    cpu_use_take(&u, 7, ms + 5000, 0);           /* it could not be read */
    cpu_use_take(&u, 7, ms - 10000, ns - 3 * S); /* late */
    cpu_use_take(&u, 8, ms + 6000, 1000 * S);    /* another life of the agent */
    cpu_use_take(&u, 8, ms + 11000, 10 * S);     /* a step back */
    cpu_use_take(&u, 8, ms + 1211000, 5000 * S); /* it may have slept */
    assert_true(fabs(u.seconds - 55) < 1e-9 && fabs(u.mean_milli - 500) < 1e-6);
    cpu_use_take(&u, 8, ms + 1216000, 5000 * S + 5 * S / 2);
    assert_true(fabs(u.seconds - 60) < 1e-9 && fabs(u.mean_milli - 500) < 1e-6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_steady_use_is_known_after_half_a_minute),
        cmocka_unit_test(fluctuation_is_seen_and_the_past_fades),
        cmocka_unit_test(what_is_no_interval_counts_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
