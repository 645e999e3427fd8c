/* Inside the front door. front_door.c: options, wants, time. front_door_look.c: looks at HAProxy,
 * changes, facts. front_door_run.c: an HAProxy of our own. */
#ifndef HUDDLE_FRONT_DOOR_PRIVATE_H
#define HUDDLE_FRONT_DOOR_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "controller/substrate/door_wants.h"
#include "controller/substrate/front_door.h"
#include "controller/substrate/haproxy_call.h"
#include "controller/substrate/haproxy_config.h"
#include "controller/substrate/haproxy_process.h"
#include "controller/substrate/haproxy_view.h"

#define DOOR_OLD_MAX 8

enum door_topic { /* each is told when its text changes, not every second */
                  TOPIC_AWAY,
                  TOPIC_SLOTS,
                  TOPIC_CHANGES,
                  TOPIC_FILES,
                  TOPIC_ENDPOINTS,
                  TOPIC_START,
                  TOPIC_CONFIG,
                  TOPIC_COUNT,
};

struct front_door {
    struct loop *loop;
    front_door_facts_fn *facts;
    front_door_note_fn *note;
    void *data;
    bool run;
    bool has_haproxy; /* else endpoints only */
    struct door_paths {
        char *config, *script, *routes, *probes, *pid_file, *socket;
    } path;
    char *listen, *program, *endpoints_file;
    struct haproxy_config config; /* borrows from the above */
    char description[HAPROXY_DESCRIPTION_MAX];
    struct door_wants *wants;
    struct err told[TOPIC_COUNT];
    char *endpoints; /* as last written */

    /* Looking. */
    struct loop_timer *timer;
    int64_t quick_until_ms;
    bool due;     /* a look is due before that */
    bool busy;    /* a look or changes are under way */
    bool changed; /* this look follows changes: it makes no others */
    bool reached;
    struct haproxy_call *call, *requests;
    struct strbuf script; /* lines that carry out changes */
    size_t script_at;
    struct haproxy_view *view; /* newest, or NULL */
    int64_t pid, start_s;      /* of the process last seen */
    uint64_t epoch;

    /* Running. */
    struct haproxy_watch *watch;
    struct haproxy_launch *launch;
    int64_t launch_at_ms, launch_pause_ms; /* not before; doubles with each failure */
    pid_t old[DOOR_OLD_MAX]; /* processes that were replaced and still finish requests */
    size_t n_old;
};

/* Tells `text` unless it was the last on this topic; NULL: all is well, told nothing. */
void door_note(struct front_door *d, enum door_topic topic, bool warning, const char *text);

/* Looks as soon as nothing else is under way. */
void door_look_soon(struct front_door *d);
void door_look(struct front_door *d);
void door_look_done(struct front_door *d); /* the round is over: the clock goes on */
void door_write_endpoints(struct front_door *d);

/* Writes the map files. */
void door_write_maps(struct front_door *d);

/* Our own HAProxy: writes what it needs; it was not reached; it was seen. */
int door_run_prepare(struct front_door *d, struct err *e);
void door_run_away(struct front_door *d, int error);
void door_run_seen(struct front_door *d, bool new_process);
bool door_run_old_serve(struct front_door *d);

#endif
