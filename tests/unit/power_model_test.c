/* power_model: curves, and their integral over CPU time as the kernel counts it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "agent/sensor/power_model.h"

#define S 1000000000ull /* ns */

struct rig {
    struct power_model model;
    struct sample sample;
};

/* One look: the machine has `cpus` CPUs, the counters stand where they stand. */
static const struct sample_zone *look(struct rig *r, int64_t now_ms, struct sample_cpu cpu)
{
    sample_clear(&r->sample);
    r->sample.boot_ms = now_ms;
    cpu.valid = true;
    r->sample.cpu = cpu;
    power_model_read(&r->model, &r->sample);
    return &r->sample.zones[0];
}

static struct rig rig_of(const char *curve)
{
    struct rig r = { .model = { .curve = power_curve_find(curve) } };

    assert_non_null(r.model.curve);
    return r;
}

static void curves_are_linear_between_their_points(void **state)
{
    const struct power_curve *c = power_curve_find("hp-ml110-g5");

    (void)state;
    assert_true(power_curve_watts(c, 0, 8) == 93.7);
    assert_true(power_curve_watts(c, 1, 8) == 135);
    assert_true(fabs(power_curve_watts(c, 0.25, 8) - 103) < 1e-9);
    assert_true(power_curve_watts(c, -3, 8) == 93.7 && power_curve_watts(c, 7, 8) == 135);
    assert_true(power_curve_watts(c, NAN, 8) == 93.7);
    assert_true(power_curve_watts(power_curve_find("guest"), 1, 8) == 56); /* a CPU's watts x 8 */
}

static void every_curve_rises_and_names_its_source(void **state)
{
    char names[256], *rest = names, *name;
    size_t n = 0;

    (void)state;
    (void)strcpy(names, power_curve_names());
    while ((name = strsep(&rest, ","))) {
        const struct power_curve *c = power_curve_find(name + strspn(name, " "));
        assert_non_null(c);
        assert_true(strstr(c->source, "SPECpower") || strstr(c->source, "assumption"));
        for (size_t i = 1; i < POWER_CURVE_POINTS; i++)
            assert_true(c->watts[i] > c->watts[i - 1]);
        n++;
    }
    assert_true(n >= 5);
    assert_null(power_curve_find("auto"));
    assert_string_equal(power_curve_auto("aarch64")->name, "arm");
    assert_string_equal(power_curve_auto("armv7l")->name, "arm");
    assert_string_equal(power_curve_auto("x86_64")->name, "guest");
}

static void the_integral(void **state)
{
    struct rig r = rig_of("hp-ml110-g5");
    const struct sample_zone *z;

    (void)state;
    z = look(&r, 1000, (struct sample_cpu){ .online = 2, .times.busy_ns = S, .times.idle_ns = S });
    assert_true(z->valid && z->counted && z->raw_uj == 0);
    assert_int_equal(z->provenance, PROVENANCE_ESTIMATED);
    assert_int_equal(z->kind, ZONE_PLATFORM);
    assert_string_equal(z->path, "model:hp-ml110-g5");
    /* 10 s, half busy: 116 W. */
    z = look(&r, 11000,
             (struct sample_cpu){ .online = 2, .times.busy_ns = 11 * S, .times.idle_ns = 11 * S });
    assert_int_equal(z->raw_uj, 1160000000);
    sample_done(&r.sample);
}

static void waiting_and_stolen_time_is_not_busy(void **state)
{
    struct rig r = rig_of("hp-ml110-g5");
    const struct sample_zone *z;

    (void)state;
    (void)look(&r, 0, (struct sample_cpu){ .online = 1 });
    z = look(&r, 10000,
             (struct sample_cpu){ .online = 1, .times.iowait_ns = 5 * S, .times.steal_ns = 5 * S });
    assert_int_equal(z->raw_uj, 937000000);
    /* guest time is a part of busy, and not counted again */
    z = look(&r, 20000,
             (struct sample_cpu){ .online = 1,
                                  .times.iowait_ns = 5 * S,
                                  .times.steal_ns = 5 * S,
                                  .times.busy_ns = 10 * S,
                                  .times.guest_ns = 10 * S });
    assert_int_equal(z->raw_uj, 937000000u + 1350000000u);
    sample_done(&r.sample);
}

static void a_suspended_machine_uses_nothing_of_the_curve(void **state)
{
    struct rig r = rig_of("hp-ml110-g5");
    const struct sample_zone *z;

    (void)state;
    (void)look(&r, 0, (struct sample_cpu){ .online = 4 });
    /* An hour passed, of which the four CPUs counted 10 s each. */
    z = look(&r, 3600000, (struct sample_cpu){ .online = 4, .times.idle_ns = 40 * S });
    assert_int_equal(z->raw_uj, 937000000);
    sample_done(&r.sample);
}

static void counters_that_fall_add_nothing(void **state)
{
    struct rig r = rig_of("hp-ml110-g5");
    const struct sample_zone *z;

    (void)state;
    (void)look(
        &r, 0,
        (struct sample_cpu){ .online = 1, .times.busy_ns = 50 * S, .times.idle_ns = 50 * S });
    z = look(&r, 10000,
             (struct sample_cpu){ .online = 1, .times.busy_ns = 1, .times.idle_ns = 60 * S });
    assert_int_equal(z->raw_uj, 0);
    z = look(&r, 20000,
             (struct sample_cpu){ .online = 1, .times.busy_ns = 1, .times.idle_ns = 70 * S });
    assert_int_equal(z->raw_uj, 937000000); /* and goes on from there */
    z = look(&r, 20000,
             (struct sample_cpu){ .online = 1, .times.busy_ns = 1, .times.idle_ns = 80 * S });
    assert_int_equal(z->raw_uj, 937000000); /* no time has passed */
    sample_done(&r.sample);
}

static void small_steps_lose_nothing(void **state)
{
    struct rig r = rig_of("hp-ml110-g5");
    const struct sample_zone *z = NULL;

    (void)state;
    for (int64_t ms = 0; ms <= 10000; ms++)
        z = look(&r, ms,
                 (struct sample_cpu){ .online = 1, .times.idle_ns = (uint64_t)ms * S / 1000 });
    assert_true(z->raw_uj >= 936999999 && z->raw_uj <= 937000000);
    sample_done(&r.sample);
}

static void without_cpu_time_there_is_no_estimate(void **state)
{
    struct rig r = rig_of("guest");

    (void)state;
    power_model_read(&r.model, &r.sample);
    assert_false(r.sample.zones[0].valid);
    assert_true(r.sample.zones[0].error[0]);
    sample_done(&r.sample);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(curves_are_linear_between_their_points),
        cmocka_unit_test(every_curve_rises_and_names_its_source),
        cmocka_unit_test(the_integral),
        cmocka_unit_test(waiting_and_stolen_time_is_not_busy),
        cmocka_unit_test(a_suspended_machine_uses_nothing_of_the_curve),
        cmocka_unit_test(counters_that_fall_add_nothing),
        cmocka_unit_test(small_steps_lose_nothing),
        cmocka_unit_test(without_cpu_time_there_is_no_estimate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
