/* Recorded demand, as its sources have it: one trace is what one source says of one model. A file
 * may hold several, and several files may speak of one model (its demand is then their sum).
 * trace_read() tells from a file's first line what it is:
 *
 *     time,chat,embed        a table: seconds or RFC 3339, then req/s of each model
 *     t,value                the series of one model
 *     time_ms,cpus,busy_s,.. `huddle-agent --record`: the busy CPUs of a node
 *     TIMESTAMP,...          one line a request (so does gmt_create,...): they are counted
 *     0,62.8,1.03,Gamma,...  a client of ServeGen: seconds, req/s, and how it varies
 *     { "status": ...        what Prometheus answers to a range query: [[s, "req/s"], ...]
 *
 * A value holds until the next one. Pure. */
#ifndef HUDDLE_SIMULATE_TRACE_H
#define HUDDLE_SIMULATE_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controller/simulate/csv.h"

#define TRACE_NAME_MAX 64

enum trace_unit { TRACE_REQUESTS, TRACE_CPUS }; /* req/s, or CPUs that are busy */

struct trace_point {
    double at_s, value; /* NAN: not known */
};

struct trace {
    char model[TRACE_NAME_MAX];
    enum trace_unit unit;
    uint64_t series;   /* what else tells it from others of its model; 0: nothing */
    bool partial;      /* where it says nothing its model has the others alone */
    bool zero_unknown; /* where all of its model say 0, nothing was recorded */
    struct trace_point *points;
    size_t n_points, cap_points;
};

struct traces {
    struct trace *traces;
    size_t n_traces, cap_traces;
};

/* `model` NULL: the file names its models, or is named for its only one. `label`: of Prometheus,
 * the label that names the model; NULL: the only one that there is. On error some may be added. */
int trace_read(const char *file, const char *text, const char *model, const char *label,
               struct traces *t, struct err *e);

void traces_done(struct traces *t);

static inline void auto_traces(struct traces *t)
{
    traces_done(t);
}

/* --- for the readers ---------------------------------------------------------------------------
 */

/* A new one; a name that no ServedModel can have is made one: meta-llama/Llama-3-8B becomes
 * meta-llama-llama-3-8b. The pointer is good until the next one is added. */
struct trace *trace_add(struct traces *t, const char *model);

/* -EINVAL: not later than what is there. */
int trace_point(struct trace *t, double at_s, double value, struct err *e);

int trace_read_table(struct csv *c, const char *model, struct traces *t, struct err *e);
int trace_read_recording(struct csv *c, const char *model, struct traces *t, struct err *e);
int trace_read_requests(struct csv *c, const char *model, struct traces *t, struct err *e);
int trace_read_servegen(struct csv *c, const char *model, struct traces *t, struct err *e);

/* `behind_s`: by so much the times are later than what their values tell of. */
int trace_read_matrix(const char *file, const char *text, const char *model, const char *label,
                      double behind_s, struct traces *t, struct err *e);

#endif
