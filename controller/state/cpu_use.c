/* Exponentially weighted by time; as long as little was seen, the plain mean. */
#include "controller/state/cpu_use.h"

#include <math.h>

#define MEMORY_S 600.0
#define KNOWN_S 30.0
#define GAP_MAX_MS 600000

static void add(struct cpu_use *u, double milli, double seconds)
{
    double gain, away = milli - u->mean_milli;

    u->seconds += seconds;
    gain = fmax(seconds / u->seconds, 1 - exp(-seconds / MEMORY_S));
    u->mean_milli += gain * away;
    u->variance = (1 - gain) * (u->variance + gain * away * away);
}

void cpu_use_take(struct cpu_use *u, uint64_t epoch, int64_t boot_ms, uint64_t cpu_ns)
{
    int64_t length_ms = boot_ms - u->last_ms;

    if (cpu_ns == 0)
        return;
    if (u->last_ns > 0 && u->epoch == epoch && length_ms <= 0)
        return; /* out of order */
    if (u->last_ns > 0 && u->epoch == epoch && cpu_ns >= u->last_ns && length_ms <= GAP_MAX_MS)
        add(u, (double)(cpu_ns - u->last_ns) / 1000 / (double)length_ms, (double)length_ms / 1000);
    u->epoch = epoch;
    u->last_ns = cpu_ns;
    u->last_ms = boot_ms;
}

bool cpu_use_known(const struct cpu_use *u)
{
    return u->seconds >= KNOWN_S;
}
