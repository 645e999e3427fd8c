/* See requests_tables.h. */
#include "tests/bench/requests_tables.h"

#include <math.h>
#include <stdio.h>

static const char *const queue_names[PLAYER_QUEUES] = { "replicas", "frontDoor" };
static const char *const span_names[ARENA_SPANS] = { "first", "later" };

/* --- table --------------------------------------------------------------------------------------
 */

static void print_wait(double s)
{
    if (isinf(s))
        printf("   503");
    else
        printf(" %5.*f", s < 99.95 ? 1 : 0, s);
}

static void print_queue(const struct queue_score *q)
{
    print_wait(q->p50);
    print_wait(q->p95);
    print_wait(q->p99);
    printf(" %6.2f %6.2f |", 100 * q->late, 100 * q->unserved);
}

static void print_service(const struct arena *a, const struct arena_score *x, uint32_t m,
                          enum arena_span s)
{
    const struct service_score *of = &x->service[m];

    printf("  %-8s |", a->service[m].name);
    for (int q = 0; q < PLAYER_QUEUES; q++)
        print_queue(&of->queue[q][s]);
    printf(" %6.2f %6.2f\n", 100 * of->fluid[s].late, 100 * of->fluid[s].unserved);
}

static const char *kept(bool kept)
{
    return kept ? "kept" : "FAILS";
}

static void print_span(const struct arena *a, const struct arena_score x[ARENA_POLICIES],
                       enum arena_span s)
{
    const struct arena_score *on = &x[ARENA_ALWAYS_ON];

    if (s == ARENA_FIRST)
        printf("\nthe hour as it is: no forecast has seen anything yet\n");
    else
        printf("\nthe %u times after it: every forecast has seen the hour\n", a->times - 1);
    printf(
        "            | queue of each replica: wait, s    | queue at the front door           | "
        "fluid, %%\n"
        "            |   p50   p95   p99 >15s %% >60s %% |   p50   p95   p99 >15s %%  503 %% |   "
        "late unserved\n");
    for (int p = 0; p < ARENA_POLICIES; p++) {
        printf("%s: %.1f kWh (%+.1f %%); SLO beside always-on: replicas %s, front door %s, fluid "
               "%s\n",
               arena_policy_name((enum arena_policy)p), x[p].kwh[s],
               100 * (x[p].kwh[s] / on->kwh[s] - 1),
               kept(arena_queue_keeps(a, &x[p], on, PLAYER_OWN, s)),
               kept(arena_queue_keeps(a, &x[p], on, PLAYER_DOOR, s)),
               kept(arena_fluid_keeps(a, &x[p], on, s)));
        for (uint32_t m = 0; m < a->n_services; m++)
            print_service(a, &x[p], m, s);
    }
}

void requests_print(const struct arena *a, struct arena_seeds seeds,
                    const struct arena_score x[ARENA_POLICIES])
{
    printf("requests one by one: %.0f s of them, played %u times, %u runs from seed %llu on\n"
           "%s: a replica on %u of a node's 8 GPUs, %u requests at once; %u nodes\n",
           (double)a->once * ARENA_STEP_S, a->times, seeds.runs, (unsigned long long)seeds.first,
           a->engine->name, a->engine->gpus, a->engine->places, a->nodes);
    for (uint32_t m = 0; m < a->n_services; m++)
        printf("%s: %zu requests; a replica serves %.3f/s, on a full one a request lasts %.2f s in "
               "the mean\n",
               a->service[m].name, a->service[m].n_requests, a->pace[m].capacity,
               a->engine->places / a->pace[m].capacity);
    if (a->alike)
        printf("every request is played as its service's mean (--alike)\n");
    for (int s = 0; s < ARENA_SPANS; s++)
        print_span(a, x, (enum arena_span)s);
    printf(
        "\nmeans of a run | awake  loads  moves  wakes | still served when the drain was over\n");
    for (int p = 0; p < ARENA_POLICIES; p++)
        printf("%-14s | %5.2f %6.1f %6.1f %6.1f | %.1f requests\n",
               arena_policy_name((enum arena_policy)p), x[p].awake, x[p].loads, x[p].moves,
               x[p].wakes, x[p].cut[PLAYER_OWN]);
}

/* --- JSON ---------------------------------------------------------------------------------------
 */

static json_t *wait_json(double s)
{
    return isinf(s) ? json_null() : json_real(s); /* refused: it has no wait */
}

static json_t *queue_json(const struct queue_score *q)
{
    return json_pack("{s:I, s:o, s:o, s:o, s:o, s:f, s:f}", "requests", (json_int_t)q->n, "p50",
                     wait_json(q->p50), "p95", wait_json(q->p95), "p99", wait_json(q->p99), "mean",
                     wait_json(q->mean), "over15s", q->late, "over60s", q->unserved);
}

static json_t *service_json(const struct service_score *x, enum arena_span s)
{
    json_t *o = json_object();

    for (int q = 0; q < PLAYER_QUEUES; q++)
        json_object_set_new(o, queue_names[q], queue_json(&x->queue[q][s]));
    json_object_set_new(o, "fluid",
                        json_pack("{s:f, s:f, s:f}", "requests", x->fluid[s].requests, "late",
                                  x->fluid[s].late, "unserved", x->fluid[s].unserved));
    return o;
}

static json_t *span_json(const struct arena *a, const struct arena_score *x,
                         const struct arena_score *on, enum arena_span s)
{
    json_t *services = json_object();

    for (uint32_t m = 0; m < a->n_services; m++)
        json_object_set_new(services, a->service[m].name, service_json(&x->service[m], s));
    return json_pack("{s:f, s:{s:b, s:b, s:b}, s:o}", "kWh", x->kwh[s], "gate", queue_names[0],
                     arena_queue_keeps(a, x, on, PLAYER_OWN, s), queue_names[1],
                     arena_queue_keeps(a, x, on, PLAYER_DOOR, s), "fluid",
                     arena_fluid_keeps(a, x, on, s), "services", services);
}

static json_t *services_json(const struct arena *a)
{
    json_t *all = json_object();

    for (uint32_t m = 0; m < a->n_services; m++)
        json_object_set_new(all, a->service[m].name,
                            json_pack("{s:I, s:f, s:f}", "requests",
                                      (json_int_t)a->service[m].n_requests, "replicaCapacity",
                                      a->pace[m].capacity, "stretch", a->pace[m].stretch));
    return all;
}

json_t *requests_json(const struct arena *a, struct arena_seeds seeds,
                      const struct arena_score x[ARENA_POLICIES])
{
    json_t *policies = json_object();

    for (int p = 0; p < ARENA_POLICIES; p++) {
        json_t *o = json_pack("{s:f, s:f, s:f, s:f, s:f}", "awake", x[p].awake, "loads", x[p].loads,
                              "moves", x[p].moves, "wakes", x[p].wakes, "longerThanDrain",
                              x[p].cut[PLAYER_OWN]);

        for (int s = 0; s < ARENA_SPANS; s++)
            json_object_set_new(o, span_names[s],
                                span_json(a, &x[p], &x[ARENA_ALWAYS_ON], (enum arena_span)s));
        json_object_set_new(policies, arena_policy_name((enum arena_policy)p), o);
    }
    return json_pack("{s:f, s:i, s:I, s:i, s:b, s:s, s:i, s:i, s:i, s:o, s:o}", "seconds",
                     (double)a->once * ARENA_STEP_S, "times", (int)a->times, "seed",
                     (json_int_t)seeds.first, "runs", (int)seeds.runs, "alike", a->alike, "engine",
                     a->engine->name, "gpus", (int)a->engine->gpus, "places",
                     (int)a->engine->places, "nodes", (int)a->nodes, "services", services_json(a),
                     "policies", policies);
}
