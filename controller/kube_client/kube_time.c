/* Times of the API: see kube_time.h. */
#include "controller/kube_client/kube_time.h"

#include <stdio.h>
#include <string.h>

#include "proto/base/clock.h"

#define LAST_MS INT64_C(253402300799999) /* of the year 9999 */

void kube_time_format(int64_t wall_ms, unsigned us, char text[KUBE_TIME_SIZE])
{
    int64_t ms = wall_ms < 0 ? 0 : wall_ms > LAST_MS ? LAST_MS : wall_ms;
    char seconds[CLOCK_TEXT_MAX];

    clock_format(ms, seconds);
    (void)snprintf(text, KUBE_TIME_SIZE, "%.*s.%03d%03uZ", (int)strcspn(seconds, "Z"), seconds,
                   (int)(ms % 1000), us % 1000);
}
