/* The log of a replica: a process of its own copies what comes out of a pipe into FOLDER/log, and
 * moves that to FOLDER/log.1 when it has reached half of the bound, between two lines (a line of
 * more than 16 KiB may be cut).
 *
 * Why a process: a file that the replica itself appends to grows without bound as soon as no agent
 * is there to cut it, and a pipe that the agent reads stalls the replica when the agent is gone.
 * A log that goes on after an earlier run of the replica gets a line of its own, LOG_RUN.
 * This one outlives the agent, ends at the end of the pipe, never blocks on a full disk (it drops
 * and says how much), holds no capability, and needs a few pages. */
#ifndef HUDDLE_REPLICA_LOG_COPIER_H
#define HUDDLE_REPLICA_LOG_COPIER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/base/err.h"

#define LOG_BYTES_LEAST (64u << 10)

#define LOG_RUN "[huddle: started again]\n"

/* Starts it; what is written to *ret_fd (the caller's to close) goes to the log. The process is a
 * child of the caller. `bytes` is the bound of both files together. */
int log_copier_start(const char *folder, uint64_t bytes, pid_t *ret_pid, int *ret_fd,
                     struct err *e);

/* Has every copier of this folder come to its end? Then the log holds all there is. */
bool log_copier_done(const char *folder);

#endif
