/* The edges of the life cycle, one function per state. T numbers are those of SAFETY section 1.
 * A state is left on an observation, or by a time-out into a state that says "unknown": no reading
 * and no silence ever means "off". */
#include "controller/reconcile/node_lifecycle.h"

#include <stdio.h>
#include <string.h>

#include "controller/reconcile/node_pause.h"
#include "controller/reconcile/wake_test.h"

#define HOUR_MS INT64_C(3600000)
#define HOLD_OFF_MS (HOUR_MS / 2) /* after a person or the mains woke it (T12) */
#define QUARANTINE_NO_SLEEP_MS (24 * HOUR_MS)
#define WAKE_RESEND_MS 30000
#define POWER_FRESH_MS 60000
#define FOREIGN_BUSY_MAX_PERMILLE 20
#define RETRIES_MAX 7
#define BMC_OF_OTHER                                                                             \
    "its BMC has another product UUID than its agent tells: are the addresses of BMCs crossed? " \
    "huddlectl power test finds out"

static int64_t since(const struct node_record *r, int64_t now_ms)
{
    return now_ms - r->entered_ms;
}

static bool fresh(const struct node_facts *f, int64_t intervals)
{
    return f->heard && f->age_ms <= intervals * f->interval_ms;
}

/* A reading counts for one minute. */
static bool reads(const struct node_facts *f, enum power_reading reading, int64_t now_ms)
{
    return f->power == reading && f->power_ms > 0 && now_ms - f->power_ms <= POWER_FRESH_MS;
}

static int64_t probe_every_ms(const struct node_facts *f)
{
    int64_t every = f->settle_ms / 4;

    return every < 250 ? 250 : every > 5000 ? 5000 : every;
}

static void enter(struct node_record *r, enum node_state state, int t, const struct node_facts *f,
                  int64_t now_ms, const char *reason)
{
    r->state = state;
    r->transition = t;
    r->entered_ms = now_ms;
    r->entered_wall_ms = f->wall_ms;
    r->restored = false;
    r->off_seen_ms = 0;
    if (state != NODE_QUARANTINED)
        r->quarantine = QUARANTINE_NONE;
    (void)snprintf(r->reason, sizeof(r->reason), "%s", reason);
}

static void finish_op(struct node_record *r)
{
    r->op[0] = '\0';
    r->boot_id[0] = '\0';
    r->attempt = 0;
    r->wake_wanted = r->bye = r->assumed = false;
    r->next_try_wall_ms = r->next_try_ms = 0;
    r->joules = 0;
}

static int back_to_awake(struct node_record *r, int t, const struct node_facts *f, int64_t now_ms,
                         const char *reason)
{
    enter(r, NODE_AWAKE, t, f, now_ms, reason);
    finish_op(r);
    return t;
}

/* 1 h x 2^n of the default cool-down, n drains that came to nothing in a row. */
static void cool_down(struct node_record *r, const struct node_facts *f, int64_t now_ms)
{
    uint32_t n = r->failed_drains > 6 ? 6 : r->failed_drains;

    node_pause_sleep(r, f, now_ms, f->cooldown_ms << n);
    r->failed_drains++;
}

static bool same_boot(const struct node_record *r, const struct node_facts *f)
{
    return strcmp(r->boot_id, f->boot_id) == 0;
}

static bool stage_is(const struct node_record *r, const struct node_facts *f,
                     enum power_stage stage)
{
    return f->stage == stage && r->op[0] && strcmp(r->op, f->stage_op) == 0;
}

static int quarantine(struct node_record *r, int t, enum quarantine why, const struct node_facts *f,
                      int64_t now_ms, const char *reason)
{
    enter(r, NODE_QUARANTINED, t, f, now_ms, reason);
    r->quarantine = why;
    r->attempt = 0;
    node_pause_tries(r, f->wall_ms, now_ms, HOUR_MS / 4);
    return t;
}

/* --- may it sleep -------------------------------------------------------------------------------
 */

const char *node_no_test(const struct node_record *r, const struct node_facts *f)
{
    if (!f->in_pool)
        return "in no pool";
    if (r->held || f->held)
        return "held by a person";
    if (!fresh(f, 2))
        return "no fresh report";
    if (!f->allow_sleep)
        return "the node's own configuration does not allow sleep";
    if (!f->two_key)
        return "its agent cannot do two-key sleep";
    if (!f->driver_wakes)
        return "its pool has no driver that could wake it";
    if (f->cycles_per_day >= 0 && node_record_cycles(r, f->wall_ms) >= f->cycles_per_day)
        return "its power cycles of the day are used up";
    if (f->foreign_busy_permille > FOREIGN_BUSY_MAX_PERMILLE)
        return "something that is not ours is busy on it";
    return NULL;
}

const char *node_no_sleep(const struct node_record *r, const struct node_facts *f, int64_t now_ms)
{
    const char *why = node_no_test(r, f);

    if (why)
        return why;
    if (wake_test_runs(r))
        return "its waking is being tested";
    if (r->wake_refuted)
        return "its last wake test failed: when that is mended, repeat huddlectl power test";
    if (!f->wake_proven && !r->wake_proven)
        return "waking has not been proven here: huddlectl power test does";
    if (f->other_machine && !r->wake_proven) /* nobody's word stands against that */
        return BMC_OF_OTHER;
    if (!f->wake_proven && f->proof_void)
        return f->proof_void;
    if (now_ms < node_no_sleep_until_ms(r, f, now_ms))
        return "cooling down after the last change";
    return NULL;
}

/* --- one function per state ---------------------------------------------------------------------
 */

static int in_unmanaged(struct node_record *r, const struct node_facts *f, int64_t now_ms)
{
    if (!f->in_pool || !fresh(f, 2))
        return 0;
    enter(r, NODE_AWAKE, 1, f, now_ms, "in a pool and reporting");
    return 1;
}

static int in_awake(struct node_record *r, const struct node_facts *f, int64_t now_ms)
{
    if (!f->in_pool) {
        enter(r, NODE_UNMANAGED, 1, f, now_ms, "in no pool");
        return 1;
    }
    if (f->age_ms > 4 * f->interval_ms) {
        enter(r, NODE_UNREACHABLE, 13, f, now_ms, "silent for four report intervals");
        return 13;
    }
    if (!f->sleep || f->withdraw ||
        (wake_test_runs(r) ? node_no_test(r, f) : node_no_sleep(r, f, now_ms)))
        return 0;
    enter(r, NODE_DRAINING, 2, f, now_ms, f->sleep);
    (void)snprintf(r->op, sizeof(r->op), "%s", f->new_op);
    (void)snprintf(r->boot_id, sizeof(r->boot_id), "%s", f->boot_id);
    (void)snprintf(r->by, sizeof(r->by), "%s", f->sleep_by);
    r->term = f->term;
    r->joules = f->joules;
    r->op_started_ms = now_ms;
    r->bye = r->wake_wanted = r->assumed = false;
    r->attempt = 0;
    return 2;
}

/* T3 and T2's time-out: what turns draining, empty and preparing back. */
static int turn_back(struct node_record *r, const struct node_facts *f, int64_t now_ms)
{
    const char *reason = f->withdraw;
    bool failed = false;

    if (!reason && f->wake)
        reason = f->wake;
    if (!reason && !f->in_pool)
        reason = "it is in its pool no more";
    if (!reason && !same_boot(r, f))
        reason = "it was restarted";
    if (!reason && f->age_ms > (r->state == NODE_DRAINING ? 4 : 2) * f->interval_ms)
        reason = "its reports are stale";
    if (!reason && r->state != NODE_DRAINING && f->replicas > 0)
        reason = "it is occupied again";
    if (!reason && r->state != NODE_PREPARING && now_ms - r->op_started_ms > f->drain_ms) {
        reason = "it could not be emptied in time";
        failed = true;
    }
    if (!reason)
        return 0;
    if (failed)
        cool_down(r, f, now_ms);
    return back_to_awake(r, 3, f, now_ms, reason);
}

static bool is_empty(const struct node_facts *f)
{
    return f->replicas == 0 && f->door_quiet &&
           f->foreign_busy_permille <= FOREIGN_BUSY_MAX_PERMILLE;
}

static int in_draining(struct node_record *r, const struct node_facts *f, int64_t now_ms)
{
    int t = turn_back(r, f, now_ms);

    if (t)
        return t;
    if (!is_empty(f) || !fresh(f, 2) || f->empty_reports < 2 || f->empty_since_ms == 0 ||
        now_ms - f->empty_since_ms < f->settle_ms)
        return 0;
    enter(r, NODE_EMPTY, 4, f, now_ms, "empty in two reports, nothing in flight");
    return 4;
}

/* Two readings of off at least half a settle time apart, with nothing else between. */
static bool seen_off(struct node_record *r, const struct node_facts *f, int64_t now_ms)
{
    if (!reads(f, POWER_OFF, now_ms) || f->power_ms < r->entered_ms) {
        r->off_seen_ms = 0;
        return false;
    }
    if (r->off_seen_ms == 0)
        r->off_seen_ms = f->power_ms;
    return f->power_ms - r->off_seen_ms >= f->settle_ms / 2;
}

static int in_empty(struct node_record *r, const struct node_facts *f, int64_t now_ms)
{
    int t = turn_back(r, f, now_ms);

    if (t)
        return t;
    if (f->commit_not || !is_empty(f) || !fresh(f, 2) || !f->allow_sleep || !f->two_key)
        return 0;
    if (wake_test_runs(r) && seen_off(r, f, now_ms))
        return back_to_awake(r, 3, f, now_ms, WAKE_TEST_READS_OFF);
    if (f->other_machine && !r->wake_proven && !wake_test_runs(r))
        return back_to_awake(r, 3, f, now_ms, BMC_OF_OTHER);
    if (f->driver_wakes && !reads(f, POWER_ON, now_ms))
        return 0; /* the wake channel must be seen working now */
    enter(r, NODE_PREPARING, 5, f, now_ms, "asked whether it may sleep");
    return 5;
}

static int in_preparing(struct node_record *r, const struct node_facts *f, int64_t now_ms)
{
    char text[REASON_MAX];
    int t = turn_back(r, f, now_ms);

    if (t)
        return t;
    if (stage_is(r, f, POWER_STAGE_REFUSED) || stage_is(r, f, POWER_STAGE_ABORTED)) {
        (void)snprintf(text, sizeof(text), "its agent refused: %.120s", f->stage_reason);
        cool_down(r, f, now_ms);
        return back_to_awake(r, 5, f, now_ms, text);
    }
    if (since(r, now_ms) > f->prepare_ms) {
        if (!r->restored)
            cool_down(r, f, now_ms);
        return back_to_awake(r, 5, f, now_ms, "its agent did not answer in time");
    }
    if (r->restored || !stage_is(r, f, POWER_STAGE_READY) || !fresh(f, 2) || !is_empty(f) ||
        f->commit_not || r->term != f->term)
        return 0;
    enter(r, NODE_SLEEPING, 6, f, now_ms, "both keys turned");
    return 6;
}

static int fall_asleep(struct node_record *r, const struct node_facts *f, int64_t now_ms,
                       bool assumed)
{
    enter(r, NODE_ASLEEP, 7, f, now_ms,
          assumed ? "said goodbye and fell silent (assumed)" : "seen off twice");
    r->assumed = assumed;
    r->failed_drains = 0;
    r->sleeps++;
    if (r->n_slept == CYCLES_KEPT) {
        memmove(r->slept_wall_ms, r->slept_wall_ms + 1,
                (CYCLES_KEPT - 1) * sizeof(r->slept_wall_ms[0]));
        r->n_slept--;
    }
    r->slept_wall_ms[r->n_slept++] = f->wall_ms;
    r->off_seen_ms = assumed ? 0 : f->power_ms;
    r->last_wake_ms = 0;
    return 7;
}

static int in_sleeping(struct node_record *r, const struct node_facts *f, int64_t now_ms)
{
    bool heard_since = f->heard && f->heard_ms > r->entered_ms;

    if (f->wake)
        r->wake_wanted = true; /* an On now would be lost: it is still shutting down */
    if (stage_is(r, f, POWER_STAGE_BYE) && same_boot(r, f) && !r->bye) {
        r->bye = true;
        r->bye_ms = f->heard_ms > r->entered_ms ? f->heard_ms : now_ms;
    }
    if (heard_since && fresh(f, 2) && !same_boot(r, f))
        return back_to_awake(r, 12, f, now_ms, "it was restarted instead of sleeping");
    if (heard_since && stage_is(r, f, POWER_STAGE_ABORTED)) {
        cool_down(r, f, now_ms);
        return back_to_awake(r, 6, f, now_ms, "its agent gave up after it was ready");
    }
    if (heard_since && r->bye && f->heard_ms > r->bye_ms && fresh(f, 2) &&
        !stage_is(r, f, POWER_STAGE_BYE)) {
        cool_down(r, f, now_ms);
        return back_to_awake(r, 7, f, now_ms, "it reports on: its goodbye is revoked");
    }
    if (seen_off(r, f, now_ms))
        return fall_asleep(r, f, now_ms, false);
    if (!r->bye && since(r, now_ms) > f->bye_ms && heard_since && fresh(f, 2)) {
        cool_down(r, f, now_ms);
        return back_to_awake(r, 6, f, now_ms, "no goodbye in time, and it is still up");
    }
    if (!f->driver_wakes && r->bye && f->age_ms > 6 * f->interval_ms)
        return fall_asleep(r, f, now_ms, true);
    if (f->driver_wakes && since(r, now_ms) > 7 * f->bye_ms)
        return quarantine(r, 7, QUARANTINE_STUCK_ON, f, now_ms,
                          "it should be off, and was not seen off");
    return 0;
}

/* Heard since it fell asleep: somebody else woke it, or it never slept. */
static int woke_by_itself(struct node_record *r, const struct node_facts *f, int64_t now_ms)
{
    node_pause_sleep(r, f, now_ms, HOLD_OFF_MS);
    return back_to_awake(r, 12, f, now_ms, "woken by somebody else: button, mains or clock");
}

/* A restart counts from its own start, a clock that was ahead not at all: what is longer holds. */
static int64_t asleep_ms(const struct node_record *r, const struct node_facts *f, int64_t now_ms)
{
    int64_t by_wall_ms = f->wall_ms - r->entered_wall_ms;

    return by_wall_ms > since(r, now_ms) ? by_wall_ms : since(r, now_ms);
}

static int in_asleep(struct node_record *r, const struct node_facts *f, int64_t now_ms)
{
    const char *wake = f->wake;
    bool by_itself = !f->wake && f->wakes_left;

    if (f->heard && f->heard_ms > r->entered_ms && fresh(f, 2))
        return woke_by_itself(r, f, now_ms);
    if (reads(f, POWER_ON, now_ms) && f->power_ms > r->entered_ms) {
        enter(r, NODE_WAKING, 12, f, now_ms, "found on: waiting for its report");
        (void)snprintf(r->by, sizeof(r->by), "%s", "recovery");
        r->attempt = 1;
        r->last_wake_ms = now_ms;
        return 12;
    }
    if (by_itself && f->max_asleep_ms > 0 && asleep_ms(r, f, now_ms) > f->max_asleep_ms)
        wake = "asleep for the longest time allowed";
    if (!wake && by_itself && r->wake_wanted)
        wake = "needed again while it was falling asleep";
    if (!wake || !f->driver_wakes)
        return 0;
    /* Some power supplies lose an On that comes right behind the off (SAFETY: 10 s). */
    if (r->off_seen_ms > 0 && now_ms - r->entered_ms < f->settle_ms)
        return 0;
    enter(r, NODE_WAKING, 8, f, now_ms, wake);
    (void)snprintf(r->by, sizeof(r->by), "%s", f->wake && f->wake_by ? f->wake_by : "recovery");
    r->attempt = 0;
    r->wake_wanted = false;
    r->last_wake_ms = 0;
    r->op_started_ms = now_ms;
    return 8;
}

static int64_t wake_limit_ms(const struct node_facts *f)
{
    return f->wake_ms > 2 * f->boot_p99_ms ? f->wake_ms : 2 * f->boot_p99_ms;
}

static int in_waking(struct node_record *r, const struct node_facts *f, int64_t now_ms)
{
    bool heard_since = f->heard && f->heard_ms > r->entered_ms && fresh(f, 2);

    if (heard_since && !same_boot(r, f)) {
        bool ours = r->transition == 8 || r->transition == 9;

        if (!ours)
            return woke_by_itself(r, f, now_ms);
        r->wakes++;
        r->wake_proven = true;
        wake_proof_renew(&r->proof, &f->identity, f->wall_ms);
        if (node_no_sleep_until_ms(r, f, now_ms) < now_ms + f->cooldown_ms)
            node_pause_sleep(r, f, now_ms, f->cooldown_ms); /* a longer one stands: T11, a test */
        return back_to_awake(r, 9, f, now_ms, "woken and reporting");
    }
    if (heard_since && since(r, now_ms) > 4 * f->interval_ms)
        return woke_by_itself(r, f, now_ms); /* of the old boot: it never went off */
    if (since(r, now_ms) > wake_limit_ms(f))
        return quarantine(r, 10, QUARANTINE_FAILED_WAKE, f, now_ms, "it did not come back in time");
    return 0;
}

static int in_held(struct node_record *r, const struct node_facts *f, int64_t now_ms)
{
    if (r->held || f->held)
        return 0;
    finish_op(r);
    if (fresh(f, 4))
        enter(r, f->in_pool ? NODE_AWAKE : NODE_UNMANAGED, 14, f, now_ms, "released");
    else
        enter(r, NODE_UNREACHABLE, 14, f, now_ms, "released, and silent");
    return 14;
}

static int in_unreachable(struct node_record *r, const struct node_facts *f, int64_t now_ms)
{
    if (fresh(f, 2) && f->heard_ms > r->entered_ms) {
        finish_op(r);
        enter(r, f->in_pool ? NODE_AWAKE : NODE_UNMANAGED, 13, f, now_ms, "reporting again");
        return 13;
    }
    if (seen_off(r, f, now_ms)) {
        quarantine(r, 13, QUARANTINE_FOUND_OFF, f, now_ms, "found off, not by us");
        if (f->wake)
            node_pause_tries(r, f->wall_ms, now_ms, 0);
        return 13;
    }
    return 0;
}

static int in_quarantined(struct node_record *r, const struct node_facts *f, int64_t now_ms)
{
    if (f->heard && f->heard_ms > r->entered_ms && fresh(f, 2)) {
        node_pause_sleep(r, f, now_ms, QUARANTINE_NO_SLEEP_MS);
        r->wake_proven = false; /* sleepable again only after a wake test */
        r->proof = (struct wake_proof){ 0 };
        return back_to_awake(r, 11, f, now_ms, "reporting again");
    }
    return 0;
}

static int hold(struct node_record *r, const struct node_facts *f, int64_t now_ms)
{
    if (!(r->held || f->held) || r->state == NODE_HELD || r->state == NODE_SLEEPING)
        return 0;
    enter(r, NODE_HELD, 14, f, now_ms, r->held_reason[0] ? r->held_reason : "held by a person");
    finish_op(r);
    return 14;
}

static int take_edge(struct node_record *r, const struct node_facts *f, int64_t now_ms)
{
    int t = hold(r, f, now_ms);

    if (t)
        return t;
    switch (r->state) {
    case NODE_UNMANAGED:
        return in_unmanaged(r, f, now_ms);
    case NODE_AWAKE:
        return in_awake(r, f, now_ms);
    case NODE_DRAINING:
        return in_draining(r, f, now_ms);
    case NODE_EMPTY:
        return in_empty(r, f, now_ms);
    case NODE_PREPARING:
        return in_preparing(r, f, now_ms);
    case NODE_SLEEPING:
        return in_sleeping(r, f, now_ms);
    case NODE_ASLEEP:
        return in_asleep(r, f, now_ms);
    case NODE_WAKING:
        return in_waking(r, f, now_ms);
    case NODE_HELD:
        return in_held(r, f, now_ms);
    case NODE_UNREACHABLE:
        return in_unreachable(r, f, now_ms);
    case NODE_QUARANTINED:
        return in_quarantined(r, f, now_ms);
    }
    return 0;
}

int node_lifecycle(const struct node_record *record, const struct node_facts *f, int64_t now_ms,
                   struct node_record *ret_record)
{
    int t;

    *ret_record = *record;
    node_pause_settle(ret_record, f, now_ms);
    t = take_edge(ret_record, f, now_ms);
    wake_test_follow(ret_record, record, f, now_ms);
    return t;
}

/* --- what is to be done -------------------------------------------------------------------------
 */

/* A minute-old reading is asked for again; sleepers every five minutes. */
static bool wants_probe(const struct node_record *r, const struct node_facts *f, int64_t now_ms)
{
    int64_t age_ms = f->power_ms > 0 ? now_ms - f->power_ms : INT64_MAX;

    if (!f->driver_wakes)
        return false;
    switch (r->state) {
    case NODE_EMPTY:
    case NODE_PREPARING:
        return f->power != POWER_ON || age_ms > POWER_FRESH_MS / 2;
    case NODE_SLEEPING:
        return (r->bye || since(r, now_ms) > f->bye_ms) && age_ms >= probe_every_ms(f);
    case NODE_WAKING:
        return age_ms >= probe_every_ms(f);
    case NODE_ASLEEP:
        return age_ms >= 300000;
    case NODE_UNREACHABLE:
    case NODE_QUARANTINED:
        return age_ms >= POWER_FRESH_MS / 2;
    default:
        return false;
    }
}

/* On: at once on entering `waking`; again every 30 s only while off is *observed*; in quarantine by
 * its own schedule. */
static bool wants_wake(const struct node_record *r, const struct node_facts *f, int64_t now_ms)
{
    if (!f->driver_wakes)
        return false;
    if (r->state == NODE_WAKING && r->last_wake_ms == 0)
        return true;
    if (r->state == NODE_WAKING)
        return now_ms - r->last_wake_ms >= WAKE_RESEND_MS && reads(f, POWER_OFF, now_ms) &&
               f->power_ms > r->last_wake_ms;
    if (r->state != NODE_QUARANTINED || now_ms < node_next_try_ms(r, f->wall_ms, now_ms))
        return false;
    if (r->quarantine == QUARANTINE_FOUND_OFF) /* perhaps a person did it: once, and if needed */
        return r->attempt == 0 && f->wake;
    return r->quarantine == QUARANTINE_FAILED_WAKE && r->attempt < RETRIES_MAX;
}

void node_record_woken(struct node_record *r, const struct node_facts *f, int64_t now_ms)
{
    static const int64_t pauses_ms[] = { HOUR_MS, 4 * HOUR_MS, 24 * HOUR_MS };

    r->last_wake_ms = now_ms;
    r->attempt++;
    if (r->state != NODE_QUARANTINED)
        return;
    node_pause_tries(r, f->wall_ms, now_ms, pauses_ms[r->attempt < 3 ? r->attempt - 1 : 2]);
}

static void want_order(const struct node_record *r, const struct node_facts *f,
                       struct node_wants *w)
{
    if (r->state == NODE_PREPARING && !r->restored) {
        w->order = POWER_ORDER_PREPARE;
        w->report_every_ms = 1000;
    } else if (r->state == NODE_SLEEPING) {
        w->order = POWER_ORDER_COMMIT;
        w->report_every_ms = 1000;
    } else if (f->stage == POWER_STAGE_READY && f->stage_op[0]) {
        w->order = POWER_ORDER_CANCEL; /* it holds a key to a door that stays shut */
        w->cancel_op = f->stage_op;
    }
}

struct node_wants node_wants(const struct node_record *r, const struct node_facts *f,
                             int64_t now_ms)
{
    struct node_wants w = { .order = POWER_ORDER_NONE, .cancel_op = "" };

    want_order(r, f, &w);
    w.probe = wants_probe(r, f, now_ms);
    w.wake = wants_wake(r, f, now_ms);
    return w;
}

struct node_record node_record_restart(const struct node_record *stored, int64_t now_ms)
{
    struct node_record r = *stored;

    r.entered_ms = r.op_started_ms = now_ms;
    r.test.since_ms = now_ms;
    r.test.metering = false; /* what was counted last may not be stored */
    r.off_seen_ms = r.no_sleep_until_ms = r.next_try_ms = r.slept_ahead_ms = 0;
    r.restored = true;
    r.last_wake_ms = 0; /* waking: On again, not counted as an attempt */
    if (r.bye)
        r.bye_ms = now_ms;
    if (r.state == NODE_DRAINING || r.state == NODE_EMPTY) { /* T3: the plan behind it is gone */
        r.state = NODE_AWAKE;
        r.transition = 3;
        finish_op(&r);
        (void)snprintf(r.reason, sizeof(r.reason), "%s", "the controller was restarted");
    }
    return r;
}
