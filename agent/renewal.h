/* Keeps the certificate with which this node joined: asks for the next one when two thirds of its
 * life are over, with the same key, so that a crash never leaves a key without its certificate.
 * Also of one that has expired while the node slept: the controller knows whether it did. */
#ifndef HUDDLE_RENEWAL_H
#define HUDDLE_RENEWAL_H

#include <stdint.h>

#include "proto/base/cleanup.h"
#include "proto/base/err.h"
#include "proto/base/http.h"
#include "proto/base/loop.h"

struct renewal;

struct renewal_options { /* copied */
    const char *url;     /* of the controller, without a path */
    const char *ca_file, *cert_file, *key_file;
};

/* Looks at once, and every hour. A certificate that is not of huddle's own authority is left alone.
 * NULL where there is none (""), or no file of its authority. */
struct renewal *renewal_new(struct loop *l, struct http_client *http,
                            const struct renewal_options *options);
void renewal_free(struct renewal *r);
DEFINE_AUTO(renewal, struct renewal *, renewal_free);

/* When to ask for the next one, wall clock: at two thirds of its life, and up to a twelfth of it
 * earlier, by the certificate's uid: nodes that joined on one day come on different ones. Pure. */
int64_t renewal_due_ms(int64_t from_ms, int64_t until_ms, const char *uid);

#endif
