/* Kubernetes `Status` objects: how every error of the API is told. Pure. */
#ifndef HUDDLE_API_STATUS_H
#define HUDDLE_API_STATUS_H

#include <jansson.h>

/* {"kind":"Status","status":"Failure","reason":"NotFound","code":404,"message":...}; a new
 * reference. `reason` NULL: the usual one of the code. A message that is not UTF-8 is left out. */
json_t *status_object(int code, const char *reason, const char *message);

#endif
