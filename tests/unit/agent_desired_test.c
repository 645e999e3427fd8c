/* The agent's core takes the desired state of a reply when it differs from the one in force, and
 * only then writes it down. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/agent_rig.h"

/* Since the last time that this was asked. */
static bool was_written(struct rig *r)
{
    bool written = r->desired != NULL;

    free(r->desired);
    r->desired = NULL;
    return written;
}

/* The same generation, said again with these replicas. */
static void again(struct rig *r, struct wire_desired *replicas, size_t n)
{
    r->generation--;
    rig_want(r, replicas, n);
}

static bool is_told(struct rig *r, const char *uid)
{
    rig_await_report(r);
    return rig_told(r, uid) != NULL;
}

static void test_the_same_again(void **state)
{
    struct wire_desired d[2] = { rig_replica("m-1"), rig_replica("m-2") };
    struct wire_desired turned[2] = { rig_replica("m-2"), rig_replica("m-1") };
    struct rig r;

    (void)state;
    rig_start(&r);
    rig_want(&r, d, 2);
    assert_true(was_written(&r));
    for (int i = 0; i < 3; i++)
        again(&r, i % 2 ? turned : d, 2);
    assert_false(was_written(&r));
    rig_end(&r);
}

static void test_what_differs_is_taken(void **state)
{
    struct wire_desired d[3] = { rig_replica("m-1"), rig_replica("m-2"), rig_replica("m-3") };
    struct wire_desired other = rig_replica("m-4");
    struct rig r;

    (void)state;
    rig_start(&r);
    rig_want(&r, d, 3);
    (void)was_written(&r);
    rig_want(&r, d, 3); /* the generation alone */
    assert_true(was_written(&r));
    d[1].grace_ms++;
    again(&r, d, 3);
    assert_true(was_written(&r));
    again(&r, d, 2); /* one less */
    assert_true(was_written(&r));
    again(&r, d, 3); /* and wanted again */
    assert_true(was_written(&r));
    d[2] = other; /* as many, but another */
    again(&r, d, 3);
    assert_true(was_written(&r));
    assert_true(is_told(&r, "m-4"));
    d[1] = d[0]; /* as many, but one twice and one not at all */
    again(&r, d, 3);
    assert_true(was_written(&r));
    rig_end(&r);
}

/* It is still here, being drained, and wanted in the place of another. */
static void test_one_that_goes_is_wanted_again(void **state)
{
    struct wire_desired d[2] = { rig_replica("m-1"), rig_replica("m-2") };
    struct rig r;

    (void)state;
    rig_running(&r, &d[0]);
    rig_want(&r, &d[1], 1);
    (void)was_written(&r);
    assert_true(is_told(&r, "m-1"));
    again(&r, &d[0], 1);
    assert_true(was_written(&r));
    rig_end(&r);
}

static void test_nothing_is_wanted(void **state)
{
    struct rig r;

    (void)state;
    rig_start(&r);
    r.generation = UINT64_MAX;
    rig_want(&r, NULL, 0); /* of generation 0, and said for the first time: that, too, is kept */
    assert_int_equal(r.generation, 0);
    assert_true(was_written(&r));
    again(&r, NULL, 0);
    assert_false(was_written(&r));
    rig_end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_same_again),
        cmocka_unit_test(test_what_differs_is_taken),
        cmocka_unit_test(test_one_that_goes_is_wanted_again),
        cmocka_unit_test(test_nothing_is_wanted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
