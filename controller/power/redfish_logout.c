/* Sessions given back: see redfish_logout.h. */
#include "controller/power/redfish_logout.h"

#include "proto/base/http.h"
#include "proto/base/loop.h"
#include "proto/base/strbuf.h"

#define ALL_MS 3000
#define AT_ONCE 64

struct logout {
    struct loop *loop;
    struct http_client *client;
    const struct redfish_farewell *farewells;
    size_t n, next, n_open;
};

static void send_some(struct logout *l);

static void on_deleted(void *data, const struct http_response *response)
{
    struct logout *l = data;

    (void)response;
    l->n_open--;
    send_some(l);
}

static void send_one(struct logout *l, const struct redfish_farewell *f)
{
    AUTO(strbuf) struct strbuf token = STRBUF_INIT;
    const char *headers[] = { NULL, NULL };
    const struct http_request rq = {
        .method = "DELETE",
        .url = f->url,
        .total_ms = ALL_MS,
        .ca_file = f->ca_file,
        .pinned_key = f->fingerprint,
        .headers = headers,
        .http1 = true,
    };

    strbuf_printf(&token, "X-Auth-Token: %s", f->token);
    headers[0] = strbuf_text(&token);
    if (http_send(l->client, &rq, on_deleted, l, NULL, NULL) == 0)
        l->n_open++;
}

static void send_some(struct logout *l)
{
    while (l->n_open < AT_ONCE && l->next < l->n)
        send_one(l, &l->farewells[l->next++]);
    if (l->n_open == 0)
        loop_stop(l->loop, 0);
}

static void on_time(void *data, int64_t now_ms)
{
    struct logout *l = data;

    (void)now_ms;
    loop_stop(l->loop, 0);
}

void redfish_logout(const struct redfish_farewell *farewells, size_t n)
{
    struct logout l = { .farewells = farewells, .n = n };
    struct loop_timer *timer;

    if (n == 0 || loop_new(&l.loop, NULL) < 0)
        return;
    timer = loop_timer_add(l.loop, on_time, &l);
    loop_timer_arm(timer, loop_now_ms(l.loop) + ALL_MS);
    if (http_client_new(l.loop, &l.client, NULL) == 0) {
        send_some(&l);
        if (l.n_open > 0)
            (void)loop_run(l.loop);
    }
    http_client_free(l.client);
    loop_timer_remove(timer);
    loop_free(l.loop);
}
