/* The finalizer of PowerPools: when it is wanted, and that those of others stay. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "controller/substrate/kube_finalizer.h"
#include "tests/unit/kube_object.h"

static void wanted_while_something_may_be_left(void **state)
{
    static const struct {
        const char *view;
        bool wanted;
    } CASES[] = {
        { "{'spec':{'mode':'act'},'status':{'marked':0}}", true },
        { "{'spec':{'mode':'observe'},'status':{'marked':0}}", false },
        { "{'spec':{'mode':'observe'},'status':{'marked':1}}", true },
        { "{'spec':{'mode':'release'},'status':{'marked':1}}", true },
        { "{'spec':{'mode':'release'},'status':{'marked':0}}", false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        json_t *view = object(CASES[i].view);

        if (kube_finalizer_wanted(view) != CASES[i].wanted)
            fail_msg("%s", CASES[i].view);
        json_decref(view);
    }
}

#define POOL(more) "{'metadata':{'name':'p','uid':'u','resourceVersion':'7'" more "}}"
#define PATCH(list) "{'metadata':{'uid':'u','resourceVersion':'7','finalizers':[" list "]}}"
#define OWN "'huddle.energy/awake'"
#define GOING ",'deletionTimestamp':'2026-11-27T08:00:00Z'"

static void a_patch_touches_its_own_alone(void **state)
{
    static const struct {
        const char *pool;
        bool wanted;
        const char *patch; /* NULL: none */
    } CASES[] = {
        { POOL(""), true, PATCH(OWN) },
        { POOL(""), false, NULL },
        { POOL(",'finalizers':['a']"), true, PATCH("'a'," OWN) },
        { POOL(",'finalizers':[" OWN ",'a']"), true, NULL },
        { POOL(",'finalizers':[" OWN ",'a']"), false, PATCH("'a'") },
        { POOL(",'finalizers':[" OWN "]" GOING), false, PATCH("") },
        { POOL(",'finalizers':[" OWN "]" GOING), true, NULL },
        { POOL(",'finalizers':['a']" GOING), true, NULL }, /* it would be refused */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        json_t *pool = object(CASES[i].pool);
        json_t *patch = kube_finalizer_patch(pool, CASES[i].wanted);
        json_t *expect = CASES[i].patch ? object(CASES[i].patch) : NULL;

        if (expect ? !json_equal(patch, expect) : patch != NULL)
            fail_msg("case %zu", i);
        json_decref(pool);
        json_decref(patch);
        json_decref(expect);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wanted_while_something_may_be_left),
        cmocka_unit_test(a_patch_touches_its_own_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
