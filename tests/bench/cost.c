/* See cost.h. */
#include "tests/bench/cost.h"

#include <stdio.h>
#include <time.h>

double cost_cpu_s(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void cost_resident(double *ret_now_mb, double *ret_peak_mb)
{
    FILE *f = fopen("/proc/self/status", "re");
    char line[128];
    unsigned long kb;

    *ret_now_mb = *ret_peak_mb = -1;
    while (f && fgets(line, sizeof(line), f)) {
        if (sscanf(line, "VmRSS: %lu kB", &kb) == 1)
            *ret_now_mb = (double)kb * 1024 / 1e6;
        if (sscanf(line, "VmHWM: %lu kB", &kb) == 1)
            *ret_peak_mb = (double)kb * 1024 / 1e6;
    }
    if (f)
        (void)fclose(f);
}
