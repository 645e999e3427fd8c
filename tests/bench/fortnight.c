/* bench/fortnight: a fortnight of LLM demand on 64 nodes, huddle beside its peers.
 *
 *     fortnight [-o table|json] [--setting G|C] [--models K] [--seeds 1,2,3] [--only NAME]
 * [--quick] DIR
 *
 * DIR holds servegen/m-small, servegen/m-large and genai/basemodel_update_latency_anon.csv. Demand,
 * hardware, events, gate and reference policies are those of a fixed protocol (ServeGen clients
 * as seeded bursts in steps of 15 s; eight-slot nodes that take minutes to boot); its check values
 * are printed with every result. demand* and the sketch are tuned in hindsight, on each seed;
 * huddle runs with the defaults of a PowerPolicy, the same everywhere. `captured` is the share of
 * what the clairvoyant policy saves on always-on. --quick leaves out what is tuned. Exit status 1:
 * the gate or the wanted share was missed. */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "tests/bench/fortnight_tables.h"
#include "tests/bench/number.h"

#define MODELS 4u

struct arguments {
    bool json, quick;
    char setting;
    uint32_t models, n_seeds;
    uint64_t seed[FORTNIGHT_SEEDS_MAX];
    const char *only, *folder;
};

static const struct {
    const char *name;
    double wanted; /* in setting G, with four models */
} SETS[] = { { "m-small", 0.85 }, { "m-large", 0.70 } };

static int usage(void)
{
    (void)fputs("usage: fortnight [-o table|json] [--setting G|C] [--models 1..64] [--seeds 1,2,3] "
                "[--only m-small|m-large] [--quick] DIR\n",
                stderr);
    return 2;
}

static bool read_seeds(struct arguments *a, const char *text)
{
    for (a->n_seeds = 0; a->n_seeds < FORTNIGHT_SEEDS_MAX; text++) {
        if (!number_read(&text, &a->seed[a->n_seeds++]) || (*text && *text != ','))
            return false;
        if (!*text)
            return true;
    }
    return false;
}

static bool read_option(struct arguments *a, int option, const char *value)
{
    uint64_t n = 0;

    switch (option) {
    case 'o':
        a->json = strcmp(value, "json") == 0;
        return a->json || strcmp(value, "table") == 0;
    case 's':
        a->setting = *value;
        return strcmp(value, "G") == 0 || strcmp(value, "C") == 0;
    case 'k':
        if (!number_whole(value, 1, RACK_MODELS_MAX, &n))
            return false;
        a->models = (uint32_t)n;
        return true;
    case 'e':
        return read_seeds(a, value);
    case 'n':
        a->only = value;
        return strcmp(value, SETS[0].name) == 0 || strcmp(value, SETS[1].name) == 0;
    case 'q':
        a->quick = true;
        return true;
    default:
        return false;
    }
}

static bool read_arguments(struct arguments *a, int argc, char **argv)
{
    static const struct option options[] = {
        { "setting", required_argument, NULL, 's' }, { "models", required_argument, NULL, 'k' },
        { "seeds", required_argument, NULL, 'e' },   { "only", required_argument, NULL, 'n' },
        { "quick", no_argument, NULL, 'q' },         { 0 }
    };
    int option;

    *a = (struct arguments){ .setting = 'G', .models = MODELS, .n_seeds = 3, .seed = { 1, 2, 3 } };
    while ((option = getopt_long(argc, argv, "o:", options, NULL)) != -1)
        if (!read_option(a, option, optarg))
            return false;
    a->folder = argv[optind];
    return optind == argc - 1;
}

/* Of the first seed: what shows that the demand is the protocol's. */
static void check_values(struct campaign *c, const struct fortnight *f,
                         const struct clients *clients)
{
    c->capacity = f->capacity;
    c->first = f->rate[0];
    c->n_gaps = clients->n_gaps;
    for (size_t i = 0; i < f->load.n_models * f->load.n_steps; i++) {
        c->requests += f->rate[i];
        c->most = fmax(c->most, f->rate[i]);
    }
}

static int run(const struct arguments *a, const struct load_times *l, size_t set,
               struct campaign *c, struct err *e)
{
    struct rack_hardware hw = fortnight_hardware(a->setting, l);
    struct clients clients;
    char path[4096];
    int r;

    *c = (struct campaign){ .name = SETS[set].name,
                            .setting = a->setting,
                            .models = a->models,
                            .n_seeds = a->n_seeds,
                            .wanted = NAN };
    if (a->setting == 'G' && a->models == MODELS)
        c->wanted = SETS[set].wanted;
    (void)snprintf(path, sizeof(path), "%s/servegen/%s", a->folder, c->name);
    r = clients_read(path, FORTNIGHT_WINDOWS, &clients, e);
    if (r < 0)
        return r;
    for (uint32_t k = 0; k < a->n_seeds; k++) {
        struct fortnight f;

        (void)fprintf(stderr, "fortnight: %s, setting %c, seed %llu\n", c->name, c->setting,
                      (unsigned long long)a->seed[k]);
        fortnight_init(&f, &clients, a->models, a->seed[k]);
        if (k == 0)
            check_values(c, &f, &clients);
        c->seed[k] = a->seed[k];
        fortnight_run(a->setting, &hw, &f, a->seed[k], a->quick, &c->outcome[k]);
        fortnight_done(&f);
    }
    clients_done(&clients);
    return 0;
}

static int run_all(const struct arguments *a, const struct load_times *l, bool *ret_reached,
                   struct err *e)
{
    json_t *all = json_array();
    int r = 0;

    for (size_t set = 0; set < ARRAY_LEN(SETS) && r == 0; set++) {
        struct campaign c;

        if (a->only && strcmp(a->only, SETS[set].name) != 0)
            continue;
        r = run(a, l, set, &c, e);
        if (r < 0)
            break;
        *ret_reached &= campaign_reached(&c);
        if (a->json)
            json_array_append_new(all, campaign_json(&c));
        else
            campaign_print(&c);
    }
    if (a->json && r == 0) {
        (void)json_dumpf(all, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
        (void)putchar('\n');
    }
    json_decref(all);
    return r;
}

int main(int argc, char **argv)
{
    struct arguments a;
    struct load_times l = { 0 };
    struct err e = ERR_INIT;
    bool reached = true;
    char path[4096];
    int r;

    if (!read_arguments(&a, argc, argv))
        return usage();
    (void)snprintf(path, sizeof(path), "%s/genai/basemodel_update_latency_anon.csv", a.folder);
    r = load_times_read(path, &l, &e);
    if (r == 0)
        r = run_all(&a, &l, &reached, &e);
    if (r < 0)
        (void)fprintf(stderr, "fortnight: %s\n", e.text);
    free(l.s);
    if (r == 0 && !a.json)
        printf("again: build/release/bench/fortnight --setting %c --models %u --seeds %llu%s DIR\n",
               a.setting, a.models, (unsigned long long)a.seed[0], a.n_seeds > 1 ? ",..." : "");
    return r < 0 || !reached ? 1 : 0;
}
