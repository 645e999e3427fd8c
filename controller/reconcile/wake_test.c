/* See wake_test.h. */
#include "controller/reconcile/wake_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"

#define OTHER_MACHINE "the driver seems to switch another machine (crossed addresses?)"

/* --- begin and end ------------------------------------------------------------------------------
 */

void wake_test_begin(struct node_record *r, const char *by, uint32_t cycles, int64_t wall_ms,
                     int64_t now_ms)
{
    uint32_t number = r->test.number + 1;

    r->test = (struct wake_test){ .state = WAKE_TEST_RUNNING,
                                  .number = number,
                                  .cycles = cycles,
                                  .begun_wall_ms = wall_ms,
                                  .since_ms = now_ms };
    (void)snprintf(r->test.by, sizeof(r->test.by), "%s", by);
}

static void end(struct node_record *r, enum wake_test_state state, const char *text,
                int64_t wall_ms)
{
    char kept[WAKE_TEST_TEXT_MAX]; /* it may be the record's own */

    (void)snprintf(kept, sizeof(kept), "%s", text);
    memcpy(r->test.text, kept, sizeof(kept));
    r->test.state = state;
    r->test.ended_wall_ms = wall_ms;
}

void wake_test_stop(struct node_record *r, const char *text, int64_t wall_ms)
{
    end(r, WAKE_TEST_STOPPED, text, wall_ms);
}

/* At waking itself: nobody's word stands against that. */
static void refute(struct node_record *r, const char *text, int64_t wall_ms)
{
    r->wake_refuted = true;
    r->wake_proven = false;
    r->proof = (struct wake_proof){ 0 };
    end(r, WAKE_TEST_FAILED, text, wall_ms);
}

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

struct wake_times wake_times_of(const uint32_t *ms, uint32_t n)
{
    uint32_t sorted[WAKE_TEST_CYCLES_MOST], known = 0;

    for (uint32_t i = 0; i < n && i < ARRAY_LEN(sorted); i++)
        if (ms[i] > 0)
            sorted[known++] = ms[i];
    if (known == 0)
        return (struct wake_times){ 0 };
    qsort(sorted, known, sizeof(sorted[0]), by_size);
    return (struct wake_times){ sorted[(known - 1) / 2], sorted[known - 1] };
}

static void pass(struct node_record *r, int64_t wall_ms)
{
    const struct wake_test *t = &r->test;
    struct wake_proof *p = &r->proof; /* renewed by this wake */

    r->wake_refuted = false;
    p->tested_wall_ms = wall_ms;
    p->cycles = t->cycles;
    p->sleep = wake_times_of(t->sleep_ms, t->cycles);
    p->wake = wake_times_of(t->wake_ms, t->cycles);
    p->metered = t->metered;
    p->joules = t->joules;
    end(r, WAKE_TEST_PASSED, "", wall_ms);
}

/* --- a cycle ------------------------------------------------------------------------------------
 */

/* At least 1: 0 is "not measured". */
static uint32_t measured_ms(int64_t from_ms, int64_t to_ms)
{
    int64_t ms = to_ms - from_ms;

    return ms < 1 ? 1 : ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms;
}

static void begin_cycle(struct node_record *r, const struct node_facts *f)
{
    r->test.metering = f->meter_uj > 0;
    r->test.meter_uj = f->meter_uj;
    r->test.text[0] = '\0';
}

/* Off was seen for the first time before it was believed. */
static void fell_asleep(struct node_record *r, const struct node_record *before,
                        const struct node_facts *f)
{
    int64_t off_ms = before->off_seen_ms > 0 ? before->off_seen_ms : f->power_ms;

    r->test.sleep_ms[r->test.done] = before->restored ? 0 : measured_ms(before->entered_ms, off_ms);
}

static void complete_cycle(struct node_record *r, const struct node_record *before,
                           const struct node_facts *f, int64_t now_ms)
{
    struct wake_test *t = &r->test;

    t->wake_ms[t->done] = before->restored ? 0 : measured_ms(before->op_started_ms, now_ms);
    if (t->metering && f->meter_uj > t->meter_uj) {
        t->metered++;
        t->joules += (double)(f->meter_uj - t->meter_uj) / 1e6;
    }
    t->metering = false;
    t->since_ms = now_ms;
    if (++t->done == t->cycles)
        pass(r, f->wall_ms);
}

/* --- ways back ----------------------------------------------------------------------------------
 */

static bool is_late(const struct node_record *r, const struct node_facts *f, int64_t now_ms)
{
    return now_ms - r->test.since_ms > f->drain_ms;
}

static bool its_agent_refused(const struct node_record *before, const struct node_facts *f)
{
    return before->state == NODE_PREPARING && strcmp(before->op, f->stage_op) == 0 &&
           (f->stage == POWER_STAGE_REFUSED || f->stage == POWER_STAGE_ABORTED);
}

static void back_awake(struct node_record *r, const struct node_record *before,
                       const struct node_facts *f, int64_t now_ms)
{
    bool same_boot = strcmp(before->boot_id, f->boot_id) == 0;

    if (r->transition == 9)
        complete_cycle(r, before, f, now_ms);
    else if (before->restored && r->transition >= 3 && r->transition <= 6)
        r->test.since_ms = now_ms; /* ours to blame: begin it again */
    else if (strcmp(r->reason, WAKE_TEST_READS_OFF) == 0)
        refute(r, WAKE_TEST_READS_OFF ": " OTHER_MACHINE, f->wall_ms);
    else if (r->transition == 12 && same_boot)
        refute(r, "its driver read off while its agent went on: " OTHER_MACHINE, f->wall_ms);
    else if (its_agent_refused(before, f) && !is_late(r, f, now_ms)) /* it may have just booted */
        (void)snprintf(r->test.text, sizeof(r->test.text), "%s", r->reason);
    else
        end(r, WAKE_TEST_FAILED, r->reason, f->wall_ms);
}

static void quarantined(struct node_record *r, const struct node_record *before,
                        const struct node_facts *f)
{
    bool gone = before->bye && f->age_ms > 4 * f->interval_ms, on = f->power == POWER_ON;

    if (before->state == NODE_SLEEPING && gone && on)
        refute(r, "its agent is gone, but its driver still reads on: " OTHER_MACHINE, f->wall_ms);
    else if (before->state == NODE_WAKING && on)
        refute(r,
               "its driver reads on, but its agent did not come back: it does not boot, "
               "or " OTHER_MACHINE,
               f->wall_ms);
    else if (before->state == NODE_WAKING)
        refute(r, "it did not come back in time, and its driver does not read on", f->wall_ms);
    else
        refute(r, r->reason, f->wall_ms);
}

/* Awake, between cycles. What stands against the next one may pass; not for ever. */
static void wait_awake(struct node_record *r, const struct node_facts *f, int64_t now_ms)
{
    const char *why = f->test_waits ? f->test_waits : node_no_test(r, f);

    if (f->test_rests)
        r->test.since_ms = now_ms;
    if (why && is_late(r, f, now_ms))
        end(r, WAKE_TEST_FAILED, why, f->wall_ms);
    else
        (void)snprintf(r->test.text, sizeof(r->test.text), "%s", why ? why : "");
}

void wake_test_follow(struct node_record *r, const struct node_record *before,
                      const struct node_facts *f, int64_t now_ms)
{
    if (!wake_test_runs(r))
        return;
    if (r->state == before->state) {
        if (r->state == NODE_AWAKE)
            wait_awake(r, f, now_ms);
        return;
    }
    switch (r->state) {
    case NODE_DRAINING:
        begin_cycle(r, f);
        break;
    case NODE_ASLEEP:
        fell_asleep(r, before, f);
        break;
    case NODE_AWAKE:
        back_awake(r, before, f, now_ms);
        break;
    case NODE_QUARANTINED:
        quarantined(r, before, f);
        break;
    case NODE_HELD:
        wake_test_stop(r, "a person holds it", f->wall_ms);
        break;
    case NODE_UNREACHABLE:
    case NODE_UNMANAGED:
        end(r, WAKE_TEST_FAILED, r->reason, f->wall_ms);
        break;
    case NODE_EMPTY:
    case NODE_PREPARING:
    case NODE_SLEEPING:
    case NODE_WAKING:
        break;
    }
}
