/* What a candidate for a Lease asks for and what answers mean to it, one step at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/kube_client/kube_lease_state.h"

#define ME "me_1"
#define WALL_MS INT64_C(1795751100000) /* 2026-11-27T03:45:00Z */
#define BOOT_MS 1000000
#define DURATION_MS 60000
#define DEADLINE_MS 40000
#define RETRY_MS 5000
#define JITTERED_MS 6000

/* --- a candidate on a desk --- */

struct desk {
    struct kube_lease_state s;
    struct kube_lease_wish w;
    int64_t now_ms, wall_ms;
    int version;
};

static void begin(struct desk *d)
{
    struct kube_lease_order o = { .namespace = "huddle-system",
                                  .name = "huddle",
                                  .terms = KUBE_LEASE_TERMS };

    *d = (struct desk){ .now_ms = BOOT_MS, .wall_ms = WALL_MS };
    kube_lease_state_init(&d->s, &o, ME, 42);
}

static void end(struct desk *d)
{
    json_decref(d->w.body);
    kube_lease_state_done(&d->s);
}

static enum kube_lease_verb next(struct desk *d)
{
    json_decref(d->w.body);
    kube_lease_state_next(&d->s, d->now_ms, d->wall_ms, &d->w);
    return d->w.verb;
}

static void wants(struct desk *d, enum kube_lease_verb verb)
{
    assert_int_equal(next(d), verb);
}

/* Until it wants something else than to wait; how long that took. */
static int64_t wait(struct desk *d, enum kube_lease_verb verb)
{
    int64_t from_ms = d->now_ms;

    while (next(d) == KUBE_LEASE_WAIT) {
        assert_true(d->w.at_ms > d->now_ms);
        assert_true(d->w.at_ms < INT64_MAX);
        d->now_ms = d->w.at_ms;
    }
    assert_int_equal(d->w.verb, verb);
    return d->now_ms - from_ms;
}

static void refuse(struct desk *d, enum kube_reason reason)
{
    kube_lease_state_ended(&d->s, d->now_ms, reason, NULL);
}

static void give(struct desk *d, json_t *record)
{
    assert_non_null(record);
    kube_lease_state_ended(&d->s, d->now_ms, KUBE_OK, record);
    json_decref(record);
}

/* The body of the last wish, as the server has it afterwards. */
static json_t *taken(struct desk *d)
{
    json_t *record = json_deep_copy(d->w.body);
    char version[16];

    (void)snprintf(version, sizeof(version), "%d", ++d->version);
    json_object_set_new(json_object_get(record, "metadata"), "resourceVersion",
                        json_string(version));
    return record;
}

static void accept(struct desk *d)
{
    give(d, taken(d));
}

static json_t *foreign(const char *holder, int duration_s, int transitions, const char *renewed)
{
    return json_pack("{s:{s:s, s:s}, s:{s:s, s:i, s:i, s:s}}", "metadata", "name", "huddle",
                     "resourceVersion", "7", "spec", "holderIdentity", holder,
                     "leaseDurationSeconds", duration_s, "leaseTransitions", transitions,
                     "renewTime", renewed);
}

static const json_t *spec(const struct desk *d)
{
    return json_object_get(d->w.body, "spec");
}

static const char *text(const struct desk *d, const char *key)
{
    const char *found = json_string_value(json_object_get(spec(d), key));

    return found ? found : "(none)";
}

static int number(const struct desk *d, const char *key)
{
    const json_t *found = json_object_get(spec(d), key);

    assert_true(json_is_integer(found));
    return (int)json_integer_value(found);
}

static bool held(const struct desk *d)
{
    return kube_lease_state_left_ms(&d->s, d->now_ms) > 0;
}

/* Takes a Lease that somebody has given back. */
static void lead(struct desk *d)
{
    begin(d);
    wants(d, KUBE_LEASE_GET);
    give(d, foreign("", 1, 4, "x"));
    wants(d, KUBE_LEASE_UPDATE);
    accept(d);
    assert_true(held(d));
}

/* --- terms and times --- */

static void test_terms(void **state)
{
    static const struct {
        struct kube_lease_terms t;
        int code;
        const char *why;
    } rows[] = {
        { KUBE_LEASE_TERMS, 0, "" },
        { { 15, 10000, 2000 }, 0, "" },
        { { 40, 40000, 5000 }, -EINVAL, "before others take it" },
        { { 40, 39999, 5000 }, 0, "" },
        { { 60, 6000, 5000 }, -EINVAL, "1.2 times" },
        { { 60, 6001, 5000 }, 0, "" },
        { { 60, 40000, 0 }, -EINVAL, "1.2 times" },
        { { -1, 40000, 5000 }, -EINVAL, "before others take it" },
        { { 0, 0, 0 }, -EINVAL, "1.2 times" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct err e = ERR_INIT;

        assert_int_equal(kube_lease_terms_check(&rows[i].t, &e), rows[i].code);
        assert_non_null(strstr(e.text, rows[i].why));
    }
}

static void test_times(void **state)
{
    static const struct {
        int64_t ms;
        unsigned us;
        const char *text;
    } rows[] = {
        { WALL_MS, 0, "2026-11-27T03:45:00.000000Z" },
        { WALL_MS + 1, 7, "2026-11-27T03:45:00.001007Z" },
        { WALL_MS - 1, 1999, "2026-11-27T03:44:59.999999Z" },
        { 0, 0, "1970-01-01T00:00:00.000000Z" },
        { INT64_MIN, 1, "1970-01-01T00:00:00.000001Z" },
        { INT64_MAX, 1, "9999-12-31T23:59:59.999001Z" },
    };
    char text[KUBE_TIME_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        kube_time_format(rows[i].ms, rows[i].us, text);
        assert_string_equal(text, rows[i].text);
    }
}

/* --- to become holder --- */

static void test_a_free_lease_is_taken_at_once(void **state)
{
    struct desk d;

    (void)state;
    begin(&d);
    assert_int_equal(d.s.epoch, -1);
    wants(&d, KUBE_LEASE_GET);
    wants(&d, KUBE_LEASE_WAIT); /* for the answer */
    give(&d, foreign("", 1, 4, "x"));
    assert_false(held(&d));
    d.now_ms += 20;
    wants(&d, KUBE_LEASE_UPDATE);
    assert_string_equal(text(&d, "holderIdentity"), ME);
    assert_int_equal(number(&d, "leaseDurationSeconds"), 60);
    assert_int_equal(number(&d, "leaseTransitions"), 5);
    assert_string_equal(text(&d, "renewTime"), "2026-11-27T03:45:00.000000Z");
    assert_string_equal(text(&d, "acquireTime"), text(&d, "renewTime"));
    assert_false(held(&d)); /* not before the server says so */
    d.now_ms += 300;
    accept(&d);
    assert_true(d.s.leading);
    assert_int_equal(d.s.epoch, 5);
    /* It counts from when it was sent. */
    assert_int_equal(kube_lease_state_left_ms(&d.s, d.now_ms), DEADLINE_MS - 300);
    end(&d);
}

/* Looks on, where there is none, until something else is wanted. */
static void look_on_at_nothing(struct desk *d)
{
    for (;;) {
        while (next(d) == KUBE_LEASE_WAIT)
            d->now_ms = d->w.at_ms;
        if (d->w.verb != KUBE_LEASE_GET)
            return;
        refuse(d, KUBE_NOT_FOUND);
    }
}

static void test_where_there_is_none_one_is_made_after_a_whole_duration(void **state)
{
    struct desk d;
    int64_t from_ms;

    (void)state;
    begin(&d);
    kube_lease_state_raise_epoch(&d.s, 8);
    wants(&d, KUBE_LEASE_GET);
    refuse(&d, KUBE_NOT_FOUND);
    from_ms = d.now_ms;
    look_on_at_nothing(&d);
    assert_int_equal(d.w.verb, KUBE_LEASE_CREATE);
    assert_int_equal(d.now_ms - from_ms, DURATION_MS);
    assert_string_equal(json_string_value(json_object_get(d.w.body, "kind")), "Lease");
    assert_string_equal(json_string_value(json_object_get(d.w.body, "apiVersion")),
                        "coordination.k8s.io/v1");
    assert_int_equal(number(&d, "leaseTransitions"), 9); /* above what was seen elsewhere */
    accept(&d);
    assert_true(held(&d));
    assert_int_equal(d.s.epoch, 9);
    end(&d);
}

/* Looks on, each answered with `record`, until something else is wanted. */
static int64_t look_on(struct desk *d, const json_t *record, int *ret_looks)
{
    int64_t from_ms = d->now_ms;

    for (*ret_looks = 0;; ++*ret_looks) {
        while (next(d) == KUBE_LEASE_WAIT)
            d->now_ms = d->w.at_ms;
        if (d->w.verb != KUBE_LEASE_GET)
            return d->now_ms - from_ms;
        kube_lease_state_ended(&d->s, d->now_ms, KUBE_OK, record);
    }
}

static void test_a_foreign_holder_has_the_time_that_it_says(void **state)
{
    static const struct {
        int says_s;
        int64_t has_ms;
    } rows[] = { { 60, 60000 }, { 15, 15000 }, { 300, 300000 }, { 0, 60000 }, { -5, 60000 } };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        /* What it says of times is of no interest: it may be years ahead, or no time at all. */
        json_t *record =
            foreign("other", rows[i].says_s, 4, i % 2 ? "9999-01-01T00:00:00.000000Z" : "garbage");
        struct desk d;
        int looks;

        begin(&d);
        wants(&d, KUBE_LEASE_GET);
        give(&d, json_incref(record));
        assert_int_equal(look_on(&d, record, &looks), rows[i].has_ms);
        assert_int_equal(d.w.verb, KUBE_LEASE_UPDATE);
        assert_true(looks >= rows[i].has_ms / JITTERED_MS - 1 &&
                    looks <= rows[i].has_ms / RETRY_MS + 1);
        assert_int_equal(number(&d, "leaseTransitions"), 5);
        json_decref(record);
        end(&d);
    }
}

static void test_a_change_begins_its_time_anew(void **state)
{
    json_t *record = foreign("other", 60, 4, "b");
    struct desk d;
    int looks;

    (void)state;
    begin(&d);
    wants(&d, KUBE_LEASE_GET);
    give(&d, foreign("other", 60, 4, "a"));
    d.now_ms += 59000;
    wants(&d, KUBE_LEASE_GET);
    give(&d, foreign("other", 60, 4, "b"));
    d.now_ms += 59000;
    wants(&d, KUBE_LEASE_GET);
    /* Written in between, to the same words. */
    json_object_set_new(json_object_get(record, "metadata"), "resourceVersion", json_string("9"));
    give(&d, json_incref(record));
    assert_int_equal(look_on(&d, record, &looks), 60000);
    json_decref(record);
    end(&d);
}

/* It slept, or was cut off: in between somebody may have made one, and it may have been deleted. */
static void test_absence_is_looked_at_all_the_time(void **state)
{
    struct desk d;
    int64_t from_ms;

    (void)state;
    begin(&d);
    wants(&d, KUBE_LEASE_GET);
    refuse(&d, KUBE_NOT_FOUND);
    d.now_ms += 2 * DURATION_MS;
    wants(&d, KUBE_LEASE_GET);
    refuse(&d, KUBE_NOT_FOUND);
    from_ms = d.now_ms;
    look_on_at_nothing(&d);
    assert_int_equal(d.w.verb, KUBE_LEASE_CREATE);
    assert_int_equal(d.now_ms - from_ms, DURATION_MS);
    end(&d);
}

static void test_who_was_too_late_looks_and_waits(void **state)
{
    struct desk d;

    (void)state;
    begin(&d);
    wants(&d, KUBE_LEASE_GET);
    give(&d, foreign("", 1, 4, "x"));
    wants(&d, KUBE_LEASE_UPDATE);
    refuse(&d, KUBE_CONFLICT);
    wants(&d, KUBE_LEASE_GET); /* at once */
    give(&d, foreign("other", 60, 5, "y"));
    assert_int_equal(next(&d), KUBE_LEASE_WAIT);
    assert_false(held(&d));
    end(&d);
}

static void test_who_writes_all_the_time_is_not_chased(void **state)
{
    struct desk d;
    int64_t from_ms = BOOT_MS;
    int writes = 0;

    (void)state;
    begin(&d);
    while (d.now_ms < from_ms + 60000) {
        if (next(&d) == KUBE_LEASE_WAIT) {
            d.now_ms = d.w.at_ms;
        } else if (d.w.verb == KUBE_LEASE_GET) {
            give(&d, foreign("", 1, 4, "x"));
        } else {
            refuse(&d, KUBE_CONFLICT);
            writes++;
        }
    }
    assert_true(writes >= 60000 / JITTERED_MS && writes <= 60000 / RETRY_MS + 2);
    end(&d);
}

static void test_names_with_nul_are_others(void **state)
{
    json_t *record = foreign("", 60, 4, "x");
    struct desk d;

    (void)state;
    json_object_set_new(json_object_get(record, "spec"), "holderIdentity",
                        json_stringn(ME "\0", sizeof(ME)));
    begin(&d);
    wants(&d, KUBE_LEASE_GET);
    give(&d, json_incref(record));
    wants(&d, KUBE_LEASE_WAIT); /* neither free nor ours */
    json_object_set_new(json_object_get(record, "spec"), "holderIdentity", json_stringn("\0x", 2));
    d.now_ms = d.w.at_ms;
    wants(&d, KUBE_LEASE_GET);
    give(&d, record);
    wants(&d, KUBE_LEASE_WAIT);
    end(&d);
}

static void test_what_is_no_record_is_no_answer(void **state)
{
    static const char *const answers[] = {
        "{}",
        "[]",
        "{\"metadata\": {\"resourceVersion\": \"\"}, \"spec\": {}}",
        "{\"metadata\": {\"resourceVersion\": \"1\"}, \"spec\": 7}",
        "{\"metadata\": {\"resourceVersion\": 1}, \"spec\": {}}",
    };
    struct desk d;
    json_t *made;
    int looks;

    (void)state;
    begin(&d);
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        wants(&d, KUBE_LEASE_GET);
        give(&d, json_loads(answers[i], 0, NULL));
        assert_true(wait(&d, KUBE_LEASE_GET) >= RETRY_MS);
        kube_lease_state_ended(&d.s, d.now_ms, KUBE_OK, NULL);
        d.now_ms = d.s.hold_ms;
    }
    wants(&d, KUBE_LEASE_GET);
    /* A Lease that somebody made by hand, without a holder. */
    made = json_loads("{\"metadata\": {\"resourceVersion\": \"1\"}}", 0, NULL);
    give(&d, json_incref(made));
    assert_int_equal(look_on(&d, made, &looks), DURATION_MS);
    assert_int_equal(d.w.verb, KUBE_LEASE_UPDATE);
    assert_int_equal(number(&d, "leaseTransitions"), 1);
    json_decref(made);
    end(&d);
}

static void test_the_last_epoch_stays_one(void **state)
{
    struct desk d;

    (void)state;
    begin(&d);
    wants(&d, KUBE_LEASE_GET);
    give(&d, foreign("", 1, INT32_MAX, "x"));
    wants(&d, KUBE_LEASE_UPDATE);
    assert_int_equal(number(&d, "leaseTransitions"), INT32_MAX);
    end(&d);
}

/* --- to stay holder --- */

static void test_renewals(void **state)
{
    struct desk d;
    char before[KUBE_TIME_SIZE] = "", acquired[KUBE_TIME_SIZE];
    int64_t least = INT64_MAX, most = 0;

    (void)state;
    lead(&d);
    (void)snprintf(acquired, sizeof(acquired), "%s", text(&d, "acquireTime"));
    for (int i = 0; i < 200; i++) {
        int64_t ms = wait(&d, KUBE_LEASE_UPDATE);

        least = ms < least ? ms : least;
        most = ms > most ? ms : most;
        if (i == 50)
            d.wall_ms = INT64_MAX; /* clocks may stand still, anywhere */
        assert_string_equal(text(&d, "holderIdentity"), ME);
        assert_string_equal(text(&d, "acquireTime"), acquired);
        assert_int_equal(number(&d, "leaseTransitions"), 5);
        /* Without a change others would see none, and the server would keep the version. */
        assert_string_not_equal(text(&d, "renewTime"), before);
        (void)snprintf(before, sizeof(before), "%s", text(&d, "renewTime"));
        accept(&d);
        assert_int_equal(kube_lease_state_left_ms(&d.s, d.now_ms), DEADLINE_MS);
    }
    assert_true(least >= RETRY_MS && least < RETRY_MS + 100);
    assert_true(most <= JITTERED_MS && most > JITTERED_MS - 100);
    end(&d);
}

static void test_a_renewal_differs_from_what_stands_there(void **state)
{
    struct desk d;

    (void)state;
    begin(&d);
    wants(&d, KUBE_LEASE_GET);
    give(&d, foreign("", 1, 4, "2026-11-27T03:45:00.000000Z"));
    wants(&d, KUBE_LEASE_UPDATE);
    assert_string_equal(text(&d, "renewTime"), "2026-11-27T03:45:00.000001Z");
    accept(&d);
    d.wall_ms = INT64_MIN;
    wait(&d, KUBE_LEASE_UPDATE);
    assert_string_equal(text(&d, "renewTime"), "1970-01-01T00:00:00.000002Z");
    end(&d);
}

static void test_foreign_fields_stay(void **state)
{
    json_t *record = foreign("", 1, 4, "x"), *kept;
    struct desk d;

    (void)state;
    json_object_set_new(json_object_get(record, "spec"), "preferredHolder", json_string("better"));
    json_object_set_new(json_object_get(record, "spec"), "strategy",
                        json_string("OldestEmulationVersion"));
    json_object_set_new(json_object_get(record, "metadata"), "labels",
                        json_pack("{s:s}", "a", "b"));
    begin(&d);
    wants(&d, KUBE_LEASE_GET);
    give(&d, record);
    for (int i = 0; i < 3; i++) {
        if (i == 2)
            kube_lease_state_release(&d.s);
        wait(&d, KUBE_LEASE_UPDATE);
        assert_string_equal(text(&d, "preferredHolder"), "better");
        assert_string_equal(text(&d, "strategy"), "OldestEmulationVersion");
        kept = json_object_get(json_object_get(d.w.body, "metadata"), "labels");
        assert_string_equal(json_string_value(json_object_get(kept, "a")), "b");
        accept(&d);
    }
    end(&d);
}

static void test_a_renewal_whose_answer_is_lost_is_looked_for(void **state)
{
    (void)state;
    for (int committed = 0; committed < 2; committed++) {
        struct desk d;
        json_t *record;
        int64_t sent_ms, before_ms;

        lead(&d);
        record = taken(&d);
        wait(&d, KUBE_LEASE_UPDATE);
        sent_ms = d.now_ms;
        before_ms = d.s.renewed_ms;
        if (committed) {
            json_decref(record);
            record = taken(&d);
        }
        assert_int_equal(wait(&d, KUBE_LEASE_GIVE_UP), (DEADLINE_MS - RETRY_MS) / 2);
        refuse(&d, KUBE_UNREACHABLE);
        wants(&d, KUBE_LEASE_GET); /* never blindly again */
        give(&d, record);
        assert_true(held(&d));
        /* What has come through counts from when it was sent, not from when it was seen. */
        assert_int_equal(d.s.renewed_ms, committed ? sent_ms : before_ms);
        assert_int_equal(d.s.epoch, 5);
        wants(&d, KUBE_LEASE_UPDATE); /* it is high time */
        accept(&d);
        assert_int_equal(kube_lease_state_left_ms(&d.s, d.now_ms), DEADLINE_MS);
        end(&d);
    }
}

static void test_an_acquisition_whose_answer_is_lost_is_looked_for(void **state)
{
    struct desk d;
    json_t *record;

    (void)state;
    begin(&d);
    wants(&d, KUBE_LEASE_GET);
    give(&d, foreign("", 1, 4, "x"));
    wants(&d, KUBE_LEASE_UPDATE);
    record = taken(&d);
    d.now_ms += 500;
    refuse(&d, KUBE_SERVER);
    assert_false(held(&d));
    wait(&d, KUBE_LEASE_GET);
    give(&d, record);
    assert_true(held(&d));
    assert_int_equal(d.s.epoch, 5);
    assert_true(kube_lease_state_left_ms(&d.s, d.now_ms) <= DEADLINE_MS - RETRY_MS);
    end(&d);
}

static void test_an_answer_may_come_too_late(void **state)
{
    struct desk d;

    (void)state;
    begin(&d);
    wants(&d, KUBE_LEASE_GET);
    give(&d, foreign("", 1, 4, "x"));
    wants(&d, KUBE_LEASE_UPDATE);
    d.now_ms += DEADLINE_MS; /* it stood still */
    accept(&d);
    assert_false(d.s.leading);
    wants(&d, KUBE_LEASE_UPDATE);
    assert_int_equal(number(&d, "leaseTransitions"), 6);
    end(&d);
}

static void test_without_an_answer_the_term_ends_in_time(void **state)
{
    static const enum kube_reason reasons[] = { KUBE_UNREACHABLE, KUBE_SERVER,  KUBE_THROTTLED,
                                                KUBE_FORBIDDEN,   KUBE_INVALID, KUBE_UNAUTHORIZED,
                                                KUBE_AHEAD,       KUBE_EXPIRED };

    (void)state;
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        struct desk d;
        int64_t until_ms, calls = 0;

        lead(&d);
        until_ms = d.s.renewed_ms + DEADLINE_MS;
        while (d.s.leading) {
            if (next(&d) == KUBE_LEASE_WAIT) {
                assert_true(d.w.at_ms <= until_ms || !d.s.leading);
                d.now_ms = d.s.leading ? d.w.at_ms : d.now_ms;
            } else {
                refuse(&d, reasons[i]);
                calls++;
            }
            assert_true(held(&d) == (d.now_ms < until_ms));
        }
        assert_int_equal(d.now_ms, until_ms); /* it is noticed then, not later */
        assert_true(calls >= 5 && calls <= 9);
        end(&d);
    }
}

/* Nobody looked at it in time: the process stood still, the machine slept. */
static void test_the_fence_needs_no_step(void **state)
{
    struct desk d;

    (void)state;
    lead(&d);
    assert_true(kube_lease_state_left_ms(&d.s, d.now_ms + DEADLINE_MS - 1) == 1);
    assert_true(kube_lease_state_left_ms(&d.s, d.now_ms + DEADLINE_MS) == 0);
    assert_false(kube_lease_state_begin_write(&d.s, d.now_ms + DEADLINE_MS));
    assert_true(d.s.leading);
    end(&d);
}

static void test_a_lost_lease_is_a_new_term(void **state)
{
    struct desk d;
    json_t *record;

    (void)state;
    lead(&d);
    record = taken(&d);
    d.now_ms += DEADLINE_MS;
    wants(&d, KUBE_LEASE_UPDATE); /* nobody has taken it: it is ours to take */
    assert_int_equal(number(&d, "leaseTransitions"), 6);
    assert_false(held(&d));
    refuse(&d, KUBE_CONFLICT);
    wants(&d, KUBE_LEASE_GET);
    give(&d, record); /* what was written for the old term is no proof */
    assert_false(held(&d));
    end(&d);
}

/* A term keeps its epoch: who sees a higher one elsewhere leads no more before he has won again. */
static void test_a_higher_epoch_has_to_be_won(void **state)
{
    struct desk d;
    json_t *record;

    (void)state;
    lead(&d); /* epoch 5 */
    kube_lease_state_raise_epoch(&d.s, 5);
    assert_true(held(&d)); /* its own */
    kube_lease_state_raise_epoch(&d.s, 9);
    assert_false(held(&d));
    assert_false(kube_lease_state_begin_write(&d.s, d.now_ms));
    assert_int_equal(d.s.epoch, 5);
    wants(&d, KUBE_LEASE_UPDATE); /* nobody has taken it meanwhile, as far as was seen */
    assert_int_equal(number(&d, "leaseTransitions"), 10);
    accept(&d);
    assert_true(held(&d));
    assert_int_equal(d.s.epoch, 10);
    kube_lease_state_raise_epoch(&d.s, 12);
    wants(&d, KUBE_LEASE_UPDATE);
    refuse(&d, KUBE_CONFLICT); /* he who came later */
    wants(&d, KUBE_LEASE_GET);
    give(&d, foreign("other", 60, 12, "y"));
    assert_false(held(&d));
    assert_int_equal(d.s.epoch, 10);
    end(&d);

    lead(&d); /* somebody writes another number into the record, and nothing else */
    record = taken(&d);
    json_object_set_new(json_object_get(record, "spec"), "leaseTransitions", json_integer(8));
    wait(&d, KUBE_LEASE_UPDATE);
    refuse(&d, KUBE_CONFLICT);
    wants(&d, KUBE_LEASE_GET);
    give(&d, record);
    assert_false(held(&d));
    assert_int_equal(d.s.epoch, 5);
    end(&d);
}

static void test_who_is_replaced_stops_at_once(void **state)
{
    static const char *const holders[] = { "other", "" };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct desk d;

        lead(&d);
        wait(&d, KUBE_LEASE_UPDATE);
        refuse(&d, KUBE_CONFLICT);
        assert_true(held(&d)); /* a label may have been set */
        wants(&d, KUBE_LEASE_GET);
        give(&d, foreign(holders[i], 60, 6, "y"));
        assert_false(held(&d));
        assert_false(d.s.leading);
        wants(&d, KUBE_LEASE_WAIT);
        end(&d);
    }
}

/* Whoever held it may not have looked yet. */
static void test_what_was_changed_by_hand_is_waited_for(void **state)
{
    static const char *const holders[] = { "", ME };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        json_t *record = foreign(holders[i], 60, 4, "b");
        struct desk d;
        int looks;

        begin(&d);
        wants(&d, KUBE_LEASE_GET);
        give(&d, foreign("other", 60, 4, "a"));
        d.now_ms += RETRY_MS + JITTERED_MS;
        wants(&d, KUBE_LEASE_GET);
        give(&d, json_incref(record));
        assert_int_equal(look_on(&d, record, &looks), DURATION_MS);
        assert_int_equal(d.w.verb, KUBE_LEASE_UPDATE);
        assert_int_equal(number(&d, "leaseTransitions"), 5);
        json_decref(record);
        end(&d);
    }
}

static void test_a_deleted_record_is_made_again_by_its_holder(void **state)
{
    struct desk d;

    (void)state;
    lead(&d);
    wait(&d, KUBE_LEASE_UPDATE);
    refuse(&d, KUBE_NOT_FOUND);
    assert_true(held(&d)); /* all others wait for a duration */
    wants(&d, KUBE_LEASE_CREATE);
    assert_int_equal(number(&d, "leaseTransitions"), 5); /* the same term */
    accept(&d);
    assert_int_equal(d.s.epoch, 5);
    assert_int_equal(kube_lease_state_left_ms(&d.s, d.now_ms), DEADLINE_MS);
    end(&d);
}

static void test_others_wait_for_the_holder_of_a_deleted_record(void **state)
{
    struct desk d;
    int64_t from_ms;

    (void)state;
    begin(&d);
    wants(&d, KUBE_LEASE_GET);
    give(&d, foreign("other", 300, 4, "x"));
    wait(&d, KUBE_LEASE_GET);
    refuse(&d, KUBE_NOT_FOUND);
    from_ms = d.now_ms;
    look_on_at_nothing(&d);
    assert_int_equal(d.w.verb, KUBE_LEASE_CREATE);
    assert_int_equal(d.now_ms - from_ms, 300000);
    assert_int_equal(number(&d, "leaseTransitions"), 5); /* above what it was */
    refuse(&d, KUBE_ALREADY_EXISTS);
    wants(&d, KUBE_LEASE_GET);
    end(&d);
}

/* --- to give it back --- */

static void test_release(void **state)
{
    struct desk d;

    (void)state;
    lead(&d);
    kube_lease_state_release(&d.s);
    assert_false(held(&d));
    wants(&d, KUBE_LEASE_UPDATE);
    assert_string_equal(text(&d, "holderIdentity"), "");
    assert_int_equal(number(&d, "leaseDurationSeconds"), 1);
    assert_int_equal(number(&d, "leaseTransitions"), 5);
    accept(&d);
    wants(&d, KUBE_LEASE_RELEASED);
    wants(&d, KUBE_LEASE_RELEASED);
    assert_false(held(&d));
    end(&d);
}

static void test_release_waits_for_writes_and_renews_meanwhile(void **state)
{
    struct desk d;

    (void)state;
    lead(&d);
    assert_true(kube_lease_state_begin_write(&d.s, d.now_ms));
    assert_true(kube_lease_state_begin_write(&d.s, d.now_ms));
    kube_lease_state_release(&d.s);
    assert_false(held(&d));
    assert_false(kube_lease_state_begin_write(&d.s, d.now_ms));
    for (int i = 0; i < 20; i++) {
        wait(&d, KUBE_LEASE_UPDATE);
        assert_string_equal(text(&d, "holderIdentity"), ME);
        accept(&d);
        if (i == 10)
            kube_lease_state_end_write(&d.s);
    }
    kube_lease_state_end_write(&d.s);
    wants(&d, KUBE_LEASE_UPDATE);
    assert_string_equal(text(&d, "holderIdentity"), "");
    end(&d);
}

static void test_release_waits_for_a_renewal_under_way(void **state)
{
    struct desk d;

    (void)state;
    lead(&d);
    wait(&d, KUBE_LEASE_UPDATE);
    kube_lease_state_release(&d.s);
    assert_int_equal(next(&d), KUBE_LEASE_WAIT);
    refuse(&d, KUBE_UNREACHABLE);
    wait(&d, KUBE_LEASE_GET);
    give(&d, foreign(ME, 60, 5, "whatever came through"));
    wants(&d, KUBE_LEASE_UPDATE);
    assert_string_equal(text(&d, "holderIdentity"), "");
    end(&d);
}

static void test_release_of_what_is_not_held(void **state)
{
    struct desk d;

    (void)state;
    begin(&d);
    kube_lease_state_release(&d.s);
    wants(&d, KUBE_LEASE_RELEASED); /* nothing was written */
    end(&d);
    begin(&d);
    wants(&d, KUBE_LEASE_GET);
    give(&d, foreign("other", 60, 4, "x"));
    kube_lease_state_release(&d.s);
    wants(&d, KUBE_LEASE_RELEASED); /* nor is what is another's */
    end(&d);
}

static void test_release_ends_without_the_server(void **state)
{
    struct desk d;
    int64_t from_ms;

    (void)state;
    lead(&d);
    kube_lease_state_release(&d.s);
    from_ms = d.now_ms;
    while (next(&d) != KUBE_LEASE_RELEASED) {
        if (d.w.verb == KUBE_LEASE_WAIT)
            d.now_ms = d.w.at_ms;
        else
            refuse(&d, KUBE_UNREACHABLE);
        assert_false(held(&d));
    }
    assert_true(d.now_ms - from_ms >= DEADLINE_MS);
    assert_true(d.now_ms - from_ms <= DEADLINE_MS + JITTERED_MS);
    end(&d);
}

/* As long as the other one may think that it is his, and no longer. */
static void another_one_leads_until_his_time_is_over(void **state)
{
    struct desk d;

    (void)state;
    begin(&d);
    assert_int_equal(kube_lease_state_others_until_ms(&d.s), 0);
    wait(&d, KUBE_LEASE_GET);
    give(&d, foreign("other", 30, 3, "2026-11-27T08:00:00.000000Z"));
    assert_int_equal(kube_lease_state_others_until_ms(&d.s), d.now_ms + 30000);
    wait(&d, KUBE_LEASE_GET);
    give(&d, foreign("other", 30, 3, "2026-11-27T08:00:05.000000Z")); /* renewed */
    assert_int_equal(kube_lease_state_others_until_ms(&d.s), d.now_ms + 30000);
    wait(&d, KUBE_LEASE_GET);
    give(&d, foreign("", 1, 3, "2026-11-27T08:00:06.000000Z")); /* given back */
    assert_int_equal(kube_lease_state_others_until_ms(&d.s), 0);
    wait(&d, KUBE_LEASE_UPDATE);
    accept(&d);
    assert_int_equal(kube_lease_state_others_until_ms(&d.s), 0); /* ours */
    end(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_one_leads_until_his_time_is_over),
        cmocka_unit_test(test_terms),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_a_free_lease_is_taken_at_once),
        cmocka_unit_test(test_where_there_is_none_one_is_made_after_a_whole_duration),
        cmocka_unit_test(test_a_foreign_holder_has_the_time_that_it_says),
        cmocka_unit_test(test_a_change_begins_its_time_anew),
        cmocka_unit_test(test_absence_is_looked_at_all_the_time),
        cmocka_unit_test(test_who_was_too_late_looks_and_waits),
        cmocka_unit_test(test_who_writes_all_the_time_is_not_chased),
        cmocka_unit_test(test_names_with_nul_are_others),
        cmocka_unit_test(test_what_is_no_record_is_no_answer),
        cmocka_unit_test(test_the_last_epoch_stays_one),
        cmocka_unit_test(test_renewals),
        cmocka_unit_test(test_a_renewal_differs_from_what_stands_there),
        cmocka_unit_test(test_foreign_fields_stay),
        cmocka_unit_test(test_a_renewal_whose_answer_is_lost_is_looked_for),
        cmocka_unit_test(test_an_acquisition_whose_answer_is_lost_is_looked_for),
        cmocka_unit_test(test_an_answer_may_come_too_late),
        cmocka_unit_test(test_without_an_answer_the_term_ends_in_time),
        cmocka_unit_test(test_the_fence_needs_no_step),
        cmocka_unit_test(test_a_lost_lease_is_a_new_term),
        cmocka_unit_test(test_a_higher_epoch_has_to_be_won),
        cmocka_unit_test(test_who_is_replaced_stops_at_once),
        cmocka_unit_test(test_what_was_changed_by_hand_is_waited_for),
        cmocka_unit_test(test_a_deleted_record_is_made_again_by_its_holder),
        cmocka_unit_test(test_others_wait_for_the_holder_of_a_deleted_record),
        cmocka_unit_test(test_release),
        cmocka_unit_test(test_release_waits_for_writes_and_renews_meanwhile),
        cmocka_unit_test(test_release_waits_for_a_renewal_under_way),
        cmocka_unit_test(test_release_of_what_is_not_held),
        cmocka_unit_test(test_release_ends_without_the_server),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
