/* Which Events are written, when, and with which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/kube_client/kube_event_book.h"
#include "controller/kube_client/kube_rate.h"

#define WALL_MS INT64_C(1795751100000) /* 2026-11-27T03:45:00Z */

static const struct kube_event NODE = { .reason = "NodeAsleep",
                                        .action = "Sleep",
                                        .note = "asleep until 07:40",
                                        .regarding = { "v1", "Node", "n3", "", "uid-3" } };
static const struct kube_event POD = { .warning = true,
                                       .reason = "MoveRefused",
                                       .action = "Move",
                                       .note = "no room",
                                       .regarding = { "v1", "Pod", "web-1", "shop", "uid-w" } };

struct desk {
    struct kube_event_book b;
    struct kube_event_write w;
    int64_t now_ms;
};

static void begin(struct desk *d)
{
    *d = (struct desk){ .now_ms = 1000000 };
    assert_int_equal(kube_event_book_init(&d->b, "huddle.energy/controller", "huddle-0", NULL), 0);
}

static void drop_write(struct desk *d)
{
    free(d->w.path);
    json_decref(d->w.body);
    d->w = (struct kube_event_write){ 0 };
}

static void end(struct desk *d)
{
    drop_write(d);
    kube_event_book_done(&d->b);
}

static void tell(struct desk *d, const struct kube_event *event)
{
    struct err e = ERR_INIT;

    if (kube_event_book_tell(&d->b, event, d->now_ms, WALL_MS + d->now_ms - 1000000, &e) < 0)
        fail_msg("%s", e.text);
}

static bool next(struct desk *d, bool room)
{
    drop_write(d);
    kube_event_book_next(&d->b, d->now_ms, room, &d->w);
    return d->w.path != NULL;
}

static void writes(struct desk *d, const char *path, enum kube_reason reason)
{
    assert_true(next(d, true));
    assert_non_null(strstr(d->w.path, path));
    assert_false(next(d, true) && d->w.path); /* one at a time */
    kube_event_book_ended(&d->b, d->now_ms, reason);
}

static const char *text(const json_t *o, const char *key)
{
    const char *found = json_string_value(json_object_get(o, key));

    return found ? found : "(none)";
}

static int series(const struct desk *d)
{
    const json_t *s = json_object_get(d->w.body, "series");

    assert_false(d->w.create);
    assert_int_equal(json_object_size(d->w.body), 1);
    assert_int_equal(strlen(text(s, "lastObservedTime")), 27);
    return (int)json_integer_value(json_object_get(s, "count"));
}

static void creates(struct desk *d)
{
    assert_true(next(d, true));
    assert_true(d->w.create);
    kube_event_book_ended(&d->b, d->now_ms, KUBE_OK);
}

/* --- words --- */

static void test_an_event_as_the_server_wants_it(void **state)
{
    const json_t *m, *r;
    struct desk d;

    (void)state;
    begin(&d);
    tell(&d, &NODE);
    assert_true(next(&d, true));
    assert_true(d.w.create);
    assert_string_equal(d.w.path, "/apis/events.k8s.io/v1/namespaces/default/events");
    assert_string_equal(text(d.w.body, "apiVersion"), "events.k8s.io/v1");
    assert_string_equal(text(d.w.body, "kind"), "Event");
    assert_string_equal(text(d.w.body, "type"), "Normal");
    assert_string_equal(text(d.w.body, "reason"), "NodeAsleep");
    assert_string_equal(text(d.w.body, "action"), "Sleep");
    assert_string_equal(text(d.w.body, "note"), "asleep until 07:40");
    assert_string_equal(text(d.w.body, "eventTime"), "2026-11-27T03:45:00.000000Z");
    assert_string_equal(text(d.w.body, "reportingController"), "huddle.energy/controller");
    assert_string_equal(text(d.w.body, "reportingInstance"), "huddle-0");
    m = json_object_get(d.w.body, "metadata");
    assert_string_equal(text(m, "namespace"), "default"); /* of what is in none */
    assert_memory_equal(text(m, "name"), "n3.", 3);
    assert_int_equal(strlen(text(m, "name")), strlen("n3.") + 16);
    r = json_object_get(d.w.body, "regarding");
    assert_string_equal(text(r, "apiVersion"), "v1");
    assert_string_equal(text(r, "kind"), "Node");
    assert_string_equal(text(r, "name"), "n3");
    assert_string_equal(text(r, "uid"), "uid-3");
    assert_null(json_object_get(r, "namespace"));
    kube_event_book_ended(&d.b, d.now_ms, KUBE_OK);
    tell(&d, &POD);
    assert_true(next(&d, true));
    assert_string_equal(d.w.path, "/apis/events.k8s.io/v1/namespaces/shop/events");
    assert_string_equal(text(d.w.body, "type"), "Warning");
    assert_string_equal(text(json_object_get(d.w.body, "regarding"), "namespace"), "shop");
    end(&d);
}

static void test_notes_are_cut_between_characters(void **state)
{
    static const char *const bits[] = { "a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x90\xa7" };

    (void)state;
    for (size_t i = 0; i < 4; i++)
        for (size_t shift = 0; shift < 4; shift++) {
            char note[4096] = "", *cut;
            size_t n = strlen(bits[i]), whole;

            memset(note, 'x', shift);
            for (int k = 0; k < 900; k++)
                strcat(note, bits[i]);
            if (strlen(note) < KUBE_EVENT_NOTE_MAX) /* 900 letters */
                memset(note, 'x', 1025);
            cut = kube_event_note(note, KUBE_EVENT_NOTE_MAX);
            whole = n == 1 ? 1024 : shift + (1024 - shift) / n * n;
            assert_int_equal(strlen(cut), whole);
            assert_memory_equal(cut, note, whole);
            free(cut);
        }
}

static void test_notes_of_bad_bytes_become_text(void **state)
{
    char *note = kube_event_note("a\xff\xc3z\xed\xa0\x80", 1024);

    (void)state;
    assert_string_equal(note, "a??z???");
    free(note);
    note = kube_event_note("", 1024);
    assert_string_equal(note, "");
    free(note);
}

static void test_what_lacks_something_is_refused(void **state)
{
    static char long_name[300], long_word[130];
    struct desk d;
    struct err e = ERR_INIT;

    (void)state;
    memset(long_name, 'a', sizeof(long_name) - 1);
    memset(long_word, 'a', sizeof(long_word) - 1);
    begin(&d);
#define REFUSED(field, value)                                                               \
    do {                                                                                    \
        struct kube_event bad = NODE;                                                       \
        bad.field = (value);                                                                \
        assert_int_equal(kube_event_book_tell(&d.b, &bad, d.now_ms, WALL_MS, &e), -EINVAL); \
    } while (0)
    REFUSED(reason, "");
    REFUSED(reason, NULL);
    REFUSED(reason, long_word);
    REFUSED(reason, "a\nb");
    REFUSED(action, "");
    REFUSED(action, long_word);
    REFUSED(note, NULL);
    REFUSED(regarding.kind, "");
    REFUSED(regarding.api_version, "");
    REFUSED(regarding.name, "");
    REFUSED(regarding.name, "N3");
    REFUSED(regarding.name, "../n3");
    REFUSED(regarding.name, "n3.");
    REFUSED(regarding.name, long_name);
    REFUSED(regarding.namespace, "A");
#undef REFUSED
    assert_false(next(&d, true));
    assert_int_equal(d.b.counts.told, 0);
    end(&d);
}

static void test_reporters(void **state)
{
    (void)state;
    assert_int_equal(kube_event_check_reporter("huddle.energy/controller", "x", NULL), 0);
    assert_int_equal(kube_event_check_reporter("huddle", "x", NULL), -EINVAL);
    assert_int_equal(kube_event_check_reporter("huddle.energy/", "x", NULL), -EINVAL);
    assert_int_equal(kube_event_check_reporter("/controller", "x", NULL), -EINVAL);
    assert_int_equal(kube_event_check_reporter("a/b/c", "x", NULL), -EINVAL);
    assert_int_equal(kube_event_check_reporter("huddle.energy/controller", "", NULL), -EINVAL);
}

static void test_names_of_events(void **state)
{
    char name[254] = "";
    struct kube_event event = NODE;
    char first[300];
    struct desk d;

    (void)state;
    memset(name, 'a', 253);
    name[235] = '-';
    name[234] = '.';
    event.regarding.name = name;
    for (int i = 0; i < 2; i++) {
        begin(&d);
        tell(&d, &event);
        assert_true(next(&d, true));
        if (i == 1) /* the same event at the same time has the same name */
            assert_string_equal(text(json_object_get(d.w.body, "metadata"), "name"), first);
        (void)snprintf(first, sizeof(first), "%s",
                       text(json_object_get(d.w.body, "metadata"), "name"));
        assert_int_equal(strlen(first), 234 + 17);
        assert_int_equal(first[234], '.');
        end(&d);
    }
    begin(&d);
    d.now_ms++;
    tell(&d, &event);
    assert_true(next(&d, true));
    assert_string_not_equal(text(json_object_get(d.w.body, "metadata"), "name"), first);
    end(&d);
}

/* --- repeats --- */

static void test_repeats_are_a_series(void **state)
{
    struct kube_event again = NODE, other = NODE;
    char name[64];
    struct desk d;

    (void)state;
    begin(&d);
    again.note = "asleep until 07:45"; /* no other event */
    tell(&d, &NODE);
    tell(&d, &again);
    assert_true(next(&d, true));
    assert_true(d.w.create);
    assert_null(json_object_get(d.w.body, "series"));
    (void)snprintf(name, sizeof(name), "/events/%s",
                   text(json_object_get(d.w.body, "metadata"), "name"));
    tell(&d, &again);
    kube_event_book_ended(&d.b, d.now_ms, KUBE_OK);
    assert_true(next(&d, true));
    assert_int_equal(series(&d), 3);
    assert_non_null(strstr(d.w.path, name));
    tell(&d, &again); /* while it is under way */
    kube_event_book_ended(&d.b, d.now_ms, KUBE_OK);
    assert_true(next(&d, true));
    assert_int_equal(series(&d), 4);
    kube_event_book_ended(&d.b, d.now_ms, KUBE_OK);
    assert_false(next(&d, true));
    other.reason = "NodeAwake";
    tell(&d, &other);
    creates(&d);
    other.warning = true;
    tell(&d, &other);
    creates(&d);
    other.regarding.uid = "uid-4"; /* another of the same name */
    tell(&d, &other);
    creates(&d);
    assert_int_equal(d.b.counts.written, 6);
    assert_int_equal(d.b.counts.told, 7);
    end(&d);
}

static void test_a_series_ends_after_six_minutes(void **state)
{
    struct desk d;

    (void)state;
    begin(&d);
    tell(&d, &NODE);
    creates(&d);
    d.now_ms += KUBE_EVENT_SERIES_MS - 1;
    tell(&d, &NODE);
    assert_true(next(&d, true));
    assert_int_equal(series(&d), 2);
    kube_event_book_ended(&d.b, d.now_ms, KUBE_OK);
    assert_false(next(&d, true));
    assert_int_equal(d.w.at_ms, d.now_ms + KUBE_EVENT_SERIES_MS);
    d.now_ms += KUBE_EVENT_SERIES_MS;
    tell(&d, &NODE);
    creates(&d);
    d.now_ms += KUBE_EVENT_SERIES_MS;
    assert_false(next(&d, true));
    assert_int_equal(d.b.n_entries, 0);
    assert_int_equal(d.w.at_ms, INT64_MAX);
    end(&d);
}

static void test_an_event_that_the_server_forgot_is_a_new_one(void **state)
{
    char name[64];
    struct desk d;

    (void)state;
    begin(&d);
    tell(&d, &NODE);
    assert_true(next(&d, true));
    (void)snprintf(name, sizeof(name), "%s", text(json_object_get(d.w.body, "metadata"), "name"));
    kube_event_book_ended(&d.b, d.now_ms, KUBE_OK);
    d.now_ms += 1000;
    tell(&d, &NODE);
    writes(&d, name, KUBE_NOT_FOUND);
    assert_true(next(&d, true));
    assert_true(d.w.create);
    assert_string_not_equal(text(json_object_get(d.w.body, "metadata"), "name"), name);
    assert_string_equal(text(d.w.body, "eventTime"), "2026-11-27T03:45:01.000000Z");
    kube_event_book_ended(&d.b, d.now_ms, KUBE_OK);
    assert_false(next(&d, true)); /* one that was not told, told once */
    end(&d);
}

/* --- limits --- */

/* A large cluster is told in part: fifty at once, then two each second. */
static void test_too_many_about_all_objects(void **state)
{
    struct kube_event event = NODE;
    int at_once = KUBE_EVENT_ALL_BURST, n = 0;
    char name[16];
    struct desk d;

    (void)state;
    begin(&d);
    event.regarding.name = event.regarding.uid = name;
    for (int i = 0; i < 2 * at_once; i++) {
        (void)snprintf(name, sizeof(name), "n%d", i);
        tell(&d, &event);
    }
    for (; next(&d, true); n++)
        kube_event_book_ended(&d.b, d.now_ms, KUBE_OK);
    assert_int_equal(n, at_once);
    assert_in_range(d.w.at_ms, d.now_ms + 1, d.now_ms + 501);
    for (; d.now_ms < 1000000 + 5000; d.now_ms++)
        for (; next(&d, true); n++)
            kube_event_book_ended(&d.b, d.now_ms, KUBE_OK);
    assert_in_range(n, at_once + 9, at_once + 10);
    d.now_ms += KUBE_EVENT_WAIT_MS; /* the rest is too old to be told */
    assert_false(next(&d, true));
    assert_int_equal(d.b.counts.dropped_busy, 2 * at_once - n);
    end(&d);
}

static void test_too_many_about_one_object(void **state)
{
    struct kube_event event = NODE;
    char reason[16];
    struct desk d;

    (void)state;
    begin(&d);
    event.reason = reason;
    for (int i = 0; i < 40; i++) {
        (void)snprintf(reason, sizeof(reason), "R%d", i);
        tell(&d, &event);
        while (next(&d, true))
            kube_event_book_ended(&d.b, d.now_ms, KUBE_OK);
    }
    assert_int_equal(d.b.counts.written, KUBE_EVENT_BURST);
    assert_int_equal(d.b.counts.dropped_spam, 40 - KUBE_EVENT_BURST);
    tell(&d, &POD); /* others have their own */
    creates(&d);
    d.now_ms += 299000;
    tell(&d, &event);
    assert_int_equal(d.b.counts.dropped_spam, 41 - KUBE_EVENT_BURST);
    d.now_ms += 1001;
    tell(&d, &event);
    creates(&d);
    end(&d);
}

static void test_repeats_beyond_the_limit_are_still_counted(void **state)
{
    struct desk d;
    int count = 0, n_writes = 0;

    (void)state;
    begin(&d);
    for (int s = 0; s < 1200; s++, d.now_ms += 1000) {
        tell(&d, &NODE);
        while (next(&d, true)) {
            count = d.w.create ? 1 : series(&d);
            n_writes++;
            kube_event_book_ended(&d.b, d.now_ms, KUBE_OK);
        }
    }
    assert_int_equal(n_writes, KUBE_EVENT_BURST + 3); /* of 20 minutes */
    assert_true(count > 850);
    assert_int_equal(d.b.counts.dropped_spam, 0);
    end(&d);
}

static void test_the_oldest_of_4096_is_forgotten(void **state)
{
    struct kube_event event = NODE;
    char name[16];
    struct desk d;

    (void)state;
    begin(&d);
    event.regarding.name = name;
    event.regarding.uid = NULL;
    tell(&d, &NODE);
    creates(&d);
    for (int i = 0; i < KUBE_EVENT_KEYS; i++, d.now_ms++) {
        (void)snprintf(name, sizeof(name), "m%d", i);
        tell(&d, &event);
    }
    assert_int_equal(d.b.n_entries, KUBE_EVENT_KEYS);
    assert_int_equal(d.b.n_buckets, KUBE_EVENT_KEYS);
    assert_int_equal(d.b.counts.dropped_gone, 0); /* the first was written */
    event.regarding.name = "m";
    tell(&d, &event);
    assert_int_equal(d.b.n_entries, KUBE_EVENT_KEYS);
    assert_int_equal(d.b.counts.dropped_gone, 1);
    end(&d);
}

static void test_without_room_they_wait_and_are_dropped(void **state)
{
    struct desk d;

    (void)state;
    begin(&d);
    tell(&d, &NODE);
    assert_false(next(&d, false));
    assert_true(d.w.at_ms > d.now_ms && d.w.at_ms <= d.now_ms + 2000);
    d.now_ms += KUBE_EVENT_WAIT_MS - 1;
    assert_false(next(&d, false));
    tell(&d, &POD);
    d.now_ms += 1;
    assert_false(next(&d, false));
    assert_int_equal(d.b.counts.dropped_busy, 1);
    writes(&d, "/shop/", KUBE_OK);
    assert_false(next(&d, true));
    end(&d);
}

static void test_the_limiter_keeps_half_for_others(void **state)
{
    struct kube_rate rate = { 0 };
    int n = 0;

    (void)state;
    while (kube_rate_spare(&rate, 1000) && n < 100)
        n += kube_rate_take(&rate, &(struct kube_rate_need){ 0 }, 1000) == 0;
    assert_int_equal(n, KUBE_RATE_BURST / 2 + 1);
    assert_true(kube_rate_spare(&rate, 1050));
    kube_rate_hold(&rate, 1050, 1000, 0);
    assert_false(kube_rate_spare(&rate, 2049));
    assert_true(kube_rate_spare(&rate, 2050));
}

/* --- answers --- */

static void test_answers(void **state)
{
    static const struct {
        enum kube_reason reason;
        bool again;
        struct kube_event_counts counts;
    } rows[] = {
        { KUBE_OK, false, { 1, 1, 0, 0, 0, 0 } },
        { KUBE_ALREADY_EXISTS, false, { 1, 1, 0, 0, 0, 0 } },
        { KUBE_FORBIDDEN, false, { 1, 0, 0, 0, 1, 0 } },
        { KUBE_INVALID, false, { 1, 0, 0, 0, 1, 0 } },
        { KUBE_UNAUTHORIZED, false, { 1, 0, 0, 0, 1, 0 } },
        { KUBE_NOT_FOUND, false, { 1, 0, 0, 0, 0, 1 } }, /* the namespace is */
        { KUBE_UNREACHABLE, true, { 1, 0, 1, 0, 0, 0 } },
        { KUBE_SERVER, true, { 1, 0, 1, 0, 0, 0 } },
        { KUBE_THROTTLED, true, { 1, 0, 1, 0, 0, 0 } },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct desk d;
        int n = 0;
        char name[64] = "";

        begin(&d);
        tell(&d, &NODE);
        for (int64_t end_ms = d.now_ms + 2 * KUBE_EVENT_WAIT_MS; d.now_ms < end_ms;
             d.now_ms += 500) {
            if (!next(&d, true))
                continue;
            if (n++ > 0) /* never another object */
                assert_string_equal(text(json_object_get(d.w.body, "metadata"), "name"), name);
            (void)snprintf(name, sizeof(name), "%s",
                           text(json_object_get(d.w.body, "metadata"), "name"));
            kube_event_book_ended(&d.b, d.now_ms, rows[i].reason);
        }
        assert_int_equal(n, rows[i].again ? 15 : 1);
        assert_memory_equal(&d.b.counts, &rows[i].counts, sizeof(rows[i].counts));
        end(&d);
    }
}

static void test_events_of_what_is_gone_are_dropped(void **state)
{
    struct desk d;

    (void)state;
    begin(&d);
    tell(&d, &NODE);
    tell(&d, &POD);
    kube_event_book_gone(&d.b, "uid-"); /* no uid here */
    kube_event_book_gone(&d.b, "");
    assert_int_equal(d.b.n_entries, 2);
    kube_event_book_gone(&d.b, "uid-3");
    assert_int_equal(d.b.counts.dropped_gone, 1);
    writes(&d, "/shop/", KUBE_OK);
    assert_false(next(&d, true));
    tell(&d, &POD);
    assert_true(next(&d, true));
    kube_event_book_gone(&d.b, "uid-w"); /* under way: its answer is of no interest */
    kube_event_book_ended(&d.b, d.now_ms, KUBE_UNREACHABLE);
    assert_int_equal(d.b.n_entries, 0);
    assert_false(next(&d, true));
    end(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_event_as_the_server_wants_it),
        cmocka_unit_test(test_notes_are_cut_between_characters),
        cmocka_unit_test(test_notes_of_bad_bytes_become_text),
        cmocka_unit_test(test_what_lacks_something_is_refused),
        cmocka_unit_test(test_reporters),
        cmocka_unit_test(test_names_of_events),
        cmocka_unit_test(test_repeats_are_a_series),
        cmocka_unit_test(test_a_series_ends_after_six_minutes),
        cmocka_unit_test(test_an_event_that_the_server_forgot_is_a_new_one),
        cmocka_unit_test(test_too_many_about_one_object),
        cmocka_unit_test(test_too_many_about_all_objects),
        cmocka_unit_test(test_repeats_beyond_the_limit_are_still_counted),
        cmocka_unit_test(test_the_oldest_of_4096_is_forgotten),
        cmocka_unit_test(test_without_room_they_wait_and_are_dropped),
        cmocka_unit_test(test_the_limiter_keeps_half_for_others),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_events_of_what_is_gone_are_dropped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
