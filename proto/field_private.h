/* Shared by the files of field. */
#ifndef HUDDLE_FIELD_PRIVATE_H
#define HUDDLE_FIELD_PRIVATE_H

#include "proto/base/guess.h"
#include "proto/field.h"

/* Reads one value into its place below `base`; what is wrong with it, without its place, in e. */
int field_read_value(void *base, const struct field *f, const json_t *v, struct err *e);

/* What is wrong with the value at `at`, or with a part of it: "[0].days: ...", "[\"key\"]: ...". */
int place_bad_value(const struct place *at, const json_t *value, const struct err *what,
                    struct err *e);

/* Refuses a key; `known` are the words that may stand there, each with a blank before it. */
int place_unknown_key(const struct place *at, const struct guess *g, const char *known,
                      struct err *e);

#endif
