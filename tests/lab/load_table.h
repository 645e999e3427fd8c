/* Rates over time, and the arrivals that follow from them: a Poisson process per column whose rate
 * is linear between the rows of a CSV file (thinning: Lewis and Shedler, 1979). Seeded: the same
 * table and seed give the same arrivals. */
#ifndef LAB_LOAD_TABLE_H
#define LAB_LOAD_TABLE_H

#include <stddef.h>

#include "proto/base/err.h"
#include "proto/base/random.h"

struct load_table {
    char **names; /* [n_names], from the header after its first word */
    size_t n_names;
    double *rows; /* [n_rows][1 + n_names]: seconds, then requests per second */
    size_t n_rows;
};

/* "t_s,NAME,..." then rows with ascending t_s; lines that begin with # are skipped. */
int load_table_read(const char *path, struct load_table *ret_table, struct err *e);
void load_table_done(struct load_table *t);

double load_table_end_s(const struct load_table *t);
double load_table_rate(const struct load_table *t, size_t column, double at_s);

/* Column of `name`, or -1. */
int load_table_column(const struct load_table *t, const char *name);

struct arrivals {
    const struct load_table *table;
    size_t column;
    struct random random;
    double highest; /* rate that the thinning starts from */
    double next_s;  /* of the arrival to come; HUGE_VAL: none is left */
};

void arrivals_init(struct arrivals *a, const struct load_table *t, size_t column, unsigned seed);
void arrivals_next(struct arrivals *a);

#endif
