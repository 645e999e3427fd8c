/* The tables of the store and their rows: what the controller's core writes and restores from. */
#ifndef HUDDLE_TABLES_H
#define HUDDLE_TABLES_H

enum store_table {                    /* numbers are stored */
                   TABLE_OBJECT = 1,  /* key kind/name: the object as JSON, status included */
                   TABLE_NODE = 2,    /* key node: NodePower record, learned curve, flags */
                   TABLE_REPLICA = 3, /* key uid: where it should run and in which state */
                   TABLE_META = 4,    /* term, cluster id, counters */
                   TABLE_JOURNAL = 5, /* key: ascending number; append only */
                   TABLE_HISTORY = 6, /* key series name: packed samples; losable */
                   TABLE_EVENT = 7,   /* key: ascending number; bounded */
};

struct controller_row {
    enum store_table table;
    const char *key;
    const char *value; /* JSON text; NULL: the row is to be deleted */
};

/* Yields one row after the other, in any order, each key of a table once. 1: a row, borrowed until
 * the next call; 0: end; < 0: cannot be read. */
typedef int controller_rows_fn(void *data, struct controller_row *ret_row);

#endif
