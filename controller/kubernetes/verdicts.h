/* Answers that are remembered for a while: who asked for what, by a hash, and what was said.
 * Bounded: the one that ends first makes room. Pure. */
#ifndef HUDDLE_KUBERNETES_VERDICTS_H
#define HUDDLE_KUBERNETES_VERDICTS_H

#include <stddef.h>
#include <stdint.h>

#include "controller/kubernetes/access_review.h"

#define VERDICT_HASH_BYTES 32

struct verdict {
    int status; /* 200, 401, 403 */
    char *user; /* "": not known */
    char *why;
};

struct verdicts;

struct verdicts *verdicts_new(size_t most);
void verdicts_free(struct verdicts *v);

/* Borrowed until the next call; NULL: nothing is known (any more). */
const struct verdict *verdicts_find(const struct verdicts *v,
                                    const unsigned char hash[VERDICT_HASH_BYTES],
                                    const struct access_asked *asked, int64_t now_ms);

/* Takes copies. */
void verdicts_keep(struct verdicts *v, const unsigned char hash[VERDICT_HASH_BYTES],
                   const struct access_asked *asked, const struct verdict *said, int64_t now_ms,
                   int64_t for_ms);

#endif
