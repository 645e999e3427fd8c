/* Who runs what, and what to make of a version that fails: see rollout.h. */
#include "controller/reconcile/rollout.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "controller/reconcile/reconcile.h"
#include "controller/state/replica_template.h"
#include "controller/state/snapshot_build.h"
#include "proto/base/array.h"

#define RETRY_FIRST_MS 60000

/* --- rows ---------------------------------------------------------------------------------------
 */

static void revision_key(char key[512], const struct revision *r)
{
    (void)snprintf(key, 512, "revisions/%s/%" PRIu64, r->object->meta.name,
                   r->object->meta.generation);
}

static void rollout_key(char key[512], const struct model *m)
{
    (void)snprintf(key, 512, "rollout/%s", m->name);
}

void rollout_store_revision(struct controller *c, const struct revision *r)
{
    char key[512];

    revision_key(key, r);
    fx_store(c->fx, TABLE_OBJECT, key, manifest_to_json(r->object));
}

void rollout_trim(struct controller *c, const struct model *m, const struct revision *r)
{
    char key[512];

    if (r == m->revision && !m->deleting)
        return;
    for (size_t i = 0; i < m->n_replicas; i++)
        if (m->replicas[i]->revision == r)
            return;
    revision_key(key, r);
    fx_delete(c->fx, TABLE_OBJECT, key);
}

static void store_failures(struct controller *c, const struct model *m)
{
    const struct rollout *o = &m->rollout;
    char key[512];

    rollout_key(key, m);
    if (o->failures == 0)
        fx_delete(c->fx, TABLE_META, key);
    else
        fx_store(c->fx, TABLE_META, key,
                 json_pack("{s:I, s:I, s:I, s:s}", "failures", (json_int_t)o->failures,
                           "failedWallMs", (json_int_t)o->failed_wall_ms, "retryWallMs",
                           (json_int_t)o->retry_wall_ms, "why", o->failed_why));
}

void rollout_forget(struct controller *c, const struct model *m)
{
    char key[512];

    rollout_trim(c, m, m->revision);
    rollout_key(key, m);
    fx_delete(c->fx, TABLE_META, key);
}

void rollout_from_row(struct model *m, const json_t *row)
{
    struct rollout *o = &m->rollout;
    const char *why = json_string_value(json_object_get(row, "why"));
    json_int_t failures = json_integer_value(json_object_get(row, "failures"));

    o->failures = failures > 0 && failures < 1000000 ? (uint32_t)failures : 1;
    o->failed_wall_ms = json_integer_value(json_object_get(row, "failedWallMs"));
    o->retry_wall_ms = json_integer_value(json_object_get(row, "retryWallMs"));
    (void)snprintf(o->failed_why, sizeof(o->failed_why), "%s", why ? why : "");
}

/* --- a change -----------------------------------------------------------------------------------
 */

static void succeed(struct controller *c, struct model *m)
{
    if (m->rollout.failures == 0)
        return;
    m->rollout.failures = 0;
    m->rollout.failed_why[0] = '\0';
    store_failures(c, m);
}

static void adopt_revision(struct controller *c, struct replica *r)
{
    AUTO(revision) struct revision *was = revision_ref(r->revision);

    replica_set_revision(r, r->model->revision);
    replica_touch(c->cluster, r);
    rollout_trim(c, r->model, was);
}

void rollout_take(struct controller *c, struct model *m, struct revision *old)
{
    bool kept = false;

    for (size_t i = 0; i < m->n_replicas; i++) {
        struct replica *r = m->replicas[i];

        if (replica_template_same(replica_spec(r), model_spec(m)))
            adopt_revision(c, r);
        else
            kept |= r->revision == old;
    }
    if (kept)
        rollout_store_revision(c, old);
    if (replica_template_same(&old->object->model, model_spec(m)))
        return;
    m->rollout.changed_ms = c->now_ms;
    m->rollout.open = false;
    succeed(c, m);
    start_try_again(c, m->name);
}

/* --- what is so ---------------------------------------------------------------------------------
 */

struct count {
    uint32_t updated, outdated, old_present;
    bool proven;    /* one of the newest version has been ready */
    bool recovered; /* one that was begun after the last failure */
};

static struct count count_of(const struct model *m)
{
    struct count n = { 0 };

    for (size_t i = 0; i < m->n_replicas; i++) {
        const struct replica *r = m->replicas[i];
        bool stays = r->leaving == LEAVING_NO;

        n.old_present += replica_outdated(r);
        n.outdated += replica_outdated(r) && stays;
        n.updated += !replica_outdated(r) && stays;
        if (replica_outdated(r) || !stays || !r->was_ready)
            continue;
        n.proven = true;
        n.recovered |= r->created_wall_ms > m->rollout.failed_wall_ms;
    }
    return n;
}

static uint64_t generation_of(const struct model *m)
{
    return m->revision->object->meta.generation;
}

void rollout_observe(struct controller *c, struct model *m)
{
    struct rollout *o = &m->rollout;
    struct count n = count_of(m);

    if (m->deleting)
        return;
    if (o->failures > 0 && n.recovered) {
        succeed(c, m);
        core_event(c, false, "servedmodel", m->name, "RollOutResumed",
                   "a replica of generation %" PRIu64 " became ready", generation_of(m));
    }
    if (n.old_present > 0 && !o->open) {
        o->open = true;
        core_event(c, false, "servedmodel", m->name, "RollOutStarted",
                   "%u replicas run an older version than generation %" PRIu64
                   " and are replaced, %lld at once",
                   n.old_present, generation_of(m), (long long)model_spec(m)->disruption.surge);
    } else if (n.old_present == 0 && o->open) {
        o->open = false;
        succeed(c, m);
        core_event(c, false, "servedmodel", m->name, "RollOutComplete",
                   "%u replicas run generation %" PRIu64, n.updated, generation_of(m));
    } else if (n.updated == o->updated && n.outdated == o->outdated) {
        return;
    }
    o->updated = n.updated;
    o->outdated = n.outdated;
    model_touch(c->cluster, m);
}

void rollout_failed(struct controller *c, const struct replica *r)
{
    struct model *m = r->model;
    struct rollout *o = &m->rollout;
    int64_t pause_ms = RETRY_FIRST_MS << (o->failures < 6 ? o->failures : 6);

    if (!o->open || replica_outdated(r))
        return;
    if (o->failures > 0 && r->created_wall_ms <= o->failed_wall_ms)
        return; /* begun together with the one that failed: one try */
    o->failures++;
    o->failed_wall_ms = c->wall_ms;
    o->retry_wall_ms =
        c->wall_ms + (pause_ms < ROLLOUT_RETRY_MAX_MS ? pause_ms : ROLLOUT_RETRY_MAX_MS);
    (void)snprintf(o->failed_why, sizeof(o->failed_why), "on node %.64s: %.80s", r->node->name,
                   r->reason[0] ? r->reason : "not ready in time");
    store_failures(c, m);
    core_event(c, true, "servedmodel", m->name, "RollOutStalled",
               "generation %" PRIu64 " did not become ready %s; %u older replicas go on; "
               "change the model, or wait for the next try",
               generation_of(m), o->failed_why, count_of(m).outdated);
    model_touch(c->cluster, m);
}

/* --- what a start runs --------------------------------------------------------------------------
 */

static struct revision *serving_revision(const struct controller *c, const struct model *m)
{
    struct revision *best = NULL;

    for (size_t i = 0; i < m->n_replicas; i++) {
        struct replica *r = m->replicas[i];

        if (replica_outdated(r) && replica_serves(c, r) &&
            (!best || best->object->meta.generation < r->revision->object->meta.generation))
            best = r->revision;
    }
    return best;
}

static bool has_room(const struct node *n, const struct served_model *spec)
{
    int64_t cpu_milli = n->inventory.cpu_milli - spec->resources.cpu_milli;
    int64_t memory_bytes = n->inventory.memory_bytes - spec->resources.memory_bytes;

    for (size_t i = 0; i < n->n_replicas; i++) {
        cpu_milli -= replica_spec(n->replicas[i])->resources.cpu_milli;
        memory_bytes -= replica_spec(n->replicas[i])->resources.memory_bytes;
    }
    return cpu_milli >= 0 && memory_bytes >= 0;
}

/* A replica that replaces none. The first one of a new version is its trial. */
static struct revision *revision_besides(const struct controller *c, const struct start *s,
                                         const char **ret_waits)
{
    struct model *m = s->model;
    struct count n = count_of(m);
    struct revision *serving;

    if (!m->rollout.open || n.proven || (m->rollout.failures == 0 && n.updated == 0))
        return m->revision;
    serving = serving_revision(c, m);
    if (!serving || replica_template_within(&serving->object->model, model_spec(m)))
        return serving ? serving : m->revision;
    /* The plan has counted with the newest version's resources. */
    if (serving->object->model.resources.gpu_milli != model_spec(m)->resources.gpu_milli)
        return m->revision;
    if (has_room(s->node, &serving->object->model))
        return serving;
    *ret_waits = "its node has no room for the version that serves";
    return NULL;
}

struct revision *rollout_revision(const struct controller *c, const struct start *s,
                                  const char **ret_waits)
{
    const struct replica *old =
        s->replaces[0] ? named_find(&c->cluster->replicas, s->replaces) : NULL;

    if (!old)
        return revision_besides(c, s, ret_waits);
    return s->renews ? s->model->revision : old->revision;
}

/* --- restart, views -----------------------------------------------------------------------------
 */

void rollout_resume(struct controller *c)
{
    for (size_t i = 0; i < c->cluster->models.n_items; i++) {
        struct model *m = cluster_model(c->cluster, i);

        m->rollout.changed_ms = c->now_ms;
        m->rollout.open = count_of(m).old_present > 0;
        if (!m->rollout.open)
            succeed(c, m);
    }
}

const char *rollout_state_name(enum rollout_state s)
{
    static const char *const names[] = { "complete", "progressing", "waiting", "stalled" };

    return names[s];
}

enum rollout_state rollout_state_of(const struct controller *c, const struct model *m,
                                    const char **ret_waits)
{
    *ret_waits = m->rollout.waits;
    if (count_of(m).old_present == 0)
        return ROLLOUT_COMPLETE;
    if (m->rollout.failures > 0)
        return ROLLOUT_STALLED;
    ARRAY_FOREACH(s, c, starts)
        if (s->model == m && s->renews && s->state == START_PENDING && s->waits)
            *ret_waits = s->waits;
    return *ret_waits ? ROLLOUT_WAITING : ROLLOUT_PROGRESSING;
}
