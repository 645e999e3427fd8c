/* Counting and printing: see meters.h. */
#include "deploy/examples/classifier/meters.h"

static const double BOUND_S[METERS_BUCKETS] = { 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                                0.1,   0.25,   0.5,   1,    2.5,   5 };

void meters_observe(struct meters *m, int64_t duration_us, bool ok)
{
    double s = (double)duration_us / 1e6;
    int b = 0;

    while (b < METERS_BUCKETS && s > BOUND_S[b])
        b++;
    m->bucket[b]++;
    m->duration_sum_s += s;
    m->requests++;
    m->errors += !ok;
}

static void head(struct strbuf *out, const char *name, const char *type, const char *help)
{
    strbuf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void meters_print(const struct meters *m, struct strbuf *out)
{
    uint64_t below = 0;

    head(out, "classifier_requests_total", "counter", "Predictions asked for and answered.");
    strbuf_printf(out, "classifier_requests_total %llu\n", (unsigned long long)m->requests);
    head(out, "classifier_errors_total", "counter", "Predictions not answered with 200.");
    strbuf_printf(out, "classifier_errors_total %llu\n", (unsigned long long)m->errors);
    head(out, "classifier_requests_in_flight", "gauge", "Predictions being worked on.");
    strbuf_printf(out, "classifier_requests_in_flight %u\n", atomic_load(&m->in_flight));
    head(out, "classifier_request_duration_seconds", "histogram", "Time from header to answer.");
    for (int b = 0; b < METERS_BUCKETS; b++) {
        below += m->bucket[b];
        strbuf_printf(out, "classifier_request_duration_seconds_bucket{le=\"%g\"} %llu\n",
                      BOUND_S[b], (unsigned long long)below);
    }
    strbuf_printf(out,
                  "classifier_request_duration_seconds_bucket{le=\"+Inf\"} %llu\n"
                  "classifier_request_duration_seconds_sum %.6f\n"
                  "classifier_request_duration_seconds_count %llu\n",
                  (unsigned long long)m->requests, m->duration_sum_s,
                  (unsigned long long)m->requests);
}
