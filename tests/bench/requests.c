/* bench/requests: is what the simulator's fluid promises true for requests?
 *
 *     requests [-o table|json] [--engine llama2-70b|bloom-176b] [--times 4] [--seed 1]
 *              [--runs 3] [--alike] [--service FILE]... DIR
 *
 * DIR holds azure-llm-2023/ (two services, an hour of requests each, the default --service) and
 * genai/basemodel_update_latency_anon.csv (load times). The hour runs as a fluid on the rack of the
 * fortnight protocol, setting G (8 x H100 a node, its boot and load times unchanged), under
 * always-on, demand, huddle's brain with its defaults, and clairvoyant; then every request is
 * played through the replicas that the rack had: see requests_player.h (queues), requests_engine.h
 * (how long a request takes, and from whom that is).
 *
 * The hour is not made a day: that would be inventing data. It is played `times` over, as it is:
 * the first is for a brain that has learned nothing, the later ones for one that has seen the hour
 * before; both are told. So short an hour suits no policy: a wake takes 5 to 10 minutes of it. The
 * pool is always-on's: the fullest minute fills four fifths of all nodes but one. `late` and
 * `unserved` of the fluid stand beside the shares of requests that wait over 15 s and over 60 s (or
 * are refused then: 503). --alike plays every request as its service's mean: what is left of the
 * difference is the queues', not the requests'. Boots and loads are drawn anew in each run (a seed
 * each); the figures are of the requests of all runs together. Exit status 1: the rack was not
 * given the requests that were played. */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "tests/bench/number.h"
#include "tests/bench/requests_tables.h"

#define TIMES 4u
#define RUNS 3u
#define MOST 100u

struct arguments {
    bool json, alike;
    const struct engine *engine;
    uint32_t times, n_files;
    struct arena_seeds seeds;
    const char *file[ARENA_SERVICES_MAX], *folder;
};

static int usage(void)
{
    (void)fputs("usage: requests [-o table|json] [--engine llama2-70b|bloom-176b] [--times 2..100] "
                "[--seed N] [--runs 1..100] [--alike] [--service FILE]... DIR\n",
                stderr);
    return 2;
}

static bool read_option(struct arguments *a, int option, const char *value)
{
    uint64_t n = 0;

    switch (option) {
    case 'o':
        a->json = strcmp(value, "json") == 0;
        return a->json || strcmp(value, "table") == 0;
    case 'g':
        a->engine = engine_find(value);
        return a->engine != NULL;
    case 't':
        if (!number_whole(value, 2, MOST, &n))
            return false;
        a->times = (uint32_t)n;
        return true;
    case 'e':
        return number_whole(value, 0, UINT64_MAX, &a->seeds.first);
    case 'r':
        if (!number_whole(value, 1, MOST, &n))
            return false;
        a->seeds.runs = (uint32_t)n;
        return true;
    case 'a':
        a->alike = true;
        return true;
    case 's':
        if (a->n_files >= ARENA_SERVICES_MAX)
            return false;
        a->file[a->n_files++] = value;
        return true;
    default:
        return false;
    }
}

static bool read_arguments(struct arguments *a, int argc, char **argv)
{
    static const struct option options[] = { { "engine", required_argument, NULL, 'g' },
                                             { "times", required_argument, NULL, 't' },
                                             { "seed", required_argument, NULL, 'e' },
                                             { "runs", required_argument, NULL, 'r' },
                                             { "service", required_argument, NULL, 's' },
                                             { "alike", no_argument, NULL, 'a' },
                                             { 0 } };
    int option;

    *a = (struct arguments){ .engine = engine_default(), .times = TIMES, .seeds = { 1, RUNS } };
    while ((option = getopt_long(argc, argv, "o:", options, NULL)) != -1)
        if (!read_option(a, option, optarg))
            return false;
    a->folder = argv[optind];
    return optind == argc - 1;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct service *)a)->name, ((const struct service *)b)->name);
}

static int read_services(const struct arguments *a, struct service *s, uint32_t *ret_n,
                         struct err *e)
{
    static const char *const azure[] = { "code", "conv" };
    char path[4096];
    int r = 0;

    for (uint32_t i = 0; i < a->n_files && r == 0; i++, ++*ret_n)
        r = service_read(a->file[i], &s[i], e);
    for (uint32_t i = 0; a->n_files == 0 && i < ARRAY_LEN(azure) && r == 0; i++, ++*ret_n) {
        (void)snprintf(path, sizeof(path), "%s/azure-llm-2023/AzureLLMInferenceTrace_%s.csv",
                       a->folder, azure[i]);
        r = service_read(path, &s[i], e);
    }
    if (r < 0)
        return r;
    qsort(s, *ret_n, sizeof(*s), by_name);
    for (uint32_t i = 1; i < *ret_n; i++)
        if (by_name(&s[i - 1], &s[i]) == 0)
            return err_set(e, -EINVAL,
                           "two services are named %s: name one of the files differently",
                           s[i].name);
    return 0;
}

/* Was the rack given what was played? */
static bool totals_agree(const struct arena *a, const struct arena_score *x)
{
    for (uint32_t m = 0; m < a->n_services; m++)
        for (int s = 0; s < ARENA_SPANS; s++)
            if (fabs(x->service[m].fluid[s].requests -
                     (double)x->service[m].queue[PLAYER_OWN][s].n) > 0.5)
                return false;
    return true;
}

static bool run(const struct arguments *a, const struct service *s, uint32_t n,
                const struct load_times *l)
{
    struct rack_hardware hw = fortnight_hardware('G', l);
    struct arena_score x[ARENA_POLICIES];
    struct arena arena;
    bool agree = true;

    arena_init(&arena, a->engine, s, n, a->times);
    arena.alike = a->alike;
    for (int p = 0; p < ARENA_POLICIES; p++) {
        (void)fprintf(stderr, "requests: %s\n", arena_policy_name((enum arena_policy)p));
        x[p] = arena_run(&arena, &hw, (enum arena_policy)p, a->seeds);
        agree &= totals_agree(&arena, &x[p]);
    }
    if (a->json) {
        json_t *o = requests_json(&arena, a->seeds, x);

        (void)json_dumpf(o, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
        (void)putchar('\n');
        json_decref(o);
    } else {
        requests_print(&arena, a->seeds, x);
        printf("again: build/release/bench/requests --engine %s --times %u --seed %llu --runs %u%s "
               "DIR\n",
               a->engine->name, a->times, (unsigned long long)a->seeds.first, a->seeds.runs,
               a->alike ? " --alike" : "");
    }
    if (!agree)
        (void)fputs("requests: the rack was not given the requests that were played\n", stderr);
    arena_done(&arena);
    return agree;
}

int main(int argc, char **argv)
{
    struct service s[ARENA_SERVICES_MAX] = { 0 };
    struct load_times l = { 0 };
    struct arguments a;
    struct err e = ERR_INIT;
    uint32_t n = 0;
    char path[4096];
    bool agree = false;
    int r;

    if (!read_arguments(&a, argc, argv))
        return usage();
    (void)snprintf(path, sizeof(path), "%s/genai/basemodel_update_latency_anon.csv", a.folder);
    r = load_times_read(path, &l, &e);
    if (r == 0)
        r = read_services(&a, s, &n, &e);
    if (r == 0)
        agree = run(&a, s, n, &l);
    else
        (void)fprintf(stderr, "requests: %s\n", e.text);
    for (uint32_t i = 0; i < ARENA_SERVICES_MAX; i++)
        service_done(&s[i]);
    free(l.s);
    return agree ? 0 : 1;
}
