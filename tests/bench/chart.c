/* See chart.h. */
#include "tests/bench/chart.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define WIDTH 900.0
#define HEIGHT 520.0
#define LEFT 76.0
#define RIGHT 230.0 /* the legend's */
#define TOP 46.0
#define BOTTOM 60.0

static const char *const colours[CHART_COLOURS] = { "#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                                    "#e69f00", "#56b4e9", "#000000", "#8c8c8c" };

struct scale { /* of an axis, ready */
    bool logarithmic;
    double from, to, begin, length; /* px; length < 0: upwards */
};

static double place(const struct scale *s, double value)
{
    double share = s->logarithmic ? log(value / s->from) / log(s->to / s->from)
                                  : (value - s->from) / (s->to - s->from);

    return s->begin + share * s->length;
}

static double value_of(const struct chart_point *p, bool x)
{
    return x ? p->x : p->y;
}

/* A round number at or above (below) a value: 1, 2 or 5 times a power of ten. */
static double round_number(double value, bool up)
{
    double power = pow(10, floor(log10(value))), digits = value / power;

    if (up)
        return power * (digits <= 1 ? 1 : digits <= 2 ? 2 : digits <= 5 ? 5 : 10);
    return power * (digits >= 5 ? 5 : digits >= 2 ? 2 : 1);
}

static double step_of(double span)
{
    return round_number(span / 8, true);
}

static struct scale scale_for(const struct chart *c, bool x)
{
    const struct chart_axis *a = x ? &c->x : &c->y;
    struct scale s = { .logarithmic = a->logarithmic, .from = INFINITY, .to = -INFINITY };

    for (size_t i = 0; i < c->n_series; i++)
        for (size_t k = 0; k < c->series[i].n; k++) {
            s.from = fmin(s.from, value_of(&c->series[i].points[k], x));
            s.to = fmax(s.to, value_of(&c->series[i].points[k], x));
        }
    for (size_t i = 0; i < c->n_marks; i++)
        if (c->marks[i].upright == x) {
            s.from = fmin(s.from, c->marks[i].at);
            s.to = fmax(s.to, c->marks[i].at);
        }
    if (a->to > a->from) {
        s.from = fmin(s.from, a->from);
        s.to = fmax(s.to, a->to);
    }
    if (a->logarithmic) {
        s.from = round_number(s.from, false);
        s.to = round_number(s.to * 1.05, true);
    } else {
        double step = step_of(s.to > 0 ? s.to : 1);

        s.from = 0;
        s.to = step * ceil((s.to > 0 ? s.to : 1) * 1.02 / step);
    }
    s.begin = x ? LEFT : HEIGHT - BOTTOM;
    s.length = x ? WIDTH - LEFT - RIGHT : -(HEIGHT - TOP - BOTTOM);
    return s;
}

static void text(FILE *f, double x, double y, const char *anchor, const char *words)
{
    (void)fprintf(f, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y, anchor);
    for (; *words; words++)
        if (*words == '<' || *words == '&')
            (void)fputs(*words == '<' ? "&lt;" : "&amp;", f);
        else
            (void)putc(*words, f);
    (void)fputs("</text>\n", f);
}

static void grid_line(FILE *f, const struct scale *s, bool x, double value)
{
    double at = place(s, value);
    char label[32];

    (void)snprintf(label, sizeof(label), value >= 10000 ? "%.0f" : "%.4g", value);
    if (x) {
        (void)fprintf(f, "<path class=\"grid\" d=\"M%.1f %.1fV%.1f\"/>\n", at, HEIGHT - BOTTOM,
                      TOP);
        text(f, at, HEIGHT - BOTTOM + 18, "middle", label);
    } else {
        (void)fprintf(f, "<path class=\"grid\" d=\"M%.1f %.1fH%.1f\"/>\n", LEFT, at, WIDTH - RIGHT);
        text(f, LEFT - 8, at + 4, "end", label);
    }
}

static void draw_axis(FILE *f, const struct chart *c, const struct scale *s, bool x)
{
    const struct chart_axis *a = x ? &c->x : &c->y;
    double step = step_of(s->to), v = s->from;

    while (s->logarithmic && v <= s->to * 1.0001) {
        grid_line(f, s, x, v);
        v = round_number(v * 1.5, true);
    }
    if (!s->logarithmic)
        for (int k = 0; k * step <= s->to * 1.0001; k++)
            grid_line(f, s, x, k * step);
    if (x)
        text(f, LEFT + s->length / 2, HEIGHT - 16, "middle", a->name);
    else
        text(f, LEFT, TOP - 10, "middle", a->name);
}

static void draw_series(FILE *f, const struct chart_series *s, const char *colour,
                        const struct scale *x, const struct scale *y)
{
    bool begun = false;

    if (s->joined) {
        (void)fprintf(f, "<path class=\"line\" stroke=\"%s\" d=\"", colour);
        for (size_t i = 0; i < s->n; i++) {
            if (isnan(s->points[i].x) || isnan(s->points[i].y))
                continue;
            (void)fprintf(f, "%c%.1f %.1f", begun ? 'L' : 'M', place(x, s->points[i].x),
                          place(y, s->points[i].y));
            begun = true;
        }
        (void)fputs("\"/>\n", f);
    }
    for (size_t i = 0; i < s->n; i++)
        if (!isnan(s->points[i].x) && !isnan(s->points[i].y))
            (void)fprintf(f, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%s\" fill=\"%s\"/>\n",
                          place(x, s->points[i].x), place(y, s->points[i].y), s->big ? "6" : "4",
                          colour);
}

/* `row` keeps the names of upright ones apart. */
static void draw_mark(FILE *f, const struct chart_mark *m, const struct scale *x,
                      const struct scale *y, size_t row)
{
    double at = place(m->upright ? x : y, m->at);

    if (m->upright) {
        (void)fprintf(f, "<path class=\"mark\" d=\"M%.1f %.1fV%.1f\"/>\n", at, HEIGHT - BOTTOM,
                      TOP);
        text(f, at + 5, TOP + 12 + 16 * (double)row, "start", m->name);
    } else {
        (void)fprintf(f, "<path class=\"mark\" d=\"M%.1f %.1fH%.1f\"/>\n", LEFT, at, WIDTH - RIGHT);
        text(f, LEFT + 6, at - 5, "start", m->name);
    }
}

static void draw(FILE *f, const struct chart *c)
{
    struct scale x = scale_for(c, true), y = scale_for(c, false);

    (void)fprintf(f,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
                  "viewBox=\"0 0 %.0f %.0f\">\n<style>text{font:13px sans-serif;fill:#222}"
                  ".grid{stroke:#ddd}.line{fill:none;stroke-width:2}"
                  ".mark{stroke:#555;stroke-dasharray:5 4}</style>\n"
                  "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
                  WIDTH, HEIGHT, WIDTH, HEIGHT);
    (void)fputs("<g font-weight=\"bold\">", f);
    text(f, LEFT + x.length / 2, 18, "middle", c->title);
    (void)fputs("</g>\n", f);
    draw_axis(f, c, &x, true);
    draw_axis(f, c, &y, false);
    for (size_t i = 0; i < c->n_marks; i++)
        draw_mark(f, &c->marks[i], &x, &y, i);
    for (size_t i = 0; i < c->n_series; i++) {
        double at = TOP + 12 + 22 * (double)i;

        draw_series(f, &c->series[i], colours[i % CHART_COLOURS], &x, &y);
        (void)fprintf(f, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"5\" fill=\"%s\"/>\n",
                      WIDTH - RIGHT + 20, at - 4, colours[i % CHART_COLOURS]);
        text(f, WIDTH - RIGHT + 32, at, "start", c->series[i].name);
    }
    (void)fputs("</svg>\n", f);
}

static int make_folders(const char *path, struct err *e)
{
    char copy[1024];

    (void)snprintf(copy, sizeof(copy), "%s", path);
    for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(copy, 0777) < 0 && errno != EEXIST)
            return err_errno(e, -errno, "%s", copy);
        *slash = '/';
    }
    return 0;
}

int chart_write(const struct chart *c, const char *path, struct err *e)
{
    int r = make_folders(path, e);
    FILE *f;

    if (r < 0)
        return r;
    f = fopen(path, "we");
    if (!f)
        return err_errno(e, -errno, "%s", path);
    draw(f, c);
    if (fclose(f) != 0)
        return err_errno(e, -errno, "%s", path);
    return 0;
}
