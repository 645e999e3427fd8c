/* What became of the requests: outcomes and latencies, by model and by second. Latency counts from
 * the moment at which a request was due, not from when it could be sent: a stalled server is
 * charged for the queue that it causes (no coordinated omission). */
#ifndef LAB_LOAD_STATS_H
#define LAB_LOAD_STATS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum load_outcome { LOAD_RIGHT, LOAD_WRONG, LOAD_FAILED };

struct load_sample {
    float due_s, latency_ms;
    uint16_t model;
    uint8_t outcome; /* enum load_outcome */
};

struct load_stats {
    struct load_sample *samples;
    size_t n_samples, cap_samples;
    uint64_t count[3]; /* by outcome */
};

void load_stats_add(struct load_stats *s, size_t model, double due_s, double latency_ms,
                    enum load_outcome outcome);
void load_stats_done(struct load_stats *s);

/* Latency at `quantile` of the answered requests of `model` (-1: all) due in [from_s, to_s), or
 * NAN. The nearest rank: a latency that was measured. */
double load_stats_latency(const struct load_stats *s, int model, double from_s, double to_s,
                          double quantile);

/* {"requests","failed","wrong_answers","p50_ms","p99_ms","max_ms","models":{...},"seconds":[...]}
 */
void load_stats_print(const struct load_stats *s, char *const *names, size_t n_names, FILE *to);

#endif
