/* Quantiles of a young series: Student's t as it is tabled, a scale that jumps do not move, and a
 * launch after silence that is not taken for the way demand moves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "controller/forecast/early.h"
#include "controller/forecast/ensemble.h"
#include "proto/base/array.h"
#include "proto/base/random.h"

/* Fisher and Yates, Statistical Tables, table III. */
static void student_is_as_tabled(void **state)
{
    static const struct {
        float level;
        uint32_t freedom;
        float t;
    } tabled[] = { { 0.90f, 5, 1.476f },  { 0.95f, 4, 2.132f },   { 0.95f, 9, 1.833f },
                   { 0.95f, 30, 1.697f }, { 0.95f, 120, 1.658f }, { 0.99f, 10, 2.764f },
                   { 0.05f, 9, -1.833f } };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(tabled); i++)
        assert_true(fabsf(early_student(tabled[i].level, tabled[i].freedom) / tabled[i].t - 1) <
                    0.025f);
}

/* Sorted by size: 0.5 1 1.5 2 300 400; the median of the sizes is 1.75. */
static void jumps_do_not_move_the_scale(void **state)
{
    static const float errors[] = { 1, -2, 300, 0.5f, -1.5f, 400 };

    (void)state;
    assert_true(fabsf(early_scale(errors, 6) - 1.4826f * 1.75f) < 1e-4f);
    assert_true(early_scale(errors, 0) == 0);
}

/* Ten errors of forty: three quarters of Student's t with nine degrees, a quarter of the distance.
 */
static void few_errors_speak_for_their_share(void **state)
{
    (void)state;
    assert_true(fabsf(early_shrunk(100, 10, 0.95f, 2) - (0.75f * 1.833f * 2 + 25)) < 0.02f);
    assert_true(early_shrunk(100, EARLY_FULL, 0.95f, 2) == 100);
}

static void a_launch_is_not_how_demand_moves(void **state)
{
    AUTO(ensemble) struct ensemble *m = ensemble_new(0);
    struct random r = { 7 };
    struct forecast f;
    double above = 0, said = 0;

    (void)state;
    for (int64_t t = 0; t < 100; t++)
        ensemble_add(m, t, 0);
    ensemble_forecast(m, 8, &f);
    assert_int_equal(f.n_steps, 8); /* silence is known, and expected to last */
    assert_true(f.quantile[7][3] == 0);
    for (int64_t t = 100; t < 150; t++) {
        ensemble_add(m, t, 76 + 8 * random_unit(&r));
        ensemble_forecast(m, 8, &f);
        if (t < 104) {
            assert_int_equal(f.n_steps, 0);
            assert_non_null(strstr(f.why, "too little history"));
        }
        for (uint32_t k = 0; k < f.n_steps; k++, said++) {
            assert_true(f.quantile[k][3] < 110);
            above += f.quantile[k][3] >= 84;
        }
    }
    assert_true(said > 8 * 35);
    assert_true(above > 0.5 * said); /* 84: nothing was ever above */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(student_is_as_tabled),
        cmocka_unit_test(jumps_do_not_move_the_scale),
        cmocka_unit_test(few_errors_speak_for_their_share),
        cmocka_unit_test(a_launch_is_not_how_demand_moves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
