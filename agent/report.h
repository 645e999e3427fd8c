/* The report as a struct, out of the core's state: see agent.h (agent_report) and core.h. Each call
 * fills the same arrays anew. */
#ifndef HUDDLE_AGENT_REPORT_H
#define HUDDLE_AGENT_REPORT_H

#include "agent/core.h"

/* Borrowed until the next step. */
const struct wire_report *report_build(struct agent *a);

/* Notes what was said: a goodbye, an inventory, the end of replicas. To be called when the report
 * built last goes out, with its number in a->sequence. */
void report_sent(struct agent *a);

#endif
