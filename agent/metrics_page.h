/* GET /metrics of the agent (`metricsListen`), through proto/base/httpd. The loop hands in a new
 * page with each sample; the server's threads answer with the newest. */
#ifndef HUDDLE_METRICS_PAGE_H
#define HUDDLE_METRICS_PAGE_H

#include <stdint.h>

#include "proto/base/cleanup.h"
#include "proto/base/err.h"
#include "proto/base/strbuf.h"

struct metrics_page;

int metrics_page_new(const char *host, uint16_t port, struct metrics_page **ret_page,
                     struct err *e);
void metrics_page_free(struct metrics_page *p);
DEFINE_AUTO(metrics_page, struct metrics_page *, metrics_page_free);

/* The page from now on. Its text is moved; `text` is empty afterwards. */
void metrics_page_set(struct metrics_page *p, struct strbuf *text);

#endif
