/* How values are shown in cells: see columns.h. What is not known is "-". */
#include "controller/cli/columns.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "controller/cli/human.h"
#include "controller/cli/look.h"
#include "proto/base/array.h"

static const struct {
    const char *word;
    enum paint paint;
} STATES[] = {
    { "awake", PAINT_GOOD },      { "ready", PAINT_GOOD },      { "asleep", PAINT_CALM },
    { "draining", PAINT_BUSY },   { "empty", PAINT_BUSY },      { "preparing", PAINT_BUSY },
    { "sleeping", PAINT_BUSY },   { "waking", PAINT_BUSY },     { "starting", PAINT_BUSY },
    { "unready", PAINT_BAD },     { "backoff", PAINT_BAD },     { "failed", PAINT_BAD },
    { "unreachable", PAINT_BAD }, { "quarantined", PAINT_BAD }, { "held", PAINT_BUSY },
    { "Warning", PAINT_BAD },     { "sleep", PAINT_CALM },      { "wake", PAINT_BUSY },
    { "failed-wake", PAINT_BAD }, { "stuck-on", PAINT_BAD },    { "found-off", PAINT_BAD },
    { "paused", PAINT_BUSY },     { "degraded", PAINT_BAD },    { "running", PAINT_GOOD },
    { "broken", PAINT_BAD },      { "met", PAINT_GOOD },        { "warming up", PAINT_BUSY },
    { "pending", PAINT_BUSY },    { "given-up", PAINT_BAD },    { "drain", PAINT_BUSY },
    { "down", PAINT_BAD },        { "complete", PAINT_GOOD },   { "progressing", PAINT_BUSY },
    { "waiting", PAINT_BUSY },    { "stalled", PAINT_BAD },
};

enum paint paint_of_state(const char *word)
{
    for (size_t i = 0; i < ARRAY_LEN(STATES); i++)
        if (strcmp(STATES[i].word, word) == 0)
            return STATES[i].paint;
    return PAINT_NONE;
}

static void blank(struct table *t)
{
    table_cell(t, "-", PAINT_NONE);
}

static double number(const json_t *v)
{
    return json_is_number(v) ? json_number_value(v) : NAN;
}

void show_text(struct table *t, const json_t *v, int64_t now_ms)
{
    const char *text = json_string_value(v);
    char whole[24];

    (void)now_ms;
    if (json_is_integer(v)) {
        (void)snprintf(whole, sizeof(whole), "%lld", (long long)json_integer_value(v));
        text = whole;
    }
    table_cell(t, text && *text ? text : "-", PAINT_NONE);
}

void show_state(struct table *t, const json_t *v, int64_t now_ms)
{
    const char *text = json_string_value(v);

    (void)now_ms;
    table_cell(t, text && *text ? text : "-", text ? paint_of_state(text) : PAINT_NONE);
}

void show_flag(struct table *t, const json_t *v, int64_t now_ms)
{
    (void)now_ms;
    table_cell(t, json_is_boolean(v) ? json_is_true(v) ? "true" : "false" : "-", PAINT_NONE);
}

void show_count(struct table *t, const json_t *v, int64_t now_ms)
{
    (void)now_ms;
    if (json_is_number(v))
        table_cellf(t, "%.0f", json_number_value(v));
    else
        blank(t);
}

typedef const char *human_fn(double v, char text[HUMAN_MAX]);

static void show_human(struct table *t, const json_t *v, human_fn *human)
{
    char text[HUMAN_MAX];

    table_cell(t, human(number(v), text), PAINT_NONE);
}

void show_number(struct table *t, const json_t *v, int64_t now_ms)
{
    (void)now_ms;
    show_human(t, v, human_number);
}

void show_share(struct table *t, const json_t *v, int64_t now_ms)
{
    (void)now_ms;
    show_human(t, v, human_share);
}

void show_watts(struct table *t, const json_t *v, int64_t now_ms)
{
    (void)now_ms;
    show_human(t, v, human_watts);
}

void show_joules(struct table *t, const json_t *v, int64_t now_ms)
{
    (void)now_ms;
    show_human(t, v, human_joules);
}

void show_bytes(struct table *t, const json_t *v, int64_t now_ms)
{
    (void)now_ms;
    show_human(t, v, human_bytes);
}

void show_cpu(struct table *t, const json_t *v, int64_t now_ms)
{
    (void)now_ms;
    if (!json_is_number(v))
        blank(t);
    else if (fmod(number(v), 1000) == 0)
        table_cellf(t, "%.0f", number(v) / 1000);
    else
        table_cellf(t, "%.0fm", number(v));
}

void show_ms(struct table *t, const json_t *v, int64_t now_ms)
{
    char text[HUMAN_MAX];

    (void)now_ms;
    table_cell(t, human_ms(number(v), text), PAINT_NONE);
}

void show_seconds(struct table *t, const json_t *v, int64_t now_ms)
{
    char text[HUMAN_MAX];

    (void)now_ms;
    table_cell(t, human_ms(number(v) * 1000, text), PAINT_NONE);
}

void show_since(struct table *t, const json_t *v, int64_t now_ms)
{
    int64_t then_ms = look_time(v, "");
    char text[HUMAN_MAX];

    table_cell(t, then_ms ? human_age((now_ms - then_ms) / 1000 * 1000, text) : "-", PAINT_NONE);
}

/* "2026-11-23T07:00:00Z (3h12m ago)" */
void show_time_and_age(struct table *t, const json_t *v, int64_t now_ms)
{
    int64_t then_ms = look_time(v, "");
    char text[HUMAN_MAX];

    if (then_ms)
        table_cellf(t, "%s (%s ago)", json_string_value(v),
                    human_age((now_ms - then_ms) / 1000 * 1000, text));
    else
        blank(t);
}

void show_signed_ms(struct table *t, const json_t *v, int64_t now_ms)
{
    double ms = number(v);
    char text[HUMAN_MAX];

    (void)now_ms;
    if (isfinite(ms))
        table_cellf(t, "%s%s", ms < 0 ? "-" : "", human_ms(fabs(ms), text));
    else
        blank(t);
}

void show_rate(struct table *t, const json_t *v, int64_t now_ms)
{
    char text[HUMAN_MAX];

    (void)now_ms;
    if (isfinite(number(v)))
        table_cellf(t, "%s requests/s", human_number(number(v), text));
    else
        blank(t);
}

/* "a=b,c=d" */
void show_pairs(struct table *t, const json_t *v, int64_t now_ms)
{
    AUTO(strbuf) struct strbuf text = STRBUF_INIT;
    const char *key;
    json_t *value;

    (void)now_ms;
    json_object_foreach((json_t *)(uintptr_t)v, key, value) {
        strbuf_printf(&text, "%s%s=%s", text.length ? "," : "", key,
                      json_is_string(value) ? json_string_value(value) : "?");
    }
    table_cell(t, text.length ? strbuf_text(&text) : "-", PAINT_NONE);
}

void show_words(struct table *t, const json_t *v, int64_t now_ms)
{
    AUTO(strbuf) struct strbuf text = STRBUF_INIT;

    (void)now_ms;
    for (size_t i = 0; i < json_array_size(v); i++)
        strbuf_printf(&text, "%s%s", i ? "," : "", json_string_value(json_array_get(v, i)));
    table_cell(t, text.length ? strbuf_text(&text) : "-", PAINT_NONE);
}

/* --- of whole objects --------------------------------------------------------------------------
 */

/* kubectl's "Ready,SchedulingDisabled": the state, and what people did to it. */
void show_node_flags(struct table *t, const json_t *o, int64_t now_ms)
{
    const char *state = look_text(o, "status.state");
    AUTO(strbuf) struct strbuf text = STRBUF_INIT;

    (void)now_ms;
    strbuf_puts(&text, state ? state : "-");
    if (look_true(o, "spec.drained"))
        strbuf_puts(&text, look_number(o, "status.replicas") > 0 ? ",draining" : ",drained");
    else if (look_true(o, "spec.cordoned"))
        strbuf_puts(&text, ",cordoned");
    if (look_true(o, "spec.held") && (!state || strcmp(state, "held") != 0))
        strbuf_puts(&text, ",held");
    table_cell(t, strbuf_text(&text), state ? paint_of_state(state) : PAINT_NONE);
}

void show_shown(struct table *t, const json_t *o, int64_t now_ms)
{
    (void)now_ms;
    table_cell(t, *look_shown(o) ? look_shown(o) : "-", PAINT_NONE);
}

void show_ready(struct table *t, const json_t *o, int64_t now_ms)
{
    double ready = look_number(o, "status.ready"), target = look_number(o, "status.target");
    double total = look_number(o, "status.total");

    (void)now_ms;
    if (!isfinite(ready))
        blank(t);
    else if (!isfinite(target) && !isfinite(total))
        table_cellf(t, "%.0f/-", ready);
    else
        table_cellf(t, "%.0f/%.0f", ready, isfinite(target) ? target : total);
}

void show_slo(struct table *t, const json_t *o, int64_t now_ms)
{
    (void)now_ms;
    if (!look_text(o, "spec.slo.latency"))
        blank(t);
    else if (look_true(o, "status.sloBroken"))
        table_cell(t, "broken", PAINT_BAD);
    else
        table_cell(t, isfinite(look_number(o, "status.latencyMs")) ? "met" : "-", PAINT_NONE);
}

void show_object_ref(struct table *t, const json_t *o, int64_t now_ms)
{
    const char *kind = look_text(o, "kind"), *name = look_text(o, "name");

    (void)now_ms;
    table_cellf(t, "%s/%s", kind ? kind : "?", name ? name : "?");
}

void show_cluster_state(struct table *t, const json_t *o, int64_t now_ms)
{
    const char *word = look_true(o, "status.degraded")    ? "degraded"
                       : look_true(o, "status.paused")    ? "paused"
                       : look_true(o, "status.warmingUp") ? "warming up"
                                                          : "running";

    (void)now_ms;
    table_cell(t, word, paint_of_state(word));
}

/* {"awake": 3, "asleep": 0} is "3 awake". */
void show_counts(struct table *t, const json_t *counts, int64_t now_ms)
{
    AUTO(strbuf) struct strbuf text = STRBUF_INIT;
    const char *word;
    json_t *n;

    (void)now_ms;
    json_object_foreach((json_t *)(uintptr_t)counts, word, n) {
        if (json_integer_value(n) != 0)
            strbuf_printf(&text, "%s%lld %s", text.length ? ", " : "",
                          (long long)json_integer_value(n), word);
    }
    table_cell(t, text.length ? strbuf_text(&text) : "none", PAINT_NONE);
}

void show_cluster_replicas(struct table *t, const json_t *o, int64_t now_ms)
{
    (void)now_ms;
    if (isfinite(look_number(o, "ready")))
        table_cellf(t, "%.0f/%.0f", look_number(o, "ready"), look_number(o, "total"));
    else
        blank(t);
}

/* "112W (98W..130W)" */
void show_saved(struct table *t, const json_t *o, int64_t now_ms)
{
    char saved[HUMAN_MAX], low[HUMAN_MAX], high[HUMAN_MAX];

    (void)now_ms;
    if (isfinite(look_number(o, "savedW")))
        table_cellf(t, "%s (%s..%s)", human_watts(look_number(o, "savedW"), saved),
                    human_watts(look_number(o, "savedLowW"), low),
                    human_watts(look_number(o, "savedHighW"), high));
    else
        blank(t);
}

void show_plan_awake(struct table *t, const json_t *o, int64_t now_ms)
{
    (void)now_ms;
    if (isfinite(look_number(o, "awakeNow")))
        table_cellf(t, "%.0f -> %.0f (bound %.0f)", look_number(o, "awakeNow"),
                    look_number(o, "awakeTarget"), look_number(o, "boundNodes"));
    else
        blank(t);
}
