/* The report as one page of HTML: no script, no font, no picture from elsewhere. See report.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "controller/cli/human.h"
#include "controller/cli/look.h"
#include "controller/cli/page.h"
#include "controller/cli/plot.h"
#include "controller/cli/report.h"
#include "proto/base/array.h"

#define BARS_MAX 40
#define ROWS_MAX 1000

/* --- tables ------------------------------------------------------------------------------------
 */

static void row(struct strbuf *out, const char *what, const char *value, const char *remark)
{
    strbuf_puts(out, "<tr><td>");
    xml_text(out, what);
    strbuf_puts(out, "</td><td class=\"n\"><b>");
    xml_text(out, value);
    strbuf_puts(out, "</b></td><td>");
    xml_text(out, remark);
    strbuf_puts(out, "</td></tr>\n");
}

static void energy_row(struct strbuf *out, const json_t *report, const char *what, const char *path,
                       const char *remark)
{
    AUTO(strbuf) struct strbuf value = STRBUF_INIT;
    double j = look_number(report, path);
    char a[HUMAN_MAX], b[HUMAN_MAX];

    if (isfinite(j))
        strbuf_printf(&value, "%s = %s", human_joules(j, a), human_kwh(j, b));
    row(out, what, isfinite(j) ? strbuf_text(&value) : "not recorded", remark);
}

static void saved_row(struct strbuf *out, const json_t *report)
{
    double saved = look_number(report, "energy.savedJ"),
           always = look_number(report, "energy.counterfactualJ");
    AUTO(strbuf) struct strbuf remark = STRBUF_INIT;
    char a[HUMAN_MAX], b[HUMAN_MAX], c[HUMAN_MAX];

    if (isfinite(saved) && always > 0)
        strbuf_printf(&remark, "%s; between %s and %s", human_share(saved / always, a),
                      human_joules(look_number(report, "energy.savedLowJ"), b),
                      human_joules(look_number(report, "energy.savedHighJ"), c));
    energy_row(out, report, "Saved", "energy.savedJ", strbuf_text(&remark));
}

static void carbon_rows(struct strbuf *out, const json_t *report)
{
    AUTO(strbuf) struct strbuf intensity = STRBUF_INIT, remark = STRBUF_INIT;
    char text[HUMAN_MAX];

    report_intensity(&intensity, report);
    row(out, "CO2 emitted", human_grams(look_number(report, "carbon.usedKg") * 1000, text),
        strbuf_text(&intensity));
    report_saved_carbon(&remark, report);
    row(out, "CO2 saved", human_grams(look_number(report, "carbon.savedKg") * 1000, text),
        strbuf_text(&remark));
    if (isfinite(look_number(report, "carbon.avoidedKg")))
        row(out, "CO2 avoided", human_grams(look_number(report, "carbon.avoidedKg") * 1000, text),
            "by waiting for greener hours; computed");
}

static const char *known(const char *text)
{
    return strcmp(text, "-") == 0 ? "not recorded" : text;
}

static void figures(struct strbuf *out, const json_t *report)
{
    AUTO(strbuf) struct strbuf text = STRBUF_INIT;
    char a[HUMAN_MAX], b[HUMAN_MAX], c[HUMAN_MAX], money[REPORT_MONEY_MAX];

    strbuf_puts(out, "<table>\n");
    energy_row(out, report, "Energy used", "energy.usedJ", "");
    energy_row(out, report, " measured", "energy.measuredJ", "by the nodes' own meters");
    energy_row(out, report, " estimated", "energy.estimatedJ",
               "power models, standby of sleepers, boots");
    energy_row(out, report, "Without huddle", "energy.counterfactualJ",
               "every node awake, the replicas spread; computed");
    saved_row(out, report);
    if (report_money(report, "cost.used", money))
        row(out, "Money spent", money, "at the price of the policy");
    if (report_money(report, "cost.saved", money))
        row(out, "Money saved", money, "at the price of the policy");
    if (report_has_carbon(report))
        carbon_rows(out, report);
    row(out, "Mean power", known(human_watts(report_mean_watts(report), a)), "");
    if (isfinite(look_number(report, "sleeps"))) {
        strbuf_printf(&text, "%s sleeps, %s wakes, %s moves",
                      human_number(look_number(report, "sleeps"), a),
                      human_number(look_number(report, "wakes"), b),
                      human_number(look_number(report, "moves"), c));
    }
    row(out, "Acts", text.length ? strbuf_text(&text) : known("-"), "");
    row(out, "Requests", known(human_number(look_number(report, "requests"), a)), "");
    strbuf_puts(out, "</table>\n");
}

static const char *human_seconds(double s, char text[HUMAN_MAX])
{
    return human_ms(s * 1000, text);
}

struct html_column {
    const char *title, *key;
    const char *(*show)(double v, char text[HUMAN_MAX]);
};

/* What each item has: folded, for there may be many. Ends with a column without a title. */
static void list(struct strbuf *out, const char *what, const json_t *items,
                 const struct html_column *columns)
{
    size_t n = json_array_size(items);
    char text[HUMAN_MAX];

    if (n == 0)
        return;
    strbuf_printf(out, "<details%s><summary>Figures of each %s</summary>\n<table><tr><th>%s</th>",
                  n <= 12 ? " open" : "", what, what);
    for (const struct html_column *c = columns; c->title; c++)
        strbuf_printf(out, "<th class=\"n\">%s</th>", c->title);
    strbuf_puts(out, "</tr>\n");
    for (size_t i = 0; i < n && i < ROWS_MAX; i++) {
        const json_t *item = json_array_get(items, i);
        const char *name = look_text(item, "name");

        strbuf_puts(out, "<tr><td>");
        xml_text(out, name ? name : "?");
        strbuf_puts(out, "</td>");
        for (const struct html_column *c = columns; c->title; c++)
            strbuf_printf(out, "<td class=\"n\">%s</td>", c->show(look_number(item, c->key), text));
        strbuf_puts(out, "</tr>\n");
    }
    strbuf_puts(out, "</table>");
    if (n > ROWS_MAX)
        strbuf_printf(out, "<p class=\"legend\">Shown are the first %d of %zu.</p>\n", ROWS_MAX, n);
    strbuf_puts(out, "</details>\n");
}

static void lists(struct strbuf *out, const json_t *report)
{
    static const struct html_column MODEL[] = { { "used", "usedJ", human_joules },
                                                { "work", "dynamicJ", human_joules },
                                                { "idle", "idleJ", human_joules },
                                                { "requests", "requests", human_number },
                                                { "errors", "errors", human_number },
                                                { "deferred", "deferred", human_number },
                                                { NULL, NULL, NULL } };
    static const struct html_column NODE[] = { { "used", "usedJ", human_joules },
                                               { "asleep", "asleepS", human_seconds },
                                               { "sleeps", "sleeps", human_number },
                                               { "wakes", "wakes", human_number },
                                               { NULL, NULL, NULL } };

    list(out, "model", look(report, "models"), MODEL);
    list(out, "node", look(report, "nodes"), NODE);
}

/* --- plots -------------------------------------------------------------------------------------
 */

static void draw(struct strbuf *out, const json_t *report, const char *title, const char *unit,
                 bool whole, struct page_lines *l)
{
    int64_t start_ms = 0, step_ms = 0;

    (void)report_steps(report, &start_ms, &step_ms);
    page_plot(out, title, unit, whole, start_ms, step_ms, l);
}

static void curves(struct strbuf *out, const json_t *report)
{
    const json_t *demand = look(report, "series.demand");
    struct page_lines l = { .n = 0 };
    const char *name;
    json_t *values;

    page_line(&l, "used", look(report, "series.usedW"), NULL, true);
    page_line(&l, "without huddle (computed)", look(report, "series.counterfactualW"), NULL, false);
    draw(out, report, "Power", "W", false, &l);
    if (report_has_carbon(report))
        page_line(&l, "of the energy used", look(report, "series.gramsPerKwh"), NULL, false);
    draw(out, report, "Carbon intensity", "gCO2/kWh", false, &l);
    page_line(&l, "awake nodes", look(report, "series.awake"), NULL, true);
    draw(out, report, "Awake nodes", "nodes", true, &l);
    json_object_foreach((json_t *)(uintptr_t)demand, name, values) {
        page_line(&l, name, values, NULL, false);
    }
    draw(out, report, "Demand", "requests/s", false, &l);
    if (json_object_size(demand) > PAGE_LINES_MAX)
        strbuf_printf(out, "<p class=\"legend\">Shown are %d of %zu models.</p>\n", PAGE_LINES_MAX,
                      json_object_size(demand));
}

static int longest_first(const void *a, const void *b)
{
    const struct plot_bar *x = a, *y = b;
    double p = x->parts[0] + (isfinite(x->parts[1]) ? x->parts[1] : 0);
    double q = y->parts[0] + (isfinite(y->parts[1]) ? y->parts[1] : 0);

    if (p == q || (!isfinite(p) && !isfinite(q)))
        return strcmp(x->name, y->name);
    return !isfinite(q) || p > q ? -1 : 1;
}

/* Joules of each item, in kWh when there are many. `second` NULL: one part only. */
static void bars(struct strbuf *out, const json_t *items, const char *title, const char *first,
                 const char *second, const char *const names[2])
{
    size_t n = json_array_size(items);
    struct plot_bar *bar = xcalloc(n + 1, sizeof(*bar));
    bool big = false, any = false;

    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_array_get(items, i);
        const char *name = look_text(item, "name");

        bar[i] = (struct plot_bar){ name ? name : "?",
                                    { look_number(item, first),
                                      second ? look_number(item, second) : NAN } };
        big |= bar[i].parts[0] > 1e6;
        any |= isfinite(bar[i].parts[0]);
    }
    for (size_t i = 0; big && i < n; i++) {
        bar[i].parts[0] /= 3.6e6;
        bar[i].parts[1] /= 3.6e6;
    }
    qsort(bar, n, sizeof(*bar), longest_first);
    if (any)
        plot_bars(out, title, big ? "kWh" : "J", names, bar, n < BARS_MAX ? n : BARS_MAX);
    if (any && n > BARS_MAX)
        strbuf_printf(out, "<p class=\"legend\">Shown are the first %d of %zu.</p>\n", BARS_MAX, n);
    free(bar);
}

void report_html(struct strbuf *out, const json_t *report, const char *made)
{
    static const char *const PARTS[2] = { "for its work", "its share of idle power" };
    const char *from = look_text(report, "from"), *to = look_text(report, "to");
    json_t *notes = report_notes(report);

    page_begin(out, "Energy report");
    strbuf_puts(out, "<p class=\"when\">");
    xml_text(out, from ? from : "?");
    strbuf_puts(out, " to ");
    xml_text(out, to ? to : "?");
    strbuf_puts(out, "</p>\n");
    figures(out, report);
    for (size_t i = 0; i < json_array_size(notes); i++) {
        strbuf_puts(out, "<p class=\"note\">");
        xml_text(out, json_string_value(json_array_get(notes, i)));
        strbuf_puts(out, "</p>\n");
    }
    curves(out, report);
    bars(out, look(report, "models"), "Energy by model", "dynamicJ", "idleJ", PARTS);
    bars(out, look(report, "nodes"), "Energy by node", "usedJ", NULL, NULL);
    lists(out, report);
    page_end(out, made);
    json_decref(notes);
}
