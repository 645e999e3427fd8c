/* The report as a table and as CSV, and its notes: see report.h. The page is report_html.c. */
#include "controller/cli/report.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "controller/cli/columns.h"
#include "controller/cli/human.h"
#include "controller/cli/look.h"
#include "controller/cli/text.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"

#define END                     \
    {                           \
        NULL, NULL, NULL, false \
    }

/* --- notes -------------------------------------------------------------------------------------
 */

static void note(json_t *notes, const struct strbuf *text)
{
    json_array_append_new(notes, json_string(strbuf_text(text)));
}

static void note_provenance(json_t *notes, const json_t *report)
{
    double used = look_number(report, "energy.usedJ");
    double measured = look_number(report, "energy.measuredJ");
    double estimated = look_number(report, "energy.estimatedJ");
    AUTO(strbuf) struct strbuf text = STRBUF_INIT;
    char a[HUMAN_MAX], b[HUMAN_MAX];

    if (!isfinite(used)) {
        strbuf_puts(&text, "Nothing was recorded of the energy used in this time.");
    } else if (isfinite(measured) && isfinite(estimated) && measured + estimated > 0) {
        strbuf_printf(&text,
                      "Of the energy used, %s was measured by the nodes' own meters and %s was "
                      "estimated (power models of nodes without a meter, standby of sleepers).",
                      human_share(measured / (measured + estimated), a),
                      human_share(estimated / (measured + estimated), b));
    } else {
        strbuf_puts(&text, "It is not known how much of the energy used was measured.");
    }
    note(notes, &text);
}

static void note_savings(json_t *notes, const json_t *report)
{
    double saved = look_number(report, "energy.savedJ");
    double low = look_number(report, "energy.savedLowJ");
    double high = look_number(report, "energy.savedHighJ");
    AUTO(strbuf) struct strbuf text = STRBUF_INIT;
    char a[HUMAN_MAX], b[HUMAN_MAX], c[HUMAN_MAX];

    if (isfinite(saved) && isfinite(low) && isfinite(high))
        strbuf_printf(&text,
                      "What is saved is not measured: it is the energy of a cluster that does not "
                      "exist (every node awake, the replicas spread), computed from each node's "
                      "learned power curve, minus the energy used. %s is the best estimate; the "
                      "error of the curves leaves %s to %s.",
                      human_joules(saved, a), human_joules(low, b), human_joules(high, c));
    else
        strbuf_puts(&text, "What was saved is not known for this time: there was no counterfactual "
                           "(every node awake, the replicas spread) to compare with.");
    note(notes, &text);
}

static void note_record(json_t *notes, const json_t *report)
{
    double seconds = look_number(report, "seconds"), recorded = look_number(report, "recordedS");
    AUTO(strbuf) struct strbuf text = STRBUF_INIT;
    char a[HUMAN_MAX], b[HUMAN_MAX];

    if (!(recorded < seconds - 1)) /* absent too */
        return;
    strbuf_printf(&text,
                  "Only %s of these %s were recorded: huddle was not there before, or the time is "
                  "yet to come. All figures are of the recorded time.",
                  human_ms(recorded * 1000, a), human_ms(seconds * 1000, b));
    note(notes, &text);
}

double report_mean_watts(const json_t *report)
{
    double recorded = look_number(report, "recordedS");

    return look_number(report, "energy.usedJ") /
           (recorded > 0 ? recorded : look_number(report, "seconds"));
}

json_t *report_notes(const json_t *report)
{
    AUTO(strbuf) struct strbuf carbon = STRBUF_INIT;
    json_t *notes = json_array();

    note_record(notes, report);
    note_provenance(notes, report);
    note_savings(notes, report);
    report_note_carbon(&carbon, report);
    if (carbon.length)
        note(notes, &carbon);
    return notes;
}

/* --- table -------------------------------------------------------------------------------------
 */

static const struct column NODE[] = {
    { "NODE", "name", show_text, false },         { "USED", "usedJ", show_joules, false },
    { "ASLEEP", "asleepS", show_seconds, false }, { "SLEEPS", "sleeps", show_count, false },
    { "WAKES", "wakes", show_count, false },      END,
};

static const struct column MODEL[] = {
    { "MODEL", "name", show_text, false },          { "USED", "usedJ", show_joules, false },
    { "WORK", "dynamicJ", show_joules, false },     { "IDLE", "idleJ", show_joules, false },
    { "REQUESTS", "requests", show_number, false }, { "DEFERRED", "deferred", show_number, false },
    { "ERRORS", "errors", show_number, false },     END,
};

static void add_row(struct table *t, const char *title, const char *value, const char *kwh,
                    const char *remark)
{
    table_cell(t, title, PAINT_NONE);
    table_cell(t, value, PAINT_NONE);
    table_cell(t, kwh, PAINT_NONE);
    table_cell(t, remark, PAINT_NONE);
}

static void add_energy(struct table *t, const char *title, const json_t *report, const char *path,
                       const char *remark)
{
    double j = look_number(report, path);
    char joules[HUMAN_MAX], kwh[HUMAN_MAX];

    add_row(t, title, human_joules(j, joules), isfinite(j) ? human_kwh(j, kwh) : "", remark);
}

static void add_saved(struct table *t, const json_t *report)
{
    double saved = look_number(report, "energy.savedJ");
    double always = look_number(report, "energy.counterfactualJ");
    double low = look_number(report, "energy.savedLowJ");
    double high = look_number(report, "energy.savedHighJ");
    AUTO(strbuf) struct strbuf remark = STRBUF_INIT;
    char a[HUMAN_MAX], b[HUMAN_MAX], c[HUMAN_MAX];

    if (isfinite(saved) && always > 0)
        strbuf_printf(&remark, "%s, between %s and %s", human_share(saved / always, a),
                      human_joules(low, b), human_joules(high, c));
    add_energy(t, "Saved", report, "energy.savedJ", strbuf_text(&remark));
}

static void add_acts(struct table *t, const json_t *report)
{
    static const char *const ACTS[] = { "sleeps", "wakes", "moves", "requests" };
    static const char *const TITLES[] = { "Sleeps", "Wakes", "Moves", "Requests" };
    char text[HUMAN_MAX];

    for (size_t i = 0; i < ARRAY_LEN(ACTS); i++)
        add_row(t, TITLES[i], human_number(look_number(report, ACTS[i]), text), "", "");
}

static void add_carbon(struct table *t, const json_t *report)
{
    AUTO(strbuf) struct strbuf intensity = STRBUF_INIT, remark = STRBUF_INIT;
    char text[HUMAN_MAX];

    report_intensity(&intensity, report);
    add_row(t, "CO2 emitted", human_grams(look_number(report, "carbon.usedKg") * 1000, text), "",
            strbuf_text(&intensity));
    report_saved_carbon(&remark, report);
    add_row(t, "CO2 saved", human_grams(look_number(report, "carbon.savedKg") * 1000, text), "",
            strbuf_text(&remark));
    if (isfinite(look_number(report, "carbon.avoidedKg")))
        add_row(t, "CO2 avoided", human_grams(look_number(report, "carbon.avoidedKg") * 1000, text),
                "", "by waiting for greener hours; computed");
}

static void add_figures(struct table *t, const json_t *report)
{
    char money[REPORT_MONEY_MAX], text[HUMAN_MAX];

    add_energy(t, "Energy used", report, "energy.usedJ", "");
    add_energy(t, "  measured", report, "energy.measuredJ", "");
    add_energy(t, "  estimated", report, "energy.estimatedJ", "");
    add_energy(t, "Without huddle", report, "energy.counterfactualJ", "computed");
    add_saved(t, report);
    if (report_money(report, "cost.used", money))
        add_row(t, "Money spent", money, "", "");
    if (report_money(report, "cost.saved", money))
        add_row(t, "Money saved", money, "", "");
    if (report_has_carbon(report))
        add_carbon(t, report);
    add_row(t, "Mean power", human_watts(report_mean_watts(report), text), "", "");
    add_acts(t, report);
}

static void add_list(struct strbuf *out, const struct column *columns, const json_t *items,
                     bool colour)
{
    struct table t = { 0 };
    size_t n = 0;

    if (json_array_size(items) == 0)
        return;
    while (columns[n].title)
        n++;
    table_begin(&t, n);
    for (size_t k = 0; k < n; k++)
        table_cell(&t, columns[k].title, PAINT_HEAD);
    for (size_t i = 0; i < json_array_size(items); i++)
        for (size_t k = 0; k < n; k++)
            columns[k].show(&t, look(json_array_get(items, i), columns[k].path), 0);
    strbuf_putc(out, '\n');
    table_print(&t, out, colour);
    table_done(&t);
}

void report_table(struct strbuf *out, const json_t *report, bool colour)
{
    const char *from = look_text(report, "from"), *to = look_text(report, "to");
    double seconds = look_number(report, "seconds");
    json_t *notes = report_notes(report);
    struct table t = { 0 };
    char age[HUMAN_MAX];

    text_safe(out, from ? from : "?");
    strbuf_puts(out, " to ");
    text_safe(out, to ? to : "?");
    if (isfinite(seconds))
        strbuf_printf(out, " (%s)", human_ms(seconds * 1000, age));
    strbuf_puts(out, "\n\n");
    table_begin(&t, 4);
    add_figures(&t, report);
    table_print(&t, out, colour);
    table_done(&t);
    add_list(out, MODEL, look(report, "models"), colour);
    add_list(out, NODE, look(report, "nodes"), colour);
    for (size_t i = 0; i < json_array_size(notes); i++) {
        strbuf_putc(out, '\n');
        text_wrap(out, json_string_value(json_array_get(notes, i)), 92, 0);
        strbuf_putc(out, '\n');
    }
    json_decref(notes);
}

/* --- csv ---------------------------------------------------------------------------------------
 */

/* RFC 4180; what a spreadsheet would take for a formula is quoted with an apostrophe. */
static void csv_text(struct strbuf *out, const char *text)
{
    AUTO(strbuf) struct strbuf safe = STRBUF_INIT;

    text_safe(&safe, text);
    if (strchr("=+-@", *strbuf_text(&safe)) && safe.length)
        strbuf_puts(out, "'");
    if (!strpbrk(strbuf_text(&safe), ",\"")) {
        strbuf_puts(out, strbuf_text(&safe));
        return;
    }
    strbuf_putc(out, '"');
    for (const char *s = strbuf_text(&safe); *s; s++)
        strbuf_printf(out, *s == '"' ? "\"\"" : "%c", *s);
    strbuf_putc(out, '"');
}

static void csv_row(struct strbuf *out, const char *kind, const char *name, const char *time,
                    const char *metric, double value, const char *unit)
{
    strbuf_printf(out, "%s,", kind);
    csv_text(out, name);
    strbuf_printf(out, ",%s,%s,", time, metric);
    if (isfinite(value))
        strbuf_printf(out, "%.12g", value);
    strbuf_printf(out, ",%s\n", unit);
}

struct metric {
    const char *name, *unit;
};

static void csv_objects(struct strbuf *out, const char *kind, const json_t *items,
                        const struct metric *metrics, size_t n)
{
    for (size_t i = 0; i < json_array_size(items); i++) {
        const json_t *item = json_array_get(items, i);
        const char *name = look_text(item, "name");

        for (size_t k = 0; k < n; k++)
            csv_row(out, kind, name ? name : "", "", metrics[k].name,
                    look_number(item, metrics[k].name), metrics[k].unit);
    }
}

bool report_steps(const json_t *report, int64_t *ret_start_ms, int64_t *ret_step_ms)
{
    double start = look_number(report, "series.startMs");
    double step = look_number(report, "series.stepMs");

    if (!(start >= 0 && start < 2.5e14 && step >= 1 && step < 1e10)) /* till the year 9999 */
        return false;
    *ret_start_ms = (int64_t)start;
    *ret_step_ms = (int64_t)step;
    return true;
}

/* A code of letters; what a manifest says else is not for a bare cell. */
static const char *csv_currency(const json_t *report)
{
    const char *currency = look_text(report, "cost.currency");

    return currency && strspn(currency, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == strlen(currency) ? currency
                                                                                          : "";
}

static void csv_series(struct strbuf *out, const json_t *report, const char *kind, const char *name,
                       const json_t *values, const char *metric, const char *unit)
{
    char time[CLOCK_TEXT_MAX];
    int64_t start_ms, step_ms;

    if (!report_steps(report, &start_ms, &step_ms))
        return;
    for (size_t i = 0; i < json_array_size(values); i++) {
        const json_t *v = json_array_get(values, i);

        clock_format(start_ms + step_ms * (int64_t)i, time);
        csv_row(out, kind, name, time, metric, json_is_number(v) ? json_number_value(v) : NAN,
                unit);
    }
}

void report_csv(struct strbuf *out, const json_t *report)
{
    static const struct metric TOTAL[] = { { "usedJ", "J" },      { "measuredJ", "J" },
                                           { "estimatedJ", "J" }, { "counterfactualJ", "J" },
                                           { "savedJ", "J" },     { "savedLowJ", "J" },
                                           { "savedHighJ", "J" } };
    static const struct metric COUNT[] = { { "seconds", "s" }, { "recordedS", "s" },
                                           { "sleeps", "" },   { "wakes", "" },
                                           { "moves", "" },    { "requests", "" } };
    static const struct metric CARBON[] = { { "usedKg", "kg" },      { "measuredKg", "kg" },
                                            { "estimatedKg", "kg" }, { "counterfactualKg", "kg" },
                                            { "savedKg", "kg" },     { "savedLowKg", "kg" },
                                            { "savedHighKg", "kg" }, { "avoidedKg", "kg" } };
    static const struct metric OF_NODE[] = {
        { "usedJ", "J" }, { "asleepS", "s" }, { "sleeps", "" }, { "wakes", "" }
    };
    static const struct metric OF_MODEL[] = { { "usedJ", "J" },     { "idleJ", "J" },
                                              { "dynamicJ", "J" },  { "requests", "" },
                                              { "errors", "" },     { "deferred", "" },
                                              { "avoidedKg", "kg" } };
    const json_t *energy = look(report, "energy");
    const char *name;
    json_t *values;

    strbuf_puts(out, "kind,name,time,metric,value,unit\n");
    for (size_t i = 0; i < ARRAY_LEN(TOTAL); i++)
        csv_row(out, "total", "", "", TOTAL[i].name, look_number(energy, TOTAL[i].name),
                TOTAL[i].unit);
    for (size_t i = 0; i < ARRAY_LEN(COUNT); i++)
        csv_row(out, "total", "", "", COUNT[i].name, look_number(report, COUNT[i].name),
                COUNT[i].unit);
    for (size_t i = 0; i < ARRAY_LEN(CARBON); i++)
        csv_row(out, "total", "", "", CARBON[i].name,
                look_number(look(report, "carbon"), CARBON[i].name), CARBON[i].unit);
    csv_row(out, "total", "", "", "costUsed", look_number(report, "cost.used"),
            csv_currency(report));
    csv_row(out, "total", "", "", "costSaved", look_number(report, "cost.saved"),
            csv_currency(report));
    csv_objects(out, "node", look(report, "nodes"), OF_NODE, ARRAY_LEN(OF_NODE));
    csv_objects(out, "model", look(report, "models"), OF_MODEL, ARRAY_LEN(OF_MODEL));
    csv_series(out, report, "series", "", look(report, "series.usedW"), "usedW", "W");
    csv_series(out, report, "series", "", look(report, "series.counterfactualW"), "counterfactualW",
               "W");
    csv_series(out, report, "series", "", look(report, "series.gramsPerKwh"), "gramsPerKwh",
               "g/kWh");
    csv_series(out, report, "series", "", look(report, "series.awake"), "awake", "");
    json_object_foreach((json_t *)(uintptr_t)look(report, "series.demand"), name, values) {
        csv_series(out, report, "series", name, values, "demand", "1/s");
    }
}
