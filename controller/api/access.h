/* What a request asks for in the words of Kubernetes' authorization, for callers whose rights
 * Kubernetes knows (backend.h, `review`). It is what its API server would make of the same path in
 * group huddle.energy:
 *
 *     GET KIND, ?watch=true, KIND/NAME        list, watch, get KIND
 *     POST KIND; PUT, PATCH, DELETE .../NAME  create; update, patch, delete KIND
 *     POST KIND/NAME/VERB                     create KIND/VERB
 *     GET /report                             get clusters/report
 *     GET /metrics, /version, /, /api...      get that path
 *
 * All of it is asked for the whole cluster. Pure. */
#ifndef HUDDLE_API_ACCESS_H
#define HUDDLE_API_ACCESS_H

#include <stdbool.h>

#include "controller/api/route.h"

struct access {           /* all borrowed; "" where a field means nothing */
    bool identity;        /* no right is asked for: who it is will do */
    const char *verb;     /* "": there is none for it, and nobody may */
    const char *resource; /* "" : `path` */
    const char *sub;      /* subresource */
    const char *name;     /* of the object */
    const char *path;     /* of what is no resource */
};

/* `path` is the request's. */
void access_of(const struct route *route, const char *path, bool watch, struct access *ret_access);

#endif
