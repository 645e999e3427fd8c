#include "controller/state/node_record.h"

#include <stddef.h>

#define DAY_MS 86400000

const char *quarantine_name(enum quarantine q)
{
    static const char *const names[] = { "", "failed-wake", "stuck-on", "found-off" };

    return (size_t)q < sizeof(names) / sizeof(names[0]) ? names[q] : "";
}

const char *wake_test_state_name(enum wake_test_state s)
{
    static const char *const names[] = { "", "running", "passed", "failed", "stopped" };

    return (size_t)s < sizeof(names) / sizeof(names[0]) ? names[s] : "";
}

int64_t node_record_cycles(const struct node_record *r, int64_t wall_ms)
{
    int64_t count = 0;

    for (uint32_t i = 0; i < r->n_slept; i++)
        count += r->slept_wall_ms[i] > wall_ms - DAY_MS;
    return count;
}
