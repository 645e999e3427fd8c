/* `huddle-agent --record`: samples as CSV, a header and one line each. Pure: a sample and the
 * counter that took it in, text out.
 *
 *     time_ms,cpus,busy_s,idle_s,iowait_s,steal_s,memory_bytes,energy_j,estimated_j,gaps,provenance
 *
 * time_ms is wall time. Everything that grows is since the first line; an unknown value is an empty
 * field, never 0. */
#ifndef HUDDLE_RECORD_H
#define HUDDLE_RECORD_H

#include "agent/energy_counter.h"
#include "agent/sample.h"
#include "proto/base/strbuf.h"

void record_header(struct strbuf *out);
void record_line(const struct sample *first, const struct sample *now,
                 const struct energy_counter *counter, struct strbuf *out);

#endif
