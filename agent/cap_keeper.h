/* The watt cap with its memory: what the packages had before is on disk before anything is changed,
 * and is given back when the cap ends, at exit, and at the next start after a crash. */
#ifndef HUDDLE_CAP_KEEPER_H
#define HUDDLE_CAP_KEEPER_H

#include <stdint.h>

#include "proto/base/cleanup.h"
#include "proto/base/err.h"

struct cap_keeper;

/* Gives back what an agent that crashed left behind. Always gives a keeper; a failure is told in
 * `e` and does not hinder the start. `dir_fd` (state_files.h) is borrowed. */
int cap_keeper_new(int dir_fd, struct cap_keeper **ret_keeper, struct err *e);
void cap_keeper_free(struct cap_keeper *k); /* gives nothing back */
DEFINE_AUTO(cap_keeper, struct cap_keeper *, cap_keeper_free);

/* 0 uW: gives the originals back. *ret_in_force_uw is what was read back; 0: no cap. */
int cap_keeper_set(struct cap_keeper *k, uint64_t cap_uw, uint64_t *ret_in_force_uw, struct err *e);

#endif
