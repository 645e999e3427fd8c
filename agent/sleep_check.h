/* What on this node speaks against sleeping, beyond what the core knows: a person at work, a
 * program that asked not to be interrupted, a running guest, the administrator's file. */
#ifndef HUDDLE_SLEEP_CHECK_H
#define HUDDLE_SLEEP_CHECK_H

#include <stdbool.h>
#include <stddef.h>

struct sleep_check { /* NULL: the default in brackets */
    const char *no_sleep_file;
    const char *run_root; /* [/run]: systemd's sessions, inhibitors and machines */
};

/* True, with the reason, when something speaks against it. What cannot be looked at speaks against
 * it, too; what a node does not have (no logind, no guests) does not. */
bool sleep_check_refuses(const struct sleep_check *c, char *why, size_t size);

#endif
