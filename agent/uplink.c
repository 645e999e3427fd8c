/* Reports over HTTP: see uplink.h. The token is read at start and again when it was refused, so
 * that it can be renewed under a running agent; it is never logged. */
#include "agent/uplink.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/strbuf.h"
#include "proto/base/yaml.h"

struct uplink {
    struct http_client *http;
    char *url, *ca_file, *token_file, *cert_file, *key_file;
    char *token; /* NULL: none */
    struct http_call *call;
    uplink_done_fn *done;
    void *data;
};

static int read_token(struct uplink *u, struct err *e)
{
    char *text;
    size_t n;
    int r;

    if (!u->token_file)
        return 0;
    r = yaml_read_file(u->token_file, &text, &n, e);
    if (r < 0)
        return err_prefix(e, r, "the token");
    n = strcspn(text, " \t\r\n");
    text[n] = '\0';
    if (n == 0) {
        free(text);
        return err_set(e, -EINVAL, "the token: %s is empty", u->token_file);
    }
    free(u->token);
    u->token = text;
    return 0;
}

static char *copy_or_null(const char *text)
{
    return text && text[0] ? xstrdup(text) : NULL;
}

int uplink_new(struct http_client *http, const struct uplink_options *options,
               struct uplink **ret_uplink, struct err *e)
{
    AUTO(uplink) struct uplink *u = xcalloc(1, sizeof(*u));
    struct strbuf url = STRBUF_INIT;
    int r;

    u->http = http;
    strbuf_printf(&url, "%s/v1/report", options->url);
    u->url = strbuf_take(&url);
    u->ca_file = copy_or_null(options->ca_file);
    u->token_file = copy_or_null(options->token_file);
    u->cert_file = copy_or_null(options->cert_file);
    u->key_file = copy_or_null(options->key_file);
    r = read_token(u, e);
    if (r < 0)
        return r;
    *ret_uplink = TAKE(u);
    return 0;
}

void uplink_free(struct uplink *u)
{
    if (!u)
        return;
    http_cancel(u->call);
    free(u->url);
    free(u->ca_file);
    free(u->token_file);
    free(u->cert_file);
    free(u->key_file);
    free(u->token);
    free(u);
}

/* The first line of an error's body, for people. */
static void explain(const struct http_response *response, struct err *e)
{
    size_t n = response->body ? strcspn(response->body, "\r\n") : 0;

    (void)err_set(e, -EIO, "HTTP %d%s%.*s", response->status, n > 0 ? ": " : "",
                  n < 200 ? (int)n : 200, n > 0 ? response->body : "");
}

static void answered(void *data, const struct http_response *response)
{
    struct uplink *u = data;
    AUTO(wire_reply) struct wire_reply *reply = NULL;
    struct err e = ERR_INIT, ignored = ERR_INIT;
    struct uplink_failure failure;

    u->call = NULL;
    if (response->status == 0)
        e = response->error;
    else if (response->status != 200)
        explain(response, &e);
    else if (wire_reply_decode(response->body, response->length, &reply, &e) < 0)
        (void)err_prefix(&e, -EBADMSG, "the reply");
    if (response->status == 401 || response->status == 403)
        (void)read_token(u, &ignored); /* the old one is kept when the file is bad */
    failure = (struct uplink_failure){ .why = e.text,
                                       .retry_after_ms = (int64_t)response->retry_after_s * 1000,
                                       .elsewhere = response->status == 421 };
    u->done(u->data, reply, reply ? NULL : &failure);
}

int uplink_send(struct uplink *u, const void *bytes, size_t n, int64_t limit_ms, uplink_done_fn *fn,
                void *data, struct err *e)
{
    struct http_request request = { .method = "POST",
                                    .url = u->url,
                                    .content_type = WIRE_CONTENT_TYPE,
                                    .accept = WIRE_CONTENT_TYPE,
                                    .body = bytes,
                                    .body_length = n,
                                    .connect_ms = limit_ms,
                                    .total_ms = limit_ms,
                                    .most_bytes = WIRE_MESSAGE_MAX,
                                    .ca_file = u->ca_file,
                                    .cert_file = u->cert_file,
                                    .key_file = u->key_file,
                                    .bearer = u->token };

    if (u->call)
        return err_set(e, -EBUSY, "a report is under way");
    u->done = fn;
    u->data = data;
    return http_send(u->http, &request, answered, u, &u->call, e);
}
