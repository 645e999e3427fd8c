/* One typed argument of a runtime: its definition in runtimes.d, and the check of a value that a
 * manifest gives for it. */
#ifndef HUDDLE_REPLICA_ARGUMENT_H
#define HUDDLE_REPLICA_ARGUMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/replica/launch.h"
#include "proto/base/err.h"
#include "proto/field.h"

enum argument_type { /* in the order of the words in argument.c */
                     ARGUMENT_PATH,
                     ARGUMENT_INTEGER,
                     ARGUMENT_PORT,
                     ARGUMENT_NUMBER,
                     ARGUMENT_BOOLEAN,
                     ARGUMENT_WORD,
                     ARGUMENT_TEXT,
};

struct argument {
    char *name;
    enum argument_type type;
    char *under; /* PATH: the folder below which it must stand */
    char *flag;  /* "--model", "--model=" (one word), or "": the value alone */
    int64_t least, most;
    struct string_list words; /* WORD */
    bool required;
    char *def; /* NULL: none */
};

/* Reads the definition at `at`, strictly. On error nothing is to be released. */
int argument_read(struct argument *a, const char *name, const struct place *at, const json_t *value,
                  struct err *e);
void argument_done(struct argument *a);

/* Checks `value` and appends its words to launch->argv; of a path, what it resolves to. -EINVAL
 * with what is wrong and what was expected. */
int argument_append(const struct argument *a, const char *value, struct launch *launch,
                    struct err *e);

#endif
