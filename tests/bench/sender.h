/* Sends the reports of a fleet to a server, over keep-alive connections, as fast as it answers or
 * at a given rate, and measures the CPU time that the server used. */
#ifndef BENCH_SENDER_H
#define BENCH_SENDER_H

#include <stdint.h>
#include <sys/types.h>

#include "tests/bench/fleet.h"

struct sender_goal {
    double seconds; /* it ends after this time, */
    uint64_t most;  /* ... or this many reports; 0: no limit */
    double rate;    /* reports a second; 0: as many as are answered */
};

struct sender_figures { /* sums */
    uint64_t requests, bytes;
    double seconds, cpu_s;
};

/* Every answer must be a 200, or the program ends: a refused report would be a lost one. */
void sender_run(uint16_t port, pid_t server, struct fleet *fleet, const struct sender_goal *goal,
                struct sender_figures *sum);

double sender_now_s(void);

#endif
