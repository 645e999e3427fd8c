/* What one look over the Runtime API saw of an HAProxy: HAPROXY_LOOK's answer, as plain data. Pure.
 *
 * An answer that is not what it should be is refused whole (-EBADMSG): half a look would show
 * servers as gone that are not. Text in it that a replica chose (the reasons of health checks) is
 * never looked at. */
#ifndef HUDDLE_HAPROXY_VIEW_H
#define HUDDLE_HAPROXY_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/cleanup.h"
#include "proto/base/err.h"
#include "proto/base/strbuf.h"

enum haproxy_admin { /* bits of `admin` (management.txt, "show servers state") */
                     HAPROXY_MAINT = 0x01 | 0x02 | 0x04 | 0x20,
                     HAPROXY_DRAIN = 0x08 | 0x10,
};

struct haproxy_server {
    const char *slot, *name, *ip;
    uint16_t port;
    unsigned admin;
    bool up;      /* as long as no check says otherwise: also before the first */
    bool checked; /* its health check runs */
    bool healthy; /* and has passed, not long ago */
    uint32_t weight;
    bool counted;             /* what follows is known */
    uint64_t current, queued; /* requests on it, and waiting for it alone */
    uint64_t limit;           /* requests at once; 0: none */
};

struct haproxy_slot { /* a backend */
    const char *name;
    uint64_t requests, errors; /* since HAProxy started: answers 5xx, and answers cut short */
    uint64_t current;          /* requests in it: waiting or on a server */
};

struct haproxy_pair { /* of a map */
    const char *key, *value;
};

struct haproxy_view {
    char *text; /* all strings point into it */
    const char *description;
    int64_t pid, start_s;
    struct haproxy_server *servers; /* ascending by slot, then name */
    size_t n_servers, cap_servers;
    struct haproxy_slot *slots; /* ascending by name */
    size_t n_slots, cap_slots;
    struct haproxy_pair *routes, *probes; /* ascending by key */
    size_t n_routes, cap_routes, n_probes, cap_probes;
};

/* Appends the commands of a look, one line. */
void haproxy_look(struct strbuf *out, const char *routes, const char *probes);

/* Takes the answer over (heap, NUL-terminated, n bytes). 0, or -EBADMSG with what was missing. */
int haproxy_view_parse(char *text, size_t n, struct haproxy_view **ret_view, struct err *e);
void haproxy_view_free(struct haproxy_view *v);
DEFINE_AUTO(haproxy_view, struct haproxy_view *, haproxy_view_free);

/* NULL when there is none. */
const struct haproxy_server *haproxy_view_server(const struct haproxy_view *v, const char *slot,
                                                 const char *name);
const struct haproxy_slot *haproxy_view_slot(const struct haproxy_view *v, const char *name);
const char *haproxy_pair_value(const struct haproxy_pair *pairs, size_t n, const char *key);

/* The first server of the slot, and how many follow. */
const struct haproxy_server *haproxy_view_servers(const struct haproxy_view *v, const char *slot,
                                                  size_t *ret_n);

#endif
