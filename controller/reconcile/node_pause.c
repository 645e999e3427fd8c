/* Deadlines at boot time beside stamps at wall time: see node_pause.h. */
#include "controller/reconcile/node_pause.h"

#include <stddef.h>

#define DAY_MS INT64_C(86400000) /* the longest pause between tries, and after a quarantine */
#define DOUBLINGS_MAX 6          /* of the cool-down */

/* What is left of a pause of which only the stamp is known. */
static int64_t left_ms(int64_t until_wall_ms, int64_t wall_ms, int64_t most_ms)
{
    if (until_wall_ms <= wall_ms)
        return 0;
    return until_wall_ms - wall_ms < most_ms ? until_wall_ms - wall_ms : most_ms;
}

void node_pause_sleep(struct node_record *r, const struct node_facts *f, int64_t now_ms,
                      int64_t pause_ms)
{
    r->no_sleep_until_ms = now_ms + pause_ms;
    r->no_sleep_until_wall_ms = f->wall_ms + pause_ms;
}

void node_pause_tries(struct node_record *r, int64_t wall_ms, int64_t now_ms, int64_t pause_ms)
{
    r->next_try_ms = now_ms + pause_ms;
    r->next_try_wall_ms = wall_ms + pause_ms;
}

int64_t node_no_sleep_until_ms(const struct node_record *r, const struct node_facts *f,
                               int64_t now_ms)
{
    int64_t most_ms = f->cooldown_ms << DOUBLINGS_MAX;

    if (r->no_sleep_until_ms != 0)
        return r->no_sleep_until_ms;
    return now_ms +
           left_ms(r->no_sleep_until_wall_ms, f->wall_ms, most_ms > DAY_MS ? most_ms : DAY_MS);
}

int64_t node_next_try_ms(const struct node_record *r, int64_t wall_ms, int64_t now_ms)
{
    if (r->next_try_ms != 0)
        return r->next_try_ms;
    return now_ms + left_ms(r->next_try_wall_ms, wall_ms, DAY_MS);
}

static uint32_t sleeps_before(struct node_record *r, int64_t wall_ms)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < r->n_slept; i++)
        if (r->slept_wall_ms[i] <= wall_ms)
            r->slept_wall_ms[n++] = r->slept_wall_ms[i];
    return n;
}

static bool slept_ahead(const struct node_record *r, int64_t wall_ms)
{
    for (uint32_t i = 0; i < r->n_slept; i++)
        if (r->slept_wall_ms[i] > wall_ms)
            return true;
    return false;
}

void node_pause_settle(struct node_record *r, const struct node_facts *f, int64_t now_ms)
{
    r->no_sleep_until_ms = node_no_sleep_until_ms(r, f, now_ms);
    r->next_try_ms = node_next_try_ms(r, f->wall_ms, now_ms);
    if (!slept_ahead(r, f->wall_ms)) {
        r->slept_ahead_ms = 0;
    } else if (r->slept_ahead_ms == 0) {
        r->slept_ahead_ms = now_ms;
    } else if (now_ms - r->slept_ahead_ms > DAY_MS) {
        r->n_slept = sleeps_before(r, f->wall_ms);
        r->slept_ahead_ms = 0;
    }
}
