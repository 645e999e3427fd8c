/* Tenants whose use fluctuates: the chance of overload says what happens, overloads are relieved,
 * what does not pay is not done, nobody is put where there is no room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "controller/placement/tenancy.h"
#include "controller/placement/tenancy_private.h"
#include "proto/base/array.h"
#include "proto/base/random.h"

#define HOSTS 6u
#define TENANTS 40u
#define CAPACITY 1000.0

struct rack {
    struct tenancy_host hosts[HOSTS];
    struct tenant tenants[TENANTS];
    double level[TENANTS];
    struct random random;
    struct tenancy *tenancy;
};

static void rack_init(struct rack *r, uint32_t hosts_in_use, double level)
{
    memset(r, 0, sizeof(*r));
    r->random = random_stream(1, 2, 3, 4);
    for (uint32_t h = 0; h < HOSTS; h++)
        r->hosts[h] = (struct tenancy_host){ CAPACITY, 90, true };
    for (uint32_t i = 0; i < TENANTS; i++) {
        r->level[i] = level;
        r->tenants[i] = (struct tenant){ 100, 10, level, i % hosts_in_use, false };
    }
    r->tenancy = tenancy_new(r->hosts, HOSTS, TENANTS, 300, &tenancy_prices_default);
}

static double normal(struct random *r)
{
    return sqrt(-2 * log(random_unit(r))) * cos(6.283185307 * random_unit(r));
}

static void step(struct rack *r)
{
    for (uint32_t i = 0; i < TENANTS; i++)
        r->tenants[i].use = fmin(fmax(r->level[i] + 10 * normal(&r->random), 0), 100);
    tenancy_observe(r->tenancy, r->tenants);
}

static size_t act(struct rack *r)
{
    size_t n;
    const struct tenancy_move *moves = tenancy_plan(r->tenancy, &n);

    for (size_t k = 0; k < n; k++) {
        assert_true(moves[k].host < HOSTS && r->hosts[moves[k].host].usable);
        assert_int_not_equal(moves[k].host, r->tenants[moves[k].tenant].host);
        r->tenants[moves[k].tenant].host = moves[k].host;
    }
    return n;
}

static double use_of(const struct rack *r, uint32_t host)
{
    double sum = 0;

    for (uint32_t i = 0; i < TENANTS; i++)
        sum += r->tenants[i].host == host ? r->tenants[i].use : 0;
    return sum;
}

static uint32_t in_use(const struct rack *r)
{
    uint32_t n = 0;

    for (uint32_t h = 0; h < HOSTS; h++)
        n += use_of(r, h) > 0;
    return n;
}

/* The level and the spread of what was shown are found. */
static void level_and_variance_are_learned(void **state)
{
    struct rack r;

    (void)state;
    rack_init(&r, HOSTS, 40);
    for (int k = 0; k < 400; k++)
        step(&r);
    for (uint32_t i = 0; i < TENANTS; i++) {
        assert_true(fabs(r.tenancy->view[i].mean - 40) < 8);
        assert_true(r.tenancy->view[i].variance > 50 && r.tenancy->view[i].variance < 200);
    }
    tenancy_free(r.tenancy);
}

/* Half of the time above its mean; ever less likely the more room there is. */
static void risk_falls_with_room(void **state)
{
    const struct tenancy_prices *p = &tenancy_prices_default;
    struct rack r;
    double last = INFINITY;

    (void)state;
    rack_init(&r, HOSTS, 40);
    assert_true(fabs(tenancy_risk_j(r.tenancy, 0, CAPACITY, 2500) / p->overload_j - 0.5) < 1e-9);
    for (double mean = 1200; mean > 500; mean -= 50) {
        double here = tenancy_risk_j(r.tenancy, 0, mean, 2500);

        assert_true(here < last && here > 0);
        last = here;
    }
    assert_true(tenancy_risk_j(r.tenancy, 0, 0, 0) == 0);
    tenancy_free(r.tenancy);
}

/* 40 tenants of 40 need two hosts of 1,000; three take the fluctuation. Then it is quiet. */
static void hosts_are_emptied_until_it_does_not_pay(void **state)
{
    struct rack r;
    size_t late = 0;

    (void)state;
    rack_init(&r, HOSTS, 40);
    for (int k = 0; k < 100; k++) {
        step(&r);
        late += k >= 50 ? act(&r) : 0 * act(&r);
        for (uint32_t h = 0; h < HOSTS; h++)
            assert_true(use_of(&r, h) <= CAPACITY);
    }
    assert_true(in_use(&r) == 2 || in_use(&r) == 3);
    assert_true(late <= 10);
    tenancy_free(r.tenancy);
}

/* A whole host's tenants rise at once: more than three must go. */
static void an_overload_is_relieved(void **state)
{
    struct rack r;

    (void)state;
    rack_init(&r, 2, 40);
    for (int k = 0; k < 20; k++)
        step(&r);
    for (uint32_t i = 0; i < TENANTS; i += 2)
        r.level[i] = 75;
    step(&r);
    assert_true(use_of(&r, 0) > 1.3 * CAPACITY);
    assert_true(act(&r) > 3);
    assert_true(use_of(&r, 0) <= CAPACITY && use_of(&r, 1) <= CAPACITY);
    tenancy_free(r.tenancy);
}

/* One small move is enough: not more are made. */
static void a_small_overload_costs_a_small_move(void **state)
{
    struct rack r;

    (void)state;
    rack_init(&r, 2, 40);
    for (int k = 0; k < 20; k++)
        step(&r);
    for (uint32_t i = 0; i < TENANTS; i++)
        r.tenants[i].use = i % 2 ? 40 : 50.5;
    tenancy_observe(r.tenancy, r.tenants);
    assert_true(act(&r) >= 1);
    assert_true(use_of(&r, 0) <= CAPACITY && use_of(&r, 1) <= CAPACITY);
    tenancy_free(r.tenancy);
}

/* Two hosts are overloaded. Alone, the one's tenant would go where there is most room to come; but
 * the other's fits only elsewhere, and a host that is in violation anyway takes both. */
static void reliefs_share_a_target(void **state)
{
    static const uint32_t until[] = { 6, 12, 17, 29 }; /* of each host, the next one's first */
    static const double fixed_use[] = { 190, 190, 185, 60 };
    const struct tenancy_move *moves;
    struct rack r;
    uint32_t host = 0;
    size_t n;

    (void)state;
    rack_init(&r, 1, 40);
    r.hosts[4].usable = r.hosts[5].usable = false;
    for (uint32_t i = 0; i < TENANTS; i++) {
        host += host < 4 && i == until[host];
        r.tenants[i].size = 200;
        r.tenants[i].host = host < 4 ? host : TENANCY_NOWHERE;
        r.tenants[i].fixed = i != 0 && i != 6;
    }
    for (int k = 0; k < 20; k++)
        step(&r);
    for (uint32_t i = 0; i < until[3]; i++)
        r.tenants[i].use = fixed_use[r.tenants[i].host];
    r.tenants[0].use = 60;
    r.tenants[6].use = 90;
    tenancy_observe(r.tenancy, r.tenants);
    moves = tenancy_plan(r.tenancy, &n);
    assert_int_equal(n, 2);
    for (size_t k = 0; k < n; k++)
        assert_int_equal(moves[k].host, 3);
    tenancy_free(r.tenancy);
}

/* Use returns to its mean: a host 10 above its capacity of 1,000 whose mean is 910 is as likely
 * above it as not a tenth of the step later. */
static void the_rest_of_a_step_is_priced_by_where_use_goes(void **state)
{
    const struct tenancy_prices *p = &tenancy_prices_default;
    struct rack r;
    double half, above, below;

    (void)state;
    rack_init(&r, HOSTS, 40);
    half = tenancy_rest_j(r.tenancy, 0, 1010, 910, 2500, 30);
    above = tenancy_rest_j(r.tenancy, 0, 1010, 990, 2500, 30);
    below = tenancy_rest_j(r.tenancy, 0, 1010, 700, 2500, 30);
    assert_true(fabs(half / (p->violated_j_s * 270) - 0.5) < 1e-9);
    assert_true(above > 0.9 * p->violated_j_s * 270 && below < 0.1 * p->violated_j_s * 270);
    assert_true(tenancy_rest_j(r.tenancy, 0, 1010, 910, 2500, 300) == 0);
    tenancy_free(r.tenancy);
}

static void who_is_fixed_stays_and_what_is_unusable_gets_nobody(void **state)
{
    struct rack r;

    (void)state;
    rack_init(&r, HOSTS, 10);
    r.hosts[5].usable = false;
    for (uint32_t i = 0; i < TENANTS; i++)
        r.tenants[i].fixed = i % HOSTS == 0 || i % HOSTS == 3;
    for (int k = 0; k < 20; k++) {
        step(&r);
        (void)act(&r);
    }
    for (uint32_t i = 0; i < TENANTS; i++)
        assert_true(r.tenants[i].host != 5 &&
                    (!r.tenants[i].fixed || r.tenants[i].host == i % HOSTS));
    assert_int_equal(in_use(&r), 2); /* one would do */
    tenancy_free(r.tenancy);
}

/* Rearranged by use: on fewer hosts, none too full. */
static void a_rearrangement_has_room(void **state)
{
    struct rack r;
    const struct tenancy_move *moves;
    size_t n;

    (void)state;
    rack_init(&r, HOSTS, 40);
    step(&r);
    moves = tenancy_rearrange(r.tenancy, &n);
    for (size_t k = 0; k < n; k++)
        r.tenants[moves[k].tenant].host = moves[k].host;
    assert_true(in_use(&r) >= 2 && in_use(&r) <= 4);
    for (uint32_t h = 0; h < HOSTS; h++)
        assert_true(use_of(&r, h) < 0.99 * CAPACITY);
    tenancy_free(r.tenancy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(level_and_variance_are_learned),
        cmocka_unit_test(risk_falls_with_room),
        cmocka_unit_test(hosts_are_emptied_until_it_does_not_pay),
        cmocka_unit_test(an_overload_is_relieved),
        cmocka_unit_test(a_small_overload_costs_a_small_move),
        cmocka_unit_test(reliefs_share_a_target),
        cmocka_unit_test(the_rest_of_a_step_is_priced_by_where_use_goes),
        cmocka_unit_test(who_is_fixed_stays_and_what_is_unusable_gets_nobody),
        cmocka_unit_test(a_rearrangement_has_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
