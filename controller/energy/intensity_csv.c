/* The CSV form of an intensity: see intensity_parse() in intensity.h. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/energy/intensity_private.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"

#define CELL_MAX 64
#define ALONE_MS INT64_C(3600000)          /* how long the only value of a file holds */
#define EPOCH_MOST_S INT64_C(253402300799) /* the end of the year 9999 */
#define VALUE_MOST 1e6
#define BYTE_ORDER_MARK "\xEF\xBB\xBF"
#define MINUTE "0000-00-00T00:00"

struct reader {
    const char *file;
    double least;
    size_t line; /* in hand, from 1 */
    struct intensity *out;
    /* The line before: its value holds until the next one's time. */
    bool any;
    int64_t from_ms, held_ms;
    double value;
};

static int bad(const struct reader *r, size_t column, struct err *e, const char *what)
{
    return err_set(e, -EINVAL, "%.200s:%zu:%zu: %s", r->file, r->line, column, what);
}

/* --- cells -------------------------------------------------------------------------------------
 */

/* Without the blanks around it. False: too long for anything that is expected. */
static bool cell_text(const char *at, size_t n, char text[CELL_MAX])
{
    while (n > 0 && (*at == ' ' || *at == '\t')) {
        at++;
        n--;
    }
    while (n > 0 && (at[n - 1] == ' ' || at[n - 1] == '\t'))
        n--;
    if (n >= CELL_MAX || memchr(at, '\0', n))
        return false;
    memcpy(text, at, n);
    text[n] = '\0';
    return true;
}

/* "2026-11-23T07:00Z", as the UK's and others write it, has no seconds. */
static int read_time(const char *text, int64_t *ret_ms)
{
    char whole[CELL_MAX + 4];
    size_t minute = strlen(MINUTE), digits = strspn(text, "0123456789");
    long long s;

    if (*text && !text[digits]) {
        s = strtoll(text, NULL, 10);
        if (digits > 12 || s > EPOCH_MOST_S)
            return -EINVAL;
        *ret_ms = s * 1000;
        return 0;
    }
    if (strlen(text) > minute && text[minute] != ':')
        (void)snprintf(whole, sizeof(whole), "%.*s:00%s", (int)minute, text, text + minute);
    else
        (void)snprintf(whole, sizeof(whole), "%s", text);
    if (strlen(whole) > minute && whole[10] == ' ')
        whole[10] = 'T';
    return clock_parse(whole, ret_ms);
}

static int read_value(const struct reader *r, const char *text, double *ret)
{
    char *end;

    *ret = NAN;
    if (!*text)
        return 0;
    if (text[strspn(text, "+-.0123456789eE")])
        return -EINVAL; /* strtod also reads "nan" and "0x10" */
    *ret = strtod(text, &end);
    return *end || !isfinite(*ret) || *ret < r->least || *ret > VALUE_MOST ? -EINVAL : 0;
}

/* --- lines -------------------------------------------------------------------------------------
 */

static void close_step(struct reader *r, int64_t to_ms)
{
    int64_t held_ms = to_ms - r->from_ms;

    r->held_ms = held_ms < INTENSITY_HOLD_MS ? held_ms : INTENSITY_HOLD_MS;
    if (isnan(r->value))
        return;
    *ARRAY_ADD(r->out, steps) = (struct intensity_step){ .from_ms = r->from_ms,
                                                         .to_ms = r->from_ms + r->held_ms,
                                                         .value = r->value };
}

static int take_line(struct reader *r, const char *line, size_t n, struct err *e)
{
    const char *comma = memchr(line, ',', n);
    size_t first = comma ? (size_t)(comma - line) : n;
    char time[CELL_MAX] = "", value[CELL_MAX] = "";
    int64_t at_ms;
    double v;

    if (!comma || memchr(comma + 1, ',', n - first - 1))
        return bad(r, 1, e, "expected two cells, time,value");
    if (!cell_text(line, first, time) || read_time(time, &at_ms) < 0)
        return bad(r, 1, e,
                   "expected a time with its zone like 2026-11-23T07:00Z, or seconds since 1970");
    if (!cell_text(comma + 1, n - first - 1, value) || read_value(r, value, &v) < 0)
        return bad(r, first + 2, e,
                   r->least < 0 ? "expected a number up to 1000000, or nothing where it is unknown"
                                : "expected a number from 0 to 1000000, or nothing where it is "
                                  "unknown");
    if (r->any && at_ms <= r->from_ms)
        return bad(r, 1, e, "expected a later time than that of the line before");
    if (r->out->n_steps >= INTENSITY_STEPS_MAX)
        return bad(r, 1, e, "too many lines; expected at most 400000: leave out the oldest");
    if (r->any)
        close_step(r, at_ms);
    r->any = true;
    r->from_ms = at_ms;
    r->value = v;
    return 0;
}

/* What spreadsheets write before all else is no header. */
static size_t mark_length(const char *text, size_t n)
{
    size_t mark = strlen(BYTE_ORDER_MARK);

    return n >= mark && memcmp(text, BYTE_ORDER_MARK, mark) == 0 ? mark : 0;
}

static bool is_header(const struct reader *r, const char *line, size_t n)
{
    return r->line == 1 && n > 0 && !strchr("+-.0123456789", *line);
}

int intensity_parse(const char *file, const char *text, size_t n, double least,
                    struct intensity **ret_i, struct err *e)
{
    AUTO(intensity) struct intensity *out = intensity_series();
    struct reader r = { .file = file, .least = least, .out = out };

    for (const char *at = text + mark_length(text, n), *end = text + n; at < end;) {
        const char *feed = memchr(at, '\n', (size_t)(end - at));
        const char *next = feed ? feed + 1 : end;
        size_t length = (size_t)((feed ? feed : end) - at);
        int fault;

        r.line++;
        if (length > 0 && at[length - 1] == '\r')
            length--;
        if (length > 0 && *at != '#' && !is_header(&r, at, length) &&
            (fault = take_line(&r, at, length, e)) < 0)
            return fault;
        at = next;
    }
    if (!r.any)
        return err_set(e, -EINVAL, "%.200s: no line of time,value is in it", file);
    close_step(&r, r.from_ms + (r.held_ms > 0 ? r.held_ms : ALONE_MS));
    *ret_i = TAKE(out);
    return 0;
}
