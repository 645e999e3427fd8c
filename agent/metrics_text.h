/* The agent's metrics page, for a Prometheus that knows no huddle: joules by zone, of the node and
 * of each replica, what else a report says, and the time of each CPU. Pure: a report and counters
 * in, text out. Counters are since the agent's epoch, CPU time since boot. What is not known has no
 * sample. */
#ifndef HUDDLE_METRICS_TEXT_H
#define HUDDLE_METRICS_TEXT_H

#include "agent/cpu_counters.h"
#include "proto/base/strbuf.h"
#include "proto/wire.h"

void metrics_text(const struct wire_report *report, const struct cpu_counters *cpus,
                  struct strbuf *page);

#endif
