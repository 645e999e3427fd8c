/* RAPL energy counters through libpowercap, with our own discovery (powercap_tree.h).
 *
 * rapl_new() opens every counter that may be opened; afterwards no right is needed and the daemon
 * can drop them all (the check of CVE-2020-8694 is at open). A zone whose counter cannot be opened
 * or whose text is no number is present, invalid, and says why; it is never 0 joules. Zones that
 * vanish (driver unloaded, CPU unplugged) become invalid and are opened again when they come back.
 */
#ifndef HUDDLE_RAPL_H
#define HUDDLE_RAPL_H

#include "agent/sample.h"
#include "proto/base/cleanup.h"
#include "proto/base/err.h"

struct rapl;

/* Always gives a sensor; a machine without powercap gives one without zones. */
struct rapl *rapl_new(void);
void rapl_free(struct rapl *r);
DEFINE_AUTO(rapl, struct rapl *, rapl_free);

/* Appends one zone each to out->zones, and what is wrong to out->problems. */
void rapl_read(struct rapl *r, struct sample *out);

#endif
