/* The clocks, read at the edges only: pure code takes now_ms as a parameter.
 * clock_boot_ms() is CLOCK_BOOTTIME (it counts through suspend) and orders intervals, deadlines and
 * leases; clock_wall_ms() is CLOCK_REALTIME and is for records and people. */
#ifndef HUDDLE_BASE_CLOCK_H
#define HUDDLE_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

int64_t clock_boot_ms(void);
int64_t clock_boot_us(void);
int64_t clock_wall_ms(void);

/* RFC 3339 in UTC with seconds, e.g. "2026-11-23T20:20:51Z" (21 bytes with NUL). Pure. */
#define CLOCK_TEXT_MAX 32
void clock_format(int64_t wall_ms, char text[CLOCK_TEXT_MAX]);

/* The way back: RFC 3339 with any offset and an optional fraction, of the years 1970 to 9999.
 * -EINVAL for anything else, also for a day that does not exist. Pure. */
int clock_parse(const char *text, int64_t *ret_wall_ms);

#endif
