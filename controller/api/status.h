/* Kubernetes `Status` objects: how every error of the API is told. */
#ifndef HUDDLE_API_STATUS_H
#define HUDDLE_API_STATUS_H

#include <jansson.h>

#include "proto/base/httpd.h"

/* {"kind":"Status","status":"Failure","reason":"NotFound","code":404,"message":...}; 2xx:
 * "Success". */
json_t *status_object(int code, const char *message);

void status_reply(struct httpd_call *call, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Answers with a JSON value; borrowed. */
void json_reply(struct httpd_call *call, int code, const json_t *value);

#endif
