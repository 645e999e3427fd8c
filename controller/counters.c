/* What is stored once a minute, in one batch: counters, and the weeks of series behind them. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "controller/core.h"
#include "controller/state/rows.h"

static void store_demand(struct controller *c, struct model *m)
{
    struct demand *d = &m->demand;
    char key[400];

    if (d->open == INT64_MIN || d->open <= d->stored)
        return;
    for (int64_t chunk = d->stored / DEMAND_CHUNK; chunk * DEMAND_CHUNK < d->open; chunk++) {
        int64_t first = chunk * DEMAND_CHUNK;

        (void)snprintf(key, sizeof(key), "demand/%s/%016" PRId64, m->name, chunk);
        fx_store(c->fx, TABLE_HISTORY, key, demand_to_row(d, first < d->first ? d->first : first));
    }
    d->stored = d->open;
}

static void store_marks(struct controller *c, const char *key, const struct marks *m)
{
    char *text = marks_pack(m);

    fx_store(c->fx, TABLE_HISTORY, key, json_pack("{s:s}", "marks", text ? text : ""));
    free(text);
}

/* At once, not once a minute: a node has few of them. */
void core_store_power_marks(struct controller *c, const struct node *n)
{
    char key[400];

    (void)snprintf(key, sizeof(key), "power/%s", n->name);
    store_marks(c, key, &n->power_marks);
}

/* Weeks of series, each once an hour, some every minute: what a minute writes is a fiftieth of all,
 * and what is lost with a missed hour is in the counters' rows. */
static void store_weeks(struct controller *c)
{
    struct cluster *k = c->cluster;
    size_t minute = (size_t)(c->wall_ms > 0 ? c->wall_ms / 60000 : 0);
    char key[400];

    for (size_t i = (60 - minute % 60) % 60; i < k->nodes.n_items; i += 60) {
        (void)snprintf(key, sizeof(key), "node-weeks/%s", cluster_node(k, i)->name);
        fx_store(c->fx, TABLE_HISTORY, key, node_history_to_row(cluster_node(k, i)));
    }
    for (size_t i = (60 - minute % 60) % 60; i < k->models.n_items; i += 60) {
        (void)snprintf(key, sizeof(key), "model-weeks/%s", cluster_model(k, i)->name);
        fx_store(c->fx, TABLE_HISTORY, key, model_history_to_row(cluster_model(k, i)));
    }
}

void core_store_counters(struct controller *c)
{
    struct cluster *k = c->cluster;
    char key[400];

    for (size_t i = 0; i < k->nodes.n_items; i++) {
        (void)snprintf(key, sizeof(key), "node/%s", cluster_node(k, i)->name);
        fx_store(c->fx, TABLE_HISTORY, key, node_counters_to_row(cluster_node(k, i)));
    }
    for (size_t i = 0; i < k->models.n_items; i++) {
        struct model *m = cluster_model(k, i);

        (void)snprintf(key, sizeof(key), "model/%s", m->name);
        fx_store(c->fx, TABLE_HISTORY, key, model_counters_to_row(m));
        store_demand(c, m);
    }
    store_weeks(c);
    fx_store(c->fx, TABLE_HISTORY, "cluster/energy", cluster_history_to_row(k));
    if (k->moved)
        store_marks(c, "cluster/moves", &k->move_marks);
    k->moved = false;
}
