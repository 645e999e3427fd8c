/* The disk: the rows that are durable. Whoever restarts the controller starts from them. */
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "tests/simulation/world.h"

static struct row_image *disk_find(struct world *w, enum store_table table, const char *key)
{
    for (size_t i = 0; i < w->n_rows; i++)
        if (w->rows[i].table == table && strcmp(w->rows[i].key, key) == 0)
            return &w->rows[i];
    return NULL;
}

void disk_write(struct world *w, const struct effect *e)
{
    struct row_image *row;

    if (e->store.table == TABLE_JOURNAL || e->store.table == TABLE_EVENT) {
        uint64_t *newest = e->store.table == TABLE_JOURNAL ? &w->journal_key : &w->event_key;
        uint64_t key = strtoull(e->store.key, NULL, 10);

        if (e->store.value && key <= *newest)
            world_break(w, "numbers_grow: row %s of table %d again", e->store.key, e->store.table);
        if (e->store.value)
            *newest = key;
        if (e->store.value && e->store.table == TABLE_JOURNAL)
            w->moves += strstr(e->store.value, "\"act\":\"move\"") != NULL;
        return; /* kept out: nothing is decided by them, and the image stays small */
    }
    row = disk_find(w, e->store.table, e->store.key);
    if (!e->store.value) {
        if (row) {
            free(row->key);
            free(row->value);
            ARRAY_REMOVE_SWAP(w, rows, (size_t)(row - w->rows));
        }
        return;
    }
    if (!row) {
        row = ARRAY_ADD(w, rows);
        row->table = e->store.table;
        row->key = xstrdup(e->store.key);
    }
    free(row->value);
    row->value = xstrdup(e->store.value);
}

int disk_next(void *data, struct controller_row *ret_row)
{
    struct disk_cursor *cursor = data;

    if (cursor->at >= cursor->w->n_rows)
        return 0;
    *ret_row =
        (struct controller_row){ cursor->w->rows[cursor->at].table, cursor->w->rows[cursor->at].key,
                                 cursor->w->rows[cursor->at].value };
    cursor->at++;
    return 1;
}

bool disk_holds_state(struct world *w, const char *node, enum node_state state, const char *op)
{
    struct row_image *row = disk_find(w, TABLE_NODE, node);
    json_t *o = row ? json_loads(row->value, 0, NULL) : NULL;
    json_t *record = json_object_get(o, "record");
    const char *durable_op = json_string_value(json_object_get(record, "op"));
    bool same = json_integer_value(json_object_get(record, "state")) == (json_int_t)state &&
                (!op || (durable_op && strcmp(durable_op, op) == 0));

    json_decref(o);
    return same;
}
