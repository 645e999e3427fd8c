/* The HAProxy configuration of the front door, as text: slots, routing, waiting, health checks. For
 * HAProxy 2.6 and 3.0. Pure. */
#ifndef HUDDLE_HAPROXY_CONFIG_H
#define HUDDLE_HAPROXY_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/strbuf.h"

#define HAPROXY_MARK "huddle-" /* begins `description`, as `show info` tells it */
#define HAPROXY_RING "huddle"  /* one line per request: SLOT TOTAL_MS STATUS TERMINATION */
#define HAPROXY_PROBED \
    "http-" /* slots checked by an HTTP request to their path in the probes map */
#define HAPROXY_CONNECTED "tcp-" /* slots checked by a connection */

struct haproxy_config {
    const char *listen;
    const char *socket;   /* of the Runtime API */
    const char *routes;   /* map file: model -> slot */
    const char *probes;   /* map file: slot -> path */
    const char *script;   /* the Lua file */
    bool own;             /* ours alone, run by our user; else one that Debian's unit starts */
    uint32_t slots;       /* of each kind */
    uint32_t connections; /* most clients; 0: HAProxy's own choice */
    int64_t queue_ms, answer_ms;
};

/* Appends the configuration. Its `description` is HAPROXY_MARK and a digest of text and script: two
 * processes with the same one behave the same. */
void haproxy_config_write(const struct haproxy_config *c, struct strbuf *out);

/* The digest as `show info` tells it, e.g. "huddle-00c0ffee00c0ffee". */
#define HAPROXY_DESCRIPTION_MAX 32
void haproxy_config_description(const struct haproxy_config *c,
                                char description[HAPROXY_DESCRIPTION_MAX]);

/* The Lua action that lets a request wait for a server. */
const char *haproxy_config_script(void);

#endif
