/* Objects of an API server, written in the tests with ' for " so that they can be read. */
#ifndef HUDDLE_TESTS_KUBE_OBJECT_H
#define HUDDLE_TESTS_KUBE_OBJECT_H

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"

static inline json_t *object(const char *text)
{
    char *copy = xstrdup(text);
    json_error_t why;
    json_t *o;

    for (char *c = copy; *c; c++)
        if (*c == '\'')
            *c = '"';
    o = json_loads(copy, JSON_ALLOW_NUL, &why);
    if (!o)
        fail_msg("%s at %d: %.60s", why.text, why.position, copy + why.position);
    free(copy);
    return o;
}

#endif
