/* The secrets of a call: read from the files that a PowerPool names, handed to the driver, taken
 * out of everything it says, wiped afterwards. */
#ifndef HUDDLE_SECRETS_H
#define HUDDLE_SECRETS_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/base/err.h"
#include "proto/base/strbuf.h"
#include "proto/field.h"

#define SECRET_BYTES_MAX 16384

struct secrets {
    struct secret {
        const char *name; /* borrowed from the map */
        char *text;       /* without the line end at its end */
        char *escaped;    /* as it stands in the JSON that the driver reads */
    } * items;
    size_t n_items, cap_items;
};

/* `files`: name -> absolute path below one of `folders` (folders.h); must outlive *ret_secrets.
 * Errors name files, never contents. */
int secrets_read(const struct string_map *files, const struct string_list *folders,
                 struct secrets *ret_secrets, struct err *e);
void secrets_done(struct secrets *s);

/* Appends the bytes with each line of each secret replaced by "***". `cut`: more bytes followed
 * that are not here, so that the last ones may be the beginning of a secret. */
void secrets_redact(const struct secrets *s, const char *bytes, size_t n, bool cut,
                    struct strbuf *out);

#endif
