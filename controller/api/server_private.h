/* The inside of the API server, for request.c and the routes. */
#ifndef HUDDLE_API_SERVER_PRIVATE_H
#define HUDDLE_API_SERVER_PRIVATE_H

#include <stdatomic.h>

#include "controller/api/gate.h"
#include "controller/api/limiter.h"
#include "controller/api/server.h"
#include "controller/api/watch.h"
#include "controller/pki/roster.h"
#include "proto/base/httpd.h"

struct api_server {
    struct httpd *httpd;
    struct gate *gate;
    /* agents.h; NULL: no certificates of ours */
    struct roster *roster;
    struct httpd *agents; /* their listener; NULL: none */
    struct {              /* of it */
        char *certificate, *key, *authorities;
    } agents_files;
    struct limiter *joins;
    struct watch_hub *hub;
    struct api_backend backend;
    size_t most_body, most_report;
    _Atomic uint64_t answers[6]; /* by the hundreds of their status */
};

#endif
