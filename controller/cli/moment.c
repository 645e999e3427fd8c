/* Times on a command line: see moment.h. Short forms are completed to RFC 3339. */
#include "controller/cli/moment.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/quantity.h"

#define DAY "0000-00-00"
#define MINUTE "0000-00-00T00:00"
#define SECOND "0000-00-00T00:00:00"

/* What stands behind a whole RFC 3339 time of that length when a person leaves it out; NULL: what
 * is there is no beginning of one. */
static const char *rest_of(size_t n)
{
    switch (n) {
    case sizeof(DAY) - 1:
        return "T00:00:00Z";
    case sizeof(MINUTE) - 1:
        return ":00Z";
    case sizeof(SECOND) - 1:
        return "Z";
    default:
        return NULL;
    }
}

static int read_moment(const char *text, int64_t *ret_wall_ms)
{
    char whole[64], *clock = whole + strlen(DAY);
    size_t n = strlen(text), at = strlen(MINUTE);
    const char *rest = rest_of(n);

    if (n + sizeof(SECOND) >= sizeof(whole))
        return -EINVAL;
    if (rest)
        (void)snprintf(whole, sizeof(whole), "%s%s", text, rest);
    else if (n > at && text[at] != ':') /* "2026-11-23 07:00+02:00": no seconds */
        (void)snprintf(whole, sizeof(whole), "%.*s:00%s", (int)at, text, text + at);
    else
        (void)snprintf(whole, sizeof(whole), "%s", text);
    if (strlen(whole) > strlen(DAY) && *clock == ' ')
        *clock = 'T';
    return clock_parse(whole, ret_wall_ms);
}

int moment_parse(const char *text, int64_t now_ms, int64_t *ret_wall_ms, struct err *e)
{
    int64_t ago_ms;

    if (strcmp(text, "now") == 0) {
        *ret_wall_ms = now_ms;
        return 0;
    }
    if (read_moment(text, ret_wall_ms) == 0)
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
