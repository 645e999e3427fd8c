/* Two files that take turns, for bytes that must survive the end of the process at any instant, in
 * mid-write too: the newest that is whole counts. Not synced; a power failure may lose both. */
#ifndef HUDDLE_LEDGER_SLOTS_H
#define HUDDLE_LEDGER_SLOTS_H

#include <stddef.h>
#include <stdint.h>

#include "proto/base/err.h"

struct ledger_slots {
    int fd[2];
    uint64_t number; /* of the newest */
};

#define LEDGER_SLOTS_INIT \
    {                     \
        { -1, -1 }, 0     \
    }

/* Opens, or makes, ledger.0 and ledger.1 in the folder. */
int ledger_slots_open(struct ledger_slots *s, int dir_fd, struct err *e);
void ledger_slots_close(struct ledger_slots *s);

/* *ret_bytes is NULL when there is none; the caller frees it. */
void ledger_slots_read(struct ledger_slots *s, char **ret_bytes, size_t *ret_n);

/* When it fails both are emptied: no ledger is better than an old one. */
int ledger_slots_write(struct ledger_slots *s, const void *bytes, size_t n, struct err *e);
void ledger_slots_clear(struct ledger_slots *s);

#endif
