/* See fortnight_demand.h. */
#include "tests/bench/fortnight_demand.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "controller/simulate/variate.h"
#include "proto/base/array.h"
#include "proto/base/cleanup.h"

#define WINDOW_S 600.0
#define STEP_S 15.0
#define STREAM_BURSTS 1
#define CV_LEAST 0.1

/* --- clients ------------------------------------------------------------------------------------
 */

static int read_lines(FILE *f, const char *path, size_t n, double *rate, double *cv, struct err *e)
{
    char line[512];

    for (size_t w = 0; w < n; w++) {
        if (!fgets(line, sizeof(line), f) || sscanf(line, "%*[^,],%lf,%lf", &rate[w], &cv[w]) != 2)
            return err_set(e, -EINVAL, "%s:%zu: no \"t,rate,cv,...\"; %zu lines are needed", path,
                           w + 1, n);
        if (!(rate[w] >= 0) || !(cv[w] >= 0))
            return err_set(e, -EINVAL, "%s:%zu: a negative rate or CV", path, w + 1);
    }
    return 0;
}

static int read_client(struct clients *c, const char *path, struct err *e)
{
    FILE *f = fopen(path, "re");
    size_t n = c->n_windows;
    int r;

    if (!f)
        return err_errno(e, -errno, "%s", path);
    c->rate = xrealloc(c->rate, (c->n + 1) * n * sizeof(*c->rate));
    c->cv = xrealloc(c->cv, (c->n + 1) * n * sizeof(*c->cv));
    r = read_lines(f, path, n, c->rate + c->n * n, c->cv + c->n * n, e);
    c->n++;
    (void)fclose(f);
    return r;
}

static bool is_gap(const struct clients *c, size_t w)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->rate[i * c->n_windows + w] > 0)
            return false;
    return true;
}

/* The load was real, though nobody recorded it: as in the window before. */
static void fill_gaps(struct clients *c)
{
    for (size_t w = 0; w < c->n_windows; w++) {
        c->gap[w] = is_gap(c, w);
        c->n_gaps += c->gap[w];
    }
    for (size_t w = 1; w < c->n_windows; w++)
        for (size_t i = 0; i < c->n && c->gap[w]; i++) {
            c->rate[i * c->n_windows + w] = c->rate[i * c->n_windows + w - 1];
            c->cv[i * c->n_windows + w] = c->cv[i * c->n_windows + w - 1];
        }
}

int clients_read(const char *folder, size_t n_windows, struct clients *ret_c, struct err *e)
{
    struct clients c = { .n_windows = n_windows, .gap = xcalloc(n_windows, sizeof(*c.gap)) };
    char path[4096];
    int r = 0;

    for (;;) {
        (void)snprintf(path, sizeof(path), "%s/chunk-%zu-trace.csv", folder, c.n);
        if (c.n > 0 && access(path, F_OK) != 0)
            break;
        r = read_client(&c, path, e);
        if (r < 0)
            break;
    }
    if (r < 0) {
        clients_done(&c);
        return r;
    }
    fill_gaps(&c);
    *ret_c = c;
    return 0;
}

void clients_done(struct clients *c)
{
    free(c->rate);
    free(c->cv);
    free(c->gap);
}

/* --- models -------------------------------------------------------------------------------------
 */

uint32_t fortnight_slots(uint32_t m)
{
    static const uint32_t slots[] = { 1, 2, 1, 4 };

    return slots[m % 4];
}

/* ret_model[i]: rank of client i by its total, modulo the number of models. */
static void assign(const struct clients *c, uint32_t models, uint32_t *ret_model)
{
    AUTO(mem) double *total = xcalloc(c->n + 1, sizeof(*total));

    for (size_t i = 0; i < c->n; i++)
        for (size_t w = 0; w < c->n_windows; w++)
            total[i] += c->rate[i * c->n_windows + w];
    for (size_t i = 0; i < c->n; i++) {
        uint32_t rank = 0;

        for (size_t j = 0; j < c->n; j++)
            rank += total[j] > total[i] || (total[j] == total[i] && j < i);
        ret_model[i] = rank % models;
    }
}

static double capacity(const struct clients *c, uint32_t models, const uint32_t *model)
{
    double most = 0;

    for (size_t w = 0; w < c->n_windows; w++) {
        double rate[RACK_MODELS_MAX] = { 0 }, sum = 0;

        for (size_t i = 0; i < c->n; i++)
            rate[model[i]] += c->rate[i * c->n_windows + w];
        for (uint32_t m = 0; m < models; m++)
            sum += fortnight_slots(m) * rate[m];
        most = fmax(most, sum);
    }
    return most / (FORTNIGHT_NODES * FORTNIGHT_SLOTS);
}

static void burst(double rate, double cv, struct random u, double *d)
{
    double x[FORTNIGHT_WINDOW], sum = 0;
    double a = fmax(1, STEP_S * rate / (fmax(cv, CV_LEAST) * fmax(cv, CV_LEAST)));

    for (uint32_t b = 0; b < FORTNIGHT_WINDOW; b++) {
        x[b] = variate_gamma(&u, a);
        sum += x[b];
    }
    for (uint32_t b = 0; b < FORTNIGHT_WINDOW; b++)
        d[b] += rate * FORTNIGHT_WINDOW * x[b] / sum;
}

void fortnight_init(struct fortnight *f, const struct clients *c, uint32_t models, uint64_t seed)
{
    size_t n = c->n_windows * FORTNIGHT_WINDOW;
    AUTO(mem) uint32_t *model = xcalloc(c->n + 1, sizeof(*model));

    f->rate = xcalloc(models * n, sizeof(*f->rate));
    f->blind = xcalloc(n, sizeof(*f->blind));
    assign(c, models, model);
    f->capacity = capacity(c, models, model);
    f->load = (struct rack_load){
        .n_models = models, .n_steps = n, .step_s = STEP_S, .rate = f->rate, .blind = f->blind
    };
    for (uint32_t m = 0; m < models; m++) {
        (void)snprintf(f->names[m], sizeof(f->names[m]), "m%02u", m);
        f->load.model[m] = (struct rack_model){ .name = f->names[m],
                                                .slots = fortnight_slots(m),
                                                .least = 2,
                                                .capacity = f->capacity,
                                                .load_weight = fortnight_slots(m) };
    }
    for (size_t w = 0; w < c->n_windows; w++)
        for (size_t i = 0; i < c->n; i++) {
            double rate = c->rate[i * c->n_windows + w], cv = c->cv[i * c->n_windows + w];

            if (rate > 0)
                burst(rate, cv, random_stream(seed, STREAM_BURSTS, i, w),
                      f->rate + model[i] * n + w * FORTNIGHT_WINDOW);
        }
    for (size_t t = 0; t < n; t++)
        f->blind[t] = c->gap[t / FORTNIGHT_WINDOW];
}

void fortnight_done(struct fortnight *f)
{
    free(f->rate);
    free(f->blind);
}
