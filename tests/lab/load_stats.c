/* Counting and quantiles: see load_stats.h. */
#include "tests/lab/load_stats.h"

#include <math.h>
#include <stdlib.h>

#include "proto/base/array.h"

void load_stats_add(struct load_stats *s, size_t model, double due_s, double latency_ms,
                    enum load_outcome outcome)
{
    struct load_sample *sample = ARRAY_ADD(s, samples);

    *sample =
        (struct load_sample){ (float)due_s, (float)latency_ms, (uint16_t)model, (uint8_t)outcome };
    s->count[outcome]++;
}

void load_stats_done(struct load_stats *s)
{
    free(s->samples);
}

static int compare(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

double load_stats_latency(const struct load_stats *s, int model, double from_s, double to_s,
                          double quantile)
{
    float *found = xcalloc(s->n_samples + 1, sizeof(*found));
    double latency = NAN;
    size_t n = 0;

    ARRAY_FOREACH(x, s, samples)
        if (x->outcome != LOAD_FAILED && (model < 0 || x->model == model) &&
            (double)x->due_s >= from_s && (double)x->due_s < to_s)
            found[n++] = x->latency_ms;
    if (n > 0) {
        size_t rank = (size_t)ceil(quantile * (double)n);

        qsort(found, n, sizeof(*found), compare);
        latency = (double)found[rank > 0 ? rank - 1 : 0];
    }
    free(found);
    return latency;
}

static void print_number(FILE *to, const char *key, double value)
{
    if (isnan(value))
        (void)fprintf(to, "\"%s\":null", key);
    else
        (void)fprintf(to, "\"%s\":%.3f", key, value);
}

static void print_part(const struct load_stats *s, int model, double from_s, double to_s, FILE *to)
{
    static const struct {
        const char *key;
        double quantile;
    } QUANTILES[] = { { "p50_ms", 0.5 }, { "p99_ms", 0.99 }, { "max_ms", 1 } };
    uint64_t count[3] = { 0 };

    ARRAY_FOREACH(x, s, samples)
        if ((model < 0 || x->model == model) && (double)x->due_s >= from_s &&
            (double)x->due_s < to_s)
            count[x->outcome]++;
    (void)fprintf(to, "\"requests\":%llu,\"failed\":%llu,\"wrong_answers\":%llu",
                  (unsigned long long)(count[0] + count[1] + count[2]),
                  (unsigned long long)count[LOAD_FAILED], (unsigned long long)count[LOAD_WRONG]);
    for (size_t i = 0; i < ARRAY_LEN(QUANTILES); i++) {
        (void)fputc(',', to);
        print_number(to, QUANTILES[i].key,
                     load_stats_latency(s, model, from_s, to_s, QUANTILES[i].quantile));
    }
}

void load_stats_print(const struct load_stats *s, char *const *names, size_t n_names, FILE *to)
{
    double end_s = 0;

    ARRAY_FOREACH(x, s, samples)
        end_s = fmax(end_s, (double)x->due_s);
    (void)fputc('{', to);
    print_part(s, -1, 0, HUGE_VAL, to);
    (void)fputs(",\"models\":{", to);
    for (size_t m = 0; m < n_names; m++) {
        (void)fprintf(to, "%s\"%s\":{", m ? "," : "", names[m]);
        print_part(s, (int)m, 0, HUGE_VAL, to);
        (void)fputc('}', to);
    }
    (void)fputs("},\"seconds\":[", to);
    for (int t = 0; t <= (int)end_s && s->n_samples > 0; t++) {
        (void)fprintf(to, "%s{\"t\":%d,", t ? "," : "", t);
        print_part(s, -1, t, t + 1, to);
        (void)fputc('}', to);
    }
    (void)fputs("]}\n", to);
}
