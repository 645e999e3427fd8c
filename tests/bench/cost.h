/* What a bench itself takes of the machine. */
#ifndef HUDDLE_BENCH_COST_H
#define HUDDLE_BENCH_COST_H

/* CPU seconds of this thread so far: what the machine does beside is not counted. */
double cost_cpu_s(void);

/* Resident memory of the process in MB (10^6 bytes), now and at its peak; -1: not known. */
void cost_resident(double *ret_now_mb, double *ret_peak_mb);

#endif
