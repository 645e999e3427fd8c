/* A straggler of a life that is over must give its increments and no facts; a life that comes back
 * must count nothing twice. */
#include "controller/state/node_life.h"

#include <string.h>

#include "controller/state/snapshot_build.h"
#include "proto/base/array.h"
#include "proto/base/random.h"

static uint64_t mix(uint64_t digest, uint64_t value)
{
    return random_mix(digest ^ value) + 0x9e3779b97f4a7c15u;
}

uint64_t node_life_digest(const struct wire_report *w)
{
    uint64_t d = mix(random_hash(w->boot_id), (uint64_t)w->boot_ms);

    d = mix(mix(d, w->energy_measured_uj), w->energy_estimated_uj);
    d = mix(mix(d, w->cpu.busy_ns), w->cpu.idle_ns);
    for (size_t i = 0; i < w->n_replicas; i++)
        d = mix(mix(d, random_hash(w->replicas[i].uid)), w->replicas[i].requests);
    return d;
}

static bool is_old_epoch(const struct node *n, uint64_t epoch)
{
    for (size_t i = 0; i < ARRAY_LEN(n->old_epochs); i++)
        if (n->old_epochs[i] == epoch)
            return true;
    return false;
}

static void note_old_epoch(struct node *n, uint64_t epoch)
{
    memmove(n->old_epochs + 1, n->old_epochs, sizeof(n->old_epochs) - sizeof(n->old_epochs[0]));
    n->old_epochs[0] = epoch;
}

static void begin_epoch(struct node *n, uint64_t epoch)
{
    note_old_epoch(n, n->base[1].epoch);
    n->base[1] = n->base[0];
    n->base[0] = (struct report_base){ .epoch = epoch };
}

/* The first that is heard of a life of the agent that was over when the present one began: all its
 * earlier reports were lost, or are later still. It must not be taken for the present one. */
static bool is_overtaken(const struct node *n, const struct report_base *b,
                         const struct wire_report *w)
{
    return b->sequence > 0 && strcmp(n->boot_id, w->boot_id) == 0 && w->boot_ms < b->boot_ms;
}

/* It takes the place of the life before, when it came after that. */
static struct report_base *begin_overtaken(struct node *n, const struct wire_report *w)
{
    bool counts = !is_overtaken(n, &n->base[1], w);

    note_old_epoch(n, counts ? n->base[1].epoch : w->epoch);
    if (!counts)
        return NULL;
    n->base[1] = (struct report_base){ .epoch = w->epoch };
    return &n->base[1];
}

struct report_base *node_life_base(struct node *n, const struct wire_report *w,
                                   enum report_verdict *ret_verdict)
{
    struct report_base *b = &n->base[0];

    *ret_verdict = REPORT_COUNTED;
    if (w->epoch == n->base[1].epoch && n->base[1].epoch != n->base[0].epoch) {
        *ret_verdict = REPORT_LATE;
        return w->sequence > n->base[1].sequence ? &n->base[1] : NULL;
    }
    if (w->epoch != b->epoch) {
        if (is_old_epoch(n, w->epoch)) {
            *ret_verdict = REPORT_LATE;
            return NULL;
        }
        if (is_overtaken(n, b, w)) {
            *ret_verdict = REPORT_LATE;
            return begin_overtaken(n, w);
        }
        begin_epoch(n, w->epoch);
        return b;
    }
    if (w->sequence > b->sequence)
        return b;
    *ret_verdict = w->sequence < b->sequence          ? REPORT_LATE
                   : node_life_digest(w) == b->digest ? REPORT_REPEATED
                                                      : REPORT_CONFLICT;
    return NULL;
}

static bool is_over(const struct node *n, uint64_t epoch)
{
    return epoch != n->base[0].epoch && (epoch == n->base[1].epoch || is_old_epoch(n, epoch));
}

/* Its counters go on from where they were last seen; where nobody knows where that was, from now.
 */
static void resume_life(struct node *n, uint64_t epoch)
{
    struct report_base was = n->base[0];

    if (n->base[1].epoch == epoch) {
        n->base[0] = n->base[1];
        n->base[1] = was;
    } else {
        begin_epoch(n, epoch);
        n->baseline = true;
    }
    for (size_t i = 0; i < n->n_replicas; i++) {
        struct replica *r = n->replicas[i];

        r->baseline |= r->base[0].epoch != epoch && r->base[1].epoch != epoch;
    }
    n->twin = (struct twin){ 0 };
}

enum twin_finding node_life_twin(const struct cluster *c, struct node *n,
                                 const struct wire_report *w, int64_t now_ms)
{
    enum node_state state = n->record.state;
    int64_t last_ms = n->heard_ms > c->start_ms ? n->heard_ms : c->start_ms;
    enum twin_finding found;

    if (!is_over(n, w->epoch))
        return TWIN_NONE;
    found = twin_hear(&n->twin, w->epoch, w->generation, (uint64_t)n->generation, now_ms);
    if (found != TWIN_PROVEN)
        return found;
    if (state == NODE_SLEEPING || state == NODE_ASLEEP || state == NODE_WAKING)
        return TWIN_PROVEN;
    if (now_ms - last_ms > 4 * node_interval_ms(n)) {
        resume_life(n, w->epoch);
        return TWIN_NONE;
    }
    return n->heard_ms > n->twin.asked_ms ? TWIN_PROVEN : TWIN_NONE;
}
