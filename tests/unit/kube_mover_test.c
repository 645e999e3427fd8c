/* Jobs that move pods, against our own server, which plays an API server: what they ask together,
 * and that they end when they have to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controller/substrate/kube_mover.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/base/file.h"
#include "proto/base/httpd.h"
#include "proto/base/strbuf.h"

#define DOCUMENTS "tests/data/kubernetes/discovery_1.37_aggregated.json"
#define PATIENCE_MS 60000
#define REQUEST_MS 30000 /* that a request takes which is never answered */
#define JOBS 8

struct world {
    json_t *documents; /* by path */
    struct httpd *httpd;
    pthread_mutex_t lock; /* of what follows */
    int discoveries, asked;
    bool dumb;                         /* nothing but discovery is answered */
    bool dumber;                       /* nor is that */
    struct httpd_call *kept[4 * JOBS]; /* calls that are not answered */
    size_t n_kept;
    struct loop *loop;
    struct kube_limit *limit;
    struct kube_mover *mover;
    struct loop_timer *alarm, *look;
    bool (*until)(struct world *w);
    int ended;
    enum kube_move_end end;
    char kubeconfig[64];
};

/* --- the server ---------------------------------------------------------------------------------
 */

static void handle(void *data, struct httpd_call *call)
{
    static const char none[] = "{\"kind\":\"Status\",\"reason\":\"NotFound\"}";
    static const char empty[] = "{\"kind\":\"PodList\",\"items\":[]}";
    struct world *w = data;
    const json_t *document = json_object_get(w->documents, httpd_path(call));
    char *text = document ? json_dumps(document, JSON_COMPACT) : NULL;

    pthread_mutex_lock(&w->lock);
    w->discoveries += strcmp(httpd_path(call), "/apis") == 0;
    w->asked++;
    if ((w->dumb && !document) || w->dumber)
        w->kept[w->n_kept++] = call;
    else if (document)
        httpd_reply(call, 200, "application/json", text, strlen(text));
    else if (strcmp(httpd_path(call), "/api/v1/namespaces/a/pods") == 0)
        httpd_reply(call, 200, "application/json", empty, strlen(empty));
    else
        httpd_reply(call, 404, "application/json", none, strlen(none));
    pthread_mutex_unlock(&w->lock);
    free(text);
}

/* --- the world ----------------------------------------------------------------------------------
 */

static void moved(void *data, const struct kube_moved *m)
{
    struct world *w = data;

    w->ended++;
    w->end = m->end;
}

static int64_t begin_write(void *data)
{
    (void)data;
    return clock_boot_ms() + PATIENCE_MS;
}

static void end_write(void *data)
{
    (void)data;
}

static uint64_t epoch(void *data)
{
    (void)data;
    return 3;
}

static void note(void *data, bool warning, const char *text)
{
    (void)data;
    (void)warning;
    (void)text;
}

static void on_alarm(void *data, int64_t now_ms)
{
    struct world *w = data;

    (void)now_ms;
    fail_msg("it does not come; ended: %d", w->ended);
}

static void on_look(void *data, int64_t now_ms)
{
    struct world *w = data;

    if (w->until(w))
        loop_stop(w->loop, 0);
    loop_timer_arm(w->look, now_ms + 20);
}

static void run_until(struct world *w, bool (*until)(struct world *w))
{
    w->until = until;
    loop_timer_arm(w->look, clock_boot_ms());
    loop_timer_arm(w->alarm, clock_boot_ms() + PATIENCE_MS);
    assert_int_equal(loop_run(w->loop), 0);
}

static void write_kubeconfig(struct world *w)
{
    AUTO(strbuf) struct strbuf text = STRBUF_INIT;
    struct err e = ERR_INIT;

    (void)snprintf(w->kubeconfig, sizeof(w->kubeconfig), "/tmp/huddle-mover-test-%d",
                   (int)getpid());
    strbuf_printf(&text,
                  "apiVersion: v1\nkind: Config\ncurrent-context: c\n"
                  "clusters: [{name: k, cluster: {server: \"http://127.0.0.1:%u\"}}]\n"
                  "users: [{name: u, user: {}}]\n"
                  "contexts: [{name: c, context: {cluster: k, user: u}}]\n",
                  httpd_port(w->httpd));
    if (file_replace(w->kubeconfig, strbuf_text(&text), text.length, 0600, &e) < 0)
        fail_msg("%s", e.text);
}

static int set_up(void **state)
{
    struct world *w = *state = xcalloc(1, sizeof(*w));
    struct httpd_options o = {
        .address = "127.0.0.1", .header_ms = PATIENCE_MS, .handler = handle, .data = w
    };
    struct err e = ERR_INIT;

    pthread_mutex_init(&w->lock, NULL);
    w->documents = json_load_file(DOCUMENTS, 0, NULL);
    assert_non_null(w->documents);
    if (httpd_new(&o, &w->httpd, &e) < 0 || loop_new(&w->loop, &e) < 0)
        fail_msg("%s", e.text);
    write_kubeconfig(w);
    w->limit = kube_limit_new();
    w->mover = kube_mover_new(w->loop, &(struct kube_mover_options){ .kubeconfig = w->kubeconfig,
                                                                     .limit = w->limit,
                                                                     .data = w,
                                                                     .moved = moved,
                                                                     .begin_write = begin_write,
                                                                     .end_write = end_write,
                                                                     .epoch = epoch,
                                                                     .note = note });
    w->alarm = loop_timer_add(w->loop, on_alarm, w);
    w->look = loop_timer_add(w->loop, on_look, w);
    return 0;
}

static int tear_down(void **state)
{
    static const char none[] = "{}";
    struct world *w = *state;

    kube_mover_free(w->mover);
    loop_timer_remove(w->alarm);
    loop_timer_remove(w->look);
    loop_free(w->loop);
    for (size_t i = 0; i < w->n_kept; i++)
        httpd_reply(w->kept[i], 404, "application/json", none, strlen(none));
    httpd_free(w->httpd);
    kube_limit_free(w->limit);
    json_decref(w->documents);
    (void)unlink(w->kubeconfig);
    pthread_mutex_destroy(&w->lock);
    free(w);
    return 0;
}

static void give(struct world *w, int i)
{
    char uid[16];

    (void)snprintf(uid, sizeof(uid), "v%d", i);
    kube_mover_give(w->mover, &(struct kube_mover_order){
                                  .model = "", .pod = "a/v", .uid = uid, .node = "n1" });
}

/* --- tests --------------------------------------------------------------------------------------
 */

static bool all_ended(struct world *w)
{
    return w->ended == JOBS;
}

static void what_the_server_can_do_is_asked_once_for_all(void **state)
{
    struct world *w = *state;

    for (int i = 0; i < JOBS; i++)
        give(w, i);
    run_until(w, all_ended);
    assert_int_equal(w->end, KUBE_MOVE_REFUSED); /* there is no such pod */
    assert_int_equal(w->discoveries, 1);
    assert_true(w->asked >= JOBS); /* the pods, each its own */
}

static bool is_asked_for_pods(struct world *w)
{
    bool asked;

    pthread_mutex_lock(&w->lock);
    asked = w->n_kept >= JOBS;
    pthread_mutex_unlock(&w->lock);
    return asked;
}

static bool is_asked(struct world *w)
{
    bool asked;

    pthread_mutex_lock(&w->lock);
    asked = w->n_kept > 0;
    pthread_mutex_unlock(&w->lock);
    return asked;
}

static void end_in_time(struct world *w)
{
    int64_t begin_ms = clock_boot_ms();

    kube_mover_free(TAKE(w->mover));
    assert_true(clock_boot_ms() - begin_ms < REQUEST_MS / 2);
}

static void the_end_waits_for_no_request(void **state)
{
    struct world *w = *state;

    w->dumb = true;
    for (int i = 0; i < JOBS; i++)
        give(w, i);
    run_until(w, is_asked_for_pods);
    end_in_time(w);
}

/* Nor do those that wait for another's. */
static void the_end_waits_for_no_discovery(void **state)
{
    struct world *w = *state;

    w->dumber = true;
    for (int i = 0; i < JOBS; i++)
        give(w, i);
    run_until(w, is_asked);
    end_in_time(w);
    assert_int_equal(w->asked, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_the_server_can_do_is_asked_once_for_all),
        TEST(the_end_waits_for_no_request),
        TEST(the_end_waits_for_no_discovery),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
