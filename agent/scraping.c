/* The metrics page of one replica: when it is read, and how long what it said counts. */
#include "agent/core.h"

#define DRAIN_LOOK_MS 250
#define SCRAPE_LEAD_MS ((int64_t)500)

/* A page for each report, shortly before it; while draining, often. */
int64_t scraping_due_ms(const struct agent *a, const struct replica *r)
{
    int64_t lead = a->interval_ms / 4 < SCRAPE_LEAD_MS ? a->interval_ms / 4 : SCRAPE_LEAD_MS;

    if (r->spec->metrics_path[0] == '\0' || r->scraping || !r->was_ready)
        return NEVER_MS;
    if (r->stage == STAGE_DRAINING)
        return r->scraped_ms + DRAIN_LOOK_MS;
    if (r->stage != STAGE_UP)
        return NEVER_MS;
    if (r->scraped_ms > 0 && r->scraped_sequence == a->sequence)
        return r->scraped_ms + a->interval_ms; /* the controller is away: go on counting */
    return a->report_ms - lead;
}

void scraping_begin_if_due(struct agent *a, struct replica *r)
{
    if (a->now_ms < scraping_due_ms(a, r))
        return;
    r->scraping = true;
    r->scraped_ms = a->now_ms;
    r->scraped_sequence = a->sequence;
    (void)ax_add(a, AX_SCRAPE, r->spec->uid);
}

void scraping_done(struct agent *a, struct replica *r, const struct metrics *m)
{
    r->scraping = false;
    if (!replica_has_process(r))
        return;
    if (m) {
        uint64_t served = r->service.requests.total;

        service_counters_take(&r->service, m);
        if (r->service.requests.total > served) /* overloaded, perhaps, but at work */
            r->unready_ms = a->now_ms;
        r->page_sequence = a->sequence + 1;
    }
    r->page_ms = m ? r->scraped_ms : 0;
}

/* Also while the newest page may not have arrived: should the reports that carried it be lost, what
 * it counted would be lost with a restart. */
bool scraping_metrics_known(const struct agent *a, const struct replica *r)
{
    int64_t keeps_ms = a->interval_ms + 2 * SCRAPE_LEAD_MS;
    bool fresh = r->page_ms > 0 && a->now_ms - r->page_ms <= keeps_ms;

    if (r->page_sequence == 0)
        return false;
    if (!replica_has_process(r)) /* what it served is final, and nothing is in flight */
        return true;
    return (fresh && r->service.requests_known) || r->page_sequence > a->acked_sequence;
}
