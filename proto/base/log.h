/* Structured log lines on stderr: `time=... level=info msg="..." key=value ...`, or JSON. The only
 * mutable global of the project is the sink set here. Libraries do not log (STYLE 11): `main`,
 * `reconcile`, `ingest`, `uplink` and the loops do. Under systemd (JOURNAL_STREAM set) lines carry
 * the <N> priority prefix and no time. Values are quoted when needed; control bytes are escaped. */
#ifndef HUDDLE_BASE_LOG_H
#define HUDDLE_BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

void log_setup(enum log_level least, bool json);

/* `msg`, then pairs of key and value strings, closed by NULL:
 *     log_line(LOG_LEVEL_INFO, "node asleep", "node", name, "op", op, NULL); */
void log_line(enum log_level level, const char *msg, ...) __attribute__((sentinel));

#endif
