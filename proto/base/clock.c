/* The clocks: see clock.h. */
#include "proto/base/clock.h"

#include <stdio.h>
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
