/* From the rows of the store back to a cluster: objects, then nodes, then replicas, then the rest.
 * Facts are not restored (SAFETY 1): every node is unseen until its agent speaks. A row that cannot
 * be read is reported and skipped, never guessed. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/core.h"
#include "controller/reconcile/node_lifecycle.h"
#include "controller/reconcile/rollout.h"
#include "controller/state/replica_template.h"
#include "controller/state/rows.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"

struct row {
    enum store_table table;
    char *key;
    json_t *value;
};

struct rows {
    struct row *row;
    size_t n_row, cap_row;
};

static int by_table_and_key(const void *a, const void *b)
{
    const struct row *x = a, *y = b;

    if (x->table != y->table)
        return x->table < y->table ? -1 : 1;
    return strcmp(x->key, y->key);
}

static int read_rows(controller_rows_fn *next, void *data, struct rows *rows, struct err *e)
{
    struct controller_row in;
    int r;

    while ((r = next(data, &in)) > 0) {
        json_t *value = json_loads(in.value ? in.value : "", 0, NULL);

        if (!value && in.table == TABLE_HISTORY)
            continue; /* losable: never a reason not to start */
        if (!value)
            return err_set(e, -EBADMSG, "store: table %d, key %s: not JSON", (int)in.table, in.key);
        *ARRAY_ADD(rows, row) = (struct row){ in.table, xstrdup(in.key), value };
    }
    if (r < 0)
        return err_set(e, r, "store: cannot be read");
    if (rows->n_row > 0)
        qsort(rows->row, rows->n_row, sizeof(*rows->row), by_table_and_key);
    return 0;
}

static void rows_done(struct rows *rows)
{
    for (size_t i = 0; i < rows->n_row; i++) {
        free(rows->row[i].key);
        json_decref(rows->row[i].value);
    }
    free(rows->row);
}

/* --- one function per table ---------------------------------------------------------------------
 */

struct earlier { /* life of this controller */
    /* Older generations of models, needed by the replicas that were started from them. */
    struct revision **item;
    size_t n_item, cap_item;
    struct refusal {
        const struct row *row;
        struct err why;
    } * refused; /* objects that this version does not read */
    size_t n_refused, cap_refused;
    bool elsewhere; /* now a cluster of Kubernetes, and not so before */
};

/* The fields that only the server sets: a reader of manifests takes them from nobody. */
static void server_fields(struct manifest *m, const json_t *row)
{
    const json_t *meta = json_object_get(row, "metadata");
    const char *created = json_string_value(json_object_get(meta, "creationTimestamp"));
    json_int_t generation = json_integer_value(json_object_get(meta, "generation"));

    m->meta.generation = generation > 0 ? (uint64_t)generation : 1;
    if (created)
        (void)clock_parse(created, &m->meta.created_wall_ms);
}

static void restore_object(struct controller *c, struct earlier *old, const struct row *row)
{
    AUTO(manifest) struct manifest *m = NULL;
    struct err why = ERR_INIT;

    if (manifest_from_json(row->value, row->key, &m, &why) < 0) {
        *ARRAY_ADD(old, refused) = (struct refusal){ row, why };
        return;
    }
    server_fields(m, row->value);
    if (strncmp(row->key, "revisions/", 10) == 0) {
        *ARRAY_ADD(old, item) = revision_new(m);
        return;
    }
    switch (m->kind) {
    case KIND_SERVED_MODEL:
        model_put(c->cluster, m)->told = true;
        break;
    case KIND_POWER_POOL:
        pool_put(c->cluster, m);
        break;
    case KIND_POWER_POLICY:
        core_policy_load(c, policy_put(c->cluster, m));
        break;
    case KIND_COUNT:
        break;
    }
}

/* What people and plans asked of a machine of our own is not asked of a node of Kubernetes that has
 * its name: it is held by nobody, and nothing is under way. Only what its power supply went through
 * is as it was. */
static struct node_record of_a_new_life(const struct controller *c, const struct node_record *old)
{
    struct node_record r = { .state = NODE_UNMANAGED,
                             .entered_ms = c->now_ms,
                             .entered_wall_ms = c->wall_ms,
                             .sleeps = old->sleeps,
                             .wakes = old->wakes,
                             .n_slept = old->n_slept };

    memcpy(r.slept_wall_ms, old->slept_wall_ms, sizeof(r.slept_wall_ms));
    return r;
}

static void restore_node(struct controller *c, const struct earlier *old, const struct row *row)
{
    struct node *n = node_add(c->cluster, row->key);

    node_from_row(n, row->value);
    n->record =
        old->elsewhere ? of_a_new_life(c, &n->record) : node_record_restart(&n->record, c->now_ms);
    node_bind_pool(c->cluster, n);
    node_touch(c->cluster, n);
}

static struct revision *find_revision(struct earlier *old, const char *model, uint64_t generation)
{
    for (size_t i = 0; i < old->n_item; i++)
        if (strcmp(old->item[i]->object->meta.name, model) == 0 &&
            old->item[i]->object->meta.generation == generation)
            return old->item[i];
    return NULL;
}

/* Not one of the newest generation's number (a row that an earlier life of the model left), nor one
 * that differs in nothing that a replica runs. */
static bool runs_older(const struct model *m, const struct revision *r)
{
    return m->deleting || (r->object->meta.generation != m->revision->object->meta.generation &&
                           !replica_template_same(&r->object->model, model_spec(m)));
}

static void restore_replica(struct controller *c, struct earlier *old, const struct row *row)
{
    const char *model = json_string_value(json_object_get(row->value, "model"));
    const char *node = json_string_value(json_object_get(row->value, "node"));
    uint64_t generation = (uint64_t)json_integer_value(json_object_get(row->value, "generation"));
    struct model *m = model ? named_find(&c->cluster->models, model) : NULL;
    struct node *n = node ? named_find(&c->cluster->nodes, node) : NULL;
    struct revision *revision = model ? find_revision(old, model, generation) : NULL;
    struct replica *r;

    if (!m && revision) { /* its model was being deleted */
        m = model_put(c->cluster, revision->object);
        m->deleting = true;
    }
    if (!m || !n) {
        core_event(c, true, "replica", row->key, "ReplicaRowOrphaned",
                   "its model or node is not in the store: its agent will tell");
        if (n)
            n->n_strangers = 1; /* till then its agent goes on with it */
        return;
    }
    r = replica_add(c->cluster, row->key, m, n);
    replica_from_row(r, row->value);
    r->since_ms = c->now_ms;
    if (revision && runs_older(m, revision))
        replica_set_revision(r, revision);
    replica_touch(c->cluster, r);
}

static void restore_meta(struct controller *c, struct earlier *old, const json_t *o)
{
    struct cluster *k = c->cluster;
    const char *id = json_string_value(json_object_get(o, "id"));

    old->elsewhere = c->options.kubernetes && !json_is_true(json_object_get(o, "kubernetes"));
    if (id)
        (void)snprintf(k->id, sizeof(k->id), "%s", id);
    k->term = (uint64_t)json_integer_value(json_object_get(o, "term"));
    k->version = (uint64_t)json_integer_value(json_object_get(o, "version"));
    k->uid_counter = (uint64_t)json_integer_value(json_object_get(o, "uids"));
    k->op_counter = (uint64_t)json_integer_value(json_object_get(o, "ops"));
    k->journal_counter = (uint64_t)json_integer_value(json_object_get(o, "journal"));
    k->event_counter = (uint64_t)json_integer_value(json_object_get(o, "events"));
    k->plan_counter = (uint64_t)json_integer_value(json_object_get(o, "plans"));
    k->moves = (uint64_t)json_integer_value(json_object_get(o, "moves"));
    k->removed_sleeps = (uint64_t)json_integer_value(json_object_get(o, "removedSleeps"));
    k->removed_wakes = (uint64_t)json_integer_value(json_object_get(o, "removedWakes"));
    k->paused = json_is_true(json_object_get(o, "paused"));
    if (json_string_value(json_object_get(o, "pausedBy")))
        (void)snprintf(k->paused_by, sizeof(k->paused_by), "%s",
                       json_string_value(json_object_get(o, "pausedBy")));
}

json_t *core_meta_row(const struct controller *c)
{
    const struct cluster *k = c->cluster;

    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:s, s:I, s:I, s:b}", "id",
                     k->id, "term", (json_int_t)k->term, "version", (json_int_t)c->version_kept,
                     "uids", (json_int_t)k->uid_counter, "ops", (json_int_t)k->op_counter,
                     "journal", (json_int_t)k->journal_counter, "events",
                     (json_int_t)k->event_counter, "plans", (json_int_t)k->plan_counter, "moves",
                     (json_int_t)k->moves, "paused", k->paused, "pausedBy", k->paused_by,
                     "removedSleeps", (json_int_t)k->removed_sleeps, "removedWakes",
                     (json_int_t)k->removed_wakes, "kubernetes", c->options.kubernetes);
}

static void get_marks(struct marks *m, size_t most, const json_t *row)
{
    marks_unpack(m, most, json_string_value(json_object_get(row, "marks")));
}

static void restore_history(struct controller *c, const struct row *row)
{
    const char *rest = strchr(row->key, '/');
    char name[300];

    if (!rest)
        return;
    (void)snprintf(name, sizeof(name), "%s", rest + 1);
    if (strncmp(row->key, "node-weeks/", 11) == 0) { /* '-' sorts before '/': these come first */
        struct node *n = named_find(&c->cluster->nodes, name);

        if (n)
            node_history_from_row(n, row->value);
    } else if (strncmp(row->key, "model-weeks/", 12) == 0) {
        struct model *m = named_find(&c->cluster->models, name);

        if (m)
            model_history_from_row(m, row->value);
    } else if (strncmp(row->key, "node/", 5) == 0) {
        struct node *n = named_find(&c->cluster->nodes, name);

        if (n)
            node_counters_from_row(c->cluster, n, row->value);
    } else if (strncmp(row->key, "model/", 6) == 0) {
        struct model *m = named_find(&c->cluster->models, name);

        if (m)
            model_counters_from_row(m, row->value);
    } else if (strncmp(row->key, "demand/", 7) == 0) {
        char *chunk = strrchr(name, '/');
        struct model *m;

        if (!chunk)
            return;
        *chunk = '\0';
        m = named_find(&c->cluster->models, name);
        if (m)
            demand_from_row(&m->demand, row->value);
    } else if (strcmp(row->key, "cluster/energy") == 0) {
        cluster_history_from_row(c->cluster, row->value);
    } else if (strncmp(row->key, "power/", 6) == 0) {
        struct node *n = named_find(&c->cluster->nodes, name);

        if (n)
            get_marks(&n->power_marks, POWER_MARKS_MOST, row->value);
    } else if (strcmp(row->key, "cluster/moves") == 0) {
        get_marks(&c->cluster->move_marks, MOVE_MARKS_MOST, row->value);
    }
}

static void restore_rollout(struct controller *c, const struct row *row)
{
    struct model *m = strncmp(row->key, "rollout/", 8) == 0
                          ? named_find(&c->cluster->models, row->key + 8)
                          : NULL;

    if (m)
        rollout_from_row(m, row->value);
}

static void restore_row(struct controller *c, struct earlier *old, const struct row *row)
{
    switch (row->table) {
    case TABLE_OBJECT:
        restore_object(c, old, row);
        break;
    case TABLE_NODE:
        restore_node(c, old, row);
        break;
    case TABLE_REPLICA:
        if (!c->options.kubernetes) /* else a life of this store on machines is over */
            restore_replica(c, old, row);
        break;
    case TABLE_META:
        restore_rollout(c, row);
        break;
    case TABLE_JOURNAL:
        ring_add(&c->journal, json_incref(row->value));
        break;
    case TABLE_HISTORY:
        restore_history(c, row);
        break;
    case TABLE_EVENT:
        ring_add(&c->events, json_incref(row->value));
        break;
    }
}

/* The life-cycle record is durable, its marks are not: where they differ the record is right. */
static void agree_marks(struct controller *c, struct node *n)
{
    bool asleep = n->record.state == NODE_ASLEEP;
    bool marked =
        marks_newest_ms(&n->power_marks, MARK_ASLEEP) > marks_newest_ms(&n->power_marks, MARK_UP);

    if (asleep != marked)
        marks_add(&n->power_marks, POWER_MARKS_MOST, asleep ? MARK_ASLEEP : MARK_UP,
                  n->record.entered_wall_ms > 0 ? n->record.entered_wall_ms : c->wall_ms);
    /* Without a mark of its own it never slept, if nothing of that was lost. */
    marks_begin(&n->power_marks,
                n->record.sleeps == 0 && n->created_wall_ms > 0 ? n->created_wall_ms : c->wall_ms);
}

/* The desired state as it was: replies carry a new generation, for the term in them is new too. */
static void finish(struct controller *c)
{
    for (size_t i = 0; i < c->cluster->nodes.n_items; i++) {
        cluster_node(c->cluster, i)->desired_digest = 0;
        agree_marks(c, cluster_node(c->cluster, i));
    }
    for (size_t i = 0; i < c->cluster->replicas.n_items; i++) {
        struct replica *r = cluster_replica(c->cluster, i);

        r->drop_generation = 0;
        if (r->replaces && r->leaving == LEAVING_NO) {
            struct replica *old = named_find(&c->cluster->replicas, r->replaces);

            if (old)
                old->successor = r;
        }
    }
    for (size_t i = 0; i < c->cluster->models.n_items; i++)
        model_door_due(c->cluster, cluster_model(c->cluster, i));
    rollout_resume(c);
}

/* Texts that no replica runs any more. */
static void trim_revisions(struct controller *c, const struct earlier *old)
{
    for (size_t i = 0; i < old->n_item; i++) {
        const struct model *m = named_find(&c->cluster->models, old->item[i]->object->meta.name);

        if (m)
            rollout_trim(c, m, old->item[i]);
    }
}

/* What an earlier version took, and this one refuses: a controller that does not start would serve
 * nobody. The row stays for the version that wrote it; Kubernetes, which keeps its objects, tells
 * them anew. */
static void tell_refused(struct controller *c, const struct refusal *refused)
{
    const struct row *row = refused->row;
    char kind[40], name[300];
    const char *rest;

    (void)snprintf(kind, sizeof(kind), "%.*s", (int)strcspn(row->key, "/"), row->key);
    rest = row->key + strlen(kind) + (row->key[strlen(kind)] == '/');
    if (strcmp(kind, "revisions") == 0)
        (void)snprintf(kind, sizeof(kind), "servedmodels");
    if (kind[0])
        kind[strlen(kind) - 1] = '\0'; /* one of them */
    (void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(rest, "/"), rest);
    if (c->options.kubernetes)
        fx_delete(c->fx, TABLE_OBJECT, row->key);
    core_event(c, true, kind, name, "ObjectRefused", "as it was stored it is not in force: %s; %s",
               refused->why.text,
               c->options.kubernetes
                   ? "Kubernetes tells what it is now"
                   : "apply it corrected (huddlectl apply -f FILE), and delete it then if it is "
                     "not wanted");
}

static void restore_all(struct controller *c, const struct rows *rows)
{
    struct earlier old = { 0 };

    for (size_t i = 0; i < rows->n_row; i++) /* numbers first: events are numbered */
        if (rows->row[i].table == TABLE_META && strcmp(rows->row[i].key, "cluster") == 0)
            restore_meta(c, &old, rows->row[i].value);
    for (size_t i = 0; i < rows->n_row; i++)
        restore_row(c, &old, &rows->row[i]);
    trim_revisions(c, &old);
    ARRAY_FOREACH(r, &old, refused) {
        tell_refused(c, r);
    }
    for (size_t i = 0; i < old.n_item; i++)
        revision_unref(old.item[i]);
    free(old.item);
    free(old.refused);
    finish(c);
}

int core_restore(struct controller *c, controller_rows_fn *next, void *data, struct err *e)
{
    struct rows rows = { 0 };
    int r = next ? read_rows(next, data, &rows, e) : 0;

    if (r == 0)
        restore_all(c, &rows);
    c->restored = rows.n_row > 0;
    rows_done(&rows);
    return r;
}
