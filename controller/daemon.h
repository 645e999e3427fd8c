/* The controller daemon: one loop around the core (controller.h). What comes in becomes events;
 * the effects go through release.h to the store and then to the world: agents' replies, power
 * drivers, the front door, the planner's thread, watchers, callers of the API, the log. */
#ifndef HUDDLE_DAEMON_H
#define HUDDLE_DAEMON_H

#include "controller/config.h"
#include "proto/base/cleanup.h"
#include "proto/base/err.h"

enum daemon_exit { /* exit codes of the program */
                   EXIT_STOPPED = 0,
                   EXIT_FAILED = 1,
                   EXIT_USAGE = 2,
                   EXIT_STORE =
                       70, /* the store's disk failed: what is on it has to be read again */
                   EXIT_REFUSED = 78, /* the configuration, or a store that this version refuses */
};

struct daemon;

/* Opens the store, restores the cluster and listens; `adopt`: see controller_options. 0, or an exit
 * code with the reason in e. Borrows the configuration and the name of its file, which is read
 * again on SIGHUP (reload.c): then what can change while the controller runs changes in the
 * configuration too. */
int daemon_new(struct config *config, const char *file, bool adopt, struct daemon **ret_daemon,
               struct err *e);

/* Runs until SIGTERM or SIGINT, or until the store's disk failed. Returns the exit code. */
int daemon_run(struct daemon *d);

/* Replicas, nodes and the front door stay as they are. Accepts NULL. */
void daemon_free(struct daemon *d);
DEFINE_AUTO(daemon, struct daemon *, daemon_free);

#endif
