/* The driver "none": power cannot be read or switched. Nodes of its pools are never slept; every
 * call is answered "unsupported", so that nobody waits. */
#include <math.h>
#include <stdlib.h>

#include "controller/power/power.h"
#include "proto/base/array.h"

struct none_call {
    struct loop_timer *timer;
    power_result_fn *fn;
    void *data;
};

static void on_turn(void *data, int64_t now_ms)
{
    static const struct power_result result = {
        .outcome = POWER_UNSUPPORTED,
        .reading = POWER_UNKNOWN,
        .watts = NAN,
        .message = "its pool has no power driver (driver.type is none)",
        .log = "",
    };
    struct none_call *c = data;

    (void)now_ms;
    c->fn(c->data, &result);
}

static void *none_begin(void *state, struct loop *l, const struct power_request *request,
                        power_result_fn *fn, void *data)
{
    struct none_call *c = xcalloc(1, sizeof(*c));

    (void)state;
    (void)request;
    *c = (struct none_call){ .timer = loop_timer_add(l, on_turn, c), .fn = fn, .data = data };
    loop_timer_arm(c->timer, loop_now_ms(l));
    return c;
}

static void none_end(void *call)
{
    struct none_call *c = call;

    loop_timer_remove(c->timer);
    free(c);
}

const struct power_driver power_none = {
    .name = "none",
    .calls_most = POWER_CALLS_MAX,
    .begin = none_begin,
    .end = none_end,
};
