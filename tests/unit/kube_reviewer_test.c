/* Whose token is it, and may he? Our own server plays an API server that knows a few. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/kubernetes/verdicts.h"
#include "controller/substrate/kube_reviewer.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/base/httpd.h"
#include "proto/base/strbuf.h"

#define PATIENCE_MS 60000

struct world {
    struct httpd *httpd;
    pthread_mutex_t lock; /* guards what the server sees */
    struct strbuf seen;
    int tokens, accesses; /* reviews asked for */
    bool forbidden, ill;
    struct httpd_call *kept[KUBE_REVIEWS_MOST + 1];
    size_t n_kept;
    bool keep;
    struct loop *loop;
    struct loop_timer *alarm;
    struct kube_reviewer *reviewer;
    size_t answered, want;
    uint64_t ticket;
    int status;
    char user[64], why[400];
};

/* --- the API server --------------------------------------------------------------------------- */

static void reply(struct httpd_call *call, int status, json_t *object)
{
    char *text = json_dumps(object, JSON_COMPACT);

    httpd_reply(call, status, "application/json", text, strlen(text));
    free(text);
    json_decref(object);
}

/* "alice" is a user; "huddles" a token that was made for huddle alone. */
static json_t *token_review(const json_t *spec)
{
    const char *token = json_string_value(json_object_get(spec, "token"));
    const json_t *audiences = json_object_get(spec, "audiences");
    const char *audience = json_string_value(json_array_get(audiences, 0));
    bool is_aware = strcmp(token, "huddles") == 0,
         known = strcmp(token, "alice") == 0 ? !audience
                                             : (is_aware || strcmp(token, "unaware") == 0) &&
                                                   audience && strcmp(audience, "huddle") == 0;

    if (!known)
        return json_pack("{s:{s:b, s:s}}", "status", "authenticated", 0, "error",
                         "invalid bearer token");
    return json_pack(
        "{s:{s:b, s:o*, s:{s:s, s:s, s:[s, s], s:{s:[s]}}}}", "status", "authenticated", 1,
        "audiences", is_aware ? json_pack("[s, s]", "other", "huddle") : NULL, "user", "username",
        token, "uid", "u-1", "groups", "devs", "system:authenticated", "extra", "scopes", "view");
}

static void handle(void *data, struct httpd_call *call)
{
    struct world *w = data;
    size_t n;
    json_t *review = json_loads(httpd_body(call, &n), 0, NULL);
    const json_t *spec = json_object_get(review, "spec"),
                 *what = json_object_get(spec, "resourceAttributes");
    bool token = strcmp(httpd_path(call), TOKEN_REVIEWS) == 0;
    char *text = json_dumps(spec, JSON_COMPACT | JSON_SORT_KEYS);

    pthread_mutex_lock(&w->lock);
    w->tokens += token;
    w->accesses += !token;
    if (!token)
        strbuf_printf(&w->seen, "%s\n", text);
    if (w->keep) {
        w->kept[w->n_kept++] = call;
    } else if (w->forbidden) {
        reply(call, 403, json_pack("{s:s, s:s}", "kind", "Status", "message", "no"));
    } else if (w->ill) {
        reply(call, 500, json_pack("{s:s, s:s}", "kind", "Status", "message", "etcd is full"));
    } else if (token) {
        reply(call, 201, token_review(spec));
    } else {
        const char *verb = json_string_value(json_object_get(what, "verb"));

        reply(call, 201,
              json_pack("{s:{s:b}}", "status", "allowed",
                        verb && (strcmp(verb, "list") == 0 || strcmp(verb, "get") == 0)));
    }
    pthread_mutex_unlock(&w->lock);
    free(text);
    json_decref(review);
}

/* --- the world -------------------------------------------------------------------------------- */

static void on_alarm(void *data, int64_t now_ms)
{
    (void)data;
    (void)now_ms;
    fail_msg("nothing happened");
}

static void on_verdict(void *data, uint64_t ticket, int status, const char *user, const char *why)
{
    struct world *w = data;

    w->ticket = ticket;
    w->status = status;
    (void)snprintf(w->user, sizeof(w->user), "%s", user);
    (void)snprintf(w->why, sizeof(w->why), "%s", why);
    if (++w->answered >= w->want)
        loop_stop(w->loop, 0);
}

static int set_up(void **state)
{
    struct world *w = xcalloc(1, sizeof(*w));
    const struct httpd_options o = {
        .address = "127.0.0.1", .header_ms = PATIENCE_MS, .handler = handle, .data = w
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
    if (kube_reviewer_new(w->loop, config, on_verdict, w, &w->reviewer, &e) < 0)
        fail_msg("%s", e.text);
    w->alarm = loop_timer_add(w->loop, on_alarm, NULL);
    loop_timer_arm(w->alarm, clock_boot_ms() + PATIENCE_MS);
    *state = w;
    return 0;
}

/* What comes later is answered at once: the server ends only then. */
static void answer_kept(struct world *w)
{
    pthread_mutex_lock(&w->lock);
    w->keep = false;
    for (size_t i = 0; i < w->n_kept; i++)
        reply(w->kept[i], 503, json_object());
    w->n_kept = 0;
    pthread_mutex_unlock(&w->lock);
}

static int tear_down(void **state)
{
    struct world *w = *state;

    kube_reviewer_free(w->reviewer);
    loop_timer_remove(w->alarm);
    loop_free(w->loop);
    answer_kept(w);
    httpd_free(w->httpd);
    pthread_mutex_destroy(&w->lock);
    strbuf_done(&w->seen);
    free(w);
    return 0;
}

static void ask_from(struct world *w, const char *address, uint64_t ticket, const char *token,
                     const struct access_asked *asked)
{
    unsigned char hash[KUBE_HASH_BYTES] = { 0 };

    (void)snprintf((char *)hash, sizeof(hash), "%s", token);
    kube_reviewer_ask(w->reviewer, ticket,
                      &(struct kube_question){
                          .token = token, .hash = hash, .address = address, .asked = *asked });
}

static int verdict(struct world *w, const char *token, const struct access_asked *asked)
{
    static uint64_t tickets = 100;

    w->want = w->answered + 1;
    ask_from(w, "127.0.0.1", ++tickets, token, asked);
    if (w->answered < w->want)
        (void)loop_run(w->loop);
    assert_int_equal(w->ticket, tickets);
    return w->status;
}

static const struct access_asked LIST = { false, "list", "nodes", "", "", "" },
                                 SLEEP = { false, "create", "nodes", "sleep", "n1", "" },
                                 PAGE = { false, "get", "", "", "", "/metrics" },
                                 WHO = { true, "", "", "", "", "" },
                                 NO_WORD = { false, "", "", "", "", "/x" };

/* --- tests ------------------------------------------------------------------------------------ */

static void a_user_may_what_he_may(void **state)
{
    struct world *w = *state;

    assert_int_equal(verdict(w, "alice", &LIST), 200);
    assert_string_equal(w->user, "alice");
    assert_int_equal(verdict(w, "alice", &SLEEP), 403);
    assert_string_equal(w->why, "user \"alice\" may not create nodes/sleep of group huddle.energy "
                                "here; ClusterRoles huddle-viewer, huddle-operator and "
                                "huddle-admin are there for it");
    assert_int_equal(verdict(w, "alice", &PAGE), 403);
    assert_non_null(strstr(w->why, "may not get the path /metrics here"));
    assert_string_equal(
        strbuf_text(&w->seen),
        "{\"extra\":{\"scopes\":[\"view\"]},\"groups\":[\"devs\",\"system:authenticated\"],"
        "\"resourceAttributes\":{\"group\":\"huddle.energy\",\"name\":\"\",\"resource\":\"nodes\","
        "\"subresource\":\"\",\"verb\":\"list\"},\"uid\":\"u-1\",\"user\":\"alice\"}\n"
        "{\"extra\":{\"scopes\":[\"view\"]},\"groups\":[\"devs\",\"system:authenticated\"],"
        "\"resourceAttributes\":{\"group\":\"huddle.energy\",\"name\":\"n1\",\"resource\":"
        "\"nodes\",\"subresource\":\"sleep\",\"verb\":\"create\"},\"uid\":\"u-1\",\"user\":"
        "\"alice\"}\n"
        "{\"extra\":{\"scopes\":[\"view\"]},\"groups\":[\"devs\",\"system:authenticated\"],"
        "\"nonResourceAttributes\":{\"path\":\"/metrics\",\"verb\":\"get\"},\"uid\":\"u-1\","
        "\"user\":\"alice\"}\n");
}

static void a_token_may_be_for_huddle_alone(void **state)
{
    struct world *w = *state;

    assert_int_equal(verdict(w, "huddles", &LIST), 200);
    assert_int_equal(w->tokens, 2);
    assert_int_equal(verdict(w, "stranger", &LIST), 401);
    assert_non_null(strstr(w->why, "neither huddle nor Kubernetes knows this one: invalid bearer"));
    assert_int_equal(w->accesses, 1);
    assert_int_equal(verdict(w, "huddles", &WHO), 200);
    assert_int_equal(w->accesses, 1);
    assert_int_equal(verdict(w, "unaware", &WHO), 401); /* of an authenticator without audiences */
    assert_non_null(strstr(w->why, "does not say that this one is for huddle"));
}

static void what_has_no_word_nobody_may(void **state)
{
    struct world *w = *state;

    assert_int_equal(verdict(w, "alice", &WHO), 200);
    assert_int_equal(verdict(w, "alice", &NO_WORD), 403);
    assert_non_null(strstr(w->why, "no word in RBAC"));
    assert_int_equal(w->accesses, 0);
}

static void answers_are_remembered_for_a_while(void **state)
{
    struct world *w = *state;

    for (int i = 0; i < 3; i++) {
        assert_int_equal(verdict(w, "alice", &LIST), 200);
        assert_string_equal(w->user, "alice");
        assert_int_equal(verdict(w, "alice", &SLEEP), 403);
        assert_non_null(strstr(w->why, "may not create nodes/sleep"));
        assert_int_equal(verdict(w, "stranger", &LIST), 401);
    }
    assert_int_equal(w->tokens, 4); /* of the stranger's both audiences */
    assert_int_equal(w->accesses, 2);
}

static void what_cannot_be_asked_is_refused(void **state)
{
    struct world *w = *state;

    w->forbidden = true;
    assert_int_equal(verdict(w, "alice", &LIST), 503);
    assert_non_null(strstr(w->why, "its account lacks create of tokenreviews"));
    w->forbidden = false;
    w->ill = true;
    assert_int_equal(verdict(w, "alice", &LIST), 503);
    assert_non_null(strstr(w->why, "etcd is full"));
    w->ill = false;
    assert_int_equal(verdict(w, "alice", &LIST), 200); /* that is not remembered */
}

static void so_many_and_no_more(void **state)
{
    struct world *w = *state;
    char address[16];

    pthread_mutex_lock(&w->lock);
    w->keep = true;
    pthread_mutex_unlock(&w->lock);
    w->want = SIZE_MAX;
    for (unsigned i = 0; i < KUBE_REVIEWS_MOST; i++) {
        (void)snprintf(address, sizeof(address), "10.0.0.%u", i / KUBE_REVIEWS_OF_ONE);
        ask_from(w, address, i, "alice", &LIST);
    }
    assert_int_equal(w->answered, 0);
    ask_from(w, "10.1.0.1", 1000, "alice", &LIST);
    assert_int_equal(w->answered, 1);
    assert_int_equal(w->ticket, 1000);
    assert_int_equal(w->status, 503);
    assert_non_null(strstr(w->why, "too many"));
} /* and what is under way ends with it */

static void one_address_leaves_others_their_share(void **state)
{
    struct world *w = *state;

    pthread_mutex_lock(&w->lock);
    w->keep = true;
    pthread_mutex_unlock(&w->lock);
    w->want = SIZE_MAX;
    for (unsigned i = 0; i < KUBE_REVIEWS_OF_ONE; i++)
        ask_from(w, "10.0.0.1", i, "alice", &LIST);
    ask_from(w, "10.0.0.2", 900, "alice", &LIST);
    assert_int_equal(w->answered, 0);
    ask_from(w, "10.0.0.1", 1000, "alice", &LIST);
    assert_int_equal(w->answered, 1);
    assert_int_equal(w->ticket, 1000);
    assert_int_equal(w->status, 503);
    assert_non_null(strstr(w->why, "too many ask at once from this address"));
}

static void verdicts_end_and_make_room(void **state)
{
    struct verdicts *v = verdicts_new(2);
    unsigned char a[VERDICT_HASH_BYTES] = "a", b[VERDICT_HASH_BYTES] = "b";
    const struct verdict yes = { 200, (char *)"u", (char *)"" },
                         no = { 403, (char *)"u", (char *)"w" };
    const struct access_asked other = { false, "list", "nodes", "", "x\ny", "" };

    (void)state;
    assert_null(verdicts_find(v, a, &LIST, 0));
    verdicts_keep(v, a, &LIST, &yes, 0, 10);
    assert_int_equal(verdicts_find(v, a, &LIST, 9)->status, 200);
    assert_null(verdicts_find(v, a, &LIST, 10));
    assert_null(verdicts_find(v, b, &LIST, 0));
    assert_null(verdicts_find(v, a, &SLEEP, 0));
    assert_null(verdicts_find(v, a, &other, 0));
    verdicts_keep(v, a, &LIST, &no, 0, 20); /* in its place */
    assert_string_equal(verdicts_find(v, a, &LIST, 15)->why, "w");
    verdicts_keep(v, a, &SLEEP, &yes, 0, 30);
    verdicts_keep(v, b, &LIST, &yes, 0, 40); /* the first to end makes room */
    assert_null(verdicts_find(v, a, &LIST, 1));
    assert_non_null(verdicts_find(v, a, &SLEEP, 1));
    assert_non_null(verdicts_find(v, b, &LIST, 1));
    verdicts_free(v);
    verdicts_free(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_user_may_what_he_may),
        TEST(a_token_may_be_for_huddle_alone),
        TEST(what_has_no_word_nobody_may),
        TEST(answers_are_remembered_for_a_while),
        TEST(what_cannot_be_asked_is_refused),
        TEST(so_many_and_no_more),
        TEST(one_address_leaves_others_their_share),
        cmocka_unit_test(verdicts_end_and_make_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
