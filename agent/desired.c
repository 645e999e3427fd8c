/* Replies: whom to believe, and which replicas are wanted. The desired state of the last believed
 * reply stays in force until another replaces it; nothing depends on having seen every one. */
#include <stdlib.h>
#include <string.h>

#include "agent/core.h"
#include "proto/base/array.h"

/* Another cluster's controller is obeyed only when ours has been silent for so long: a proxy that
 * alternates between two must not make replicas come and go. */
#define OTHER_CLUSTER_MS 600000

/* --- whom to believe -------------------------------------------------------------------------- */

static void obey(struct agent *a, const struct wire_reply *reply)
{
    if (strcmp(a->cluster_id, reply->cluster_id) != 0) {
        set_text(&a->cluster_id, reply->cluster_id);
        a->max_term = 0;
        ax_log(a, LOG_LEVEL_INFO, "obeying a controller", "cluster", a->cluster_id, NULL);
    }
    if (reply->term > a->max_term || (a->max_term == 0 && a->instance != reply->instance)) {
        a->max_term = reply->term;
        a->instance = reply->instance;
        a->save_state = true;
    }
    a->obeyed_ms = a->now_ms;
    set_text(&a->stranger, "");
}

static bool refuse(struct agent *a, const char *why)
{
    if (strcmp(a->stranger, why) != 0)
        ax_log(a, LOG_LEVEL_ERROR, "a reply is not obeyed", "reason", why, NULL);
    set_text(&a->stranger, why);
    return false;
}

bool reply_is_believed(struct agent *a, const struct wire_reply *reply)
{
    bool same = strcmp(a->cluster_id, reply->cluster_id) == 0;

    if (a->cluster_id[0] && !same && a->now_ms - a->obeyed_ms < OTHER_CLUSTER_MS)
        return refuse(a, "it comes from another cluster's controller");
    if (a->cluster_id[0] && same && reply->term < a->max_term)
        return refuse(a, "its controller's term is over");
    if (a->cluster_id[0] && same && reply->term == a->max_term && reply->instance != a->instance)
        return refuse(a, "two controllers claim the same term");
    obey(a, reply);
    return true;
}

/* --- the set of replicas ---------------------------------------------------------------------- */

/* Where the uid stands, or should stand. */
static size_t place_of(const struct agent *a, const char *uid)
{
    size_t low = 0, high = a->n_replicas;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (strcmp(a->replicas[middle]->spec->uid, uid) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct replica *replica_find(const struct agent *a, const char *uid)
{
    size_t i = place_of(a, uid);

    return i < a->n_replicas && strcmp(a->replicas[i]->spec->uid, uid) == 0 ? a->replicas[i] : NULL;
}

struct replica *desired_add_replica(struct agent *a, const struct wire_desired *spec)
{
    size_t i = place_of(a, spec->uid);

    a->replicas =
        array_grow(a->replicas, a->n_replicas, &a->cap_replicas, sizeof(struct replica *));
    memmove(a->replicas + i + 1, a->replicas + i, (a->n_replicas - i) * sizeof(struct replica *));
    a->n_replicas++;
    a->replicas[i] = replica_new(spec);
    return a->replicas[i];
}

static struct replica *find_or_add(struct agent *a, const struct wire_desired *spec)
{
    struct replica *r = replica_find(a, spec->uid);

    if (!r)
        return desired_add_replica(a, spec);
    replica_set_spec(r, spec);
    return r;
}

static void apply(struct agent *a, const struct wire_reply *reply)
{
    for (size_t i = 0; i < a->n_replicas; i++)
        a->replicas[i]->wanted = false;
    for (size_t i = 0; i < reply->n_replicas; i++)
        find_or_add(a, &reply->replicas[i])->wanted = true;
    a->desired_known = true;
    a->generation = reply->generation;
}

/* An exclusive replica that a stored state wants may have been given to another node since. */
static void leave_unconfirmed(struct agent *a)
{
    for (size_t i = 0; i < a->n_replicas; i++) {
        if (!a->replicas[i]->spec->exclusive)
            continue;
        a->replicas[i]->unconfirmed = true;
        set_text(&a->replicas[i]->reason, "exclusive: not started before the controller wants it");
    }
}

static void confirm(struct agent *a, const struct wire_reply *reply)
{
    bool any = false;

    for (size_t i = 0; i < a->n_replicas; i++)
        any |= a->replicas[i]->unconfirmed;
    for (size_t i = 0; any && i < reply->n_replicas; i++) {
        struct replica *r = replica_find(a, reply->replicas[i].uid);

        if (!r || !r->unconfirmed)
            continue;
        r->unconfirmed = false;
        set_text(&r->reason, "");
        agent_hurry(a);
    }
}

/* --- taking, keeping -------------------------------------------------------------------------- */

static void encode(const struct wire_reply *reply, struct strbuf *out)
{
    struct wire_reply only = { .cluster_id = "",
                               .generation = reply->generation,
                               .desired_present = true,
                               .replicas = reply->replicas,
                               .n_replicas = reply->n_replicas };

    only.power.op = only.power.boot_id = "";
    if (wire_reply_encode(&only, out, NULL) < 0)
        abort(); /* it came out of a decoder */
}

/* Does the reply want what is wanted already, and nothing else? */
static bool is_in_force(struct agent *a, const struct wire_reply *reply)
{
    size_t wanted = 0;

    for (size_t i = 0; i < a->n_replicas; i++) {
        wanted += a->replicas[i]->wanted;
        a->replicas[i]->named = false;
    }
    if (!a->desired_known || a->generation != reply->generation || wanted != reply->n_replicas)
        return false;
    for (size_t i = 0; i < reply->n_replicas; i++) {
        struct replica *r = replica_find(a, reply->replicas[i].uid);

        if (!r || !r->wanted || r->named || !wire_desired_equal(r->spec, &reply->replicas[i]))
            return false;
        r->named = true;
    }
    return true;
}

void desired_take(struct agent *a, const struct wire_reply *reply)
{
    struct strbuf bytes = STRBUF_INIT;

    if (!reply->desired_present)
        return;
    confirm(a, reply);
    if (is_in_force(a, reply))
        return;
    apply(a, reply);
    encode(reply, &bytes);
    free(a->desired_bytes);
    a->desired_n = bytes.length;
    a->desired_bytes = strbuf_take(&bytes);
    a->save_desired = true;
    agent_hurry(a);
}

int desired_restore(struct agent *a, const struct agent_saved *saved, struct err *e)
{
    struct wire_reply *reply;
    struct strbuf bytes = STRBUF_INIT;
    int r;

    if (!saved || !saved->bytes)
        return 0;
    r = wire_reply_decode(saved->bytes, saved->n, &reply, e);
    if (r < 0)
        return err_prefix(e, r, "the last desired state");
    apply(a, reply);
    leave_unconfirmed(a);
    encode(reply, &bytes);
    a->desired_n = bytes.length;
    a->desired_bytes = strbuf_take(&bytes);
    wire_reply_free(reply);
    return 0;
}

void desired_adopt(struct agent *a, const struct wire_desired *spec, int64_t pid,
                   int64_t started_ms)
{
    struct replica *r = replica_find(a, spec->uid);

    if (!r || !r->wanted) {
        r = find_or_add(a, spec);
        r->wanted = !a->desired_known; /* nobody has said yet that it should go */
    }
    r->unconfirmed = false; /* it runs here */
    replica_adopted(a, r, pid, started_ms);
}

void desired_forget_gone(struct agent *a, uint64_t acknowledged)
{
    size_t kept = 0;

    for (size_t i = 0; i < a->n_replicas; i++) {
        struct replica *r = a->replicas[i];

        if (r->stage != STAGE_GONE || r->wanted || r->gone_sequence == 0 ||
            r->gone_sequence > acknowledged) {
            a->replicas[kept++] = r;
            continue;
        }
        (void)ax_add(a, AX_FORGET, r->spec->uid);
        replica_free(r);
    }
    a->n_replicas = kept;
}
