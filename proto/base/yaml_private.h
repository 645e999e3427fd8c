/* Shared by the reader and the printer of YAML. */
#ifndef HUDDLE_BASE_YAML_PRIVATE_H
#define HUDDLE_BASE_YAML_PRIVATE_H

#include <jansson.h>

/* A plain scalar by the core schema, as far as JSON can hold it; NULL: it is a string. */
json_t *yaml_plain_value(const char *s);

#endif
