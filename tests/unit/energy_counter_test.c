/* energy_counter: what it counts is at most the truth, and the truth when nothing is ambiguous. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "agent/energy_counter.h"
#include "proto/base/array.h"
#include "proto/base/random.h"

#define RANGE_UJ 262143328850u
#define MOST_UW 400000000u

struct rig {
    struct sample sample;
    struct energy_counter counter;
};

static void look(struct rig *r, int64_t now_ms, uint64_t raw_uj, bool valid)
{
    struct sample_zone *z;

    sample_clear(&r->sample);
    r->sample.boot_ms = now_ms;
    z = ARRAY_ADD(&r->sample, zones);
    *z = (struct sample_zone){ .name = "package-0",
                               .path = "intel-rapl:0",
                               .kind = ZONE_PACKAGE,
                               .counted = true,
                               .valid = valid,
                               .raw_uj = raw_uj,
                               .range_uj = RANGE_UJ,
                               .max_power_uw = MOST_UW,
                               .provenance = PROVENANCE_MEASURED };
    energy_counter_add(&r->counter, &r->sample);
}

static void rig_done(struct rig *r)
{
    sample_done(&r->sample);
    energy_counter_done(&r->counter);
}

/* Random power, random pauses (some longer than a wrap), random failed reads. */
static void random_life(uint64_t seed, bool long_pauses)
{
    struct random random = random_stream(seed, 1, 0, 0);
    struct rig r = { 0 };
    uint64_t truth = 0, raw = random_below(&random, RANGE_UJ), start = 0;
    int64_t now_ms = 1000;

    look(&r, now_ms, raw, true);
    for (int i = 0; i < 300; i++) {
        uint64_t most_ms = long_pauses && random_below(&random, 8) == 0 ? 3000000 : 60000;
        int64_t pause_ms = 1 + (int64_t)random_below(&random, most_ms);
        uint64_t used = random_below(&random, MOST_UW / 1000 + 1) * (uint64_t)pause_ms;
        bool valid = random_below(&random, 10) != 0 || !long_pauses;
        truth += used;
        raw = (raw + used) % RANGE_UJ;
        now_ms += pause_ms;
        look(&r, now_ms, raw, valid);
        assert_true(r.counter.measured_uj + start <= truth);
        assert_int_equal(r.counter.measured_uj, r.counter.zones[0].energy_uj);
        if (r.counter.gaps == 0 && valid)
            assert_int_equal(r.counter.measured_uj, truth);
    }
    if (!long_pauses)
        assert_int_equal(r.counter.gaps, 0);
    else
        assert_true(r.counter.gaps > 0);
    rig_done(&r);
}

static void test_equals_the_truth_without_gaps(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++)
        random_life(seed, false);
}

static void test_never_above_the_truth(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++)
        random_life(seed, true);
}

/* Resets to 0 where no wrap could explain them: nothing is counted for that interval. */
static void test_resets_are_gaps(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct random random = random_stream(seed, 2, 0, 0);
        struct rig r = { 0 };
        uint64_t truth = 0, raw = 5000000000u, resets = 0;
        int64_t now_ms = 0;

        look(&r, now_ms, raw, true);
        for (int i = 0; i < 200; i++) {
            uint64_t used = random_below(&random, MOST_UW) / 2; /* a second at half power */
            now_ms += 1000;
            if (raw > 3000000000u && raw < RANGE_UJ / 2 && random_below(&random, 5) == 0) {
                raw = random_below(&random, 1000000);
                resets++;
            } else {
                raw += used;
                truth += used;
            }
            look(&r, now_ms, raw, true);
        }
        assert_int_equal(r.counter.gaps, resets);
        assert_int_equal(r.counter.measured_uj, truth);
        rig_done(&r);
    }
}

static void test_repeated_and_old_samples_count_nothing(void **state)
{
    struct rig r = { 0 };

    (void)state;
    look(&r, 1000, 1000, true);
    look(&r, 2000, 5000, true);
    look(&r, 2000, 9000, true);
    look(&r, 1500, 9000, true);
    assert_int_equal(r.counter.measured_uj, 4000);
    look(&r, 3000, 9000, true);
    assert_int_equal(r.counter.measured_uj, 8000);
    rig_done(&r);
}

static void test_provenance(void **state)
{
    struct rig r = { 0 };

    (void)state;
    assert_int_equal(energy_counter_provenance(&r.counter), PROVENANCE_UNAVAILABLE);
    look(&r, 1000, 1000, true);
    look(&r, 2000, 2000, true);
    assert_int_equal(energy_counter_provenance(&r.counter), PROVENANCE_MEASURED);
    look(&r, 3000, 0, false);
    assert_int_equal(energy_counter_provenance(&r.counter), PROVENANCE_UNAVAILABLE);
    look(&r, 4000, 4000, true);
    assert_int_equal(energy_counter_provenance(&r.counter), PROVENANCE_MEASURED);
    assert_int_equal(r.counter.measured_uj, 3000);
    look(&r, 4000000, 5000, true);
    assert_int_equal(energy_counter_provenance(&r.counter), PROVENANCE_AMBIGUOUS);
    assert_int_equal(r.counter.measured_uj, 3000);
    rig_done(&r);
}

static void test_uncounted_zones_stay_out_of_the_total(void **state)
{
    struct rig r = { 0 };

    (void)state;
    for (int i = 0; i < 2; i++) {
        sample_clear(&r.sample);
        r.sample.boot_ms = 1000 * (i + 1);
        for (int k = 0; k < 3; k++) {
            struct sample_zone *z = ARRAY_ADD(&r.sample, zones);
            *z = (struct sample_zone){ .counted = k != 1,
                                       .valid = true,
                                       .raw_uj = (uint64_t)(i * 100),
                                       .provenance =
                                           k == 2 ? PROVENANCE_ESTIMATED : PROVENANCE_MEASURED };
            (void)snprintf(z->path, sizeof(z->path), "zone-%d", k);
        }
        energy_counter_add(&r.counter, &r.sample);
    }
    assert_int_equal(r.counter.measured_uj, 100);
    assert_int_equal(r.counter.estimated_uj, 100);
    assert_int_equal(r.counter.zones[1].energy_uj, 100);
    assert_int_equal(energy_counter_provenance(&r.counter), PROVENANCE_ESTIMATED);
    rig_done(&r);
}

static void test_sampling_period(void **state)
{
    struct rig r = { 0 };

    (void)state;
    assert_int_equal(energy_counter_period_ms(&r.counter), 0);
    look(&r, 1000, 0, true);
    /* 262143 J at 400 W wraps in 655 s */
    assert_in_range(energy_counter_period_ms(&r.counter), 163000, 164000);
    rig_done(&r);
}

static void test_extremes(void **state)
{
    uint64_t uj = 7;

    (void)state;
    assert_false(energy_delta(1, 2, 0, 1, -1, &uj));
    assert_false(energy_delta(5, 2, 0, 0, 10, &uj));
    assert_false(energy_delta(11, 2, 10, 0, 10, &uj));
    assert_false(energy_delta(1, 2, 10, 0, 10, &uj)); /* it wraps, and nobody knows how fast */
    assert_int_equal(uj, 7);
    assert_true(energy_delta(0, UINT64_MAX, 0, 0, INT64_MAX / 2, &uj));
    assert_true(uj == UINT64_MAX);
    assert_false(energy_delta(0, 1, UINT64_MAX, UINT64_MAX, INT64_MAX / 2, &uj));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equals_the_truth_without_gaps),
        cmocka_unit_test(test_never_above_the_truth),
        cmocka_unit_test(test_resets_are_gaps),
        cmocka_unit_test(test_repeated_and_old_samples_count_nothing),
        cmocka_unit_test(test_provenance),
        cmocka_unit_test(test_uncounted_zones_stay_out_of_the_total),
        cmocka_unit_test(test_sampling_period),
        cmocka_unit_test(test_extremes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
