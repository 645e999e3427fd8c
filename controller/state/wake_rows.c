/* See wake_rows.h. What a row does not have, or has in another type, stays zero: not known. */
#include "controller/state/wake_rows.h"

#include <math.h>

static uint32_t count_at(const json_t *row, const char *key)
{
    json_int_t v = json_integer_value(json_object_get(row, key));

    return v > 0 && v <= UINT32_MAX ? (uint32_t)v : 0;
}

static double joules_at(const json_t *row)
{
    double v = json_number_value(json_object_get(row, "joules"));

    return isfinite(v) && v >= 0 ? v : 0;
}

static uint64_t digest_at(const json_t *row, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(row, key));
}

json_t *wake_proof_to_row(const struct wake_proof *p)
{
    return json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f}", "wallMs",
        (json_int_t)p->wall_ms, "macs", (json_int_t)p->identity.macs, "machineId",
        (json_int_t)p->identity.machine_id, "productUuid", (json_int_t)p->identity.product_uuid,
        "testedWallMs", (json_int_t)p->tested_wall_ms, "cycles", (json_int_t)p->cycles,
        "sleepP50Ms", (json_int_t)p->sleep.p50_ms, "sleepWorstMs", (json_int_t)p->sleep.worst_ms,
        "wakeP50Ms", (json_int_t)p->wake.p50_ms, "wakeWorstMs", (json_int_t)p->wake.worst_ms,
        "metered", (json_int_t)p->metered, "joules", isfinite(p->joules) ? p->joules : 0.0);
}

void wake_proof_from_row(struct wake_proof *p, const json_t *row)
{
    *p = (struct wake_proof){
        .wall_ms = json_integer_value(json_object_get(row, "wallMs")),
        .identity = { .macs = digest_at(row, "macs"),
                      .machine_id = digest_at(row, "machineId"),
                      .product_uuid = digest_at(row, "productUuid") },
        .tested_wall_ms = json_integer_value(json_object_get(row, "testedWallMs")),
        .cycles = count_at(row, "cycles"),
        .sleep = { count_at(row, "sleepP50Ms"), count_at(row, "sleepWorstMs") },
        .wake = { count_at(row, "wakeP50Ms"), count_at(row, "wakeWorstMs") },
        .metered = count_at(row, "metered"),
        .joules = joules_at(row),
    };
}
