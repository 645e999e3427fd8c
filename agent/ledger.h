/* What the counters stand at, so that the next agent of this boot goes on from there: the same
 * epoch, the next sequence, and the raw readings that the next ones are compared with. Nothing is
 * lost by a restart, and nothing is counted twice: the ledger is written before the report that it
 * belongs to is sent. It is not synced, for it only has to outlive the process. Part of the core;
 * pure. */
#ifndef HUDDLE_AGENT_LEDGER_H
#define HUDDLE_AGENT_LEDGER_H

#include "agent/core.h"
#include "proto/base/strbuf.h"

void ledger_encode(struct agent *a, struct strbuf *out);

/* Takes it over when it is of this boot; after more than LEDGER_KEEPS_MS only the readings and the
 * totals of replicas, into a new epoch. -EINVAL for one that is no ledger: `a` is half-filled then
 * and must be thrown away. */
#define LEDGER_KEEPS_MS 3600000
int ledger_restore(struct agent *a, const struct agent_saved *saved, struct err *e);

#endif
