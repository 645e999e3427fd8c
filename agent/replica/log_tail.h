/* The last lines of a log as one line for people. */
#ifndef HUDDLE_REPLICA_LOG_TAIL_H
#define HUDDLE_REPLICA_LOG_TAIL_H

#include <stddef.h>

#include "proto/base/strbuf.h"

/* Appends the last `lines` lines of `text` that hold anything, joined by " | ", in at most `most`
 * bytes; what is too long is cut at the front and begins with "...". Printable UTF-8: control bytes
 * and terminal escapes are left out, bytes that are no UTF-8 become "?". Pure. */
void log_tail_of(const char *text, size_t n, size_t lines, size_t most, struct strbuf *out);

/* The same of what the newest run of the replica wrote to FOLDER/log, and of log.1 where the log
 * has only just been moved there. */
void log_tail(const char *folder, size_t lines, size_t most, struct strbuf *out);

#endif
