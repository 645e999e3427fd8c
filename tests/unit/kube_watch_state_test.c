/* What a watch asks for, what answers and events mean to it, without a socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/kube_client/kube_watch_state.h"
#include "proto/base/array.h"

/* --- a watch on a desk: what it told, one word each ---------------------------------------------
 */

struct desk {
    struct kube_watch_state s;
    struct strbuf said, path;
    int64_t now_ms;
    char stop_at; /* the watcher stops the watch at such a word */
};

static void say(struct desk *d, char what, const char *text)
{
    strbuf_printf(&d->said, "%s%c%s", d->said.length ? " " : "", what, text);
    if (what == d->stop_at)
        d->s.stopped = true;
}

static void on_changed(void *data, const json_t *object)
{
    const json_t *m = json_object_get(object, "metadata");
    char text[64];

    (void)snprintf(text, sizeof(text), "%s/%s", json_string_value(json_object_get(m, "name")),
                   json_string_value(json_object_get(m, "uid")));
    say(data, '+', text);
}

static void on_gone(void *data, const struct kube_key *key)
{
    char text[64];

    (void)snprintf(text, sizeof(text), "%s/%s", key->name, key->uid);
    say(data, '-', text);
}

static void on_unknown(void *data, const struct kube_key *key, const char *why)
{
    assert_true(why[0]);
    say(data, '?', key->name);
}

static void on_synced(void *data)
{
    say(data, '=', "");
}

static void on_state(void *data, int code, const struct kube_status *status)
{
    assert_true((code == 0) == (status->reason == KUBE_OK));
    say(data, '!', code == 0 ? "" : kube_reason_name(status->reason));
}

static void begin(struct desk *d, const char *path, bool stream)
{
    struct kube_watcher w = { path,    stream,     0,         d,       on_changed,
                              on_gone, on_unknown, on_synced, on_state };

    *d = (struct desk){ .now_ms = 1000000 };
    kube_watch_state_init(&d->s, &w, 42);
}

static void end(struct desk *d)
{
    kube_watch_state_done(&d->s);
    strbuf_done(&d->said);
    strbuf_done(&d->path);
}

static const char *ask(struct desk *d)
{
    strbuf_clear(&d->path);
    kube_watch_state_ask(&d->s, d->now_ms, &d->path);
    return strbuf_text(&d->path);
}

static void asks(struct desk *d, const char *what)
{
    const char *path = ask(d);

    if (!strstr(path, what))
        fail_msg("asked for \"%s\", not \"%s\"", path, what);
}

static bool feed(struct desk *d, const char *text)
{
    return kube_watch_state_feed(&d->s, d->now_ms, text, strlen(text));
}

static int64_t finish(struct desk *d, enum kube_reason reason)
{
    struct kube_status status = { .reason = reason };

    return kube_watch_state_ended(&d->s, d->now_ms, &status);
}

static int64_t give_up(struct desk *d)
{
    return kube_watch_state_ended(&d->s, d->now_ms, NULL);
}

static void told(struct desk *d, const char *words)
{
    assert_string_equal(strbuf_text(&d->said), words);
    strbuf_clear(&d->said);
}

#define OBJECT(name, uid, version)                                            \
    "{\"metadata\":{\"namespace\":\"n\",\"name\":\"" name "\",\"uid\":\"" uid \
    "\",\"resourceVersion\":\"" version "\"}}"
#define EVENT(type, name, uid, version) \
    "{\"type\":\"" type "\",\"object\":" OBJECT(name, uid, version) "}\n"
#define BOOKMARK(version) \
    "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"" version "\"}}}\n"
#define LIST_END                                                                   \
    "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"20\"," \
    "\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}}}}\n"
#define LIST(version, more, items)                                                           \
    "{\"kind\":\"L\",\"metadata\":{\"resourceVersion\":\"" version "\",\"continue\":\"" more \
    "\"},\"items\":[" items "]}"
#define FAILURE(code) \
    "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":" code ",\"message\":\"m\"}}"

/* Listed with a and b, watching from 10. */
static void watching(struct desk *d)
{
    begin(d, "/api/v1/pods", false);
    ask(d);
    assert_true(feed(d, LIST("10", "", OBJECT("a", "1", "3") "," OBJECT("b", "2", "4"))));
    assert_int_equal(finish(d, KUBE_OK), 0);
    told(d, "+a/1 +b/2 ! =");
    asks(d, "/api/v1/pods?watch=true&allowWatchBookmarks=true&timeoutSeconds=");
    assert_non_null(strstr(strbuf_text(&d->path), "&resourceVersion=10"));
}

/* --- listing -----------------------------------------------------------------------------------
 */

static void a_list_is_paged_then_watched(void **state)
{
    struct desk d;

    (void)state;
    begin(&d, "/api/v1/pods?fieldSelector=spec.nodeName%3Dn1", false);
    assert_string_equal(ask(&d), "/api/v1/pods?fieldSelector=spec.nodeName%3Dn1&limit=500");
    assert_true(feed(&d, LIST("10", "t/+=k", OBJECT("a", "1", "3"))));
    assert_int_equal(finish(&d, KUBE_OK), 0);
    assert_false(d.s.synced);
    asks(&d, "&limit=500&continue=t%2F%2B%3Dk");
    assert_true(feed(&d, LIST("10", "", OBJECT("b", "2", "4"))));
    told(&d, "+a/1 ! +b/2");
    assert_int_equal(finish(&d, KUBE_OK), 0);
    told(&d, "=");
    assert_true(d.s.synced);
    asks(&d, "&resourceVersion=10");
    end(&d);
}

static void a_page_that_is_cut_is_asked_for_again(void **state)
{
    struct desk d;

    (void)state;
    begin(&d, "/p", false);
    ask(&d);
    assert_true(feed(&d, "{\"kind\":\"L\",\"items\":[" OBJECT("a", "1", "3") ",{\"meta"));
    assert_in_range(finish(&d, KUBE_OK), 800, 1200); /* as after a truncated gzip */
    told(&d, "+a/1 !Unreachable");
    assert_string_equal(ask(&d), "/p?limit=500");
    assert_false(feed(&d, "<html>proxy</html>"));
    assert_in_range(give_up(&d), 1600, 2400);
    ask(&d);
    assert_false(feed(&d, "{\"hello\":1}"));
    assert_in_range(give_up(&d), 3200, 4800);
    assert_string_equal(ask(&d), "/p?limit=500");
    assert_true(feed(&d, LIST("5", "", "")));
    assert_int_equal(finish(&d, KUBE_OK), 0);
    told(&d, "! -a/1 =");
    end(&d);
}

static void expired_pages_begin_anew_and_then_come_as_one(void **state)
{
    struct desk d;

    (void)state;
    begin(&d, "/p", false);
    for (int i = 0; i < 2; i++) {
        assert_string_equal(ask(&d), "/p?limit=500");
        assert_true(feed(&d, LIST("10", "more", OBJECT("a", "1", "3"))));
        assert_int_equal(finish(&d, KUBE_OK), 0);
        asks(&d, "continue=more");
        assert_true(finish(&d, KUBE_EXPIRED) >= 800);
    }
    assert_string_equal(ask(&d), "/p");
    assert_true(feed(&d, LIST("30", "", OBJECT("b", "2", "4"))));
    assert_int_equal(finish(&d, KUBE_OK), 0);
    told(&d, "+a/1 ! +a/1 +b/2 -a/1 =");
    assert_true(feed(&d, "") && finish(&d, KUBE_EXPIRED) >= 0);
    assert_string_equal(ask(&d), "/p?limit=500"); /* paged again */
    end(&d);
}

static void refusals_back_off_and_honour_what_is_said(void **state)
{
    struct kube_status throttled = { .reason = KUBE_THROTTLED, .retry_after_ms = 45000 };
    struct desk d;
    int64_t wait = 0;

    (void)state;
    begin(&d, "/p", false);
    for (int i = 0; i < 12; i++) {
        ask(&d);
        wait = finish(&d, KUBE_SERVER);
        assert_in_range(wait, 800, 30000);
    }
    assert_true(wait >= 20000);
    ask(&d);
    assert_in_range(kube_watch_state_ended(&d.s, d.now_ms, &throttled), 45000, 67500);
    ask(&d);
    assert_true(feed(&d, LIST("1", "", "")) && finish(&d, KUBE_OK) == 0);
    told(&d, "!ServerError !Throttled ! =");
    end(&d);
}

/* --- streamed lists ----------------------------------------------------------------------------
 */

static void a_streamed_list_becomes_the_watch(void **state)
{
    struct desk d;

    (void)state;
    begin(&d, "/p", true);
    asks(&d, "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan");
    assert_true(feed(&d, EVENT("ADDED", "a", "1", "9") EVENT("ADDED", "b", "2", "3")));
    assert_true(feed(&d, BOOKMARK("4")));
    assert_false(d.s.synced);
    assert_true(feed(&d, LIST_END EVENT("DELETED", "a", "1", "21")));
    told(&d, "+a/1 +b/2 = -a/1");
    d.now_ms += KUBE_WATCH_STREAM_MS + 1;
    assert_true(kube_watch_state_late(&d.s, d.now_ms)); /* a watch now */
    assert_int_equal(finish(&d, KUBE_OK), 0);
    asks(&d, "&resourceVersion=21");
    end(&d);
}

/* Refused, broken off, or ignored: paged from then on, also the next time. */
static void servers_that_cannot_stream_are_remembered(void **state)
{
    (void)state;
    for (int how = 0; how < 5; how++) {
        struct desk d;

        begin(&d, "/p", true);
        ask(&d);
        if (how > 0)
            assert_true(feed(&d, EVENT("ADDED", "a", "1", "3")));
        switch (how) {
        case 0: /* the parameters are not known */
            assert_int_equal(finish(&d, KUBE_INVALID), 0);
            break;
        case 1: /* etcd that is too old */
            assert_false(feed(&d, FAILURE("500")));
            assert_int_equal(give_up(&d), 0);
            break;
        case 2: /* they are ignored, and all is quiet */
            d.now_ms += KUBE_WATCH_STREAM_GAP_MS;
            assert_false(kube_watch_state_late(&d.s, d.now_ms));
            assert_int_equal(give_up(&d), 0);
            break;
        case 3: /* or not quiet */
            for (int i = 0; i < 12; i++) {
                d.now_ms += KUBE_WATCH_STREAM_MS / 12;
                assert_true(feed(&d, EVENT("MODIFIED", "a", "1", "3")));
            }
            assert_false(kube_watch_state_late(&d.s, d.now_ms));
            assert_int_equal(give_up(&d), 0);
            break;
        default:
            assert_int_equal(finish(&d, KUBE_OK), 0);
        }
        strbuf_clear(&d.said);
        assert_string_equal(ask(&d), "/p?limit=500");
        assert_true(feed(&d, LIST("10", "", OBJECT("b", "2", "3"))) && finish(&d, KUBE_OK) == 0);
        told(&d, how ? "+b/2 ! -a/1 =" : "+b/2 ! =");
        ask(&d);
        (void)finish(&d, KUBE_EXPIRED);
        assert_string_equal(ask(&d), "/p?limit=500");
        end(&d);
    }
}

/* --- watching ----------------------------------------------------------------------------------
 */

static void events_are_told_and_the_version_goes_with_them(void **state)
{
    struct desk d;

    (void)state;
    watching(&d);
    assert_true(feed(&d, EVENT("ADDED", "c", "3", "11") EVENT("MODIFIED", "a", "1", "12")));
    assert_true(feed(&d, EVENT("DELETED", "b", "2", "13")));
    told(&d, "+c/3 +a/1 -b/2");
    assert_int_equal(finish(&d, KUBE_OK), 0); /* the time asked for is over */
    asks(&d, "&resourceVersion=13");
    assert_true(feed(&d, BOOKMARK("a b")));
    d.now_ms += 400000;
    assert_int_equal(finish(&d, KUBE_OK), 0);
    asks(&d, "&resourceVersion=a%20b");      /* opaque */
    assert_true(finish(&d, KUBE_OK) >= 800); /* at once, and nothing came: not in a circle */
    told(&d, "");
    ask(&d);
    (void)finish(&d, KUBE_SERVER);
    asks(&d, "&resourceVersion=a%20b");
    end(&d);
}

static void the_time_of_a_watch_is_drawn(void **state)
{
    long least = 10000, most = 0;
    struct desk d;

    (void)state;
    watching(&d);
    for (int i = 0; i < 400; i++) {
        long s = strtol(strstr(ask(&d), "timeoutSeconds=") + 15, NULL, 10);

        least = s < least ? s : least;
        most = s > most ? s : most;
    }
    assert_in_range(least, 300, 310);
    assert_in_range(most, 590, 600);
    end(&d);
}

static void a_new_uid_under_an_old_name_is_gone_and_changed(void **state)
{
    struct desk d;

    (void)state;
    watching(&d);
    assert_true(feed(&d, EVENT("ADDED", "a", "9", "11")));
    told(&d, "-a/1 +a/9");
    assert_true(feed(&d, EVENT("DELETED", "a", "1", "11"))); /* late: of the old one */
    assert_true(feed(&d, EVENT("ADDED", "a", "9", "11")));   /* twice */
    told(&d, "+a/9");
    end(&d);
}

static void an_expired_version_lists_again_and_replaces(void **state)
{
    (void)state;
    for (int in_stream = 0; in_stream < 2; in_stream++) {
        struct desk d;

        watching(&d);
        if (in_stream)
            assert_false(feed(&d, EVENT("ADDED", "c", "3", "11") FAILURE("410")));
        assert_in_range(in_stream ? give_up(&d) : finish(&d, KUBE_EXPIRED), 0, 800);
        assert_false(d.s.synced);
        assert_string_equal(ask(&d), "/api/v1/pods?limit=500");
        assert_true(feed(&d, LIST("50", "", OBJECT("b", "7", "40") "," OBJECT("d", "4", "41"))));
        assert_int_equal(finish(&d, KUBE_OK), 0);
        if (in_stream) {
            assert_non_null(strstr(strbuf_text(&d.said), "-c/3"));
            assert_non_null(strstr(strbuf_text(&d.said), "-a/1"));
        } else {
            told(&d, "-b/2 +b/7 +d/4 -a/1 =");
        }
        asks(&d, "&resourceVersion=50");
        end(&d);
    }
}

/* A server that answers every watch with 410 is not listed in a circle. */
static void expiring_for_ever_backs_off(void **state)
{
    int64_t wait = 0;
    struct desk d;

    (void)state;
    watching(&d);
    for (int i = 0; i < 8; i++) {
        assert_false(feed(&d, FAILURE("410")));
        wait = give_up(&d);
        ask(&d);
        assert_true(feed(&d, LIST("50", "", "")) && finish(&d, KUBE_OK) == 0);
        ask(&d);
    }
    assert_true(wait >= 20000);
    assert_true(feed(&d, BOOKMARK("51")));
    assert_true(finish(&d, KUBE_EXPIRED) <= 800);
    end(&d);
}

static void a_broken_connection_is_checked_and_resumed(void **state)
{
    struct desk d;

    (void)state;
    watching(&d);
    assert_true(feed(&d, EVENT("ADDED", "c", "3", "11") "{\"type\":\"DELE"));
    assert_in_range(finish(&d, KUBE_OK), 800, 1200); /* in mid-event */
    told(&d, "+c/3 !Unreachable");
    asks(&d, "?limit=1&resourceVersionMatch=NotOlderThan&resourceVersion=11");
    assert_true(feed(&d, LIST("12", "", OBJECT("x", "8", "3"))));
    assert_int_equal(finish(&d, KUBE_OK), 0);
    told(&d, "!");
    asks(&d, "watch=true");
    d.now_ms += KUBE_WATCH_SILENCE_MS - 1;
    assert_int_equal(kube_watch_state_due_ms(&d.s), d.now_ms + 1);
    assert_true(kube_watch_state_late(&d.s, d.now_ms));
    assert_false(kube_watch_state_late(&d.s, d.now_ms + 1));
    assert_true(give_up(&d) >= 800);
    told(&d, "!Unreachable");
    asks(&d, "?limit=1&");
    end(&d);
}

/* A replica that lags is waited for; a store from a backup is listed again. */
static void a_server_behind_us_is_waited_for_and_then_believed(void **state)
{
    struct kube_status ahead = { .reason = KUBE_AHEAD, .retry_after_ms = 1000 };
    struct desk d;

    (void)state;
    watching(&d);
    (void)finish(&d, KUBE_UNREACHABLE);
    for (int i = 0; i < 3; i++) {
        asks(&d, "?limit=1&");
        assert_in_range(kube_watch_state_ended(&d.s, d.now_ms, &ahead), 1000, 1500);
        d.now_ms += 1500;
    }
    asks(&d, "?limit=1&");
    assert_int_equal(finish(&d, KUBE_OK), 0);
    asks(&d, "watch=true");
    d.now_ms += 2 * (int64_t)KUBE_WATCH_AHEAD_MS; /* another time */
    (void)kube_watch_state_ended(&d.s, d.now_ms, &ahead);
    asks(&d, "?limit=1&");
    (void)kube_watch_state_ended(&d.s, d.now_ms, &ahead);
    d.now_ms += KUBE_WATCH_AHEAD_MS;
    asks(&d, "?limit=1&");
    (void)kube_watch_state_ended(&d.s, d.now_ms, &ahead);
    assert_string_equal(ask(&d), "/api/v1/pods?limit=500"); /* of any version, not of "0" */
    end(&d);
}

/* What a server never sends to one who holds what we hold: at most every 30 s all is listed. */
static void events_that_do_not_follow_are_doubted(void **state)
{
    static const char *const strange[] = { EVENT("MODIFIED", "x", "8", "11"),
                                           EVENT("DELETED", "x", "8", "11") };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(strange); i++) {
        struct desk d;

        watching(&d);
        assert_true(feed(&d, strange[i]));
        assert_false(kube_watch_state_late(&d.s, d.now_ms));
        assert_in_range(give_up(&d), 0, 800);
        assert_string_equal(ask(&d), "/api/v1/pods?limit=500");
        assert_true(feed(&d, LIST("50", "", "")) && finish(&d, KUBE_OK) == 0);
        ask(&d);
        assert_true(feed(&d, EVENT("DELETED", "y", "9", "51")));
        assert_true(kube_watch_state_late(&d.s, d.now_ms + KUBE_WATCH_DOUBT_MS - 1));
        assert_false(kube_watch_state_late(&d.s, d.now_ms + KUBE_WATCH_DOUBT_MS));
        end(&d);
    }
}

/* --- what cannot be read -----------------------------------------------------------------------
 */

#define UNREADABLE(name, uid)                                                 \
    "{\"metadata\":{\"namespace\":\"n\",\"name\":\"" name "\",\"uid\":\"" uid \
    "\",\"resourceVersion\":\"14\"},\"x\":{\"a\\u0000b\":99999999999999999999}}"

static void what_cannot_be_read_is_held_as_unknown(void **state)
{
    struct desk d;

    (void)state;
    watching(&d);
    assert_true(feed(&d, "{\"type\":\"ADDED\",\"object\":" UNREADABLE("u", "5") "}"));
    assert_true(feed(&d, "{\"type\":\"MODIFIED\",\"object\":" UNREADABLE("a", "1") "}"));
    assert_true(feed(&d, "{\"type\":\"MODIFIED\",\"object\":" UNREADABLE("b", "6") "}"));
    told(&d, "?u ?a -b/2 ?b");
    assert_true(feed(&d, EVENT("MODIFIED", "u", "5", "15")));
    assert_true(feed(&d, "{\"type\":\"DELETED\",\"object\":" UNREADABLE("a", "1") "}"));
    told(&d, "+u/5 -a/1");
    (void)finish(&d, KUBE_OK);
    asks(&d, "&resourceVersion=14"); /* read all the same */
    (void)finish(&d, KUBE_EXPIRED);
    ask(&d);
    assert_true(feed(&d, LIST("50", "", UNREADABLE("u", "5") ",{\"metadata\":{}}")));
    assert_int_equal(finish(&d, KUBE_OK), 0);
    told(&d, "?u -b/6 = ?"); /* nameless ones behind synced() */
    ask(&d);
    assert_true(feed(&d, "{\"type\":\"ADDED\",\"object\":{}}"));
    told(&d, "?");
    assert_false(feed(&d, "{\"type\":1e999}"));
    end(&d);
}

static void a_nul_byte_of_a_tenant_is_read(void **state)
{
    struct desk d;

    (void)state;
    watching(&d);
    assert_true(feed(&d, "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"z\",\"uid\":"
                         "\"5\",\"annotations\":{\"k\":\"a\\u0000b\"}}}}"));
    told(&d, "+z/5");
    end(&d);
}

/* --- the rest ----------------------------------------------------------------------------------
 */

static void nothing_is_told_after_a_stop_inside_a_callback(void **state)
{
    struct desk d;

    (void)state;
    watching(&d);
    d.stop_at = '-';
    assert_false(feed(&d, EVENT("ADDED", "a", "9", "11") EVENT("ADDED", "c", "3", "12")));
    (void)give_up(&d);
    told(&d, "-a/1");
    end(&d);
}

static void a_hundred_thousand_keys_are_cheap(void **state)
{
    enum { MANY = 100000 };
    struct kube_keys keys = { .seed = 7 };
    size_t before = mallinfo2().uordblks, at = 0, unseen = 0;
    struct kube_held *held;
    double each;

    (void)state;
    for (int i = 0; i < MANY; i++) {
        char name[64], uid[40];
        struct kube_key key = { "tenant-namespace", name, uid };

        (void)snprintf(name, sizeof(name), "served-model-7d4b9c6f5d-%05d", i);
        (void)snprintf(uid, sizeof(uid), "8f14e45f-ceea-467f-ab1c-%012d", i);
        assert_null(kube_keys_find(&keys, &key));
        held = kube_keys_add(&keys, &key);
        held->pass = i % 1000 != 0;
        assert_ptr_equal(kube_keys_find(&keys, &key), held);
    }
    each = (double)(mallinfo2().uordblks - before) / MANY;
    print_message("%.0f bytes a key\n", each);
    assert_true(before == 0 || each < 200); /* 0: another allocator */
    while ((held = kube_keys_take_unseen(&keys, 1, &at))) {
        free(held);
        unseen++;
    }
    assert_int_equal(unseen, MANY / 1000);
    assert_int_equal(keys.n, MANY - MANY / 1000);
    kube_keys_done(&keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_is_paged_then_watched),
        cmocka_unit_test(a_page_that_is_cut_is_asked_for_again),
        cmocka_unit_test(expired_pages_begin_anew_and_then_come_as_one),
        cmocka_unit_test(refusals_back_off_and_honour_what_is_said),
        cmocka_unit_test(a_streamed_list_becomes_the_watch),
        cmocka_unit_test(servers_that_cannot_stream_are_remembered),
        cmocka_unit_test(events_are_told_and_the_version_goes_with_them),
        cmocka_unit_test(the_time_of_a_watch_is_drawn),
        cmocka_unit_test(a_new_uid_under_an_old_name_is_gone_and_changed),
        cmocka_unit_test(an_expired_version_lists_again_and_replaces),
        cmocka_unit_test(expiring_for_ever_backs_off),
        cmocka_unit_test(a_broken_connection_is_checked_and_resumed),
        cmocka_unit_test(a_server_behind_us_is_waited_for_and_then_believed),
        cmocka_unit_test(events_that_do_not_follow_are_doubted),
        cmocka_unit_test(what_cannot_be_read_is_held_as_unknown),
        cmocka_unit_test(a_nul_byte_of_a_tenant_is_read),
        cmocka_unit_test(nothing_is_told_after_a_stop_inside_a_callback),
        cmocka_unit_test(a_hundred_thousand_keys_are_cheap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
