/* `huddle-agent --once`: what a node uses now, as a table for people or JSON for programs. Pure:
 * two samples and the counter that took both in, text out.
 *
 * JSON: {"zones":[{"name","path","kind","energy_uj","power_w","provenance"}],
 *        "node":{"energy_uj","power_w","provenance","counted":[zone names]},
 *        "cpu":{"online","busy","iowait","steal","guest",   shares of the window, 0..1
 *               "busiest",                                 number of the busiest CPU
 *               "each":[{"cpu","busy","iowait","steal","guest"}]},
 *        "memory":{"total_bytes","used_bytes"},
 *        "gpus":[{"model","uuid","memory_bytes","memory_used_bytes","utilization"}],
 *        "pressure":{"cpu","memory","io"},                  share of the window stalled ("some")
 *        "seconds", "problems":[{"what","fix"}]}
 * Energy and power are over the window; what is not known is null, never 0: so are the shares of a
 * CPU that was not online at both ends, or that did not count. */
#ifndef HUDDLE_ONCE_H
#define HUDDLE_ONCE_H

#include "agent/energy_counter.h"
#include "agent/sample.h"
#include "proto/base/strbuf.h"

void once_json(const struct sample *first, const struct sample *last,
               const struct energy_counter *counter, struct strbuf *out);
void once_table(const struct sample *first, const struct sample *last,
                const struct energy_counter *counter, struct strbuf *out);

#endif
