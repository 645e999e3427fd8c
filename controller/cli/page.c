/* See page.h. */
#include "controller/cli/page.h"

#include <math.h>
#include <stdlib.h>

#include "proto/base/array.h"

static const char STYLE[] =
    ":root{--ink:#1d2733;--soft:#5b6875;--grid:#dde3ea;--back:#fff;--note:#f4f6f8}"
    "@media(prefers-color-scheme:dark){:root{--ink:#dfe6ee;--soft:#93a1b0;--grid:#2c3743;"
    "--back:#141b22;--note:#1c252e}}"
    "body{font:15px/1.45 system-ui,sans-serif;max-width:900px;margin:2em auto;padding:0 1em;"
    "color:var(--ink);background:var(--back)}h1{font-size:1.5em;margin-bottom:0}"
    "h2{font-size:1.05em;margin:1.6em 0 .3em}svg{width:100%;font:11px system-ui,sans-serif}"
    ".plot,.scroll{overflow-x:auto}.plot "
    "svg{min-width:26rem}.item{white-space:nowrap}small{color:var(--soft)}"
    "tr.own{background:var(--note)}.variant{border-top:2px solid var(--grid);padding-top:.8em}"
    "@media(max-width:600px){body{margin:1em auto}.plot svg{font-size:18px}td,th{padding:.25em "
    ".4em}}"
    ".grid{stroke:var(--grid);fill:none}.line{fill:none;stroke-width:1.6}.area{opacity:.15;"
    "stroke:none}text{fill:var(--soft)}table{border-collapse:collapse;width:100%}"
    "td,th{padding:.25em .6em;border-bottom:1px solid var(--grid);text-align:left}"
    "td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}.legend,.when{color:var(--soft);"
    "margin:.1em 0}summary{font-weight:600;margin:1.4em 0 .3em;"
    "cursor:pointer}"
    ".note{background:var(--note);padding:.6em .9em}.key{font-size:1.2em}"
    ".line.c0{stroke:#0b6e99}.line.c1{stroke:#d1495b}.line.c2{stroke:#66a182}.line.c3{stroke:#"
    "edae49}"
    ".line.c4{stroke:#8a6fc9}.line.c5{stroke:#7a8793}.fill.c0,.area.c0{fill:#0b6e99}"
    ".fill.c1,.area.c1{fill:#d1495b}.area.c2{fill:#66a182}.key.c0{color:#0b6e99}"
    ".key.c1{color:#d1495b}.key.c2{color:#66a182}.key.c3{color:#edae49}.key.c4{color:#8a6fc9}"
    ".key.c5{color:#7a8793}";

void page_begin(struct strbuf *out, const char *title)
{
    strbuf_puts(out, "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
                     "<meta name=\"viewport\" content=\"width=device-width\">\n<title>huddle: ");
    xml_text(out, title);
    strbuf_printf(out, "</title>\n<style>%s</style>\n<h1>", STYLE);
    xml_text(out, title);
    strbuf_puts(out, "</h1>\n");
}

void page_end(struct strbuf *out, const char *made)
{
    strbuf_puts(out, "<p class=\"when\">Made");
    if (made) {
        strbuf_putc(out, ' ');
        xml_text(out, made);
    }
    strbuf_puts(out, " by huddlectl " HUDDLE_VERSION ".</p>\n</html>\n");
}

/* Null is NAN. */
static double *values_of(const json_t *array)
{
    size_t n = json_array_size(array);
    double *y = xcalloc(n + 1, sizeof(*y));

    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_array_get(array, i);

        y[i] = json_is_number(v) ? json_number_value(v) : NAN;
    }
    return y;
}

void page_line(struct page_lines *l, const char *name, const json_t *values, const json_t *low,
               bool filled)
{
    size_t n = json_array_size(values);

    if (l->n == PAGE_LINES_MAX || n == 0)
        return;
    l->line[l->n++] = (struct plot_line){
        .name = name,
        .y = values_of(values),
        .n = n,
        .filled = filled,
        .low = json_array_size(low) == n ? values_of(low) : NULL,
    };
}

void page_plot(struct strbuf *out, const char *title, const char *unit, bool whole,
               int64_t start_ms, int64_t step_ms, struct page_lines *l)
{
    if (l->n && step_ms >= 1)
        plot_lines(out, &(struct plot){ title, unit, whole, start_ms, step_ms, l->line, l->n });
    for (size_t i = 0; i < l->n; i++) {
        free((double *)(uintptr_t)l->line[i].y);
        free((double *)(uintptr_t)l->line[i].low);
    }
    l->n = 0;
}
