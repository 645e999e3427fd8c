/* The result of a simulation as one page: see simulation.h and page.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "controller/cli/human.h"
#include "controller/cli/look.h"
#include "controller/cli/page.h"
#include "controller/cli/plot.h"
#include "controller/cli/simulation.h"
#include "controller/cli/simulation_columns.h"
#include "proto/base/array.h"

#define FANS_MAX 3
#define VARIANTS_MAX (PAGE_LINES_MAX - 3) /* beside foresight, autoscaler and the limit */
#define STEPS_MOST 10000000.0

/* --- figures ------------------------------------------------------------------------------------
 */

static const json_t *policy(const json_t *variant, const char *name)
{
    const json_t *policies = json_object_get(variant, "policies");

    for (size_t i = 0; i < json_array_size(policies); i++)
        if (strcmp(look_text(json_array_get(policies, i), "name"), name) == 0)
            return json_array_get(policies, i);
    return NULL;
}

static const char *words_of(const char *name)
{
    static const char *const WORDS[][2] = {
        { "always-on", "every node on, replicas by demand" },
        { "demand", "reactive autoscalers of replicas and nodes" },
        { "predictive", "huddle" },
        { "clairvoyant", "perfect foresight, same nodes" },
        { "bound", "least that any policy could need" },
    };

    for (size_t i = 0; i < ARRAY_LEN(WORDS); i++)
        if (strcmp(name, WORDS[i][0]) == 0)
            return WORDS[i][1];
    return "";
}

static void figure_row(struct strbuf *out, const json_t *row,
                       const struct simulation_columns *columns)
{
    const char *name = look_text(row, "name");
    char kwh[HUMAN_MAX], text[SIMULATION_FIGURE_MAX];

    strbuf_puts(out, strcmp(name, "predictive") == 0 ? "<tr class=\"own\"><td>" : "<tr><td>");
    xml_text(out, name);
    strbuf_printf(out, "<br><small>%s</small></td><td class=\"n\">%s</td>", words_of(name),
                  human_kwh(look_number(row, "kwh") * 3.6e6, kwh));
    for (size_t i = 0; i < columns->n; i++)
        strbuf_printf(out, "<td class=\"n\">%s</td>",
                      simulation_figure(columns->column[i], row, text));
    strbuf_puts(out, "</tr>\n");
}

static void figures(struct strbuf *out, const json_t *variant)
{
    const json_t *policies = json_object_get(variant, "policies");
    const struct simulation_columns columns = simulation_columns(SIMULATION_PAGE, variant);

    strbuf_puts(out, "<div class=\"scroll\"><table><tr><th>policy</th><th class=\"n\">energy</th>");
    for (size_t i = 0; i < columns.n; i++) {
        strbuf_puts(out, "<th class=\"n\">");
        xml_text(out, simulation_title(columns.column[i], SIMULATION_PAGE, variant));
        strbuf_puts(out, "</th>");
    }
    strbuf_puts(out, "</tr>\n");
    for (size_t i = 0; i < json_array_size(policies); i++)
        figure_row(out, json_array_get(policies, i), &columns);
    strbuf_puts(out, "</table></div>\n");
    simulation_notes(out, variant, "<p class=\"note\">", "</p>\n");
}

/* What the table says, in one sentence. */
static void summary(struct strbuf *out, const json_t *variant)
{
    double own = look_number(policy(variant, "predictive"), "saved");
    double demand = look_number(policy(variant, "demand"), "saved");
    double foresight = look_number(policy(variant, "clairvoyant"), "saved");
    double bound = look_number(policy(variant, "bound"), "saved");
    double on_j = look_number(policy(variant, "always-on"), "kwh") * 3.6e6;
    char a[HUMAN_MAX], b[HUMAN_MAX], c[HUMAN_MAX], d[HUMAN_MAX], e[HUMAN_MAX];

    strbuf_printf(
        out,
        "<p class=\"note\">Always on, %.0f nodes would have used %s in %.3g days. huddle "
        "would have saved <b>%s</b>, a reactive autoscaler %s, perfect foresight %s; more "
        "than %s was not to be had.</p>\n",
        look_number(variant, "nodes"), human_kwh(on_j, a), look_number(variant, "days"),
        human_share(own, b), human_share(demand, c), human_share(foresight, d),
        human_share(bound, e));
}

/* --- plots --------------------------------------------------------------------------------------
 */

static void draw(struct strbuf *out, const char *title, const char *unit, double from_ms,
                 double step_s, struct page_lines *l)
{
    bool sane = step_s > 0 && step_s < STEPS_MOST;

    page_plot(out, title, unit, false, (int64_t)from_ms, sane ? (int64_t)(1000 * step_s) : 0, l);
}

/* Awake nodes, or watts, of all policies; with several variants each one's own line. */
static void compare(struct strbuf *out, const json_t *variants, const char *key, const char *title,
                    const char *unit, double from_ms)
{
    static const char *const NAMES[] = { "demand", "clairvoyant" };
    const json_t *first = json_array_get(variants, 0);
    const json_t *series = look(look(first, "series"), key);
    struct page_lines l = { .n = 0 };
    size_t n = json_array_size(variants);

    for (size_t i = 0; i < n && i < VARIANTS_MAX; i++) {
        const json_t *variant = json_array_get(variants, i);
        const char *name = look_text(variant, "name");

        page_line(&l, name ? name : "huddle",
                  json_object_get(look(look(variant, "series"), key), "predictive"), NULL, n == 1);
    }
    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++)
        page_line(&l, i == 0 ? "reactive autoscaler" : "perfect foresight",
                  json_object_get(series, NAMES[i]), NULL, false);
    if (strcmp(key, "awake") == 0)
        page_line(&l, "least possible", look(first, "series.least"), NULL, false);
    else
        page_line(&l, "always on", json_object_get(series, "always-on"), NULL, false);
    draw(out, title, unit, from_ms, look_number(first, "series.stepS"), &l);
    if (n > VARIANTS_MAX)
        strbuf_printf(out, "<p class=\"legend\">Shown are the first %d of %zu files.</p>\n",
                      VARIANTS_MAX, n);
}

static double sum(const json_t *values)
{
    double s = 0;

    for (size_t i = 0; i < json_array_size(values); i++)
        s += json_number_value(json_array_get(values, i));
    return s;
}

/* The model with the most demand after `done` of them; NULL: none. */
static const char *next_busiest(const json_t *demand, const char *const *done, size_t n)
{
    const char *name, *best = NULL;
    double most = -1;
    json_t *model;

    json_object_foreach((json_t *)(uintptr_t)demand, name, model) {
        double s = sum(json_object_get(model, "actual"));
        bool taken = false;

        for (size_t i = 0; i < n; i++)
            taken |= strcmp(done[i], name) == 0;
        if (taken || s <= most)
            continue;
        most = s;
        best = name;
    }
    return best;
}

static void fan(struct strbuf *out, const json_t *variant, const char *model, double from_ms)
{
    const json_t *demand = json_object_get(look(variant, "series.demand"), model);
    const json_t *high = json_object_get(demand, "high");
    AUTO(strbuf) struct strbuf title = STRBUF_INIT;
    struct page_lines l = { .n = 0 };

    strbuf_printf(&title, "Forecast and demand: %s", model);
    page_line(&l, "90 % of what was forecast (one boot and load ahead)", high,
              json_object_get(demand, "low"), false);
    page_line(&l, "median forecast", json_object_get(demand, "median"), NULL, false);
    page_line(&l, "demand", json_object_get(demand, "actual"), NULL, false);
    draw(out, strbuf_text(&title), "per s", from_ms, look_number(variant, "series.stepS"), &l);
}

static void fans(struct strbuf *out, const json_t *variant, double from_ms)
{
    const json_t *demand = look(variant, "series.demand");
    const char *done[FANS_MAX] = { NULL };
    size_t n = 0;

    while (n < FANS_MAX && (done[n] = next_busiest(demand, done, n)))
        fan(out, variant, done[n++], from_ms);
    if (json_object_size(demand) > n)
        strbuf_printf(out, "<p class=\"legend\">Shown are the %zu busiest of %zu models.</p>\n", n,
                      json_object_size(demand));
}

static void worst_hour(struct strbuf *out, const json_t *variant, double from_ms)
{
    const json_t *hour = look(variant, "series.worstHour");
    double missed = look_number(hour, "missed"), step_s = look_number(hour, "stepS");
    double start_ms = from_ms + 1000 * look_number(hour, "fromS");
    struct page_lines l = { .n = 0 };
    char count[HUMAN_MAX];

    page_line(&l, "awake", json_object_get(hour, "awake"), NULL, true);
    page_line(&l, "ready", json_object_get(hour, "ready"), NULL, false);
    page_line(&l, "replicas that serve", json_object_get(hour, "serving"), NULL, false);
    page_line(&l, "demand", json_object_get(hour, "needed"), NULL, false);
    draw(out, "huddle's worst hour, and the one before", "nodes' worth", start_ms, step_s, &l);
    if (missed >= 0.5)
        strbuf_printf(out, "<p class=\"legend\">In it %s requests waited for more than 15 s.</p>\n",
                      human_number(round(missed), count));
    else
        strbuf_puts(out, "<p class=\"legend\">No request waited for more than 15 s at any time; "
                         "this hour had the least room.</p>\n");
    if (sum(json_object_get(hour, "waiting")) > 0) {
        page_line(&l, "requests that wait", json_object_get(hour, "waiting"), NULL, true);
        draw(out, "The queue in that hour", "requests", start_ms, step_s, &l);
    }
}

/* --- the page -----------------------------------------------------------------------------------
 */

static void headline(struct strbuf *out, const json_t *result, const json_t *first)
{
    const char *from = look_text(result, "from");

    strbuf_puts(out, "<p class=\"when\">");
    xml_text(out, from ? from : "times count from the beginning of the history");
    strbuf_printf(out, ", %.3g days in steps of %g s; %.0f nodes, %.0f models; seed %.0f</p>\n",
                  look_number(first, "days"), look_number(first, "stepS"),
                  look_number(first, "nodes"), look_number(first, "models"),
                  look_number(result, "seed"));
}

static void variant_name(struct strbuf *out, const json_t *variant)
{
    const char *name = look_text(variant, "name");

    if (!name)
        return;
    strbuf_puts(out, "<h2 class=\"variant\">");
    xml_text(out, name);
    strbuf_puts(out, "</h2>\n");
}

void simulation_html(struct strbuf *out, const json_t *result)
{
    const json_t *variants = json_object_get(result, "variants");
    json_t *one = variants ? NULL : json_pack("[O]", result);
    double from_ms = (double)look_time(result, "from");
    size_t n;

    variants = variants ? variants : one;
    n = json_array_size(variants);
    page_begin(out, "Simulation");
    headline(out, result, json_array_get(variants, 0));
    for (size_t i = 0; i < n; i++) {
        variant_name(out, json_array_get(variants, i));
        summary(out, json_array_get(variants, i));
        figures(out, json_array_get(variants, i));
    }
    compare(out, variants, "awake", "Awake nodes, against the least possible", "nodes", from_ms);
    compare(out, variants, "watts", "Power", "W", from_ms);
    for (size_t i = 0; i < n; i++) {
        variant_name(out, json_array_get(variants, i));
        fans(out, json_array_get(variants, i), from_ms);
        worst_hour(out, json_array_get(variants, i), from_ms);
    }
    strbuf_puts(out, "<p class=\"legend\">Unserved requests would have waited for more than a "
                     "minute, late ones for more than 15 s. Energy of booting, shutting down and "
                     "sleeping nodes is in; CO2 and money weigh each step by the rate of its own "
                     "time. The same seed gives the same page.</p>\n");
    page_end(out, NULL);
    json_decref(one);
}
