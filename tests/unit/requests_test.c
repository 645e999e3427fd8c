/* The player of bench/requests by hand and against Erlang's formula, what is read off the rack, and
 * the arithmetic of a request's time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/array.h"
#include "proto/base/random.h"
#include "tests/bench/requests_arena.h"

#define NEAR(x, y) assert_true(fabs((x) - (y)) < 1e-9 * fmax(1, fabs((double)(y))))
#define ALWAYS .closes_s = INFINITY, .gone_s = INFINITY

/* --- queues by hand -----------------------------------------------------------------------------
 */

static const struct player_rules own = { PLAYER_OWN, 1, 60 }, door = { PLAYER_DOOR, 1, 60 };

#define PLAYS_MOST 8

/* Two replicas: what each request waits, and how many were still served when theirs was gone. */
static void assert_waits(const struct player_rules *rules, const struct life lives[2],
                         const struct play *plays, size_t n, const double *expected_s, uint64_t cut)
{
    double wait_s[PLAYS_MOST];

    assert_true(n <= PLAYS_MOST);
    assert_int_equal(player_run(rules, lives, 2, plays, n, wait_s), cut);
    for (size_t i = 0; i < n; i++)
        NEAR(wait_s[i], expected_s[i]);
}

/* Two replicas with a place each. The third request finds both with one outstanding and goes to
 * that which was given one longest ago, for better or worse; at the front door it would have taken
 * whichever is free first. */
static void two_queues_by_hand(void **state)
{
    static const struct life lives[] = { { .opens_s = 0, ALWAYS }, { .opens_s = 0, ALWAYS } };
    static const struct play plays[] = { { 0, 10 }, { 1, 1 }, { 1.5, 5 }, { 1.6, 1 }, { 2.5, 1 } };
    static const double in_own[] = { 0, 0, 8.5, 0.4, 0.5 }, at_door[] = { 0, 0, 0.5, 5.4, 5.5 };

    (void)state;
    assert_waits(&own, lives, plays, ARRAY_LEN(plays), in_own, 0);
    assert_waits(&door, lives, plays, ARRAY_LEN(plays), at_door, 0);
}

/* A replica drains from 5 on and is gone at 8; the next one opens at 6. What waits in the first
 * one's queue stays there and is served too late; what waits at the front door is not. */
static void a_drain_by_hand(void **state)
{
    static const struct life lives[] = { { 0, 0, 5, 8 }, { .opens_s = 6, ALWAYS } };
    static const struct play plays[] = { { 0, 4 }, { 1, 4 }, { 4.5, 1 }, { 5.5, 1 } };
    static const double in_own[] = { 0, 3, 3.5, 0.5 }, at_door[] = { 0, 3, 1.5, 1.5 };

    (void)state;
    assert_waits(&own, lives, plays, ARRAY_LEN(plays), in_own, 1);
    assert_waits(&door, lives, plays, ARRAY_LEN(plays), at_door, 0);
}

/* The front door refuses after 60 s; a replica's own queue does not. */
static void patience_by_hand(void **state)
{
    static const struct life now = { .opens_s = 0, ALWAYS }, later = { .opens_s = 61, ALWAYS };
    static const struct play plays[] = { { 0, 100 }, { 1, 1 }, { 39, 1 }, { 41, 1 } };
    double wait_s[ARRAY_LEN(plays)];

    (void)state;
    (void)player_run(&door, &now, 1, plays, 4, wait_s);
    NEAR(wait_s[0], 0);
    assert_true(isinf(wait_s[1]) && isinf(wait_s[2]));
    NEAR(wait_s[3], 59);
    (void)player_run(&own, &now, 1, plays, 4, wait_s);
    NEAR(wait_s[1], 99);
    NEAR(wait_s[3], 61);
    (void)player_run(&own, &later, 1, plays, 2, wait_s); /* there is no replica yet */
    assert_true(isinf(wait_s[0]));
    NEAR(wait_s[1], 60);
    (void)player_run(&own, NULL, 0, plays, 4, wait_s);
    for (int i = 0; i < 4; i++)
        assert_true(isinf(wait_s[i]));
}

/* --- M/M/c --------------------------------------------------------------------------------------
 */

#define CALLS 400000u
#define SERVERS 4u

/* Mean wait over mean service time: Erlang 1917. `a`: arrival rate times mean service time. */
static double erlang_wait(uint32_t c, double a)
{
    double b = 1, wait;

    for (uint32_t k = 1; k <= c; k++)
        b = a * b / (k + a * b); /* Erlang B */
    wait = b / (1 - a / c * (1 - b));
    return wait / (c - a);
}

static double mean(const double *v, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += v[i];
    return sum / (double)n;
}

static void calls_at(double load, struct play *plays)
{
    struct random u = random_stream(1, 2, 3, 0);
    double now_s = 0;

    for (size_t i = 0; i < CALLS; i++) {
        now_s -= log(random_unit(&u)) / (load * SERVERS);
        plays[i] = (struct play){ now_s, -log(random_unit(&u)) };
    }
}

/* Poisson arrivals, exponential service: four places of one replica, or four replicas with a queue
 * at the front door, are M/M/4; four replicas with queues of their own are worse. */
static void erlang_c(void **state)
{
    static const double loads[] = { 0.5, 0.8, 0.9 };
    static const struct player_rules one = { PLAYER_OWN, SERVERS, INFINITY },
                                     pooled = { PLAYER_DOOR, 1, INFINITY },
                                     apart = { PLAYER_OWN, 1, INFINITY };
    struct life lives[SERVERS];
    struct play *plays = xcalloc(CALLS, sizeof(*plays));
    double *wait_s = xcalloc(CALLS, sizeof(*wait_s)), *other_s = xcalloc(CALLS, sizeof(*other_s));

    (void)state;
    for (uint32_t i = 0; i < SERVERS; i++)
        lives[i] = (struct life){ .opens_s = 0, ALWAYS };
    for (size_t k = 0; k < ARRAY_LEN(loads); k++) {
        double expected = erlang_wait(SERVERS, loads[k] * SERVERS);

        calls_at(loads[k], plays);
        (void)player_run(&one, lives, 1, plays, CALLS, wait_s);
        assert_true(fabs(mean(wait_s, CALLS) / expected - 1) < 0.03);
        (void)player_run(&pooled, lives, SERVERS, plays, CALLS, other_s);
        for (size_t i = 0; i < CALLS; i++)
            assert_true(fabs(wait_s[i] - other_s[i]) < 1e-6);
        (void)player_run(&apart, lives, SERVERS, plays, CALLS, other_s);
        assert_true(mean(other_s, CALLS) > 1.05 * expected);
    }
    assert_true(fabs(erlang_wait(1, 0.5) - 1) < 1e-12); /* M/M/1: rho / (1 - rho) */
    free(plays);
    free(wait_s);
    free(other_s);
}

/* --- the rack -----------------------------------------------------------------------------------
 */

static const double load_s[] = { 20 };

static const struct rack_hardware hw = {
    .nodes_least = 2,
    .nodes = 3,
    .slots = 4,
    .boot_lo_s = 60,
    .boot_hi_s = 60,
    .shutdown_lo_s = 30,
    .shutdown_hi_s = 30,
    .load_s = load_s,
    .n_load_s = 1,
    .load_scale = 1,
};

static struct rack_load load_of(const double *rate, size_t n, double capacity)
{
    return (struct rack_load){ .n_models = 1,
                               .n_steps = n,
                               .step_s = 15,
                               .rate = rate,
                               .model = { { "m", 2, 2, capacity, 2, NULL } } };
}

/* At step 1 a move begins (a load of 40 s: it ends at step 4), at step 2 a start that is given up
 * at step 3, at step 12 the moved one's number is free again and is taken. */
static void act(struct rack *r)
{
    if (r->step == 1)
        assert_int_equal(rack_start(r, 0, 2, 0), 2);
    if (r->step == 2)
        assert_int_equal(rack_start(r, 0, 2, RACK_NO), 3);
    if (r->step == 3)
        rack_drain(r, 3);
    if (r->step == 12)
        assert_int_equal(rack_start(r, 0, 1, RACK_NO), 0);
}

static void lives_by_hand(void **state)
{
    static const double rate[20] = { 0 };
    struct rack_load load = load_of(rate, ARRAY_LEN(rate), 1);
    struct lives lives = { 0 };
    struct life *of;
    struct rack r;
    size_t n;

    (void)state;
    rack_init(&r, &hw, &load, 1, false);
    while ((size_t)r.step < load.n_steps) {
        rack_due(&r);
        act(&r);
        lives_note(&lives, &r);
        rack_serve(&r);
    }
    of = lives_of(&lives, 0, &n);
    assert_int_equal(n, 4);
    assert_true(of[0].opens_s == 0 && of[0].closes_s == 60 && of[0].gone_s == 120);
    assert_true(of[1].opens_s == 0 && isinf(of[1].closes_s) && isinf(of[1].gone_s));
    assert_true(of[2].opens_s == 60 && isinf(of[2].closes_s));
    assert_true(of[3].opens_s == 15 * 15 && isinf(of[3].closes_s));
    free(of);
    of = lives_of(&lives, 1, &n);
    assert_int_equal(n, 0);
    free(of);
    lives_done(&lives);
    rack_done(&r);
}

#define FLOOD_STEPS 20u
#define FLOOD_RATE 16u

/* Twice of what the replicas can serve, for five minutes, evenly: there the fluid is right. It
 * counts lateness from the end of a step: half a step's worth less. */
static void a_flood_as_the_fluid_says(void **state)
{
    enum { N = FLOOD_STEPS * 15 * FLOOD_RATE };
    static struct play plays[N];
    static double wait_s[N];
    double rate[30] = { 0 }, late = 0, refused = 0;
    struct rack_load load = load_of(rate, ARRAY_LEN(rate), 4);
    struct lives lives = { 0 };
    struct life *of;
    struct rack r;
    size_t n;

    (void)state;
    for (size_t t = 0; t < FLOOD_STEPS; t++)
        rate[t] = FLOOD_RATE;
    for (size_t i = 0; i < N; i++)
        plays[i] = (struct play){ (double)i / FLOOD_RATE, 0.25 };
    rack_init(&r, &hw, &load, 1, false);
    r.serving[0] = 2; /* two, whatever the first minute asked for */
    for (uint32_t i = 2; i < r.n_replica; i++)
        r.replica[i].phase = RACK_NONE;
    for (; (size_t)r.step < load.n_steps; rack_serve(&r))
        lives_note(&lives, &r);
    of = lives_of(&lives, 0, &n);
    assert_int_equal(n, 2);
    (void)player_run(&door, of, n, plays, N, wait_s);
    for (size_t i = 0; i < N; i++) {
        late += wait_s[i] > RACK_LATE_S;
        refused += isinf(wait_s[i]);
    }
    NEAR(r.score.requests, N);
    assert_true(fabs(refused - r.score.unserved) < 0.01 * N);
    assert_true(fabs(r.score.unserved - 0.4 * N) < 1e-6);
    assert_true(late >= r.score.late && late - r.score.late < 0.03 * N);
    NEAR(r.served[0].requests, r.score.requests);
    NEAR(r.served[0].late, r.score.late);
    NEAR(r.served[0].unserved, r.score.unserved);
    free(of);
    lives_done(&lives);
    rack_done(&r);
}

/* --- a request's time ---------------------------------------------------------------------------
 */

static void an_engine_by_hand(void **state)
{
    static struct request x[] = { { 0, 1024, 100 } };
    const struct service s = { .requests = x, .n_requests = 1 };
    const struct engine *g = engine_find("llama2-70b");
    struct pace p;

    (void)state;
    assert_null(engine_find("llama2-7"));
    assert_ptr_equal(g, engine_default());
    NEAR(engine_prefill_s(g, 1), 0.0483);
    NEAR(engine_prefill_s(g, 1024), 0.1580);
    NEAR(engine_prefill_s(g, 768), (0.0838 + 0.1580) / 2);
    NEAR(engine_prefill_s(g, 12288), 1.3398 + 1.3398 - 0.6427);
    p = engine_pace(g, &s);
    NEAR(p.capacity, 1 / (0.1580 + 4.197 / 16));
    NEAR(engine_busy_s(g, &p, x) * p.capacity, 16); /* full, it serves its capacity */
}

static void write_text(const char *path, const char *text)
{
    FILE *f = fopen(path, "we");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void a_trace_is_read(void **state)
{
    char path[] = "/tmp/huddle-requests_XXXXXX";
    struct service s;
    struct err e = ERR_INIT;
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
    write_text(path, "TIMESTAMP,ContextTokens,GeneratedTokens\n"
                     "2023-11-16 18:17:04.5000000,4808,10\n"
                     "2023-11-16 18:17:03.2500000,3180,8\n");
    assert_int_equal(service_read(path, &s, &e), 0);
    assert_int_equal(s.n_requests, 2);
    assert_true(s.requests[0].context == 3180 && s.requests[1].generated == 10);
    assert_true(fabs(s.requests[1].at_s - s.requests[0].at_s - 1.25) < 1e-6);
    service_done(&s);
    write_text(path, "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:04,4808\n");
    assert_int_equal(service_read(path, &s, &e), -EINVAL);
    assert_non_null(strstr(e.text, path));
    write_text(path, "TIMESTAMP,ContextTokens,GeneratedTokens\n");
    assert_int_equal(service_read(path, &s, &e), -EINVAL);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(service_read(path, &s, &e), -ENOENT);
}

/* Ten minutes played twice in each of two runs, of which the second five need more replicas than
 * the first: each service's requests are the rack's, in either span, and every policy acts. */
static void an_arena_counts_the_same(void **state)
{
    static struct request x[2][2400];
    const struct service s[2] = { { "a", x[0], 2400, 0 }, { "b", x[1], 300, 0 } };
    const struct load_times l = { .s = (double[]){ 20, 30 }, .n_s = 2 };
    struct rack_hardware gpus = fortnight_hardware('G', &l);
    struct arena a;

    (void)state;
    for (int i = 0; i < 2400; i++)
        x[0][i] =
            (struct request){ 1000 + (i < 400 ? i * 0.75 : 300 + (i - 400) * 0.15), 1000, 200 };
    for (int i = 0; i < 300; i++)
        x[1][i] = (struct request){ 1000 + 2 * i, 2000, 30 };
    arena_init(&a, engine_default(), s, 2, 2);
    assert_int_equal(a.once, 40);
    assert_int_equal(a.load.n_steps, 80);
    for (int p = 0; p < ARENA_POLICIES; p++) {
        struct arena_score score =
            arena_run(&a, &gpus, (enum arena_policy)p, (struct arena_seeds){ 1, 2 });

        assert_true(score.loads > 0);
        for (int m = 0; m < 2; m++)
            for (int k = 0; k < ARENA_SPANS; k++) {
                const struct service_score *of = &score.service[m];

                assert_true(fabs(of->fluid[k].requests - 2.0 * (double)s[m].n_requests) < 1e-6);
                assert_int_equal(of->queue[PLAYER_OWN][k].n, 2 * s[m].n_requests);
                assert_true(of->queue[PLAYER_DOOR][k].p50 <= of->queue[PLAYER_DOOR][k].p99);
                assert_true(of->queue[PLAYER_OWN][k].unserved <= of->queue[PLAYER_OWN][k].late);
                /* the second time nobody is refused by the fluid, nor for want of a replica that
                 * the rack had */
                assert_true(k == ARENA_FIRST || of->fluid[k].unserved <= 0);
                assert_true(k == ARENA_FIRST || of->queue[PLAYER_OWN][k].unserved < 0.01);
                assert_true(k == ARENA_FIRST || of->queue[PLAYER_DOOR][k].unserved < 0.01);
            }
        assert_true(score.kwh[ARENA_FIRST] > 0 && score.kwh[ARENA_LATER] > 0);
    }
    arena_done(&a);
}

/* The waits of the second time, always on; `longer` and shorter requests in turn, 200 tokens each
 * in the mean. */
static struct queue_score waits_of(double longer, bool alike)
{
    static struct request x[2400];
    const struct service s = { "a", x, 2400, 0 };
    const struct load_times l = { .s = (double[]){ 20, 30 }, .n_s = 2 };
    struct rack_hardware gpus = fortnight_hardware('G', &l);
    struct arena_score score;
    struct arena a;

    for (int i = 0; i < 2400; i++)
        x[i] = (struct request){ 1000 + (i < 400 ? i * 0.75 : 300 + (i - 400) * 0.15), 1000,
                                 200 + (i % 2 ? longer : -longer) };
    arena_init(&a, engine_default(), &s, 1, 2);
    a.alike = alike;
    score = arena_run(&a, &gpus, ARENA_ALWAYS_ON, (struct arena_seeds){ 1, 1 });
    arena_done(&a);
    return score.service[0].queue[PLAYER_DOOR][ARENA_LATER];
}

/* Played alike, requests wait as those wait that are alike; as they are, not. */
static void requests_played_alike(void **state)
{
    struct queue_score mean = waits_of(0, false), alike = waits_of(180, true),
                       own_length = waits_of(180, false);

    (void)state;
    assert_int_equal(alike.n, 2400);
    assert_true(mean.mean > 0);
    NEAR(alike.mean, mean.mean);
    NEAR(alike.p50, mean.p50);
    NEAR(alike.p99, mean.p99);
    assert_true(fabs(own_length.mean - mean.mean) > 0.01 * mean.mean);
}

/* A service of 100 requests and one of 300: beside always-on a hundredth of all may be late, and a
 * thousandth unserved. */
static void the_gate_by_hand(void **state)
{
    const struct arena a = { .n_services = 2 };
    struct arena_score on = { 0 }, x;

    (void)state;
    for (int m = 0; m < 2; m++) {
        on.service[m].fluid[ARENA_LATER] = (struct fluid_score){ 100 + 200 * m, 0.5, 0.2 };
        on.service[m].queue[PLAYER_DOOR][ARENA_LATER] =
            (struct queue_score){ .n = 100 + 200 * (uint64_t)m, .late = 0.5, .unserved = 0.2 };
    }
    x = on;
    x.service[0].fluid[ARENA_LATER].late += 0.039;
    x.service[0].queue[PLAYER_DOOR][ARENA_LATER].unserved += 0.0039;
    assert_true(arena_fluid_keeps(&a, &x, &on, ARENA_LATER));
    assert_true(arena_queue_keeps(&a, &x, &on, PLAYER_DOOR, ARENA_LATER));
    x.service[0].fluid[ARENA_LATER].late += 0.002;
    assert_false(arena_fluid_keeps(&a, &x, &on, ARENA_LATER));
    assert_true(arena_queue_keeps(&a, &x, &on, PLAYER_DOOR, ARENA_LATER));
    x.service[0].queue[PLAYER_DOOR][ARENA_LATER].unserved += 0.0002;
    assert_false(arena_queue_keeps(&a, &x, &on, PLAYER_DOOR, ARENA_LATER));
    x = on;
    x.service[1].fluid[ARENA_LATER].unserved += 0.0014;
    x.service[1].queue[PLAYER_DOOR][ARENA_LATER].late += 0.014;
    assert_false(arena_fluid_keeps(&a, &x, &on, ARENA_LATER));
    assert_false(arena_queue_keeps(&a, &x, &on, PLAYER_DOOR, ARENA_LATER));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_queues_by_hand),
        cmocka_unit_test(a_drain_by_hand),
        cmocka_unit_test(patience_by_hand),
        cmocka_unit_test(erlang_c),
        cmocka_unit_test(lives_by_hand),
        cmocka_unit_test(a_flood_as_the_fluid_says),
        cmocka_unit_test(an_engine_by_hand),
        cmocka_unit_test(a_trace_is_read),
        cmocka_unit_test(an_arena_counts_the_same),
        cmocka_unit_test(requests_played_alike),
        cmocka_unit_test(the_gate_by_hand),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
