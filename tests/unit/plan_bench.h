/* A world, a brain and its newest plan, for tests of what plans say. */
#ifndef HUDDLE_TEST_PLAN_BENCH_H
#define HUDDLE_TEST_PLAN_BENCH_H

#include "tests/unit/brain_world.h"

struct bench {
    struct world w;
    struct brain *brain;
    struct plan *plan;
};

static inline struct bench *bench_new(uint32_t nodes, uint32_t models)
{
    struct bench *b = xcalloc(1, sizeof(*b));

    world_init(&b->w, nodes, models);
    b->brain = brain_new(1);
    return b;
}

static inline int bench_teardown(void **state)
{
    struct bench *b = *state;

    plan_free(b->plan);
    brain_free(b->brain);
    free(b);
    return 0;
}

static inline void assert_accepted(struct bench *b)
{
    struct err e = ERR_INIT;

    if (plan_check(b->plan, &e) < 0)
        fail_msg("%s", e.text);
}

static inline void assert_refused(struct bench *b, const char *by)
{
    struct err e = ERR_INIT;

    assert_true(plan_check(b->plan, &e) < 0);
    if (strncmp(e.text, by, strlen(by)) != 0)
        print_message("wanted %s, got: %s\n", by, e.text);
    assert_int_equal(strncmp(e.text, by, strlen(by)), 0);
}

/* A new plan, which is proven. */
static inline void bench_plan(struct bench *b)
{
    plan_free(b->plan);
    b->plan = world_plan(&b->w, b->brain);
    assert_accepted(b);
}

#endif
