/* What a look says about replicas and models, in the words of the core: CE_DOOR. Pure. */
#ifndef HUDDLE_DOOR_FACTS_H
#define HUDDLE_DOOR_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "controller/controller.h"
#include "controller/substrate/door_wants.h"
#include "controller/substrate/haproxy_view.h"

/* Adds what the slots counted since the last look to their models. `restarted`: HAProxy's counters
 * began anew. Returns true when the counters of the models make no continuous sense any more: a new
 * epoch begins (some counter went back: restarted, or somebody cleared them). */
bool door_facts_count(struct door_wants *w, const struct haproxy_view *v, bool restarted);

/* A server is DOOR_READY once a check has passed, not while it is only believed. `unseen`: an older
 * process may still be serving requests, so what is in flight on a server that gets no new ones is
 * not known (NAN). The facts borrow from w and v. */
struct door_report {
    struct door_facts facts;
    struct door_server *servers;
    struct door_model *models;
};
void door_facts_build(const struct door_wants *w, const struct haproxy_view *v, bool unseen,
                      uint64_t epoch, int64_t now_ms, struct door_report *ret_report);
void door_report_done(struct door_report *r);

#endif
