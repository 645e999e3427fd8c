/* bench/packing: the planner's packing on instances of the field, beside first fit decreasing and
 * the best that is known.
 *
 *     packing [-o table|json] FILE|FOLDER ...
 *
 * A bin is a sleeping node, a size a model, a piece a replica that is missing; the planner opens
 * nodes (packing.h), and its own bound (bound.h) says how many any placement needs. Every packing
 * is counted again from the seats. The best known, when there is one, is read from
 * FOLDER-optima.tsv or FOLDER-bounds.tsv beside the folder in which a file stands (columns
 * instance, ub_best_known or LB_volume); it is only printed. The target is 1 s of CPU each, and the
 * optimum. */
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/placement/bound.h"
#include "controller/placement/brain.h"
#include "controller/placement/filling.h"
#include "controller/placement/packing.h"
#include "proto/base/array.h"
#include "tests/bench/cost.h"
#include "tests/bench/packing_instance.h"

struct outcome {
    char name[64], family[32];
    uint32_t pieces, kinds, used, bound, first_fit, known; /* known 0: nothing is */
    double seconds;
};

struct bench {
    struct outcome *rows;
    size_t n_rows, cap_rows;
    char **paths;
    size_t n_paths, cap_paths;
};

/* --- what is known ------------------------------------------------------------------------------
 */

static int column_of(char *header, const char *a, const char *b)
{
    int at = 0;

    for (char *field; (field = strsep(&header, "\t\n")); at++)
        if (strcmp(field, a) == 0 || (b && strcmp(field, b) == 0))
            return at;
    return -1;
}

static uint32_t look_up(const char *table, const char *name)
{
    FILE *f = fopen(table, "re");
    char line[512], copy[512];
    int names, values;
    uint32_t known = 0;

    if (!f)
        return 0;
    if (fgets(line, sizeof(line), f)) {
        memcpy(copy, line, sizeof(copy));
        names = column_of(line, "instance", NULL);
        values = column_of(copy, "ub_best_known", "LB_volume");
        while (names >= 0 && values >= 0 && fgets(line, sizeof(line), f)) {
            char *rest = line, *field;
            bool here = false;
            uint32_t value = 0;

            for (int at = 0; (field = strsep(&rest, "\t\n")); at++) {
                here = here || (at == names && strcmp(field, name) == 0);
                if (at == values)
                    value = (uint32_t)strtoul(field, NULL, 10);
            }
            if (here)
                known = value;
        }
    }
    (void)fclose(f);
    return known;
}

static uint32_t best_known(const char *path, const char *name)
{
    const char *slash = strrchr(path, '/');
    char table[1024];

    for (int i = 0; slash && i < 2; i++) {
        (void)snprintf(table, sizeof(table), "%.*s-%s.tsv", (int)(slash - path), path,
                       i ? "bounds" : "optima");
        if (look_up(table, name) > 0)
            return look_up(table, name);
    }
    return 0;
}

/* --- one instance -------------------------------------------------------------------------------
 */

/* Counts the seats again from the instance; 0: a node is overfull or a piece is missing. */
static uint32_t recount(const struct instance *i, const struct packing *p)
{
    uint32_t n_nodes = p->s->n_nodes, used = 0;
    AUTO(mem) int64_t *sum = xcalloc((size_t)n_nodes * BINS_DIMENSIONS + 1, sizeof(*sum));
    AUTO(mem) uint32_t *held = xcalloc(n_nodes + 1, sizeof(*held));
    AUTO(mem) uint32_t *placed = xcalloc(i->n_kinds + 1, sizeof(*placed));

    ARRAY_FOREACH(seat, p, fresh) {
        placed[seat->model]++;
        used += held[seat->node]++ == 0;
        for (uint32_t d = 0; d < i->n_dimensions; d++) {
            int64_t *here = &sum[(size_t)seat->node * BINS_DIMENSIONS + d];

            *here += i->kinds[seat->model].size[d];
            if (*here > i->capacity[d])
                return 0;
        }
    }
    for (size_t k = 0; k < i->n_kinds; k++)
        if (placed[k] != i->kinds[k].count)
            return 0;
    return used;
}

static int run(struct bench *b, const char *path, struct err *e)
{
    struct outcome o = { 0 };
    struct instance i;
    struct instance_cluster c;
    struct packing p;
    AUTO(mem) uint32_t *replicas = NULL;
    double begin;
    int r = instance_read(path, &i, e);

    if (r < 0)
        return r;
    o.first_fit = instance_first_fit(&i);
    r = instance_cluster_init(&c, &i, o.first_fit + o.first_fit / 4 + 2, e);
    if (r == 0) {
        begin = cost_cpu_s();
        packing_init(&p, &c.snapshot, c.models, BRAIN_STEPS);
        filling(&p);
        o.used = recount(&i, &p);
        replicas = xcalloc(i.n_kinds + 1, sizeof(*replicas));
        for (size_t k = 0; k < i.n_kinds; k++)
            replicas[k] = i.kinds[k].count;
        o.bound = bound_nodes(&c.snapshot, replicas, o.used);
        o.seconds = cost_cpu_s() - begin;
        packing_done(&p);
        instance_cluster_done(&c);
        if (o.used == 0)
            r = err_set(e, -EPROTO, "%s: a node is overfull or a piece is missing", path);
    }
    memcpy(o.name, i.name, sizeof(o.name));
    (void)snprintf(o.family, sizeof(o.family), "%.*s", (int)strcspn(i.name, "0123456789"), i.name);
    if (strncmp(i.name, "Hard28", 6) == 0)
        (void)snprintf(o.family, sizeof(o.family), "Hard28");
    o.pieces = i.n_pieces;
    o.kinds = (uint32_t)i.n_kinds;
    o.known = best_known(path, i.name);
    instance_done(&i);
    if (r == 0)
        *ARRAY_ADD(b, rows) = o;
    return r;
}

/* --- output -------------------------------------------------------------------------------------
 */

static void print_row(const char *name, uint32_t n, const struct outcome *o, double worst_s)
{
    (void)printf("%-24s %5u %7u %6u", name, n, o->pieces, o->used);
    (void)printf(" %6u %6.2f%%", o->bound, 100.0 * o->used / o->bound - 100);
    if (o->known > 0)
        (void)printf(" %6u %6.2f%%", o->known, 100.0 * o->used / o->known - 100);
    else
        (void)printf(" %6s %7s", "-", "-");
    (void)printf(" %6u %6.2f%% %8.3f %7.3f\n", o->first_fit, 100.0 * o->first_fit / o->bound - 100,
                 o->seconds / n, worst_s);
}

/* Rows of a family add up. */
static void print_families(const struct bench *b)
{
    AUTO(mem) bool *done = xcalloc(b->n_rows + 1, sizeof(*done));

    for (size_t k = 0; k < b->n_rows; k++) {
        struct outcome sum = { 0 };
        uint32_t n = 0;
        double worst = 0;
        bool all_known = true;

        if (done[k])
            continue;
        for (size_t j = k; j < b->n_rows; j++) {
            const struct outcome *o = &b->rows[j];

            if (done[j] || strcmp(o->family, b->rows[k].family) != 0)
                continue;
            done[j] = true;
            n++;
            sum.pieces += o->pieces;
            sum.used += o->used;
            sum.bound += o->bound;
            sum.known += o->known;
            sum.first_fit += o->first_fit;
            sum.seconds += o->seconds;
            worst = fmax(worst, o->seconds);
            all_known = all_known && o->known > 0;
        }
        sum.known = all_known ? sum.known : 0;
        print_row(b->rows[k].family, n, &sum, worst);
    }
}

static void print_table(const struct bench *b)
{
    static const char head[] = "%-24s %5s %7s %6s %6s %7s %6s %7s %6s %7s %8s %7s\n";

    (void)printf(head, "instance", "", "pieces", "huddle", "bound", "gap", "known", "over", "FFD",
                 "gap", "cpu s", "worst");
    ARRAY_FOREACH(o, b, rows)
        print_row(o->name, 1, o, o->seconds);
    (void)putchar('\n');
    (void)printf(head, "family", "n", "pieces", "huddle", "bound", "gap", "known", "over", "FFD",
                 "gap", "cpu s", "worst");
    print_families(b);
}

static void print_json(const struct bench *b)
{
    json_t *rows = json_array();

    ARRAY_FOREACH(o, b, rows)
        json_array_append_new(
            rows,
            json_pack("{s:s, s:s, s:i, s:i, s:i, s:o, s:i, s:f}", "instance", o->name, "family",
                      o->family, "pieces", (int)o->pieces, "huddle", (int)o->used, "bound",
                      (int)o->bound, "bestKnown", o->known ? json_integer(o->known) : json_null(),
                      "firstFitDecreasing", (int)o->first_fit, "cpuSeconds", o->seconds));
    (void)json_dumpf(rows, stdout, JSON_INDENT(1));
    (void)putchar('\n');
    json_decref(rows);
}

/* --- arguments ----------------------------------------------------------------------------------
 */

static int plain(const struct dirent *d)
{
    return d->d_name[0] != '.';
}

static void add_path(struct bench *b, const char *path)
{
    struct dirent **list;
    int n = scandir(path, &list, plain, alphasort);

    if (n < 0) {
        *ARRAY_ADD(b, paths) = xstrdup(path);
        return;
    }
    for (int i = 0; i < n; i++) {
        char full[1024];

        (void)snprintf(full, sizeof(full), "%s/%s", path, list[i]->d_name);
        *ARRAY_ADD(b, paths) = xstrdup(full);
        free(list[i]);
    }
    free(list);
}

int main(int argc, char **argv)
{
    struct bench b = { 0 };
    struct err e = ERR_INIT;
    bool json = false;
    int c, r = 0;

    while ((c = getopt(argc, argv, "o:")) != -1) {
        if (c == 'o' && strcmp(optarg, "json") == 0)
            json = true;
        else if (c != 'o' || strcmp(optarg, "table") != 0)
            optind = argc;
    }
    if (optind >= argc) {
        (void)fputs("usage: packing [-o table|json] FILE|FOLDER ...\n", stderr);
        return 2;
    }
    for (int i = optind; i < argc; i++)
        add_path(&b, argv[i]);
    for (size_t i = 0; i < b.n_paths && r == 0; i++)
        r = run(&b, b.paths[i], &e);
    if (r < 0)
        (void)fprintf(stderr, "packing: %s\n", e.text);
    else if (json)
        print_json(&b);
    else
        print_table(&b);
    if (r == 0 && !json)
        (void)puts("repeat: make bench-packing PACKING=\"FILE|FOLDER ...\"");
    for (size_t i = 0; i < b.n_paths; i++)
        free(b.paths[i]);
    free(b.paths);
    free(b.rows);
    return r < 0 ? 1 : 0;
}
