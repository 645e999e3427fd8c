/* One line of a metrics page: see metrics_line.h. */
#include "agent/sensor/metrics_line.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "proto/base/array.h"

#define NUMBER_MAX 63u /* characters; no double needs more */

struct cursor {
    const char *at, *end;
};

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void skip_blanks(struct cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\t'))
        c->at++;
}

static bool take_char(struct cursor *c, char wanted)
{
    if (c->at == c->end || *c->at != wanted)
        return false;
    c->at++;
    return true;
}

static bool take_name(struct cursor *c, bool colons, struct metrics_span *ret_name)
{
    const char *begin = c->at;

    while (c->at < c->end &&
           (is_letter(*c->at) || (colons && *c->at == ':') || (c->at > begin && is_digit(*c->at))))
        c->at++;
    *ret_name = (struct metrics_span){ begin, (size_t)(c->at - begin) };
    return ret_name->n > 0;
}

/* Up to the next blank. */
static struct metrics_span take_word(struct cursor *c)
{
    const char *begin = c->at;

    while (c->at < c->end && *c->at != ' ' && *c->at != '\t')
        c->at++;
    return (struct metrics_span){ begin, (size_t)(c->at - begin) };
}

static bool is_special(struct metrics_span s)
{
    static const char *const words[] = { "inf", "infinity", "nan" };
    size_t sign = s.n > 0 && (*s.text == '+' || *s.text == '-');

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (s.n - sign == strlen(words[i]) && strncasecmp(s.text + sign, words[i], s.n - sign) == 0)
            return true;
    }
    return false;
}

static size_t digits(const char **at, const char *end)
{
    const char *begin = *at;

    while (*at < end && is_digit(**at))
        (*at)++;
    return (size_t)(*at - begin);
}

/* A decimal number as strtod takes it, or a special word. Most lines are of no interest: this is
 * all that is done with their numbers. */
static bool is_number(struct metrics_span s)
{
    const char *at = s.text, *end = s.text + s.n;
    size_t whole, fraction = 0;

    if (s.n == 0 || s.n > NUMBER_MAX)
        return false;
    if (*at == '+' || *at == '-')
        at++;
    whole = digits(&at, end);
    if (at < end && *at == '.') {
        at++;
        fraction = digits(&at, end);
    }
    if (whole + fraction == 0)
        return is_special(s);
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at < end && (*at == '+' || *at == '-'))
            at++;
        if (digits(&at, end) == 0)
            return false;
    }
    return at == end;
}

bool metrics_number(struct metrics_span text, double *ret_value)
{
    char buf[NUMBER_MAX + 1];

    if (!is_number(text))
        return false;
    memcpy(buf, text.text, text.n);
    buf[text.n] = '\0';
    *ret_value = strtod(buf, NULL);
    return true;
}

bool metrics_span_is(struct metrics_span s, const char *word)
{
    return s.n == strlen(word) && memcmp(s.text, word, s.n) == 0;
}

const struct metrics_span *metrics_label(const struct metrics_sample *s, const char *name)
{
    for (size_t i = 0; i < s->n_labels; i++) {
        if (metrics_span_is(s->label[i].name, name))
            return &s->label[i].value;
    }
    return NULL;
}

/* Behind the opening quote, up to and over the closing one. */
static const char *take_quoted(struct cursor *c, struct metrics_span *ret_value)
{
    const char *begin = c->at;

    for (; c->at < c->end && *c->at != '"'; c->at++) {
        if (*c->at == '\0')
            return "a label value holds a NUL byte";
        if (*c->at != '\\')
            continue;
        c->at++;
        if (c->at == c->end || !strchr("\\\"n", *c->at) || *c->at == '\0')
            return "a label value has an unknown escape; expected \\\\, \\\" or \\n";
    }
    if (c->at == c->end)
        return "a label value has no closing quote";
    *ret_value = (struct metrics_span){ begin, (size_t)(c->at - begin) };
    c->at++;
    return NULL;
}

static const char *take_label(struct cursor *c, struct metrics_sample *s)
{
    struct metrics_span name, value = { 0 };
    const char *why;

    if (!take_name(c, false, &name))
        return "expected a label name";
    skip_blanks(c);
    if (!take_char(c, '='))
        return "expected = behind a label name";
    skip_blanks(c);
    if (!take_char(c, '"'))
        return "expected a label value in quotes";
    why = take_quoted(c, &value);
    if (why)
        return why;
    for (size_t i = 0; i < s->n_labels; i++) {
        if (s->label[i].name.n == name.n && memcmp(s->label[i].name.text, name.text, name.n) == 0)
            return "a label is given twice";
    }
    if (s->n_labels == METRICS_LABELS_MAX)
        return "too many labels";
    s->label[s->n_labels].name = name;
    s->label[s->n_labels++].value = value;
    return NULL;
}

/* Behind the opening brace; a comma may stand behind the last label. */
static const char *take_labels(struct cursor *c, struct metrics_sample *s)
{
    for (;;) {
        const char *why;

        skip_blanks(c);
        if (take_char(c, '}'))
            return NULL;
        why = take_label(c, s);
        if (why)
            return why;
        skip_blanks(c);
        if (!take_char(c, ',')) {
            if (!take_char(c, '}'))
                return "expected , or } behind a label";
            return NULL;
        }
    }
}

/* OpenMetrics: ` # {trace_id="..."} 0.67 1520879607.789`, of no interest but checked. */
static const char *take_exemplar(struct cursor *c)
{
    struct metrics_sample exemplar = { .n_labels = 0 };
    const char *why;

    skip_blanks(c);
    if (!take_char(c, '{'))
        return "expected { of an exemplar behind #";
    why = take_labels(c, &exemplar);
    if (why)
        return why;
    skip_blanks(c);
    if (!is_number(take_word(c)))
        return "expected the number of an exemplar";
    skip_blanks(c);
    if (c->at < c->end && !is_number(take_word(c)))
        return "expected the time stamp of an exemplar";
    skip_blanks(c);
    return c->at < c->end ? "there is more behind an exemplar" : NULL;
}

/* Behind the value: nothing, a time stamp, an exemplar, or both. */
static const char *take_rest(struct cursor *c)
{
    skip_blanks(c);
    if (c->at < c->end && *c->at != '#' && !is_number(take_word(c)))
        return "expected a time stamp behind the value";
    skip_blanks(c);
    if (take_char(c, '#'))
        return take_exemplar(c);
    return c->at < c->end ? "there is more behind the time stamp" : NULL;
}

static const char *take_sample(struct cursor *c, struct metrics_sample *s)
{
    const char *why;
    bool blank;

    s->n_labels = 0;
    if (!take_name(c, true, &s->name))
        return "expected a metric name";
    blank = c->at < c->end && (*c->at == ' ' || *c->at == '\t');
    skip_blanks(c);
    if (take_char(c, '{')) {
        why = take_labels(c, s);
        if (why)
            return why;
        blank = true; /* `x{} 1`, and `x{}1` as Prometheus itself takes it */
    }
    skip_blanks(c);
    s->value = take_word(c);
    if (!blank || !is_number(s->value))
        return "expected a number behind the metric's name and labels";
    return take_rest(c);
}

/* `# TYPE name counter`; the other comments say nothing that could be wrong. */
static const char *check_type(struct cursor *c)
{
    static const char *const types[] = { "counter",        "gauge",   "histogram",
                                         "gaugehistogram", "summary", "info",
                                         "stateset",       "unknown", "untyped" };
    struct metrics_span name, type;

    skip_blanks(c);
    if (!take_name(c, true, &name))
        return "expected a metric name behind # TYPE";
    skip_blanks(c);
    type = take_word(c);
    skip_blanks(c);
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (c->at == c->end && metrics_span_is(type, types[i]))
            return NULL;
    }
    return "unknown metric type behind # TYPE";
}

enum metrics_line metrics_line_read(const char *line, size_t n, struct metrics_sample *ret_sample,
                                    const char **ret_why)
{
    struct cursor c = { line, line + n };

    *ret_why = NULL;
    if (n == strlen("# EOF") && memcmp(line, "# EOF", n) == 0)
        return METRICS_LINE_EOF;
    skip_blanks(&c);
    if (c.at == c.end)
        return METRICS_LINE_NOTHING;
    if (!take_char(&c, '#')) {
        *ret_why = take_sample(&c, ret_sample);
        return *ret_why ? METRICS_LINE_BAD : METRICS_LINE_SAMPLE;
    }
    skip_blanks(&c);
    if (metrics_span_is(take_word(&c), "TYPE"))
        *ret_why = check_type(&c);
    return *ret_why ? METRICS_LINE_BAD : METRICS_LINE_NOTHING;
}
