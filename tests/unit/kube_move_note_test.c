/* How a move is written into the status of its model, also while others write there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/substrate/kube_move_note.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/base/httpd.h"
#include "proto/base/strbuf.h"
#include "tests/unit/kube_object.h"

#define OTHER "{'victim':'o','victimUID':'u-o','node':'n1'}"
#define OURS                                                                   \
    "{'recipe':'adopt','victim':'v','victimUID':'u-v','node':'n2','deadline':" \
    "'2026-11-27T12:00:00Z','leaderEpoch':4}"
#define MODEL(moves)                                                                             \
    "{'metadata':{'name':'m','namespace':'a','uid':'u','resourceVersion':'7'},'status':{'moves'" \
    ":" moves "}}"
#define PATCH(moves) "{'metadata':{'uid':'u','resourceVersion':'7'},'status':{'moves':" moves "}}"

static const struct kube_move_note NOTE = { .model = "m.a",
                                            .namespace = "a",
                                            .pod = "v",
                                            .uid = "u-v",
                                            .node = "n2",
                                            .way = RECIPE_ADOPT,
                                            .deadline_wall_ms = INT64_C(1795780800000),
                                            .epoch = 4 };

/* But for the id of the move, which is a hash. */
static void patch_case(const char *model, bool stands, const char *expect)
{
    json_t *seen = object(model), *body = kube_move_note_patch(seen, &NOTE, stands);
    json_t *moves = json_object_get(json_object_get(body, "status"), "moves"), *wanted;
    json_t *last = json_array_get(moves, json_array_size(moves) - 1);

    json_decref(seen);
    if (!expect) {
        assert_null(body);
        return;
    }
    if (stands)
        assert_int_equal(json_string_length(json_object_get(last, "id")), 10);
    json_object_del(last, "id");
    wanted = object(expect);
    if (!json_equal(wanted, body))
        fail_msg("%s", json_dumps(body, 0));
    json_decref(wanted);
    json_decref(body);
}

static void moves_of_others_stay(void **state)
{
    (void)state;
    patch_case(MODEL("null"), true, PATCH("[" OURS "]"));
    patch_case(MODEL("[" OTHER "]"), true, PATCH("[" OTHER "," OURS "]"));
    patch_case(MODEL("[{'victimUID':'u-v','node':'n9'}," OTHER "]"), true,
               PATCH("[" OTHER "," OURS "]"));
    patch_case(MODEL("[" OTHER ",{'victimUID':'u-v'}]"), false, PATCH("[" OTHER "]"));
    patch_case(MODEL("[{'victimUID':'u-v'}]"), false, PATCH("null"));
    patch_case(MODEL("[" OTHER "]"), false, NULL);
    patch_case("{'metadata':{}}", false, NULL);
}

/* --- against a server ---------------------------------------------------------------------------
 */

struct world {
    struct httpd *httpd;
    pthread_mutex_t lock; /* of what follows */
    int version, others;  /* of the model; writes of others that come between */
    struct strbuf written;
    struct loop *loop;
    struct kube_client *client;
    struct kube_capabilities can;
};

static void handle(void *data, struct httpd_call *call)
{
    static const char conflict[] = "{\"kind\":\"Status\",\"reason\":\"Conflict\"}";
    struct world *w = data;
    char model[200], version[40];
    size_t n;
    const char *body = httpd_body(call, &n);

    pthread_mutex_lock(&w->lock);
    (void)snprintf(
        model, sizeof(model),
        "{\"metadata\":{\"uid\":\"u\",\"resourceVersion\":\"%d\"},\"status\":{\"moves\":["
        "{\"victimUID\":\"u-%d\"}]}}",
        w->version, w->version);
    (void)snprintf(version, sizeof(version), "\"resourceVersion\":\"%d\"", w->version);
    if (strcmp(httpd_path(call), "/apis/x/namespaces/a/servedmodels/gone") == 0) {
        httpd_reply(call, 404, "application/json", "{}", 2);
    } else if (strcmp(httpd_method(call), "GET") == 0) {
        httpd_reply(call, 200, "application/json", model, strlen(model));
        w->version += w->others-- > 0;
    } else if (!strstr(body, version)) {
        httpd_reply(call, 409, "application/json", conflict, strlen(conflict));
    } else {
        strbuf_printf(&w->written, "%s %s", httpd_path(call), body);
        httpd_reply(call, 200, "application/json", "{}", 2);
    }
    pthread_mutex_unlock(&w->lock);
}

static int set_up(void **state)
{
    struct world *w = *state = xcalloc(1, sizeof(*w));
    struct httpd_options o = { .address = "127.0.0.1", .handler = handle, .data = w };
    struct kube_config *config = kube_config_new();
    struct strbuf server = STRBUF_INIT;
    struct err e = ERR_INIT;

    pthread_mutex_init(&w->lock, NULL);
    w->version = 7;
    if (httpd_new(&o, &w->httpd, &e) < 0 || loop_new(&w->loop, &e) < 0)
        fail_msg("%s", e.text);
    strbuf_printf(&server, "http://127.0.0.1:%u", httpd_port(w->httpd));
    free(config->server);
    config->server = strbuf_take(&server);
    if (kube_client_new(w->loop, config, &w->client, &e) < 0)
        fail_msg("%s", e.text);
    w->can.resource[KUBE_SERVED_MODELS].served = true;
    w->can.resource[KUBE_SERVED_MODELS].namespaced = true;
    w->can.resource[KUBE_SERVED_MODELS].plural = "servedmodels";
    (void)snprintf(w->can.resource[KUBE_SERVED_MODELS].prefix,
                   sizeof(w->can.resource[KUBE_SERVED_MODELS].prefix), "/apis/x");
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    kube_client_free(w->client);
    loop_free(w->loop);
    httpd_free(w->httpd);
    pthread_mutex_destroy(&w->lock);
    strbuf_done(&w->written);
    free(w);
    return 0;
}

static int write_note(struct world *w, const char *model, struct err *e)
{
    struct kube_move_note note = NOTE;

    note.model = model;
    return kube_move_note_write(w->client, &w->can, &note, true, 0, e);
}

static void who_was_quicker_is_read_first(void **state)
{
    struct world *w = *state;
    struct err e = ERR_INIT;

    w->others = 2;
    assert_int_equal(write_note(w, "m.a", &e), 0);
    assert_non_null(
        strstr(strbuf_text(&w->written), "/apis/x/namespaces/a/servedmodels/m/status "));
    assert_non_null(strstr(strbuf_text(&w->written), "\"resourceVersion\":\"9\""));
    assert_non_null(strstr(strbuf_text(&w->written), "\"u-9\"")); /* it stays */
    assert_non_null(strstr(strbuf_text(&w->written), "\"u-v\""));
}

static void who_writes_all_the_time_is_not_chased(void **state)
{
    struct world *w = *state;
    struct err e = ERR_INIT;

    w->others = 1000;
    assert_int_equal(write_note(w, "m.a", &e), -EAGAIN);
    assert_non_null(strstr(e.text, "cannot be told of the move"));
    assert_string_equal(strbuf_text(&w->written), "");
    assert_int_equal(write_note(w, "gone.a", &e), -ENOENT);
}

static void behind_the_term_nothing_is_written(void **state)
{
    struct world *w = *state;
    struct err e = ERR_INIT;

    assert_true(kube_move_note_write(w->client, &w->can, &NOTE, true, clock_boot_ms() - 1, &e) < 0);
    assert_non_null(strstr(e.text, "not sent in time"));
    assert_string_equal(strbuf_text(&w->written), "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moves_of_others_stay),
        TEST(who_was_quicker_is_read_first),
        TEST(behind_the_term_nothing_is_written),
        TEST(who_writes_all_the_time_is_not_chased),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
