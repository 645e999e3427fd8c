/* See view_wake.h. */
#include "controller/view_wake.h"

#include <stdbool.h>

#include "controller/reconcile/wake_test.h"
#include "controller/state/snapshot_build.h"
#include "controller/view.h"

static json_t *seconds(uint32_t ms)
{
    return ms > 0 ? json_real((double)ms / 1000) : json_null();
}

static json_t *times(const struct wake_times *t)
{
    return json_pack("{s:o, s:o}", "p50", seconds(t->p50_ms), "worst", seconds(t->worst_ms));
}

static json_t *identity(const struct inventory *v)
{
    return json_pack("{s:o, s:o, s:o}", "macs", view_strings(v->macs.item, v->macs.n), "machineId",
                     view_text(v->machine_id), "productUuid", view_text(v->product_uuid));
}

static json_t *wake_test(const struct wake_test *t)
{
    struct wake_times sleep = wake_times_of(t->sleep_ms, t->cycles);
    struct wake_times wake = wake_times_of(t->wake_ms, t->cycles);

    if (t->number == 0)
        return json_null();
    return json_pack("{s:I, s:s, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "number",
                     (json_int_t)t->number, "state", wake_test_state_name(t->state), "cycles",
                     (json_int_t)t->cycles, "done", (json_int_t)t->done, "by", view_text(t->by),
                     "message", view_text(t->text), "begun", view_time(t->begun_wall_ms), "ended",
                     view_time(t->ended_wall_ms), "sleepS", times(&sleep), "wakeS", times(&wake));
}

/* Its identity is shown while it is that of the inventory, which has the words for it. */
static json_t *proof(const struct node *n, const char *void_why)
{
    const struct wake_proof *p = &n->record.proof;
    const char *basis = void_why ? "void" : p->tested_wall_ms > 0 ? "test" : "wake";

    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:o}", "basis", basis,
                     "message", void_why ? void_why : "", "time", view_time(p->wall_ms), "expires",
                     view_time(p->wall_ms > 0 ? p->wall_ms + WAKE_PROOF_KEEPS_MS : 0), "tested",
                     view_time(p->tested_wall_ms), "cycles", (json_int_t)p->cycles, "sleepS",
                     times(&p->sleep), "wakeS", times(&p->wake), "cycleJ",
                     p->metered > 0 ? view_number(p->joules / p->metered) : json_null(), "identity",
                     void_why ? json_null() : identity(&n->inventory));
}

void view_set_wake(const struct controller *c, const struct node *n, json_t *status)
{
    const struct node_record *r = &n->record;
    bool vouched = n->pool && pool_spec(n->pool)->wake_proven && !r->wake_refuted;
    const char *why =
        r->wake_proven ? wake_proof_void(&r->proof, &n->inventory.identity, c->wall_ms) : NULL;

    view_set(status, "wakeProven", json_boolean(node_wake_proven(n, c->wall_ms)));
    view_set(status, "wakeTest", wake_test(&r->test));
    if (r->wake_proven && !(why && vouched))
        view_set(status, "wakeProof", proof(n, why));
    else
        view_set(status, "wakeProof",
                 json_pack("{s:s, s:s}", "basis",
                           r->wake_refuted ? "refuted"
                           : vouched       ? "pool"
                                           : "none",
                           "message",
                           r->wake_refuted ? "its last wake test failed"
                           : vouched       ? "a person vouches for its pool (wakeProven)"
                                           : "huddlectl power test proves it"));
}
