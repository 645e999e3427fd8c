/* From a method and a path to what is asked: which action, on which object, by which right. Pure.
 *
 *     /                                              GET   the paths there are
 *     /livez /readyz                                 GET   open to everybody
 *     /version /metrics                              GET
 *     /api /apis /apis/huddle.energy[/v1alpha1]      GET   discovery
 *     /apis/huddle.energy/v1alpha1/KIND              GET (list, ?watch=true), POST
 *     /apis/huddle.energy/v1alpha1/KIND/NAME         GET, PUT, PATCH, DELETE
 *     /apis/huddle.energy/v1alpha1/KIND/NAME/VERB    POST
 *     /report                                        GET   ?from=&to=
 *     /v1/report                                     POST  an agent's report
 *     /v1/authorities                                GET   open: whom to trust, once it is compared
 *     /v1/enrol                                      POST  with a join token
 *     /v1/renew                                      POST  on the agents' listener alone
 *
 * HEAD is answered wherever GET is. */
#ifndef HUDDLE_API_ROUTE_H
#define HUDDLE_API_ROUTE_H

#include "controller/api/auth.h"
#include "controller/api/resource.h"
#include "controller/controller.h"

enum action {
    ACT_ROOT,
    ACT_LIVEZ,
    ACT_READYZ,
    ACT_VERSION,
    ACT_METRICS,
    ACT_VERSIONS,
    ACT_GROUPS,
    ACT_GROUP,
    ACT_RESOURCES,
    ACT_REPORT,
    ACT_INGEST,
    ACT_AUTHORITIES,
    ACT_ENROL,
    ACT_RENEW,
    ACT_LIST,
    ACT_GET,
    ACT_CREATE,
    ACT_REPLACE,
    ACT_PATCH,
    ACT_DELETE,
    ACT_VERB,
    ACT_COUNT,
};

#define ROUTE_NAME_MAX 256

struct route {
    enum action action;
    enum right right; /* unless `open` */
    bool open;
    const struct resource *resource; /* of LIST ... VERB */
    char name[ROUTE_NAME_MAX];       /* of GET ... VERB */
    enum verb verb;                  /* of VERB */
    const char *verb_word;           /* "drain"; NULL: none */
};

/* 0; 404; or 405 with the methods that there are in *ret_allow. */
int route_find(const char *method, const char *path, struct route *ret_route,
               const char **ret_allow);

#endif
