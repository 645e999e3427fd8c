/* What the forecasting arena runs over: series from files and folders, and what peers reached. */
#ifndef HUDDLE_BENCH_FORECAST_SET_H
#define HUDDLE_BENCH_FORECAST_SET_H

#include "tests/bench/forecast_arena.h"

struct peer_row {
    char series[64], method[16];
    double mase, pin90, pin95;
};

struct set { /* zero-initialised is empty */
    struct record *records;
    size_t n_records, cap_records;
    struct peer_row *peers;
    size_t n_peers, cap_peers;
};

/* A series, or a folder: its .csv files and, when it is there, its peers.tsv. */
int set_add(struct set *s, const char *path, struct err *e);

/* Rows of a peers.tsv; one that cannot be opened has none. */
void set_add_peers(struct set *s, const char *path);

/* The best figure of any peer, each by itself, chosen afterwards; NAN: no peer ran on it. */
struct score set_best_peer(const struct set *s, const char *series);

void set_done(struct set *s);

#endif
