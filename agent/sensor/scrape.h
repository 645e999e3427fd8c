/* Scrapes of replicas' metrics pages, on the loop. At most SCRAPE_PARALLEL run at a time, the
 * others wait in line; each replica has at most one. Pages are parsed as they arrive and never
 * held. */
#ifndef HUDDLE_SCRAPE_H
#define HUDDLE_SCRAPE_H

#include <stdint.h>

#include "agent/sensor/metrics.h"
#include "proto/base/cleanup.h"
#include "proto/base/err.h"
#include "proto/base/http.h"

#define SCRAPE_PARALLEL 8u

struct scraper;

int scraper_new(struct loop *l, struct scraper **ret_scraper, struct err *e);
void scraper_free(struct scraper *s); /* scrapes under way end without their callback */
DEFINE_AUTO(scraper, struct scraper *, scraper_free);

struct scrape {
    uint64_t id;        /* the supervisor's number for the replica */
    const char *url;    /* "http://127.0.0.1:8000/metrics" */
    const char *preset; /* of metrics.h; "" is "generic" */
    int64_t limit_ms;   /* from now to the end of the page, waiting in line included; below the
                           interval between two scrapes */
};

/* Called once, from the loop, never from inside scraper_start(). `m` is NULL when the page could
 * not be had or was refused: `error` says why. Both are borrowed for the callback. */
typedef void scrape_done_fn(void *data, uint64_t id, const struct metrics *m,
                            const struct err *error);

/* 0; -EINVAL for an unknown preset; -EALREADY while a scrape of `id` is still under way (it keeps
 * its own limit). The strings are copied. */
int scraper_start(struct scraper *s, const struct scrape *what, scrape_done_fn *fn, void *data,
                  struct err *e);

/* Ends the scrape of `id`, if there is one, without its callback: its replica is gone. */
void scraper_cancel(struct scraper *s, uint64_t id);

#endif
