/* The metrics page on the network: see metrics_page.h. */
#include "agent/metrics_page.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/exposition.h"
#include "proto/base/httpd.h"

struct metrics_page {
    struct httpd *httpd;
    pthread_mutex_t lock;
    struct strbuf text; /* guarded by lock */
};

static void reply_text(struct httpd_call *call, int status, const char *text)
{
    httpd_reply(call, status, "text/plain; charset=utf-8", text, strlen(text));
}

static void answer(void *data, struct httpd_call *call)
{
    struct metrics_page *p = data;
    AUTO(strbuf) struct strbuf copy = STRBUF_INIT;

    if (strcmp(httpd_path(call), "/metrics") != 0) {
        reply_text(call, 404, "only /metrics is here\n");
        return;
    }
    if (strcmp(httpd_method(call), "GET") != 0 && strcmp(httpd_method(call), "HEAD") != 0) {
        httpd_add_header(call, "Allow", "GET, HEAD");
        reply_text(call, 405, "only GET is answered\n");
        return;
    }
    (void)pthread_mutex_lock(&p->lock);
    strbuf_add(&copy, strbuf_text(&p->text), p->text.length);
    (void)pthread_mutex_unlock(&p->lock);
    httpd_reply(call, 200, EXPOSITION_CONTENT_TYPE, strbuf_text(&copy), copy.length);
}

int metrics_page_new(const char *host, uint16_t port, struct metrics_page **ret_page, struct err *e)
{
    struct metrics_page *p = xcalloc(1, sizeof(*p));
    struct httpd_options options = { .address = host,
                                     .port = port,
                                     .threads = 1,
                                     .connections = 16,
                                     .most_body = 1024,
                                     .handler = answer,
                                     .data = p };
    int r;

    (void)pthread_mutex_init(&p->lock, NULL);
    r = httpd_new(&options, &p->httpd, e);
    if (r < 0) {
        metrics_page_free(p);
        return err_prefix(e, r, "metricsListen");
    }
    *ret_page = p;
    return 0;
}

void metrics_page_free(struct metrics_page *p)
{
    if (!p)
        return;
    httpd_free(p->httpd);
    (void)pthread_mutex_destroy(&p->lock);
    strbuf_done(&p->text);
    free(p);
}

void metrics_page_set(struct metrics_page *p, struct strbuf *text)
{
    struct strbuf old;

    (void)pthread_mutex_lock(&p->lock);
    old = p->text;
    p->text = *text;
    (void)pthread_mutex_unlock(&p->lock);
    *text = (struct strbuf)STRBUF_INIT;
    strbuf_done(&old);
}
