/* TZif (RFC 8536) and the POSIX TZ rule in its footer. Every count is checked against the length
 * before it is used. */
#include "proto/base/zone.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"

#define DAY_S 86400
#define TRANSITIONS_MAX 4096u
#define HEADER 44u

struct rule_day { /* when a POSIX rule changes: Mm.w.d, Jn or n */
    char kind;
    int month, week, day;
    int32_t time_s; /* local */
};

struct zone {
    size_t n;
    int64_t *at_s;
    int32_t *offset_s; /* from at_s[i] on */
    int32_t first_s;   /* before the first */
    bool has_rule, has_dst;
    int32_t standard_s, dst_s;
    struct rule_day begin, end;
};

void zone_free(struct zone *z)
{
    if (!z)
        return;
    free(z->at_s);
    free(z->offset_s);
    free(z);
}

/* --- fixed --------------------------------------------------------------------------------------
 */

int zone_fixed(const char *name, struct zone **ret_zone)
{
    struct zone *z;
    int hours, minutes = 0, sign = name[0] == '-' ? -1 : 1;
    const char *p = name + 1;

    if (strcmp(name, "UTC") == 0 || strcmp(name, "Z") == 0 || strcmp(name, "Etc/UTC") == 0) {
        *ret_zone = xcalloc(1, sizeof(**ret_zone));
        return 0;
    }
    if ((name[0] != '+' && name[0] != '-') || !isdigit((unsigned char)p[0]) ||
        !isdigit((unsigned char)p[1]))
        return -EINVAL;
    hours = (p[0] - '0') * 10 + p[1] - '0';
    p += 2;
    if (*p == ':')
        p++;
    if (isdigit((unsigned char)p[0]) && isdigit((unsigned char)p[1])) {
        minutes = (p[0] - '0') * 10 + p[1] - '0';
        p += 2;
    }
    if (*p || hours > 26 || minutes > 59)
        return -EINVAL;
    z = xcalloc(1, sizeof(*z));
    z->first_s = sign * (hours * 3600 + minutes * 60);
    *ret_zone = z;
    return 0;
}

/* --- the footer ---------------------------------------------------------------------------------
 */

static bool read_number(const char **p, int high, int *ret)
{
    int value = 0, digits = 0;

    while (isdigit((unsigned char)**p) && digits < 4) {
        value = value * 10 + *(*p)++ - '0';
        digits++;
    }
    if (digits == 0 || value > high)
        return false;
    *ret = value;
    return true;
}

static bool read_name(const char **p)
{
    const char *begin = *p;

    if (**p == '<') {
        while (**p && **p != '>')
            (*p)++;
        if (**p != '>')
            return false;
        (*p)++;
        return true;
    }
    while (isalpha((unsigned char)**p))
        (*p)++;
    return *p - begin >= 3;
}

/* [+-]hh[:mm[:ss]] */
static bool read_time(const char **p, int32_t *ret_s)
{
    int sign = 1, hours, minutes = 0, seconds = 0;

    if (**p == '+' || **p == '-')
        sign = *(*p)++ == '-' ? -1 : 1;
    if (!read_number(p, 167, &hours))
        return false;
    if (**p == ':') {
        (*p)++;
        if (!read_number(p, 59, &minutes))
            return false;
    }
    if (**p == ':') {
        (*p)++;
        if (!read_number(p, 59, &seconds))
            return false;
    }
    *ret_s = sign * (hours * 3600 + minutes * 60 + seconds);
    return true;
}

static bool read_day(const char **p, struct rule_day *d)
{
    d->time_s = 7200;
    if (*(*p)++ != ',')
        return false;
    if (**p == 'M') {
        d->kind = *(*p)++;
        if (!read_number(p, 12, &d->month) || *(*p)++ != '.' || !read_number(p, 5, &d->week) ||
            *(*p)++ != '.' || !read_number(p, 6, &d->day) || d->month < 1 || d->week < 1)
            return false;
    } else {
        d->kind = **p == 'J' ? *(*p)++ : 'n';
        if (!read_number(p, 365, &d->day))
            return false;
    }
    if (**p == '/') {
        (*p)++;
        return read_time(p, &d->time_s);
    }
    return true;
}

/* RFC 8536, 3.2: more than -25 hours, less than 26. */
static bool offset_is_sane(int32_t offset_s)
{
    return offset_s > -25 * 3600 && offset_s < 26 * 3600;
}

static bool read_offset(const char **p, int32_t *ret_s)
{
    int32_t west;

    if (!read_time(p, &west) || !offset_is_sane(-west))
        return false;
    *ret_s = -west;
    return true;
}

/* A footer that cannot be read leaves the zone at its last transition. */
static void read_footer(struct zone *z, const char *text)
{
    const char *p = text;

    if (!read_name(&p) || !read_offset(&p, &z->standard_s))
        return;
    z->dst_s = z->standard_s + 3600;
    if (!*p) {
        z->has_rule = true;
        return;
    }
    if (!read_name(&p))
        return;
    if (*p && *p != ',' && !read_offset(&p, &z->dst_s))
        return;
    z->has_rule = z->has_dst = read_day(&p, &z->begin) && read_day(&p, &z->end) && !*p;
}

/* --- the file -----------------------------------------------------------------------------------
 */

struct header {
    uint32_t isut, isstd, leap, time, type, chars;
    unsigned char version;
};

static uint32_t be32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t be64(const unsigned char *p)
{
    return (int64_t)((uint64_t)be32(p) << 32 | be32(p + 4));
}

static bool read_header(const unsigned char *p, size_t n, struct header *h)
{
    if (n < HEADER || memcmp(p, "TZif", 4) != 0)
        return false;
    *h = (struct header){ .version = p[4],
                          .isut = be32(p + 20),
                          .isstd = be32(p + 24),
                          .leap = be32(p + 28),
                          .time = be32(p + 32),
                          .type = be32(p + 36),
                          .chars = be32(p + 40) };
    return h->time <= TRANSITIONS_MAX && h->type >= 1 && h->type <= 256 && h->chars <= 4096 &&
           h->leap <= 1024 && h->isut <= 256 && h->isstd <= 256;
}

static size_t body_size(const struct header *h, size_t time_size)
{
    return h->time * (time_size + 1) + h->type * (size_t)6 + h->chars + h->leap * (time_size + 4) +
           h->isstd + h->isut;
}

static bool read_body(struct zone *z, const unsigned char *p, const struct header *h,
                      size_t time_size)
{
    const unsigned char *index = p + h->time * time_size, *types = index + h->time;

    z->first_s = (int32_t)be32(types);
    z->at_s = xcalloc(h->time + 1, sizeof(*z->at_s));
    z->offset_s = xcalloc(h->time + 1, sizeof(*z->offset_s));
    for (uint32_t i = 0; i < h->time; i++) {
        const unsigned char *at = p + i * time_size;

        if (index[i] >= h->type)
            return false;
        z->at_s[i] = time_size == 8 ? be64(at) : (int64_t)(int32_t)be32(at);
        z->offset_s[i] = (int32_t)be32(types + index[i] * (size_t)6);
        if (!offset_is_sane(z->offset_s[i]))
            return false;
        if (i > 0 && z->at_s[i] <= z->at_s[i - 1])
            return false;
    }
    z->n = h->time;
    return offset_is_sane(z->first_s);
}

int zone_parse(const void *bytes, size_t n, struct zone **ret_zone, struct err *e)
{
    AUTO(zone) struct zone *z = xcalloc(1, sizeof(*z));
    const unsigned char *p = bytes;
    size_t time_size = 4;
    struct header h;

    if (!read_header(p, n, &h) || n - HEADER < body_size(&h, 4))
        return err_set(e, -EBADMSG, "not a TZif time zone file");
    if (h.version >= '2') {
        size_t skip = HEADER + body_size(&h, 4);

        p += skip;
        n -= skip;
        time_size = 8;
        if (!read_header(p, n, &h) || n - HEADER < body_size(&h, 8))
            return err_set(e, -EBADMSG, "a TZif time zone file cut short");
    }
    if (!read_body(z, p + HEADER, &h, time_size))
        return err_set(e, -EBADMSG, "a damaged TZif time zone file");
    if (time_size == 8) {
        size_t at = HEADER + body_size(&h, 8);
        char footer[128] = "";

        for (size_t i = 0; at + 1 < n && i + 1 < sizeof(footer) && p[at + 1] != '\n'; i++, at++)
            footer[i] = (char)p[at + 1];
        read_footer(z, footer);
    }
    *ret_zone = TAKE(z);
    return 0;
}

/* --- the offset ---------------------------------------------------------------------------------
 */

/* Days since 1970-01-01 of a civil date (proleptic Gregorian; months counted from March). */
static int64_t days_of(int64_t year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year, era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400, of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year + day - 1 - 719468;
}

static bool is_leap(int64_t y)
{
    return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

static int64_t year_of(int64_t seconds)
{
    int64_t days = seconds / DAY_S - (seconds % DAY_S < 0), year = 1970 + days / 366;

    while (days_of(year + 1, 1, 1) <= days)
        year++;
    while (days_of(year, 1, 1) > days)
        year--;
    return year;
}

/* Local seconds (as if UTC) at which the rule changes in `year`. */
static int64_t change_at(const struct rule_day *d, int64_t year)
{
    static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    int64_t day;

    if (d->kind == 'M') {
        int length = lengths[d->month - 1] + (d->month == 2 && is_leap(year));
        int64_t first = days_of(year, d->month, 1);
        int weekday = (int)(((first + 4) % 7 + 7) % 7);
        int at = (d->day - weekday + 7) % 7 + (d->week - 1) * 7;

        while (at >= length)
            at -= 7;
        day = first + at;
    } else {
        day = days_of(year, 1, 1) + d->day;
        if (d->kind == 'J')
            day += is_leap(year) && d->day >= 60 ? 0 : -1;
    }
    return day * DAY_S + d->time_s;
}

static int32_t rule_offset(const struct zone *z, int64_t now_s)
{
    int64_t year, begin, end;
    bool dst;

    if (!z->has_dst)
        return z->standard_s;
    year = year_of(now_s + z->standard_s);
    begin = change_at(&z->begin, year) - z->standard_s;
    end = change_at(&z->end, year) - z->dst_s;
    dst = begin < end ? now_s >= begin && now_s < end : now_s >= begin || now_s < end;
    return dst ? z->dst_s : z->standard_s;
}

int32_t zone_offset_s(const struct zone *z, int64_t wall_ms)
{
    int64_t now_s = wall_ms / 1000 - (wall_ms % 1000 < 0);
    size_t low = 0, high = z->n;

    if (z->n == 0 || now_s < z->at_s[0])
        return z->n == 0 && z->has_rule ? rule_offset(z, now_s) : z->first_s;
    if (now_s >= z->at_s[z->n - 1] && z->has_rule)
        return rule_offset(z, now_s);
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (z->at_s[middle] <= now_s)
            low = middle;
        else
            high = middle;
    }
    return z->offset_s[low];
}
