/* The roll-out of a model as people see it: counts, a sentence, and conditions as a Deployment has
 * them. */
#include <inttypes.h>
#include <stdio.h>

#include "controller/core.h"
#include "controller/reconcile/rollout.h"
#include "controller/view.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"

#define MESSAGE_MAX 512

struct counts {
    uint32_t updated, outdated;
    uint64_t generation;
};

static struct counts count(const struct model *m)
{
    struct counts n = { .generation = m->revision->object->meta.generation };

    for (size_t i = 0; i < m->n_replicas; i++) {
        const struct replica *r = m->replicas[i];

        n.updated += r->leaving == LEAVING_NO && !replica_outdated(r);
        n.outdated += r->leaving == LEAVING_NO && replica_outdated(r);
    }
    return n;
}

static void say(char text[MESSAGE_MAX], const struct model *m, const struct counts *n,
                enum rollout_state state, const char *waits)
{
    char retry[CLOCK_TEXT_MAX] = "";
    int at = snprintf(text, MESSAGE_MAX, "%u of %u replicas run generation %" PRIu64, n->updated,
                      n->updated + n->outdated, n->generation);

    switch (state) {
    case ROLLOUT_COMPLETE:
        break;
    case ROLLOUT_PROGRESSING:
        (void)snprintf(text + at, MESSAGE_MAX - (size_t)at, "; the others are being replaced");
        break;
    case ROLLOUT_WAITING:
        (void)snprintf(text + at, MESSAGE_MAX - (size_t)at, "; the others wait: %s", waits);
        break;
    case ROLLOUT_STALLED:
        clock_format(m->rollout.retry_wall_ms, retry);
        (void)snprintf(text + at, MESSAGE_MAX - (size_t)at,
                       "; it did not become ready %s; the older ones go on serving; tried again "
                       "from %s, or change the model",
                       m->rollout.failed_why, retry);
        break;
    }
}

static json_t *condition(const char *type, bool holds, const char *reason, const char *message)
{
    return json_pack("{s:s, s:s, s:s, s:o}", "type", type, "status", holds ? "True" : "False",
                     "reason", reason, "message", view_text(message));
}

static json_t *conditions(const struct controller *c, const struct model *m,
                          enum rollout_state state, const char *message)
{
    static const char *const reasons[] = { "RollOutComplete", "RollingOut", "RollOutWaits",
                                           "RollOutStalled" };
    char text[96];
    uint32_t ready = 0, floor;
    bool known;

    for (size_t i = 0; i < m->n_replicas; i++)
        ready += replica_serves(c, m->replicas[i]);
    floor = model_floor(c, m, &known);
    (void)snprintf(text, sizeof(text), "%u replicas serve, needed are %u", ready, floor);
    return json_pack(
        "[o, o]",
        condition("Available", ready >= floor, ready >= floor ? "FloorKept" : "BelowFloor", text),
        condition("Progressing", state != ROLLOUT_STALLED, reasons[state], message));
}

void view_set_rollout(const struct controller *c, const struct model *m, json_t *status)
{
    const char *waits = NULL;
    enum rollout_state state = rollout_state_of(c, m, &waits);
    struct counts n = count(m);
    char message[MESSAGE_MAX];

    say(message, m, &n, state, waits);
    view_set(status, "observedGeneration", json_integer((json_int_t)n.generation));
    view_set(status, "updatedReplicas", json_integer(n.updated));
    view_set(status, "outdatedReplicas", json_integer(n.outdated));
    view_set(
        status, "rollout",
        json_pack("{s:s, s:b, s:o, s:I, s:o}", "state", rollout_state_name(state), "stalled",
                  state == ROLLOUT_STALLED, "message", view_text(message), "failures",
                  (json_int_t)m->rollout.failures, "retry",
                  state == ROLLOUT_STALLED ? view_time(m->rollout.retry_wall_ms) : json_null()));
    view_set(status, "conditions", conditions(c, m, state, message));
}
