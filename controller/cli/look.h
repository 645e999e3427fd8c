/* Looking into JSON objects of the API by dotted paths: "status.plan.why". What is absent or null
 * is not known, and stays that: NULL or NAN, never 0. Everything returned is borrowed. */
#ifndef HUDDLE_CLI_LOOK_H
#define HUDDLE_CLI_LOOK_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* "" is the object itself. NULL: absent or null. */
const json_t *look(const json_t *object, const char *path);
const char *look_text(const json_t *object, const char *path); /* NULL: not a string, or "" */
double look_number(const json_t *object, const char *path);    /* NAN: not a number */
bool look_true(const json_t *object, const char *path);
int64_t look_time(const json_t *object, const char *path); /* RFC 3339 to wall ms; 0: none */
const char *look_name(const json_t *object);               /* metadata.name, "" when absent */
const char *look_shown(const json_t *object); /* the same, but of a replica that is a pod of
                                                 Kubernetes NAMESPACE/POD */

#endif
