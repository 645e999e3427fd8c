/* The inside of the daemon, shared by daemon.c (its life) and carry_out.c (its effects). */
#ifndef HUDDLE_DAEMON_PRIVATE_H
#define HUDDLE_DAEMON_PRIVATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "controller/api/server.h"
#include "controller/calls.h"
#include "controller/config.h"
#include "controller/controller.h"
#include "controller/grid_files.h"
#include "controller/ingest.h"
#include "controller/planner.h"
#include "controller/power/power.h"
#include "controller/release.h"
#include "controller/state/store.h"
#include "controller/substrate/front_door.h"
#include "controller/substrate/kubernetes.h"
#include "proto/base/loop.h"

struct daemon {
    struct config *config;
    const char *config_file;
    bool adopt; /* see controller_options */
    struct loop *loop;
    struct loop_timer *tick;
    struct store *store;
    struct controller *core;
    struct release *release;
    struct ingest *ingest;
    struct planner *planner;
    struct power *power;
    struct power_folders folders; /* of the configuration */
    struct grid_files *grid_files;
    struct front_door *door;       /* NULL: neither HAProxy nor an endpoints file */
    struct kubernetes *kubernetes; /* NULL: machines of our own */
    struct calls *calls;
    struct api_server *server;
    /* Effects of this turn of the loop: they become one batch at its end. */
    struct effects turn;
    bool turn_ends;    /* posted */
    bool plan_dropped; /* the core waits for a plan that nobody makes */
    bool settled;      /* the first batch was carried out: systemd and the front door know */
    bool stopping;
    int64_t second_ms; /* of what is done once a second */
    int64_t trim_ms;   /* when free memory went back to the system */
    int64_t grid_ms;   /* when the files that policies name were looked at */
    int64_t expiry_ms; /* when it was told last which tokens expire */
    /* Read by the server's threads. */
    _Atomic int64_t beat_ms; /* of the last tick */
    atomic_bool durable, door_reached;
    _Atomic uint64_t batches, store_failures, plans;
};

/* One event through the core; its effects join the turn's batch. Fills in wall_ms. */
void daemon_step(struct daemon *d, struct controller_event *event);

/* release_options */
void daemon_carry_out(void *data, struct effect *e);
void daemon_drop(void *data, const struct effect *e);
void daemon_store_failed(void *data, int status, const char *why);
void daemon_store_works(void *data);

/* SIGHUP: reads the configuration and the files that it names again (reload.c). */
void daemon_reload(struct daemon *d);

/* Renews the controller's own certificate when it is time. True: it did. */
bool daemon_renew_certificate(const struct config *c);

/* What expires is told, or renewed. */
void daemon_once_a_day(struct daemon *d);

/* Warns of tokens that expire soon. */
void daemon_tell_expiring(struct daemon *d);

/* Callbacks that become events: planner, front door. */
void daemon_planned(void *data, struct plan *plan, const char *why);
void daemon_door_facts(void *data, const struct door_facts *facts);
void daemon_door_note(void *data, bool warning, const char *text);

#endif
