/* Plots as SVG: see plot.h. */
#include "controller/cli/plot.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/cli/human.h"
#include "controller/cli/text.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"

#define WIDTH 860.0
#define HEIGHT 200.0
#define LEFT 60.0
#define RIGHT 24.0
#define TOP 10.0
#define BOTTOM 22.0
#define POINTS_MAX 430   /* one every other pixel */
#define HUGE_VALUE 1e300 /* larger ones would leave the numbers when scaled */
#define MINUTE_MS 60000ll
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)

void xml_text(struct strbuf *out, const char *text)
{
    AUTO(strbuf) struct strbuf safe = STRBUF_INIT;

    text_safe(&safe, text); /* control characters cannot stand in XML */
    for (const char *s = strbuf_text(&safe); *s; s++) {
        if (*s == '<')
            strbuf_puts(out, "&lt;");
        else if (*s == '>')
            strbuf_puts(out, "&gt;");
        else if (*s == '&')
            strbuf_puts(out, "&amp;");
        else if (*s == '"')
            strbuf_puts(out, "&quot;");
        else
            strbuf_putc(out, *s);
    }
}

/* --- scales ------------------------------------------------------------------------------------
 */

double plot_step(double top)
{
    static const double FACTORS[] = { 1, 2, 2.5, 5, 10 };
    double rough = fmax(top, 1e-9) / 4, power = pow(10, floor(log10(rough)));

    for (size_t i = 0; i < ARRAY_LEN(FACTORS); i++)
        if (power * FACTORS[i] >= rough * (1 - 1e-9))
            return power * FACTORS[i];
    return power * 10;
}

int64_t plot_time_step(int64_t span_ms)
{
    static const int64_t STEPS[] = { 1000,          5000,           15000,          MINUTE_MS,
                                     5 * MINUTE_MS, 15 * MINUTE_MS, 30 * MINUTE_MS, HOUR_MS,
                                     2 * HOUR_MS,   3 * HOUR_MS,    6 * HOUR_MS,    12 * HOUR_MS,
                                     DAY_MS,        2 * DAY_MS,     7 * DAY_MS,     14 * DAY_MS };

    for (size_t i = 0; i < ARRAY_LEN(STEPS); i++)
        if (span_ms / STEPS[i] <= 8)
            return STEPS[i];
    return (span_ms / 8 / DAY_MS + 1) * DAY_MS;
}

/* "07:00", "07:00:15" or "11-23" of "2026-11-23T07:00:15Z" */
static void time_label(struct strbuf *out, int64_t wall_ms, int64_t step_ms)
{
    char text[CLOCK_TEXT_MAX];

    clock_format(wall_ms, text);
    if (step_ms >= DAY_MS)
        strbuf_printf(out, "%.5s", text + 5);
    else
        strbuf_printf(out, "%.*s", step_ms < 60000 ? 8 : 5, text + 11);
}

/* --- lines -------------------------------------------------------------------------------------
 */

/* Means of `n` values in at most POINTS_MAX buckets; a bucket of unknown values is unknown. */
static size_t reduce(const double *y, size_t of, double *out)
{
    size_t n = of < POINTS_MAX ? of : POINTS_MAX;

    for (size_t i = 0; i < n; i++) {
        size_t from = i * of / n, to = (i + 1) * of / n, known = 0;
        double sum = 0;

        for (size_t k = from; k < to; k++) {
            if (!isfinite(y[k]))
                continue;
            sum += y[k];
            known++;
        }
        out[i] = known ? sum / (double)known : NAN;
    }
    return n;
}

struct frame {      /* from values to places */
    double top;     /* largest value shown */
    double columns; /* values along x */
};

static double x_of(const struct frame *f, double column)
{
    return LEFT + (WIDTH - LEFT - RIGHT) * column / f->columns;
}

static double y_of(const struct frame *f, double value)
{
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / f->top);
}

static struct frame frame_of(const struct plot *p)
{
    struct frame f = { 0, 1 };

    for (size_t i = 0; i < p->n_lines; i++) {
        for (size_t k = 0; k < p->lines[i].n; k++)
            if (isfinite(p->lines[i].y[k]))
                f.top = fmax(f.top, p->lines[i].y[k]);
        f.columns = fmax(f.columns, (double)p->lines[i].n);
    }
    f.top = f.top > 0 ? fmin(f.top, HUGE_VALUE) * 1.08 : 1;
    return f;
}

static void draw_grid(struct strbuf *out, const struct plot *p, const struct frame *f)
{
    int64_t span_ms = (int64_t)f->columns * p->step_ms, step_ms = plot_time_step(span_ms);
    double step = p->whole ? fmax(1, ceil(plot_step(f->top))) : plot_step(f->top);
    char text[HUMAN_MAX];

    for (int i = 0; i * step <= f->top; i++) {
        double v = i * step;

        strbuf_printf(out, "<path class=\"grid\" d=\"M%.0f %.1fH%.0f\"/>", LEFT, y_of(f, v),
                      WIDTH - RIGHT);
        strbuf_printf(out, "<text x=\"%.0f\" y=\"%.1f\" text-anchor=\"end\">%s</text>", LEFT - 6,
                      y_of(f, v) + 4, human_number(v, text));
    }
    for (int64_t at = (p->start_ms + step_ms - 1) / step_ms * step_ms; at <= p->start_ms + span_ms;
         at += step_ms) {
        double x = x_of(f, (double)(at - p->start_ms) / (double)p->step_ms);

        strbuf_printf(out, "<path class=\"grid\" d=\"M%.1f %.0fV%.0f\"/>", x, TOP, HEIGHT - BOTTOM);
        strbuf_printf(out, "<text x=\"%.1f\" y=\"%.0f\" text-anchor=\"middle\">", x, HEIGHT - 5);
        time_label(out, at, step_ms);
        strbuf_puts(out, "</text>");
    }
}

/* A run of known values as a path, closed down to the axis when it is an area. */
static void draw_run(struct strbuf *out, const struct frame *f, const double *y, size_t from,
                     size_t to, size_t n, bool closed)
{
    double scale = f->columns / (double)n;

    for (size_t i = from; i < to; i++)
        strbuf_printf(out, "%s%.1f %.1f", i == from ? "M" : "L", x_of(f, ((double)i + 0.5) * scale),
                      y_of(f, y[i]));
    if (to == from + 1) /* a single value is a dot */
        strbuf_puts(out, "h0.1");
    if (closed)
        strbuf_printf(out, "V%.1fH%.1fZ", y_of(f, 0), x_of(f, ((double)from + 0.5) * scale));
}

static void draw_runs(struct strbuf *out, const struct frame *f, const double *y, size_t n,
                      bool closed)
{
    for (size_t from = 0, to; from < n; from = to) {
        while (from < n && !isfinite(y[from]))
            from++;
        for (to = from; to < n && isfinite(y[to]); to++)
            ;
        if (to > from)
            draw_run(out, f, y, from, to, n, closed);
    }
}

/* Between two lines, where both are known. */
static void draw_band(struct strbuf *out, const struct plot_line *l, const struct frame *f,
                      size_t colour)
{
    double high[POINTS_MAX], low[POINTS_MAX];
    size_t n = reduce(l->y, l->n, high);
    double scale = f->columns / (double)n;

    (void)reduce(l->low, l->n, low);
    strbuf_printf(out, "<path class=\"area c%zu\" d=\"", colour % PLOT_COLOURS);
    for (size_t from = 0, to; from < n; from = to) {
        while (from < n && !isfinite(high[from] + low[from]))
            from++;
        for (to = from; to < n && isfinite(high[to] + low[to]); to++)
            strbuf_printf(out, "%s%.1f %.1f", to == from ? "M" : "L",
                          x_of(f, ((double)to + 0.5) * scale), y_of(f, high[to]));
        for (size_t i = to; i-- > from;)
            strbuf_printf(out, "L%.1f %.1f", x_of(f, ((double)i + 0.5) * scale), y_of(f, low[i]));
        if (to > from)
            strbuf_puts(out, "Z");
    }
    strbuf_puts(out, "\"/>");
}

static void draw_line(struct strbuf *out, const struct plot_line *l, const struct frame *f,
                      size_t colour)
{
    double y[POINTS_MAX];
    size_t n = reduce(l->y, l->n, y);

    if (l->low) {
        draw_band(out, l, f, colour);
        return;
    }
    if (l->filled) {
        strbuf_printf(out, "<path class=\"area c%zu\" d=\"", colour % PLOT_COLOURS);
        draw_runs(out, f, y, n, true);
        strbuf_puts(out, "\"/>");
    }
    strbuf_printf(out, "<path class=\"line c%zu\" d=\"", colour % PLOT_COLOURS);
    draw_runs(out, f, y, n, false);
    strbuf_puts(out, "\"/>");
}

static void begin(struct strbuf *out, const char *title, double height)
{
    strbuf_puts(out, "<h2>");
    xml_text(out, title);
    strbuf_printf(
        out, "</h2>\n<div class=\"plot\"><svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"",
        WIDTH, height);
    xml_text(out, title);
    strbuf_puts(out, "\">");
}

static void legend(struct strbuf *out, const char *name, size_t colour)
{
    strbuf_printf(out, "<span class=\"item\"><span class=\"key c%zu\">&#9632;</span> ",
                  colour % PLOT_COLOURS);
    xml_text(out, name);
    strbuf_puts(out, "</span> &nbsp; ");
}

static void end(struct strbuf *out, const char *unit)
{
    strbuf_puts(out, "[");
    xml_text(out, unit);
    strbuf_puts(out, "]</p>\n");
}

void plot_lines(struct strbuf *out, const struct plot *p)
{
    struct frame f = frame_of(p);

    begin(out, p->title, HEIGHT);
    draw_grid(out, p, &f);
    for (size_t i = 0; i < p->n_lines; i++)
        draw_line(out, &p->lines[i], &f, i);
    strbuf_puts(out, "</svg></div>\n<p class=\"legend\">");
    for (size_t i = 0; i < p->n_lines; i++)
        legend(out, p->lines[i].name, i);
    end(out, p->unit);
}

/* --- bars --------------------------------------------------------------------------------------
 */

#define BAR_HEIGHT 22.0
#define BAR_LEFT 180.0
#define BAR_RIGHT 90.0
#define NAME_MOST 24 /* characters */

static double part(double v)
{
    return isfinite(v) && v > 0 ? v : 0;
}

static bool continues(char byte) /* a character of UTF-8 */
{
    return ((unsigned char)byte & 0xc0) == 0x80;
}

/* What has room beside the bar; all of it when the pointer rests on it. */
static void draw_name(struct strbuf *out, const char *name)
{
    AUTO(strbuf) struct strbuf shown = STRBUF_INIT;
    size_t n = 0;

    for (size_t characters = 0; name[n] && (characters < NAME_MOST || continues(name[n])); n++)
        characters += !continues(name[n]);
    strbuf_printf(&shown, "%.*s%s", (int)n, name, name[n] ? "…" : "");
    xml_text(out, strbuf_text(&shown));
    strbuf_puts(out, "<title>");
    xml_text(out, name);
    strbuf_puts(out, "</title>");
}

static void draw_bar(struct strbuf *out, const struct plot_bar *bar, double y, double top,
                     const char *unit)
{
    double room = WIDTH - BAR_LEFT - BAR_RIGHT, x = BAR_LEFT;
    double whole = part(bar->parts[0]) + part(bar->parts[1]);
    char text[HUMAN_MAX];

    strbuf_printf(out, "<text x=\"%.0f\" y=\"%.1f\" text-anchor=\"end\">", BAR_LEFT - 8,
                  y + BAR_HEIGHT / 2 + 4);
    draw_name(out, bar->name);
    strbuf_puts(out, "</text>");
    for (size_t i = 0; i < 2; i++) {
        double width = room * part(bar->parts[i]) / top;

        if (width > 0)
            strbuf_printf(out,
                          "<rect class=\"fill c%zu\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
                          "height=\"%.0f\"/>",
                          i, x, y + 3, width, BAR_HEIGHT - 6);
        x += width;
    }
    strbuf_printf(out, "<text x=\"%.1f\" y=\"%.1f\">", x + 6, y + BAR_HEIGHT / 2 + 4);
    if (isfinite(bar->parts[0]))
        strbuf_printf(out, "%s ", human_number(whole, text));
    xml_text(out, isfinite(bar->parts[0]) ? unit : "not known");
    strbuf_puts(out, "</text>");
}

void plot_bars(struct strbuf *out, const char *title, const char *unit,
               const char *const part_names[2], const struct plot_bar *bars, size_t n)
{
    double top = 1e-9;

    for (size_t i = 0; i < n; i++)
        top = fmax(top, fmin(part(bars[i].parts[0]) + part(bars[i].parts[1]), HUGE_VALUE));
    begin(out, title, BAR_HEIGHT * (double)n + 4);
    for (size_t i = 0; i < n; i++)
        draw_bar(out, &bars[i], BAR_HEIGHT * (double)i, top, unit);
    strbuf_puts(out, "</svg></div>\n");
    if (!part_names) /* each bar has its unit */
        return;
    strbuf_puts(out, "<p class=\"legend\">");
    for (size_t i = 0; i < 2; i++)
        legend(out, part_names[i], i);
    end(out, unit);
}
