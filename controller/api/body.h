/* Bodies of requests: JSON or YAML, strict. */
#ifndef HUDDLE_API_BODY_H
#define HUDDLE_API_BODY_H

#include <jansson.h>
#include <stdbool.h>

#include "proto/base/err.h"
#include "proto/base/httpd.h"
#include "proto/manifest.h"

/* All return 0, or the HTTP status with the reason in e: 400 for what is no JSON, 413, 415, and 422
 * for what the manifest's rules refuse or is no YAML. */

/* One declared object; application/json or application/yaml. */
int body_manifest(const struct httpd_call *call, struct manifest **ret_m, struct err *e);

/* A JSON object of the content type `type` ("application/json"). An empty body is 400, or with
 * `optional` gives NULL whatever its type. */
int body_object(const struct httpd_call *call, const char *type, bool optional, json_t **ret_object,
                struct err *e);

/* manifest_from_json() for objects that were not written by hand: 0 or 422. */
int body_check(const json_t *object, struct manifest **ret_m, struct err *e);

#endif
