/* Renewal of the node's certificate: see renewal.h. */
#include "agent/renewal.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "agent/enrolment.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/base/file.h"
#include "proto/base/log.h"
#include "proto/base/random.h"
#include "proto/base/strbuf.h"
#include "proto/certificate.h"

#define LOOK_MS INT64_C(3600000)
#define AGAIN_MS INT64_C(60000) /* after a failure that keeps the node from reporting */

struct renewal {
    struct loop *loop;
    struct http_client *http;
    struct loop_timer *timer;
    struct http_call *call;
    char *url, *ca_file, *cert_file, *key_file;
    struct certificate now; /* as of the last look */
};

int64_t renewal_due_ms(int64_t from_ms, int64_t until_ms, const char *uid)
{
    int64_t life_ms = until_ms - from_ms;
    int64_t spread_ms = life_ms >= 12 ? life_ms / 12 : 1;

    return until_ms - life_ms / 3 - (int64_t)(random_hash(uid) % (uint64_t)spread_ms);
}

static int read_file(const char *file, char **ret_text, struct err *e)
{
    size_t n;

    return file_read(file, CERTIFICATE_TEXT_MAX - 1, ret_text, &n, e);
}

static void later(struct renewal *r)
{
    bool late = clock_wall_ms() >= r->now.until_ms;

    loop_timer_arm(r->timer, loop_now_ms(r->loop) + (late ? AGAIN_MS : LOOK_MS));
}

static void failed(struct renewal *r, const char *why)
{
    log_line(LOG_LEVEL_WARN, "the certificate is not renewed", "reason", why, NULL);
    later(r);
}

static int take(const struct renewal *r, const struct http_response *response, struct err *e)
{
    AUTO(mem) char *key = NULL;
    struct enrolment a;
    int code = read_file(r->key_file, &key, e);

    if (code == 0)
        code = enrolment_read(response->body, response->length, key, r->now.node, &a, e);
    if (key)
        explicit_bzero(key, strlen(key));
    if (code < 0)
        return code;
    code = enrolment_store(&a, r->ca_file, r->cert_file, e);
    enrolment_done(&a);
    return code;
}

static void answered(void *data, const struct http_response *response)
{
    struct renewal *r = data;
    struct err e = ERR_INIT;

    r->call = NULL;
    if (response->status == 0) {
        failed(r, response->error.text);
    } else if (response->status != 200) {
        (void)err_set(&e, -1, "HTTP %d: %.300s", response->status, response->body);
        failed(r, e.text);
    } else if (take(r, response, &e) < 0) {
        failed(r, e.text);
    } else {
        http_client_renew(r->http);
        log_line(LOG_LEVEL_INFO, "the certificate was renewed", "file", r->cert_file, NULL);
        loop_timer_arm(r->timer, loop_now_ms(r->loop) + LOOK_MS);
    }
}

static int ask(struct renewal *r, struct err *e)
{
    AUTO(mem) char *key = NULL, *request = NULL;
    int code = read_file(r->key_file, &key, e);

    if (code == 0)
        code = certificate_request(key, r->now.node, &request, e);
    if (key)
        explicit_bzero(key, strlen(key));
    if (code < 0 || !request)
        return code;
    const struct http_request post = { .method = "POST",
                                       .url = r->url,
                                       .content_type = "application/x-pem-file",
                                       .body = request,
                                       .body_length = strlen(request),
                                       .ca_file = r->ca_file,
                                       .cert_file = r->cert_file,
                                       .key_file = r->key_file };
    return http_send(r->http, &post, answered, r, &r->call, e);
}

static void look(void *data, int64_t now_ms)
{
    struct renewal *r = data;
    AUTO(mem) char *text = NULL;
    struct err e = ERR_INIT;

    (void)now_ms;
    if (r->call)
        return;
    if (read_file(r->cert_file, &text, &e) < 0 || certificate_read(text, &r->now, &e) < 0) {
        failed(r, e.text);
        return;
    }
    if (!r->now.uid[0]) /* of an authority of somebody else, who renews it */
        return;
    if (clock_wall_ms() < renewal_due_ms(r->now.from_ms, r->now.until_ms, r->now.uid))
        loop_timer_arm(r->timer, loop_now_ms(r->loop) + LOOK_MS);
    else if (ask(r, &e) < 0)
        failed(r, e.text);
}

struct renewal *renewal_new(struct loop *l, struct http_client *http,
                            const struct renewal_options *options)
{
    struct renewal *r = xcalloc(1, sizeof(*r));
    struct strbuf url = STRBUF_INIT;

    if (!options->cert_file[0] || !options->ca_file[0]) {
        free(r);
        return NULL;
    }
    strbuf_printf(&url, "%s/v1/renew", options->url);
    r->url = strbuf_take(&url);
    r->loop = l;
    r->http = http;
    r->ca_file = xstrdup(options->ca_file);
    r->cert_file = xstrdup(options->cert_file);
    r->key_file = xstrdup(options->key_file);
    r->timer = loop_timer_add(l, look, r);
    loop_timer_arm(r->timer, loop_now_ms(l));
    return r;
}

void renewal_free(struct renewal *r)
{
    if (!r)
        return;
    http_cancel(r->call);
    loop_timer_remove(r->timer);
    free(r->url);
    free(r->ca_file);
    free(r->cert_file);
    free(r->key_file);
    free(r);
}
