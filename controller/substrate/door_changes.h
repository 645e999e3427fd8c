/* The commands that bring an HAProxy from what a look saw to what is wanted. Pure.
 *
 * Nothing is remembered: what did not work is a difference again at the next look. A server that is
 * not wanted gets no new request at once, and is deleted when the look sees it empty; a slot that
 * nobody holds any more is emptied when nobody is routed to it and no request is in it. */
#ifndef HUDDLE_DOOR_CHANGES_H
#define HUDDLE_DOOR_CHANGES_H

#include <stdbool.h>

#include "controller/substrate/door_wants.h"
#include "controller/substrate/haproxy_view.h"
#include "proto/base/strbuf.h"

/* Appends lines for haproxy_call(), each closed by '\n'; none when all is as wanted. */
void door_changes(const struct door_wants *w, const struct haproxy_view *v, const char *routes,
                  const char *probes, struct strbuf *out);

/* Is this line of an answer to those commands a complaint that people should read? */
bool door_changes_complaint(const char *line);

#endif
