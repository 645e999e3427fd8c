/* What the front door should have: for each model its slot, its servers, and how they are checked.
 * Pure; the map files are texts here.
 *
 * A slot is held from the moment it is given until its model is gone; a model that changes its kind
 * of health check gets another one. A slot is given only when HAProxy shows nothing in it, so that
 * nobody's servers serve another model. */
#ifndef HUDDLE_DOOR_WANTS_H
#define HUDDLE_DOOR_WANTS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controller/controller.h"
#include "controller/substrate/haproxy_view.h"
#include "controller/substrate/latency_window.h"
#include "proto/base/cleanup.h"
#include "proto/base/err.h"
#include "proto/base/strbuf.h"

#define DOOR_NAME_MAX 128u
#define DOOR_SLOT_MAX 16

struct door_address {
    char ip[INET6_ADDRSTRLEN]; /* as inet_ntop() writes it */
    uint16_t port;
    bool v6;
};

struct door_wanted_server {
    char *uid;
    struct door_address address;
    bool drain;
    uint32_t weight; /* 0 to 256 */
};

struct door_wanted { /* one model */
    char *model;
    bool named;       /* told since this controller started */
    char *probe_path; /* NULL: a connection is the check */
    uint32_t limit;   /* requests at once per server; a large number when none is known */
    double quantile;
    char slot[DOOR_SLOT_MAX];           /* "": none yet */
    struct door_wanted_server *servers; /* ascending by uid */
    size_t n_servers, cap_servers;

    /* What HAProxy counted while the slot was held: see door_facts.h. */
    bool counted;
    uint64_t slot_requests, slot_errors; /* at the last look */
    uint64_t requests, errors;
    struct latency_window latency;
};

struct door_wants {
    struct door_wanted **items; /* in no order */
    size_t n_items, cap_items;
    uint32_t slots; /* of each kind */
    bool settled;   /* all models have been named: slots without one are to be emptied */
};

struct door_wants *door_wants_new(uint32_t slots);
void door_wants_free(struct door_wants *w);
DEFINE_AUTO(door_wants, struct door_wants *, door_wants_free);

/* Takes an FX_DOOR. What HAProxy could not be told safely is left out: then -EINVAL, and `e` names
 * the first of it. */
int door_wants_take(struct door_wants *w, const struct effect *effect, struct err *e);

/* Forgets models that were never named, now that all have been. */
void door_wants_settle(struct door_wants *w);

/* Gives slots to models that have none. *ret_changed: the map files are out of date. -ENOSPC when
 * there are not enough; the others have theirs. */
int door_wants_give_slots(struct door_wants *w, const struct haproxy_view *v, bool *ret_changed,
                          struct err *e);

/* The map files, as text. */
void door_wants_write_routes(const struct door_wants *w, struct strbuf *out);
void door_wants_write_probes(const struct door_wants *w, struct strbuf *out);

/* The routes of an earlier controller: its models keep their slots. Lines that make no sense are
 * dropped. Cuts the text up. */
void door_wants_read_routes(struct door_wants *w, char *text);

struct door_wanted *door_wants_model(const struct door_wants *w, const char *model); /* or NULL */
struct door_wanted *door_wants_holder(const struct door_wants *w, const char *slot); /* or NULL */
const struct door_wanted_server *door_wanted_server(const struct door_wanted *m, const char *uid);

/* "127.0.0.1:80", "[::1]:80". -EINVAL for anything else: a name is not an address. */
int door_address_parse(const char *text, struct door_address *ret_address);

#endif
