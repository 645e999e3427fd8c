/* See scale_plot.h. */
#include "tests/bench/scale_plot.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>

#include "tests/bench/chart.h"

#define NODES_JUDGED 10000u
#define ROWS_MOST 16u
#define BAR 46

/* Not measured here: kubernetes-sigs/karpenter issue 1970 (consolidation times out, ~700 nodes);
 * kubernetes/autoscaler, cluster-autoscaler/proposals/scalability_tests.md. */
#define KARPENTER_NODES 700
#define AUTOSCALER_NODES 1000

static const char *const names[] = { "spread", "cold", "next" };

static const struct scale_first *plan_of(const struct scale_row *r, int which)
{
    return which == 0 ? &r->spread : which == 1 ? &r->cold : &r->next;
}

/* --- judgement ----------------------------------------------------------------------------------
 */

/* Least squares on logarithms. */
static double slope(const struct scale_report *r, int which)
{
    double n = (double)r->n_rows, sx = 0, sy = 0, sxx = 0, sxy = 0;

    for (size_t i = 0; i < r->n_rows; i++) {
        double x = log(r->rows[i].nodes), y = log(plan_of(&r->rows[i], which)->s);

        sx += x;
        sy += y;
        sxx += x * x;
        sxy += x * y;
    }
    return r->n_rows < 2 ? NAN : (n * sxy - sx * sy) / (n * sxx - sx * sx);
}

void scale_judge(struct scale_report *r, const struct scale_targets *t)
{
    const struct scale_row *last = &r->rows[r->n_rows - 1];

    r->targets = *t;
    for (int k = 0; k < SCALE_PLANS; k++)
        r->slope[k] = slope(r, k);
    r->missed = !last->spread.proven || !last->cold.proven || !last->next.proven;
    if (last->nodes <= NODES_JUDGED)
        r->missed = r->missed || last->spread.s > t->first_s || last->cold.s > t->first_s ||
                    last->next.s > t->next_s || last->peak_mb < 0 || last->peak_mb > t->mb;
}

/* --- table --------------------------------------------------------------------------------------
 */

static void print_plan(const struct scale_first *p)
{
    (void)printf(" | %7.3f %6u %6u%s", p->s, p->awake, p->moves, p->proven ? "" : "!");
}

/* A bar as long as the logarithm of the time, from 0.1 ms to 10 s. */
static void print_curve(const struct scale_report *r)
{
    static const char letters[] = "SCN";

    (void)printf("\n%8s  .1 ms %*s\n", "nodes", BAR - 4, "10 s");
    for (size_t i = 0; i < r->n_rows; i++) {
        char line[BAR + 1];

        for (int k = 0; k < BAR; k++)
            line[k] = k % (BAR / 5) == 0 ? '.' : ' ';
        line[BAR] = '\0';
        for (int k = 0; k < SCALE_PLANS; k++) {
            double at = (log10(plan_of(&r->rows[i], k)->s) + 4) / 5 * (BAR - 1);

            line[(int)fmin(fmax(at, 0), BAR - 1)] = letters[k];
        }
        (void)printf("%8u  %s\n", r->rows[i].nodes, line);
    }
    (void)puts("          S spread, C cold, N next; from dot to dot ten times as long");
}

void scale_print(const struct scale_report *r)
{
    const struct scale_row *last = &r->rows[r->n_rows - 1];

    (void)printf("%8s %9s | %-21s | %-21s | %-21s | %5s\n%8s %9s", "nodes", "replicas",
                 "first plan, spread", "first plan, cold", "next, 1 % changed", "MB", "", "");
    for (int k = 0; k < SCALE_PLANS; k++)
        (void)printf(" | %7s %6s %6s", "s", "awake", "moves");
    (void)printf(" |\n");
    for (size_t i = 0; i < r->n_rows; i++) {
        (void)printf("%8u %9u", r->rows[i].nodes, r->rows[i].replicas);
        for (int k = 0; k < SCALE_PLANS; k++)
            print_plan(plan_of(&r->rows[i], k));
        (void)printf(" | %5.0f\n", r->rows[i].peak_mb);
    }
    print_curve(r);
    if (r->n_rows > 1)
        (void)printf(
            "grows with the nodes to the power of %.2f (spread), %.2f (cold), %.2f (next)\n",
            r->slope[0], r->slope[1], r->slope[2]);
    (void)printf("no placement needs fewer than %u nodes awake for what was spread (bound)\n",
                 last->spread.bound);
    (void)printf("beside: Karpenter's users report time-outs at %d nodes; Cluster Autoscaler is "
                 "tested to %d (published)\n",
                 KARPENTER_NODES, AUTOSCALER_NODES);
    (void)printf("targets at 10,000 nodes: first %.1f s, next %.1f s, %.0f MB: %s\n",
                 r->targets.first_s, r->targets.next_s, r->targets.mb,
                 last->nodes > NODES_JUDGED ? "not judged beyond"
                 : r->missed                ? "MISSED"
                                            : "reached");
    (void)printf("repeat: make bench-scale SCALE=\"%u %u\"\n", last->nodes, last->replicas);
}

/* --- JSON and picture ---------------------------------------------------------------------------
 */

static json_t *plan_json(const struct scale_first *p)
{
    return json_pack("{s:f, s:i, s:i, s:i, s:b}", "cpuSeconds", p->s, "awake", (int)p->awake,
                     "boundAwake", (int)p->bound, "moves", (int)p->moves, "proven", (int)p->proven);
}

void scale_print_json(const struct scale_report *r)
{
    json_t *rows = json_array(), *root;

    for (size_t i = 0; i < r->n_rows; i++) {
        const struct scale_row *x = &r->rows[i];

        json_array_append_new(rows, json_pack("{s:i, s:i, s:o, s:o, s:o, s:f}", "nodes",
                                              (int)x->nodes, "replicas", (int)x->replicas, names[0],
                                              plan_json(&x->spread), names[1], plan_json(&x->cold),
                                              names[2], plan_json(&x->next), "residentPeakMB",
                                              x->peak_mb));
    }
    root = json_pack(
        "{s:s, s:o, s:{s:o, s:o, s:o}, s:{s:f, s:f, s:f}, s:b, s:[{s:s, s:i}, {s:s, s:i}]}",
        "repeat", "make bench-scale", "sizes", rows, "growthExponent", names[0],
        isnan(r->slope[0]) ? json_null() : json_real(r->slope[0]), names[1],
        isnan(r->slope[1]) ? json_null() : json_real(r->slope[1]), names[2],
        isnan(r->slope[2]) ? json_null() : json_real(r->slope[2]), "targets", "firstSeconds",
        r->targets.first_s, "nextSeconds", r->targets.next_s, "MB", r->targets.mb, "missed",
        (int)r->missed, "peers", "name", "Karpenter, users report time-outs", "nodes",
        KARPENTER_NODES, "name", "Cluster Autoscaler, tested up to", "nodes", AUTOSCALER_NODES);
    (void)json_dumpf(root, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
    (void)putchar('\n');
    json_decref(root);
}

int scale_draw(const struct scale_report *r, const char *path, struct err *e)
{
    struct chart_point points[SCALE_PLANS][ROWS_MOST];
    char labels[SCALE_PLANS][64];
    struct chart_series series[SCALE_PLANS];
    const struct chart_mark marks[] = {
        { "wanted of a first plan at 10,000", r->targets.first_s, false },
        { "wanted of the next", r->targets.next_s, false },
        { "Karpenter times out", KARPENTER_NODES, true },
    };
    static const char *const words[] = { "first plan, spread", "first plan, cold",
                                         "after 1 % of change" };
    struct chart c = { .title = "CPU time of a plan, one core",
                       .x = { "nodes (ten replicas each)", true, 100, 10000 },
                       .y = { "seconds", true, 0.001, 2 },
                       .series = series,
                       .n_series = SCALE_PLANS,
                       .marks = marks,
                       .n_marks = sizeof(marks) / sizeof(marks[0]) };

    for (int k = 0; k < SCALE_PLANS; k++) {
        for (size_t i = 0; i < r->n_rows; i++)
            points[k][i] = (struct chart_point){ r->rows[i].nodes, plan_of(&r->rows[i], k)->s };
        (void)snprintf(labels[k], sizeof(labels[k]), "%s: n^%.2f", words[k], r->slope[k]);
        series[k] = (struct chart_series){ .name = isnan(r->slope[k]) ? words[k] : labels[k],
                                           .points = points[k],
                                           .n = r->n_rows,
                                           .joined = true };
    }
    return chart_write(&c, path, e);
}
