/* What is written to an API server, for tests of who writes: our own server, which plays one that
 * answers as it is told; a leader who leads or does not; and a loop that runs until all is
 * answered. */
#ifndef HUDDLE_TESTS_KUBE_WRITE_RIG_H
#define HUDDLE_TESTS_KUBE_WRITE_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/kube_client/kube_client.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/base/httpd.h"
#include "proto/base/strbuf.h"
#include "tests/unit/kube_object.h"

#define PATIENCE_MS 60000

struct write_rig {
    struct httpd *httpd;
    pthread_mutex_t lock; /* of what follows */
    struct strbuf seen;   /* by the server: a line for each write */
    int n_seen, status;   /* status: of its answers to them */
    /* The answer to a GET of that path; NULL: {}. */
    void (*read)(const char *path, char text[400]);
    struct loop *loop;
    struct kube_client *client;
    bool (*busy)(const void *writer); /* a request has no answer yet */
    const void *writer;
    struct loop_timer *alarm, *look;
    int64_t now_ms; /* of the rounds */
    bool leads;
    int writes;
    char noted[900];
};

static void rig_handle(void *data, struct httpd_call *call)
{
    static const char STATUS[] =
        "{\"kind\":\"Status\",\"message\":\"so it is\",\"details\":{\"causes\":[{\"reason\":"
        "\"DisruptionBudget\"}]}}";
    struct write_rig *w = data;
    size_t n;
    const char *body = httpd_body(call, &n), *path = httpd_path(call);
    char text[400] = "{}";

    pthread_mutex_lock(&w->lock);
    if (strcmp(httpd_method(call), "GET") == 0) {
        if (w->read)
            w->read(path, text);
        httpd_reply(call, 200, "application/json", text, strlen(text));
    } else {
        strbuf_printf(&w->seen, "%s %s %.*s\n", httpd_method(call), path, (int)n, body ? body : "");
        w->n_seen++;
        httpd_reply(call, w->status, "application/json", STATUS, sizeof(STATUS) - 1);
    }
    pthread_mutex_unlock(&w->lock);
}

static inline int64_t rig_begin_write(void *data)
{
    struct write_rig *w = data;

    w->writes += w->leads;
    return w->leads ? clock_boot_ms() + PATIENCE_MS : 0;
}

static inline void rig_end_write(void *data)
{
    ((struct write_rig *)data)->writes--;
}

static inline uint64_t rig_epoch(void *data)
{
    (void)data;
    return 3;
}

static inline void rig_note(void *data, bool warning, const char *text)
{
    struct write_rig *w = data;

    (void)warning;
    (void)snprintf(w->noted, sizeof(w->noted), "%s", text);
}

static void rig_on_alarm(void *data, int64_t now_ms)
{
    struct write_rig *w = data;

    (void)now_ms;
    fail_msg("no answer; seen:\n%s", strbuf_text(&w->seen));
}

static void rig_on_look(void *data, int64_t now_ms)
{
    struct write_rig *w = data;

    if (!w->busy(w->writer))
        loop_stop(w->loop, 0);
    loop_timer_arm(w->look, now_ms + 5);
}

/* Until the writer has all answers. */
static inline void rig_run(struct write_rig *w)
{
    loop_timer_arm(w->look, clock_boot_ms());
    loop_timer_arm(w->alarm, clock_boot_ms() + PATIENCE_MS);
    assert_int_equal(loop_run(w->loop), 0);
}

static inline void rig_begin(struct write_rig *w)
{
    struct httpd_options o = {
        .address = "127.0.0.1", .header_ms = PATIENCE_MS, .handler = rig_handle, .data = w
    };
    struct kube_config *config = kube_config_new();
    struct strbuf server = STRBUF_INIT;
    struct err e = ERR_INIT;

    pthread_mutex_init(&w->lock, NULL);
    if (httpd_new(&o, &w->httpd, &e) < 0 || loop_new(&w->loop, &e) < 0)
        fail_msg("%s", e.text);
    strbuf_printf(&server, "http://127.0.0.1:%u", httpd_port(w->httpd));
    free(config->server);
    config->server = strbuf_take(&server);
    if (kube_client_new(w->loop, config, &w->client, &e) < 0)
        fail_msg("%s", e.text);
    w->alarm = loop_timer_add(w->loop, rig_on_alarm, w);
    w->look = loop_timer_add(w->loop, rig_on_look, w);
    w->leads = true;
    w->status = 200;
}

/* The writer is gone by now. */
static inline void rig_end(struct write_rig *w)
{
    kube_client_free(w->client);
    loop_timer_remove(w->alarm);
    loop_timer_remove(w->look);
    loop_free(w->loop);
    httpd_free(w->httpd);
    pthread_mutex_destroy(&w->lock);
    strbuf_done(&w->seen);
}

static inline bool rig_saw(const struct write_rig *w, const char *text)
{
    return strstr(strbuf_text(&w->seen), text) != NULL;
}

#endif
