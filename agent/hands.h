/* The inside of the service (service.h): what its parts share. service.c is its life (start,
 * signals, reload), hands.c carries the core's effects out, errands.c those that take time. */
#ifndef HUDDLE_HANDS_H
#define HUDDLE_HANDS_H

#include "agent/agent.h"
#include "agent/cap_keeper.h"
#include "agent/config.h"
#include "agent/cpu_counters.h"
#include "agent/ledger_slots.h"
#include "agent/metrics_page.h"
#include "agent/power_off.h"
#include "agent/renewal.h"
#include "agent/replica/probe.h"
#include "agent/replica/process.h"
#include "agent/replica/runtimes.h"
#include "agent/sensor/scrape.h"
#include "agent/sensor/sensors.h"
#include "agent/uplink.h"
#include "proto/base/http.h"
#include "proto/base/loop.h"

#define AGENT_STATE_NAME "state.json"
#define AGENT_DESIRED_NAME "desired.pb"

struct errand { /* a probe or a scrape under way */
    struct errand *next;
    struct service *service;
    char *uid;
    struct probe *probe; /* NULL: a scrape */
};

struct service {
    struct agent_config *config;
    char *config_file;
    char address[128];
    int state_fd;
    struct ledger_slots ledger;
    bool ledger_failing;

    struct loop *loop;
    struct http_client *http;
    struct loop_timer *timer, *watchdog;

    struct agent *core;
    struct agent_effects fx;
    bool carrying;

    struct runtimes *runtimes;
    struct sensors *sensors;
    struct processes *processes;
    struct scraper *scraper;
    struct uplink *uplink;
    struct renewal *renewal; /* NULL: no certificate */
    struct cap_keeper *cap;
    struct power_off *power_off;
    struct metrics_page *page;
    struct errand *errands;

    struct sample sample;
    struct cpu_counters cpus; /* for the page */
    struct sensor_group *groups;
    size_t cap_groups;
    unsigned looks;
};

/* Steps the core and carries out what comes of it. May be called from anywhere on the loop. */
void hands_step(struct service *s, struct agent_event *event);

void hands_exited(void *data, const char *uid, const struct process_exit *exit);

/* Reads the sensors into s->sample. */
void hands_look(struct service *s);

/* errands.c: each is answered by an event */
void errands_probe(struct service *s, const char *uid);
void errands_scrape(struct service *s, const char *uid);
void errands_count_connections(struct service *s, const char *uid);
/* Ends those of one replica, or all (NULL), without an answer. */
void errands_drop(struct service *s, const char *uid);
/* May this replica listen on its ports, or does it there already? */
bool errands_ports_are_own(struct service *s, const struct wire_desired *desired, struct err *e);

#endif
