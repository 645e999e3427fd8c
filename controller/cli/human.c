/* Numbers as people read them: see human.h. */
#include "controller/cli/human.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *word(const char *w, char text[HUMAN_MAX])
{
    (void)snprintf(text, HUMAN_MAX, "%s", w);
    return text;
}

/* Three significant digits without an exponent: "0.012" "1.24" "153" "0". */
static void three_digits(double v, char *text, size_t n)
{
    int whole = v == 0 ? 1 : (int)floor(log10(fabs(v))) + 1;
    int decimals = whole >= 3 ? 0 : 3 - whole > 6 ? 6 : 3 - whole;
    char *end;

    (void)snprintf(text, n, "%.*f", decimals, v);
    if (strchr(text, '.')) { /* 1.50 reads 1.5 */
        for (end = text + strlen(text) - 1; *end == '0'; end--)
            *end = '\0';
        if (*end == '.')
            *end = '\0';
    }
}

static const char *scaled(double v, double step, const char *const *units, size_t n_units,
                          char text[HUMAN_MAX])
{
    char number[24];
    size_t i = 0;

    if (!isfinite(v))
        return word("-", text);
    while (i + 1 < n_units && fabs(v) >= step * 0.9995) {
        v /= step;
        i++;
    }
    three_digits(v, number, sizeof(number));
    (void)snprintf(text, HUMAN_MAX, "%.20s%s", number, units[i]);
    return text;
}

const char *human_watts(double w, char text[HUMAN_MAX])
{
    static const char *const UNITS[] = { "W", "kW", "MW" };

    return scaled(w, 1000, UNITS, 3, text);
}

const char *human_joules(double j, char text[HUMAN_MAX])
{
    static const char *const UNITS[] = { "J", "kJ", "MJ", "GJ", "TJ" };

    return scaled(j, 1000, UNITS, 5, text);
}

const char *human_kwh(double j, char text[HUMAN_MAX])
{
    static const char *const UNITS[] = { "Wh", "kWh", "MWh", "GWh" };

    return scaled(j / 3600, 1000, UNITS, 4, text);
}

const char *human_grams(double g, char text[HUMAN_MAX])
{
    static const char *const UNITS[] = { "g", "kg", "t", "kt" };

    return scaled(g, 1000, UNITS, 4, text);
}

const char *human_bytes(double n, char text[HUMAN_MAX])
{
    static const char *const UNITS[] = { "", "Ki", "Mi", "Gi", "Ti", "Pi" };

    return scaled(n, 1024, UNITS, 6, text);
}

const char *human_number(double v, char text[HUMAN_MAX])
{
    static const char *const UNITS[] = { "", "k", "M", "G" };

    return scaled(v, 1000, UNITS, 4, text);
}

const char *human_share(double v, char text[HUMAN_MAX])
{
    static const char *const UNITS[] = { "%" };

    return scaled(v * 100, 1, UNITS, 1, text);
}

/* The rules of kubectl's duration.HumanDuration: two units while they tell something. */
const char *human_age(int64_t ms, char text[HUMAN_MAX])
{
    int64_t s = ms / 1000, m = s / 60, h = m / 60, d = h / 24;

    if (ms < 0)
        return word("0s", text);
    if (ms < 1000)
        (void)snprintf(text, HUMAN_MAX, ms ? "%" PRId64 "ms" : "%" PRId64 "s", ms);
    else if (s < 120)
        (void)snprintf(text, HUMAN_MAX, "%" PRId64 "s", s);
    else if (m < 10 && s % 60)
        (void)snprintf(text, HUMAN_MAX, "%" PRId64 "m%" PRId64 "s", m, s % 60);
    else if (m < 180)
        (void)snprintf(text, HUMAN_MAX, "%" PRId64 "m", m);
    else if (h < 8 && m % 60)
        (void)snprintf(text, HUMAN_MAX, "%" PRId64 "h%" PRId64 "m", h, m % 60);
    else if (h < 48)
        (void)snprintf(text, HUMAN_MAX, "%" PRId64 "h", h);
    else if (d < 8 && h % 24)
        (void)snprintf(text, HUMAN_MAX, "%" PRId64 "d%" PRId64 "h", d, h % 24);
    else if (d < 730)
        (void)snprintf(text, HUMAN_MAX, "%" PRId64 "d", d);
    else
        (void)snprintf(text, HUMAN_MAX, "%" PRId64 "y%" PRId64 "d", d / 365, d % 365);
    return text;
}

/* A number of the server may be any: only what fits is converted. */
const char *human_ms(double ms, char text[HUMAN_MAX])
{
    char number[24];

    if (!isfinite(ms))
        return word("-", text);
    if (ms <= 0 || ms >= 1000)
        return human_age((int64_t)fmin(fmax(ms, -1e15), 1e15), text);
    three_digits(ms, number, sizeof(number)); /* a latency has fractions */
    (void)snprintf(text, HUMAN_MAX, "%.20sms", number);
    return text;
}
