/* Which metrics of which server mean what: the rows behind metrics_preset_find(). */
#ifndef HUDDLE_METRICS_PRESET_H
#define HUDDLE_METRICS_PRESET_H

#include <stddef.h>

#include "agent/sensor/metrics.h"

#define METRICS_ROWS_MAX 32u

enum metrics_field {
    METRICS_REQUESTS, /* counters */
    METRICS_ERRORS,
    METRICS_TOKENS,
    METRICS_IN_FLIGHT, /* gauges */
    METRICS_QUEUE,
    METRICS_LATENCY, /* a histogram: name_bucket, name_sum, name_count */
    METRICS_FIELDS,
};

enum metrics_filter {
    METRICS_ALL,    /* every series */
    METRICS_EQUAL,  /* those whose label has this value; known once a series has the label */
    METRICS_PREFIX, /* as above, begins with it */
    METRICS_EXCEPT, /* every series but these */
};

struct metrics_row {
    enum metrics_field field;
    unsigned rank; /* of a field's rows the lowest rank on the page counts; equal ranks add up */
    const char *name;
    double unit_ms; /* LATENCY: one unit of the metric in ms */
    enum metrics_filter filter;
    const char *label, *value;
};

struct metrics_preset {
    const char *name;
    struct metrics_row row[METRICS_ROWS_MAX]; /* up to the first without a name */
};

#endif
