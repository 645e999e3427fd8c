/* cpu_counters: CPUs that come and go, and accounts that the kernel takes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/cpu_counters.h"
#include "proto/base/array.h"

#define S 1000000000ull

struct rig {
    struct cpu_counters counters;
    struct sample sample;
};

static void look_begins(struct rig *r, uint64_t idle_ns)
{
    sample_clear(&r->sample);
    r->sample.cpu = (struct sample_cpu){ .valid = true, .times.idle_ns = idle_ns };
}

static void with_cpu(struct rig *r, uint32_t number, uint64_t busy_ns, uint64_t idle_ns)
{
    *ARRAY_ADD(&r->sample, cpus) =
        (struct sample_one_cpu){ .number = number,
                                 .times = { .busy_ns = busy_ns, .idle_ns = idle_ns } };
}

static void look_ends(struct rig *r)
{
    cpu_counters_add(&r->counters, &r->sample);
}

static void done(struct rig *r)
{
    cpu_counters_done(&r->counters);
    sample_done(&r->sample);
}

static void they_begin_where_the_kernel_stands(void **state)
{
    struct rig r = { 0 };

    (void)state;
    look_begins(&r, 30 * S);
    with_cpu(&r, 0, 7 * S, 20 * S);
    with_cpu(&r, 3, 8 * S, 10 * S);
    look_ends(&r);
    assert_true(r.counters.all.online);
    assert_int_equal(r.counters.all.total.idle_ns, 30 * S);
    assert_int_equal(r.counters.n_cpus, 2);
    assert_int_equal(r.counters.cpus[1].number, 3);
    assert_int_equal(r.counters.cpus[1].total.busy_ns, 8 * S);
    done(&r);
}

/* The kernel's idle time runs back by a little, then catches up: nothing is counted twice. */
static void a_small_fall_is_waited_out(void **state)
{
    static const uint64_t idle_ns[] = { 100 * S, 99 * S, 99 * S + 1, 100 * S + 5, 98 * S, 101 * S };
    static const uint64_t told_ns[] = {
        100 * S, 100 * S, 100 * S, 100 * S + 5, 100 * S + 5, 101 * S
    };
    struct rig r = { 0 };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(idle_ns); i++) {
        look_begins(&r, idle_ns[i]);
        with_cpu(&r, 0, 0, idle_ns[i]);
        look_ends(&r);
        assert_int_equal(r.counters.all.total.idle_ns, told_ns[i]);
        assert_int_equal(r.counters.cpus[0].total.idle_ns, told_ns[i]);
    }
    done(&r);
}

static void a_far_fall_is_a_new_beginning(void **state)
{
    struct rig r = { 0 };

    (void)state;
    look_begins(&r, 0);
    with_cpu(&r, 0, 50 * S, 100 * S);
    look_ends(&r);
    look_begins(&r, 0);
    with_cpu(&r, 0, 51 * S, 2 * S);
    look_ends(&r);
    assert_int_equal(r.counters.cpus[0].total.idle_ns, 100 * S);
    assert_int_equal(r.counters.cpus[0].total.busy_ns, 51 * S); /* each kind for itself */
    look_begins(&r, 0);
    with_cpu(&r, 0, 51 * S, 4 * S);
    look_ends(&r);
    assert_int_equal(r.counters.cpus[0].total.idle_ns, 102 * S);
    done(&r);
}

static void one_that_was_unplugged_goes_on(void **state)
{
    struct rig r = { 0 };

    (void)state;
    look_begins(&r, 0);
    with_cpu(&r, 0, 1 * S, 0);
    with_cpu(&r, 2, 9 * S, 40 * S);
    look_ends(&r);
    look_begins(&r, 0);
    with_cpu(&r, 0, 2 * S, 0);
    with_cpu(&r, 1, 3 * S, 0); /* and another is there for the first time */
    look_ends(&r);
    assert_int_equal(r.counters.n_cpus, 3);
    assert_true(r.counters.cpus[0].online && r.counters.cpus[1].online);
    assert_false(r.counters.cpus[2].online);
    look_begins(&r, 0);
    with_cpu(&r, 0, 2 * S, 0);
    with_cpu(&r, 2, 10 * S, 1 * S);
    look_ends(&r);
    assert_false(r.counters.cpus[1].online);
    assert_true(r.counters.cpus[2].online);
    assert_int_equal(r.counters.cpus[2].number, 2);
    assert_int_equal(r.counters.cpus[2].total.busy_ns, 10 * S);
    assert_int_equal(r.counters.cpus[2].total.idle_ns, 40 * S);
    done(&r);
}

static void what_was_not_read_changes_nothing(void **state)
{
    struct rig r = { 0 };

    (void)state;
    look_ends(&r);
    assert_false(r.counters.all.online);
    look_begins(&r, 5 * S);
    with_cpu(&r, 0, 1 * S, 5 * S);
    look_ends(&r);
    sample_clear(&r.sample);
    look_ends(&r);
    assert_true(r.counters.all.online && r.counters.cpus[0].online);
    assert_int_equal(r.counters.cpus[0].total.idle_ns, 5 * S);
    done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_begin_where_the_kernel_stands),
        cmocka_unit_test(a_small_fall_is_waited_out),
        cmocka_unit_test(a_far_fall_is_a_new_beginning),
        cmocka_unit_test(one_that_was_unplugged_goes_on),
        cmocka_unit_test(what_was_not_read_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
