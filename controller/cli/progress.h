/* How far a long wait is: a bar that is redrawn on a terminal, a line at each change in a log. Goes
 * to standard error, so that standard output stays for results. */
#ifndef HUDDLE_CLI_PROGRESS_H
#define HUDDLE_CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/strbuf.h"

struct progress {
    bool terminal;
    int64_t begin_ms;
    char *last; /* what was said last */
};

void progress_begin(struct progress *p, int64_t now_ms);

/* `done` of `all` (all 0: no bar), and what is going on, in words. */
void progress_show(struct progress *p, size_t done, size_t all, const char *what, int64_t now_ms);
void progress_end(struct progress *p);

/* "[######----] 3/5". Pure. */
void progress_bar(struct strbuf *out, size_t done, size_t all);

#endif
