/* One line of a metrics page, taken apart without copying: Prometheus text format 0.0.4
 * (prometheus.io/docs/instrumenting/exposition_formats) and OpenMetrics 1.0 text
 * (prometheus.io/docs/specs/om/open_metrics_spec), whichever the line follows. Pure.
 *
 * Label values are given as they stand, escapes checked and left in: they are only ever compared.
 */
#ifndef HUDDLE_METRICS_LINE_H
#define HUDDLE_METRICS_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/sensor/metrics.h"

struct metrics_span {
    const char *text; /* borrowed from the line, not NUL-terminated */
    size_t n;
};

struct metrics_sample {
    struct metrics_span name, value;
    struct {
        struct metrics_span name, value;
    } label[METRICS_LABELS_MAX];
    size_t n_labels;
};

enum metrics_line {
    METRICS_LINE_BAD,     /* *ret_why says what was expected; static text */
    METRICS_LINE_NOTHING, /* blank, comment, HELP, TYPE, UNIT */
    METRICS_LINE_EOF,     /* "# EOF" */
    METRICS_LINE_SAMPLE,
};

/* `line` is without its line end. */
enum metrics_line metrics_line_read(const char *line, size_t n, struct metrics_sample *ret_sample,
                                    const char **ret_why);

/* The number of a value, a bound or a time stamp: decimal, or Inf and NaN in any case. False when
 * it is none. */
bool metrics_number(struct metrics_span text, double *ret_value);

bool metrics_span_is(struct metrics_span s, const char *word);
const struct metrics_span *metrics_label(const struct metrics_sample *s, const char *name);

#endif
