/* Reports to the controller: POST URL/v1/report over the loop's HTTP client, one at a time. */
#ifndef HUDDLE_UPLINK_H
#define HUDDLE_UPLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/cleanup.h"
#include "proto/base/err.h"
#include "proto/base/http.h"
#include "proto/wire.h"

struct uplink;

struct uplink_options { /* copied; "" or NULL where there is none */
    const char *url;    /* of the controller, without a path */
    const char *ca_file, *token_file, *cert_file, *key_file;
};

/* -errno when the token file cannot be read. */
int uplink_new(struct http_client *http, const struct uplink_options *options,
               struct uplink **ret_uplink, struct err *e);
void uplink_free(struct uplink *u); /* a report under way ends without its callback */
DEFINE_AUTO(uplink, struct uplink *, uplink_free);

struct uplink_failure { /* borrowed for the call */
    const char *why;
    int64_t retry_after_ms; /* as the controller asked for; 0: it did not */
    bool elsewhere;         /* another controller leads (421): the next connection may reach him */
};

/* `failure` is NULL, or `reply` is. All is borrowed for the call. */
typedef void uplink_done_fn(void *data, const struct wire_reply *reply,
                            const struct uplink_failure *failure);

/* `fn` is called once, from the loop, never from inside. `limit_ms`: to the end of the reply. */
int uplink_send(struct uplink *u, const void *bytes, size_t n, int64_t limit_ms, uplink_done_fn *fn,
                void *data, struct err *e);

#endif
