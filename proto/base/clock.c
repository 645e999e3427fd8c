/* The clocks: see clock.h. */
#include "proto/base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t read_us(clockid_t id)
{
    struct timespec ts = { 0 };

    (void)clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t clock_boot_ms(void)
{
    return read_us(CLOCK_BOOTTIME) / 1000;
}

int64_t clock_boot_us(void)
{
    return read_us(CLOCK_BOOTTIME);
}

int64_t clock_wall_ms(void)
{
    return read_us(CLOCK_REALTIME) / 1000;
}

void clock_format(int64_t wall_ms, char text[CLOCK_TEXT_MAX])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm = { 0 };

    (void)gmtime_r(&seconds, &tm);
    if (!strftime(text, CLOCK_TEXT_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm))
        text[0] = '\0';
}

/* "Z" or "+02:00"; minutes east of Greenwich. */
static int parse_offset(const char *text, int *ret_minutes)
{
    unsigned hours, minutes;

    *ret_minutes = 0;
    if (strcmp(text, "Z") == 0 || strcmp(text, "z") == 0)
        return 0;
    if (strlen(text) != 6 || text[3] != ':' || (text[0] != '+' && text[0] != '-') ||
        strspn(text + 1, "0123456789") != 2 || strspn(text + 4, "0123456789") != 2 ||
        sscanf(text + 1, "%2u:%2u", &hours, &minutes) != 2 || hours > 23 || minutes > 59)
        return -EINVAL;
    *ret_minutes = (int)(hours * 60 + minutes) * (text[0] == '-' ? -1 : 1);
    return 0;
}

int clock_parse(const char *text, int64_t *ret_wall_ms)
{
    char seconds[] = "0000-00-00T00:00:00", again[CLOCK_TEXT_MAX];
    struct tm tm = { 0 };
    int64_t ms = 0, scale = 100;
    const char *at = text + strlen(seconds);
    int offset;
    time_t t;

    if (strnlen(text, sizeof(seconds)) < strlen(seconds))
        return -EINVAL;
    memcpy(seconds, text, strlen(seconds));
    seconds[10] = seconds[10] == 't' ? 'T' : seconds[10];
    if (strptime(seconds, "%Y-%m-%dT%H:%M:%S", &tm) != seconds + strlen(seconds))
        return -EINVAL;
    t = timegm(&tm);
    clock_format((int64_t)t * 1000, again);
    if (t < 0 || strncmp(again, seconds, strlen(seconds)) != 0)
        return -EINVAL; /* 31 April, or too few digits */
    if (*at == '.' && !(at[1] >= '0' && at[1] <= '9'))
        return -EINVAL;
    if (*at == '.') {
        for (at++; *at >= '0' && *at <= '9'; at++, scale /= 10)
            ms += (*at - '0') * scale;
    }
    if (parse_offset(at, &offset) < 0)
        return -EINVAL;
    *ret_wall_ms = (int64_t)t * 1000 + ms - (int64_t)offset * 60000;
    return 0;
}
