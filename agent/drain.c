/* Whether anything is in flight of a replica that should go. Its own page says so best: a page that
 * was asked for after the drain began. Where the page does not tell, the kernel does: no open
 * connection to its port for a while is no request. An open one proves nothing (a kept-alive
 * connection may be idle), and what cannot be counted is not zero: then the drain time decides. */
#include "agent/core.h"

#define COUNT_EVERY_MS 250
#define QUIET_MS 2000 /* a client that connects for each request has pauses in between */

enum knowledge { UNKNOWN, BUSY, IDLE };

static enum knowledge page_says(const struct replica *r)
{
    const struct service_counters *s = &r->service;

    if (r->page_ms <= 0 || r->page_ms < r->stage_ms || !s->in_flight_known)
        return UNKNOWN;
    return s->in_flight > 0 || (s->queue_known && s->queue > 0) ? BUSY : IDLE;
}

void drain_begin(struct replica *r)
{
    r->counted_ms = 0;
    r->quiet_ms = NEVER_MS;
}

int64_t drain_count_due_ms(const struct replica *r)
{
    if (r->stage != STAGE_DRAINING || r->spec->port == 0 || page_says(r) != UNKNOWN)
        return NEVER_MS;
    return r->counted_ms + COUNT_EVERY_MS;
}

void drain_count_if_due(struct agent *a, struct replica *r)
{
    if (page_says(r) == BUSY)
        r->quiet_ms = NEVER_MS; /* what was seen before counts no more */
    if (a->now_ms < drain_count_due_ms(r))
        return;
    r->counted_ms = a->now_ms;
    (void)ax_add(a, AX_CONNECTIONS, r->spec->uid);
}

void drain_counted(struct agent *a, struct replica *r, bool known, uint32_t connections)
{
    if (!known || connections > 0)
        r->quiet_ms = NEVER_MS;
    else if (r->quiet_ms == NEVER_MS)
        r->quiet_ms = a->now_ms;
}

bool drain_is_over(const struct agent *a, const struct replica *r)
{
    enum knowledge page = page_says(r);

    return page == IDLE ||
           (page == UNKNOWN && r->quiet_ms != NEVER_MS && r->counted_ms - r->quiet_ms >= QUIET_MS &&
            a->now_ms - r->counted_ms <= COUNT_EVERY_MS);
}
