/* Times on a command line: see moment.h. */
#include "controller/cli/moment.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "proto/quantity.h"

/* Days from 1970-01-01 in the proleptic Gregorian calendar (H. Hinnant, "chrono-Compatible
 * Low-Level Date Algorithms"). */
static int64_t days_from_civil(int64_t y, int m, int d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t yoe = y - era * 400;
    int64_t doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;

    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static int days_of_month(int y, int m)
{
    static const int DAYS[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

    return DAYS[m - 1] + (m == 2 && ((y % 4 == 0 && y % 100 != 0) || y % 400 == 0));
}

/* Digits only: sscanf's %d would take signs and blanks. */
static int digits(const char **at, int n)
{
    int v = 0;

    for (int i = 0; i < n; i++) {
        char c = (*at)[0];

        if (c < '0' || c > '9')
            return -1;
        v = v * 10 + (c - '0');
        (*at)++;
    }
    return v;
}

static int read_day(const char **at, int64_t *ret_ms)
{
    int y = digits(at, 4), m, d;

    if (y < 1970 || *(*at)++ != '-')
        return -EINVAL;
    m = digits(at, 2);
    if (m < 1 || m > 12 || *(*at)++ != '-')
        return -EINVAL;
    d = digits(at, 2);
    if (d < 1 || d > days_of_month(y, m))
        return -EINVAL;
    *ret_ms = days_from_civil(y, m, d) * 86400000;
    return 0;
}

/* "07:00", "07:00:30" or "07:00:30.25" */
static int read_clock(const char **at, bool seconds_needed, int64_t *ret_ms)
{
    int h = digits(at, 2), m, s = 0;
    int64_t fraction = 0;

    if (h < 0 || h > 23 || *(*at)++ != ':')
        return -EINVAL;
    m = digits(at, 2);
    if (m < 0 || m > 59)
        return -EINVAL;
    if (**at == ':') {
        (*at)++;
        s = digits(at, 2);
        if (s < 0 || s > 60) /* 60: a leap second */
            return -EINVAL;
        if (**at == '.') {
            int64_t unit = 100;

            if ((*at)[1] < '0' || (*at)[1] > '9')
                return -EINVAL;
            for ((*at)++; **at >= '0' && **at <= '9'; (*at)++, unit /= 10)
                fraction += (**at - '0') * unit;
        }
    } else if (seconds_needed) {
        return -EINVAL;
    }
    *ret_ms = ((h * 60 + m) * 60 + s) * 1000ll + fraction;
    return 0;
}

/* "", "Z", "+01:00" */
static int read_offset(const char *at, bool needed, int64_t *ret_ms)
{
    int sign = *at == '-' ? -1 : 1, h, m;

    *ret_ms = 0;
    if (!*at)
        return needed ? -EINVAL : 0;
    if (*at == 'Z' || *at == 'z')
        return at[1] ? -EINVAL : 0;
    if (*at != '+' && *at != '-')
        return -EINVAL;
    at++;
    h = digits(&at, 2);
    if (h < 0 || h > 23 || *at++ != ':')
        return -EINVAL;
    m = digits(&at, 2);
    if (m < 0 || m > 59 || *at)
        return -EINVAL;
    *ret_ms = sign * 60000ll * (h * 60 + m);
    return 0;
}

static int read_moment(const char *text, bool strict, int64_t *ret_wall_ms)
{
    int64_t day, clock = 0, offset = 0;
    const char *at = text;

    if (read_day(&at, &day) < 0)
        return -EINVAL;
    if (*at || strict) {
        if (*at != 'T' && *at != 't' && *at != ' ')
            return -EINVAL;
        at++;
        if (read_clock(&at, strict, &clock) < 0 || read_offset(at, strict, &offset) < 0)
            return -EINVAL;
    }
    *ret_wall_ms = day + clock - offset;
    return 0;
}

int moment_rfc3339(const char *text, int64_t *ret_wall_ms)
{
    return read_moment(text, true, ret_wall_ms);
}

int moment_parse(const char *text, int64_t now_ms, int64_t *ret_wall_ms, struct err *e)
{
    int64_t ago_ms;

    if (strcmp(text, "now") == 0) {
        *ret_wall_ms = now_ms;
        return 0;
    }
    if (read_moment(text, false, ret_wall_ms) == 0)
        return 0;
    if (quantity_duration(*text == '-' ? text + 1 : text, &ago_ms, NULL) == 0) {
        *ret_wall_ms = now_ms - ago_ms;
        return 0;
    }
    return err_set(e, -EINVAL,
                   "\"%.60s\" is not a time; expected one like 2026-11-23T07:00:00Z, 2026-11-23, "
                   "now, or so long ago: 24h",
                   text);
}
