/* A model server's metrics page, read into the few numbers that huddle acts on. Pure: bytes in,
 * plain struct out.
 *
 * The page is Prometheus text format 0.0.4 or OpenMetrics 1.0 (told apart by nothing: the reader
 * takes what either allows). It may be huge, cut, wrong or hostile: it is read line by line as it
 * comes, memory does not grow with it, and the limits below are checked first. Every line is
 * checked, also of metrics that nobody asked for: a page with one line that is no metric is no
 * metrics page.
 *
 * A preset names the metrics of one kind of server. Of a field's alternatives the first that is on
 * the page counts; series of one metric that differ by labels are added up (histograms bound by
 * bound, over the bounds that all series have). What is not on the page is not known; a gauge that
 * is NaN, infinite or negative is not known either. A page that contradicts itself (a counter that
 * is negative or no number, a series given twice, buckets that fall, a count that is not its last
 * bucket, text behind # EOF) is refused whole: -EBADMSG, with the line in `e`. */
#ifndef HUDDLE_METRICS_H
#define HUDDLE_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/cleanup.h"
#include "proto/base/err.h"

#define METRICS_PAGE_MAX (4u << 20)
#define METRICS_LINE_MAX 16384u
#define METRICS_LABELS_MAX 64u   /* of one sample */
#define METRICS_SERIES_MAX 4096u /* of the preset's metrics on one page */
#define METRICS_BUCKETS_MAX 128u

struct metrics_histogram {                /* cumulative since the server started, as in wire.h */
    double bound_ms[METRICS_BUCKETS_MAX]; /* ascending, without +Inf */
    uint64_t count[METRICS_BUCKETS_MAX];  /* observations <= bound_ms[i] */
    size_t n;
    uint64_t total;
    bool sum_known;
    double sum_ms;
};

struct metrics {
    bool requests_known, errors_known, tokens_known, in_flight_known, queue_known, latency_known;
    uint64_t requests;                /* answered since the server started, well or not */
    uint64_t errors;                  /* those of them that failed by the server's fault */
    uint64_t tokens;                  /* generated */
    double in_flight, queue;          /* being worked on; waiting */
    struct metrics_histogram latency; /* from request to whole answer */
};

struct metrics_preset;

/* "generic", "vllm", "tgi", "triton", "llamacpp", "torchserve"; NULL for any other. */
const struct metrics_preset *metrics_preset_find(const char *name);
const char *metrics_preset_names(void); /* "generic, vllm, ..." for messages */

struct metrics_parser;
struct metrics_parser *metrics_parser_new(const struct metrics_preset *preset);
void metrics_parser_free(struct metrics_parser *p);
DEFINE_AUTO(metrics_parser, struct metrics_parser *, metrics_parser_free);

/* Takes the next bytes of the page, cut anywhere. 0, or -EBADMSG; -EFBIG when a limit is broken.
 * After an error every further call returns the same. */
int metrics_parser_feed(struct metrics_parser *p, const char *bytes, size_t n, struct err *e);
/* The page is complete. */
int metrics_parser_finish(struct metrics_parser *p, struct metrics *ret_metrics, struct err *e);

/* A whole page at once. */
int metrics_parse(const struct metrics_preset *preset, const char *page, size_t n,
                  struct metrics *ret_metrics, struct err *e);

#endif
