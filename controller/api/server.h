/* The API server: HTTP for people, tools and agents over proto/base/httpd.h, in front of one
 * api_backend (backend.h). README.md lists the paths; OBJECTS.md the shapes of objects.
 *
 * Its own threads read requests, check tokens and write answers; the daemon's loop is asked through
 * the backend and tells of changes through api_server_publish(). Every function here may be called
 * from any thread. */
#ifndef HUDDLE_API_SERVER_H
#define HUDDLE_API_SERVER_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "controller/api/backend.h"
#include "controller/controller.h"
#include "proto/base/cleanup.h"
#include "proto/base/err.h"

struct api_server;

struct api_options {     /* borrowed for the call of api_server_new(); zero is each one's default */
    const char *address; /* "127.0.0.1"; others need a certificate and tokens */
    uint16_t port;       /* 0: any; see api_server_port() */
    const char *cert_file, *key_file; /* PEM, both or neither: HTTPS */
    /* The folder of the doors (pki/folder.h): nodes may join, and renew. NULL: none. With an
     * address agents also have a listener of their own, where they come in by certificates. */
    const char *pki, *agents_address;
    uint16_t agents_port;
    const char *token_file;              /* auth.h; NULL: everybody is admin (loopback only) */
    unsigned threads;                    /* 2 */
    unsigned connections;                /* 4096 */
    unsigned connections_per_ip;         /* 0: no limit */
    unsigned watches;                    /* 256 at once; more are 429 */
    unsigned requests_per_s;             /* 50 of each token, agents' excepted; more are 429 */
    size_t most_body;                    /* of an object: 1 MiB; more is 413 */
    size_t most_report;                  /* of an agent's report: 256 KiB */
    int64_t header_ms, body_ms, idle_ms; /* see httpd.h */
    uint64_t version; /* controller_version() at start: watches from before it are 410 */
    struct api_backend backend;
};

/* Listens. Refuses an address beyond loopback without a certificate or without tokens, and says
 * what to do. */
int api_server_new(const struct api_options *options, struct api_server **ret_server,
                   struct err *e);

/* Stops taking requests, ends all watches, waits for calls in progress: the backend must still
 * answer meanwhile, on another thread (or have answered). */
void api_server_free(struct api_server *s);
DEFINE_AUTO(api_server, struct api_server *, api_server_free);

uint16_t api_server_port(const struct api_server *s);
uint16_t api_server_agents_port(const struct api_server *s); /* 0: there is none */

/* Reads these files for all requests and connections from now on (SIGHUP). All are read before any
 * is put in force: on error nothing changes. NULL for what the server was started without; what it
 * was started with cannot be taken away. */
int api_server_reload(struct api_server *s, const char *cert_file, const char *key_file,
                      const char *token_file, struct err *e);

/* Tokens that expire before that time, or have: see auth.h. */
size_t api_server_expiring(struct api_server *s, int64_t before_wall_ms,
                           struct bearer **ret_bearers);

/* From FX_CHANGE, in the order of versions; object borrowed. */
void api_server_publish(struct api_server *s, enum change_type type, const char *kind,
                        const char *name, uint64_t version, json_t *object);

/* Once a second: ends watches whose time is over, sends bookmarks. */
void api_server_tick(struct api_server *s, int64_t boot_ms);

#endif
