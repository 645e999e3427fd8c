/* The agent's metrics page, for a Prometheus that knows no huddle: joules by zone, of the node and
 * of each replica, and what else a report says. Pure: a report in, text out. Counters are since the
 * agent's start. What is not known has no sample. */
#ifndef HUDDLE_METRICS_TEXT_H
#define HUDDLE_METRICS_TEXT_H

#include "proto/base/strbuf.h"
#include "proto/wire.h"

void metrics_text(const struct wire_report *report, struct strbuf *page);

#endif
