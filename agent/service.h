/* The agent as a running service: the core (agent.h) with its hands: sensors, processes, probes,
 * scrapes, the uplink, files, the power switch. One loop, one thread. */
#ifndef HUDDLE_SERVICE_H
#define HUDDLE_SERVICE_H

#include "agent/config.h"
#include "proto/base/cleanup.h"
#include "proto/base/err.h"

struct service;

/* Everything that can fail fails here: the state folder (-EBUSY: another agent has it), runtimes,
 * token, sensors. Takes `config`; `file` is read again on SIGHUP. SIGTERM and SIGINT are blocked
 * from here on. */
int service_new(struct agent_config *config, const char *file, struct service **ret_service,
                struct err *e);
void service_free(struct service *s); /* replicas run on */
DEFINE_AUTO(service, struct service *, service_free);

/* Runs until SIGTERM or SIGINT; returns 0. */
int service_run(struct service *s);

#endif
