/* A model server's metrics page: see metrics.h. */
#include "agent/sensor/metrics.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "agent/sensor/metrics_latency.h"
#include "agent/sensor/metrics_line.h"
#include "agent/sensor/metrics_preset.h"
#include "agent/sensor/metrics_series.h"
#include "proto/base/array.h"
#include "proto/base/strbuf.h"

struct row_sum { /* what the series of one row of the preset add up to */
    bool seen, unknown;
    uint64_t count;
    double level;
};

struct metrics_parser {
    const struct metrics_preset *preset;
    size_t n_rows;
    struct row_sum row[METRICS_ROWS_MAX];
    unsigned latency_rank; /* of what `latency` holds */
    struct metrics_latency latency;

    struct metrics_series series; /* of the preset's metrics, so far */
    struct strbuf rest;           /* a line of which the end is yet to come */
    size_t n_bytes, n_lines;
    bool ended; /* by # EOF */
    int result; /* the first error, for good */
    struct err error;
};

struct metrics_parser *metrics_parser_new(const struct metrics_preset *preset)
{
    struct metrics_parser *p = xcalloc(1, sizeof(*p));

    p->preset = preset;
    while (p->n_rows < METRICS_ROWS_MAX && preset->row[p->n_rows].name)
        p->n_rows++;
    p->latency_rank = UINT32_MAX;
    return p;
}

void metrics_parser_free(struct metrics_parser *p)
{
    if (!p)
        return;
    metrics_series_done(&p->series);
    strbuf_done(&p->rest);
    free(p);
}

/* --- values -------------------------------------------------------------------------------------
 */

static int take_count(const struct metrics_sample *s, uint64_t *ret_count, struct err *e)
{
    double value = NAN;

    (void)metrics_number(s->value, &value);
    if (!(value >= 0) || value >= 0x1p64)
        return err_set(e, -EBADMSG, "%.*s counts %.*s; expected a number from 0 to 2^64",
                       (int)s->name.n, s->name.text, (int)s->value.n, s->value.text);
    *ret_count = (uint64_t)value;
    return 0;
}

static int add_counter(struct row_sum *sum, const struct metrics_sample *s, struct err *e)
{
    uint64_t count = 0;
    int r = take_count(s, &count, e);

    if (r < 0)
        return r;
    if (__builtin_add_overflow(sum->count, count, &sum->count))
        return err_set(e, -EBADMSG, "%.*s adds up to more than 2^64", (int)s->name.n, s->name.text);
    return 0;
}

static void add_gauge(struct row_sum *sum, const struct metrics_sample *s)
{
    double value = NAN;

    (void)metrics_number(s->value, &value);
    if (value >= 0 && isfinite(value + sum->level))
        sum->level += value;
    else
        sum->unknown = true;
}

/* Does the series count for the row? `ret_told`: it tells something about it, if only 0. */
static bool passes(const struct metrics_row *row, const struct metrics_sample *s, bool *ret_told)
{
    const struct metrics_span *value = row->label ? metrics_label(s, row->label) : NULL;

    *ret_told = row->filter == METRICS_ALL || row->filter == METRICS_EXCEPT || value;
    switch (row->filter) {
    case METRICS_ALL:
        return true;
    case METRICS_EQUAL:
        return value && metrics_span_is(*value, row->value);
    case METRICS_PREFIX:
        return value && value->n >= strlen(row->value) &&
               memcmp(value->text, row->value, strlen(row->value)) == 0;
    case METRICS_EXCEPT:
        return !value || !metrics_span_is(*value, row->value);
    }
    return false;
}

static int add_to_row(struct metrics_parser *p, size_t i, const struct metrics_sample *s,
                      struct err *e)
{
    const struct metrics_row *row = &p->preset->row[i];
    bool told, passed = passes(row, s, &told);
    struct row_sum *sum = &p->row[i];

    sum->seen |= told;
    if (!passed)
        return 0;
    if (row->field == METRICS_IN_FLIGHT || row->field == METRICS_QUEUE) {
        add_gauge(sum, s);
        return 0;
    }
    return add_counter(sum, s, e);
}

/* --- the latency histogram ----------------------------------------------------------------------
 */

static int add_bucket(struct metrics_parser *p, const struct metrics_row *row,
                      const struct metrics_sample *s, struct err *e)
{
    const struct metrics_span *le = metrics_label(s, "le");
    double bound = NAN;
    uint64_t count = 0;
    int r;

    if (!le || !metrics_number(*le, &bound) || isnan(bound) || bound == -INFINITY)
        return err_set(e, -EBADMSG, "%.*s: expected a number in the label le", (int)s->name.n,
                       s->name.text);
    if (isfinite(bound) && !isfinite(bound * row->unit_ms))
        return err_set(e, -EBADMSG, "%.*s: le is out of range", (int)s->name.n, s->name.text);
    r = take_count(s, &count, e);
    return r < 0 ? r
                 : metrics_latency_bucket(&p->latency, metrics_series_hash(s, "le"),
                                          bound * row->unit_ms, count, e);
}

/* `suffix` is what the sample's name has more than the row's. */
static int add_latency(struct metrics_parser *p, const struct metrics_row *row, const char *suffix,
                       const struct metrics_sample *s, struct err *e)
{
    double sum = NAN;
    uint64_t count = 0;
    int r;

    if (row->rank > p->latency_rank)
        return 0;
    if (row->rank < p->latency_rank)
        memset(&p->latency, 0, sizeof(p->latency));
    p->latency_rank = row->rank;
    if (strcmp(suffix, "_bucket") == 0)
        return add_bucket(p, row, s, e);
    if (strcmp(suffix, "_sum") == 0) {
        (void)metrics_number(s->value, &sum);
        metrics_latency_sum(&p->latency, sum * row->unit_ms);
        return 0;
    }
    r = take_count(s, &count, e);
    return r < 0 ? r : metrics_latency_count(&p->latency, count, e);
}

/* The suffix that makes the row's histogram's name the sample's, or NULL. */
static const char *latency_suffix(const struct metrics_row *row, const struct metrics_sample *s)
{
    static const char *const suffixes[] = { "_bucket", "_sum", "_count" };
    size_t n = strlen(row->name);

    if (s->name.n <= n || memcmp(s->name.text, row->name, n) != 0)
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        if (metrics_span_is((struct metrics_span){ s->name.text + n, s->name.n - n }, suffixes[i]))
            return suffixes[i];
    }
    return NULL;
}

/* --- the page -----------------------------------------------------------------------------------
 */

static int add_sample(struct metrics_parser *p, const struct metrics_sample *s, struct err *e)
{
    bool seen = false;
    int r = 0;

    for (size_t i = 0; i < p->n_rows && r == 0; i++) {
        const struct metrics_row *row = &p->preset->row[i];
        bool latency = row->field == METRICS_LATENCY;
        const char *suffix = latency ? latency_suffix(row, s) : NULL;

        if (latency ? !suffix : !metrics_span_is(s->name, row->name))
            continue;
        if (!seen)
            r = metrics_series_add(&p->series, s, e);
        seen = true;
        if (r == 0)
            r = latency ? add_latency(p, row, suffix, s, e) : add_to_row(p, i, s, e);
    }
    return r;
}

static int add_line(struct metrics_parser *p, const char *line, size_t n, struct err *e)
{
    struct metrics_sample sample;
    const char *why;
    int r = 0;

    p->n_lines++;
    if (n > METRICS_LINE_MAX)
        r = err_set(e, -EFBIG, "longer than %u bytes", METRICS_LINE_MAX);
    else if (p->ended)
        r = err_set(e, -EBADMSG, "there is more behind # EOF");
    else
        switch (metrics_line_read(line, n, &sample, &why)) {
        case METRICS_LINE_BAD:
            r = err_set(e, -EBADMSG, "%s", why);
            break;
        case METRICS_LINE_NOTHING:
            break;
        case METRICS_LINE_EOF:
            p->ended = true;
            break;
        case METRICS_LINE_SAMPLE:
            r = add_sample(p, &sample, e);
            break;
        }
    return r < 0 ? err_prefix(e, r, "line %zu", p->n_lines) : 0;
}

/* The whole lines in the bytes; what is behind the last line end is kept. */
static int add_bytes(struct metrics_parser *p, const char *bytes, size_t n, struct err *e)
{
    const char *end;
    int r = 0;

    if (n > METRICS_PAGE_MAX - p->n_bytes)
        return err_set(e, -EFBIG, "the page is longer than %u bytes", METRICS_PAGE_MAX);
    p->n_bytes += n;
    while (r == 0 && n > 0 && (end = memchr(bytes, '\n', n))) {
        size_t length = (size_t)(end - bytes);
        if (p->rest.length > 0) {
            strbuf_add(&p->rest, bytes, length);
            r = add_line(p, strbuf_text(&p->rest), p->rest.length, e);
            strbuf_clear(&p->rest);
        } else {
            r = add_line(p, bytes, length, e);
        }
        bytes = end + 1;
        n -= length + 1;
    }
    if (r == 0)
        strbuf_add(&p->rest, bytes, n);
    if (r == 0 && p->rest.length > METRICS_LINE_MAX)
        r = err_set(e, -EFBIG, "line %zu: longer than %u bytes", p->n_lines + 1, METRICS_LINE_MAX);
    return r;
}

static int told(struct metrics_parser *p, struct err *e)
{
    return p->result < 0 ? err_set(e, p->result, "%s", p->error.text) : 0;
}

int metrics_parser_feed(struct metrics_parser *p, const char *bytes, size_t n, struct err *e)
{
    if (p->result == 0)
        p->result = add_bytes(p, bytes, n, &p->error);
    return told(p, e);
}

/* --- the numbers --------------------------------------------------------------------------------
 */

/* The sum of the field's rows of the lowest rank that is on the page. False: none is. */
static int sum_field(const struct metrics_parser *p, enum metrics_field field,
                     struct row_sum *ret_sum, struct err *e)
{
    struct row_sum sum = { 0 };
    unsigned rank = 0;

    for (size_t i = 0; i < p->n_rows; i++) {
        const struct metrics_row *row = &p->preset->row[i];
        if (row->field != field || !p->row[i].seen || (sum.seen && row->rank > rank))
            continue;
        if (sum.seen && row->rank < rank)
            sum = (struct row_sum){ 0 };
        rank = row->rank;
        sum.seen = true;
        sum.unknown |= p->row[i].unknown;
        sum.level += p->row[i].level;
        if (__builtin_add_overflow(sum.count, p->row[i].count, &sum.count))
            return err_set(e, -EBADMSG, "%s adds up to more than 2^64", row->name);
    }
    *ret_sum = sum;
    return 0;
}

static int finish(const struct metrics_parser *p, struct metrics *ret_metrics, struct err *e)
{
    struct metrics m = { .requests_known = false };
    struct row_sum sum[METRICS_FIELDS];
    int r;

    for (int f = 0; f < METRICS_LATENCY; f++) {
        r = sum_field(p, (enum metrics_field)f, &sum[f], e);
        if (r < 0)
            return r;
    }
    m.requests_known = sum[METRICS_REQUESTS].seen;
    m.requests = sum[METRICS_REQUESTS].count;
    m.errors_known = sum[METRICS_ERRORS].seen;
    m.errors = sum[METRICS_ERRORS].count;
    m.tokens_known = sum[METRICS_TOKENS].seen;
    m.tokens = sum[METRICS_TOKENS].count;
    m.in_flight_known = sum[METRICS_IN_FLIGHT].seen && !sum[METRICS_IN_FLIGHT].unknown;
    m.in_flight = m.in_flight_known ? sum[METRICS_IN_FLIGHT].level : 0;
    m.queue_known = sum[METRICS_QUEUE].seen && !sum[METRICS_QUEUE].unknown;
    m.queue = m.queue_known ? sum[METRICS_QUEUE].level : 0;
    r = metrics_latency_finish(&p->latency, &m.latency, e);
    if (r < 0)
        return r;
    m.latency_known = r > 0;
    *ret_metrics = m;
    return 0;
}

int metrics_parser_finish(struct metrics_parser *p, struct metrics *ret_metrics, struct err *e)
{
    if (p->result == 0 && p->rest.length > 0) {
        p->result = add_line(p, strbuf_text(&p->rest), p->rest.length, &p->error);
        if (p->result == 0 && !p->ended)
            p->result =
                err_set(&p->error, -EBADMSG, "line %zu: the page ends within a line", p->n_lines);
        strbuf_clear(&p->rest);
    }
    if (p->result == 0)
        p->result = finish(p, ret_metrics, &p->error);
    return told(p, e);
}

int metrics_parse(const struct metrics_preset *preset, const char *page, size_t n,
                  struct metrics *ret_metrics, struct err *e)
{
    AUTO(metrics_parser) struct metrics_parser *p = metrics_parser_new(preset);
    int r = metrics_parser_feed(p, page, n, e);

    return r < 0 ? r : metrics_parser_finish(p, ret_metrics, e);
}
