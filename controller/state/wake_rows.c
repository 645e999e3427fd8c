/* See wake_rows.h. What a row does not have, or has in another type, stays zero: not known. */
#include "controller/state/wake_rows.h"

#include <math.h>
#include <stdio.h>

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

static json_t *times_to_row(const uint32_t *ms, uint32_t n)
{
    json_t *a = json_array();

    for (uint32_t i = 0; i < n; i++)
        json_array_append_new(a, json_integer((json_int_t)ms[i]));
    return a;
}

static void times_from_row(uint32_t *ms, const json_t *a)
{
    for (size_t i = 0; i < json_array_size(a) && i < WAKE_TEST_CYCLES_MOST; i++) {
        json_int_t v = json_integer_value(json_array_get(a, i));

        ms[i] = v > 0 && v <= UINT32_MAX ? (uint32_t)v : 0;
    }
}

static json_t *text_of(const char *text)
{
    json_t *v = json_string(text);

    return v ? v : json_string("?");
}

json_t *wake_test_to_row(const struct wake_test *t)
{
    return json_pack(
        "{s:i, s:I, s:I, s:I, s:o, s:o, s:I, s:I, s:o, s:o, s:I, s:f}", "state", (int)t->state,
        "number", (json_int_t)t->number, "cycles", (json_int_t)t->cycles, "done",
        (json_int_t)t->done, "by", text_of(t->by), "text", text_of(t->text), "begunWallMs",
        (json_int_t)t->begun_wall_ms, "endedWallMs", (json_int_t)t->ended_wall_ms, "sleepMs",
        times_to_row(t->sleep_ms, t->cycles), "wakeMs", times_to_row(t->wake_ms, t->cycles),
        "metered", (json_int_t)t->metered, "joules", isfinite(t->joules) ? t->joules : 0.0);
}

/* One that cannot be is over: it must not go on for ever. */
static bool is_sound(const struct wake_test *t)
{
    return t->cycles >= 1 && t->cycles <= WAKE_TEST_CYCLES_MOST && t->done < t->cycles;
}

void wake_test_from_row(struct wake_test *t, const json_t *row)
{
    const char *by = json_string_value(json_object_get(row, "by"));
    const char *text = json_string_value(json_object_get(row, "text"));
    uint32_t state = count_at(row, "state");

    *t = (struct wake_test){
        .state = state <= WAKE_TEST_STOPPED ? (enum wake_test_state)state : WAKE_TEST_FAILED,
        .number = count_at(row, "number"),
        .cycles = count_at(row, "cycles"),
        .done = count_at(row, "done"),
        .begun_wall_ms = json_integer_value(json_object_get(row, "begunWallMs")),
        .ended_wall_ms = json_integer_value(json_object_get(row, "endedWallMs")),
        .metered = count_at(row, "metered"),
        .joules = joules_at(row),
    };
    if (t->cycles > WAKE_TEST_CYCLES_MOST)
        t->cycles = WAKE_TEST_CYCLES_MOST;
    if (t->state == WAKE_TEST_RUNNING && !is_sound(t))
        t->state = WAKE_TEST_FAILED;
    (void)snprintf(t->by, sizeof(t->by), "%s", by ? by : "");
    (void)snprintf(t->text, sizeof(t->text), "%s", text ? text : "");
    times_from_row(t->sleep_ms, json_object_get(row, "sleepMs"));
    times_from_row(t->wake_ms, json_object_get(row, "wakeMs"));
}
