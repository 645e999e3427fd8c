/* A candidate for a Lease: see kube_lease_state.h. */
#include "controller/kube_client/kube_lease_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"

#define JITTER .2    /* of retry, at most */
#define RELEASED_S 1 /* leaseDurationSeconds of a Lease that was given back: 0 is refused */

int kube_lease_terms_check(const struct kube_lease_terms *t, struct err *e)
{
    if (t->retry_ms <= 0 || (double)t->deadline_ms <= (double)t->retry_ms * (1 + JITTER))
        return err_set(e, -EINVAL,
                       "a Lease is tried again each %lld ms and given up after %lld: the latter is "
                       "to be more than 1.2 times the former",
                       (long long)t->retry_ms, (long long)t->deadline_ms);
    if ((int64_t)t->duration_s * 1000 <= t->deadline_ms)
        return err_set(e, -EINVAL,
                       "a Lease of %d s is given up by its holder after %lld ms: it is to be given "
                       "up before others take it",
                       t->duration_s, (long long)t->deadline_ms);
    return 0;
}

static int64_t duration_ms(const struct kube_lease_state *s)
{
    return (int64_t)s->terms.duration_s * 1000;
}

static int64_t max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Candidates that began together do not stay together. */
static int64_t retry_ms(struct kube_lease_state *s)
{
    return s->terms.retry_ms +
           (int64_t)((double)s->terms.retry_ms * JITTER * random_unit(&s->random));
}

static bool is_ours(const struct kube_lease_state *s)
{
    return s->seen == KUBE_LEASE_THERE && kube_lease_record_is_held_by(s->record, s->identity);
}

/* An absence that was not looked at for so long. */
static bool is_old(const struct kube_lease_state *s, int64_t now_ms)
{
    return s->seen == KUBE_LEASE_ABSENT && now_ms - s->seen_ms > s->terms.deadline_ms;
}

/* Nobody but us has written it since: it is as our last write left it. */
static bool is_as_written(const struct kube_lease_state *s)
{
    return is_ours(s) && s->written[0] && kube_lease_record_is_renewed_at(s->record, s->written) &&
           kube_lease_record_epoch(s->record) == s->written_epoch;
}

/* What was written for the term is no proof of one any more. */
static void lose(struct kube_lease_state *s)
{
    s->leading = s->proof = false;
}

/* So long may somebody be at work who does not know of the record yet. Of who has given it back it
 * is known that he is not; a person who takes his name out says nothing of that. */
static int64_t valid_ms(const struct kube_lease_state *s, const json_t *record)
{
    int64_t ms = kube_lease_record_duration_ms(record, duration_ms(s));

    return kube_lease_record_is_free(record) && ms == INT64_C(1000) * RELEASED_S ? 0 : ms;
}

/* A term keeps its epoch. Who leads with a lower one has to win the Lease again, against the record
 * as it was seen: if somebody came later, that fails. */
void kube_lease_state_raise_epoch(struct kube_lease_state *s, int64_t seen)
{
    s->least_epoch = max(s->least_epoch, seen < INT32_MAX ? seen + 1 : INT32_MAX);
    if (s->leading && seen > s->epoch)
        lose(s);
}

/* --- what was seen -------------------------------------------------------------------------- */

static void saw_record(struct kube_lease_state *s, int64_t now_ms, const json_t *record)
{
    if (s->seen != KUBE_LEASE_THERE || !kube_lease_record_same(s->record, record)) {
        s->changed_ms = now_ms;
        s->valid_ms = valid_ms(s, record);
    }
    json_decref(s->record);
    s->record = json_incref((json_t *)record);
    s->seen = KUBE_LEASE_THERE;
    s->seen_ms = now_ms;
    s->sure = true;
    kube_lease_state_raise_epoch(s, kube_lease_record_epoch(record));
    if (!is_ours(s)) {
        lose(s);
    } else if (s->proof && is_as_written(s) && now_ms < s->written_ms + s->terms.deadline_ms) {
        s->renewed_ms = s->written_ms;
        s->epoch = kube_lease_record_epoch(record);
        s->leading = true;
        s->look_ms = s->written_ms + retry_ms(s);
    }
    if (!s->leading)
        s->look_ms = s->sent_ms + retry_ms(s);
}

/* Somebody may hold it still, without having heard that it has gone. Who has not looked for long
 * does not know whether it was there in between. */
static void saw_none(struct kube_lease_state *s, int64_t now_ms)
{
    if (s->seen != KUBE_LEASE_ABSENT || is_old(s, now_ms)) {
        s->changed_ms = now_ms;
        s->valid_ms = max(s->seen == KUBE_LEASE_UNSEEN ? 0 : s->valid_ms, duration_ms(s));
    }
    s->seen_ms = now_ms;
    s->seen = KUBE_LEASE_ABSENT;
    s->sure = true;
    if (!s->leading)
        s->look_ms = s->sent_ms + retry_ms(s);
}

void kube_lease_state_ended(struct kube_lease_state *s, int64_t now_ms, enum kube_reason reason,
                            const json_t *object)
{
    enum kube_lease_verb was = s->flying;

    s->flying = KUBE_LEASE_WAIT;
    if (reason == KUBE_OK && kube_lease_record_check(object)) {
        saw_record(s, now_ms, object);
        if (was != KUBE_LEASE_GET)
            s->conflicts = 0;
    } else if (reason == KUBE_NOT_FOUND && was != KUBE_LEASE_CREATE) {
        saw_none(s, now_ms);
    } else if (reason == KUBE_CONFLICT || reason == KUBE_ALREADY_EXISTS) {
        s->sure = false; /* look at once; somebody who writes all the time is not chased */
        s->write_ms = s->conflicts++ ? now_ms + retry_ms(s) : now_ms;
    } else {
        if (was != KUBE_LEASE_GET)
            s->sure = false;
        s->hold_ms = max(now_ms, s->sent_ms + retry_ms(s));
    }
}

/* --- what to do ----------------------------------------------------------------------------- */

/* Of a write that makes or keeps us holder. Its renewTime differs from what stands in the record
 * and from our last thousand, whatever the clock says: else the server would see no change, others
 * would not know of it, and a write that came late could be taken for another. */
static json_t *body(struct kube_lease_state *s, int64_t now_ms, int64_t wall_ms)
{
    struct kube_lease_change c = { .identity = s->identity, .duration_s = s->terms.duration_s };

    do
        kube_time_format(wall_ms, s->n_written++, s->written);
    while (s->record && kube_lease_record_is_renewed_at(s->record, s->written));
    s->written_ms = now_ms;
    s->proof = true;
    c.renewed = s->written;
    c.epoch = s->written_epoch = s->leading ? s->epoch : s->least_epoch;
    if (s->seen == KUBE_LEASE_ABSENT || !s->leading)
        c.acquired = s->written;
    return s->seen == KUBE_LEASE_ABSENT ? kube_lease_record_new(s->namespace, s->name, &c)
                                        : kube_lease_record_changed(s->record, &c);
}

/* When the record may be written. */
static int64_t due_ms(const struct kube_lease_state *s)
{
    if (s->leading)
        return s->seen == KUBE_LEASE_ABSENT ? s->write_ms : max(s->look_ms, s->write_ms);
    if (s->releasing)
        return INT64_MAX;
    return is_as_written(s) ? s->write_ms : max(s->changed_ms + s->valid_ms, s->write_ms);
}

static void compete(struct kube_lease_state *s, int64_t now_ms, int64_t wall_ms,
                    struct kube_lease_wish *w)
{
    bool unsure = s->seen == KUBE_LEASE_UNSEEN || !s->sure || is_old(s, now_ms);
    int64_t due = due_ms(s);

    if (!unsure && now_ms >= due) {
        w->body = body(s, now_ms, wall_ms);
        w->verb = s->seen == KUBE_LEASE_ABSENT ? KUBE_LEASE_CREATE : KUBE_LEASE_UPDATE;
    } else if (unsure || (!s->leading && now_ms >= s->look_ms)) {
        w->verb = KUBE_LEASE_GET;
    } else {
        w->at_ms = s->leading || due < s->look_ms ? due : s->look_ms;
    }
}

static void give_back(struct kube_lease_state *s, int64_t now_ms, int64_t wall_ms,
                      struct kube_lease_wish *w)
{
    struct kube_lease_change c = { .identity = "", .duration_s = RELEASED_S };
    char now[KUBE_TIME_SIZE];

    lose(s);
    if (s->release_by_ms == 0)
        s->release_by_ms = now_ms + s->terms.deadline_ms;
    if (now_ms < s->release_by_ms && !s->sure) {
        w->verb = KUBE_LEASE_GET;
    } else if (now_ms < s->release_by_ms && is_ours(s)) {
        kube_time_format(wall_ms, 0, now);
        c.renewed = now;
        c.epoch = kube_lease_record_epoch(s->record);
        w->body = kube_lease_record_changed(s->record, &c);
        w->verb = KUBE_LEASE_UPDATE;
    } else {
        s->released = true;
        w->verb = KUBE_LEASE_RELEASED;
    }
}

static void sooner(struct kube_lease_wish *w, int64_t at_ms)
{
    if (w->verb == KUBE_LEASE_WAIT && at_ms < w->at_ms)
        w->at_ms = at_ms;
}

void kube_lease_state_next(struct kube_lease_state *s, int64_t now_ms, int64_t wall_ms,
                           struct kube_lease_wish *ret_wish)
{
    int64_t limit_ms = (s->terms.deadline_ms - s->terms.retry_ms) / 2; /* for two calls in time */
    struct kube_lease_wish w = { .verb = KUBE_LEASE_WAIT, .at_ms = INT64_MAX };

    if (s->leading && now_ms >= s->renewed_ms + s->terms.deadline_ms)
        lose(s);
    if (s->released)
        w.verb = KUBE_LEASE_RELEASED;
    else if (s->flying != KUBE_LEASE_WAIT && now_ms >= s->sent_ms + limit_ms)
        w.verb = KUBE_LEASE_GIVE_UP;
    else if (s->flying != KUBE_LEASE_WAIT)
        sooner(&w, s->sent_ms + limit_ms);
    else if (now_ms < s->hold_ms)
        sooner(&w, s->hold_ms);
    else if (s->releasing && s->writes == 0)
        give_back(s, now_ms, wall_ms, &w);
    else
        compete(s, now_ms, wall_ms, &w);
    if (w.verb == KUBE_LEASE_GET || w.verb == KUBE_LEASE_CREATE || w.verb == KUBE_LEASE_UPDATE) {
        s->flying = w.verb;
        s->sent_ms = now_ms;
    }
    if (s->leading)
        sooner(&w, s->renewed_ms + s->terms.deadline_ms);
    *ret_wish = w;
}

/* --- the owner's side ----------------------------------------------------------------------- */

int64_t kube_lease_state_left_ms(const struct kube_lease_state *s, int64_t now_ms)
{
    int64_t until_ms = s->renewed_ms + s->terms.deadline_ms;

    return s->leading && !s->releasing && now_ms < until_ms ? until_ms - now_ms : 0;
}

bool kube_lease_state_begin_write(struct kube_lease_state *s, int64_t now_ms)
{
    bool held = kube_lease_state_left_ms(s, now_ms) > 0;

    s->writes += held;
    return held;
}

void kube_lease_state_end_write(struct kube_lease_state *s)
{
    if (s->writes > 0)
        s->writes--;
}

int64_t kube_lease_state_others_until_ms(const struct kube_lease_state *s)
{
    bool others = s->seen == KUBE_LEASE_THERE && !kube_lease_record_is_free(s->record) &&
                  !kube_lease_record_is_held_by(s->record, s->identity);

    return others ? s->changed_ms + s->valid_ms : 0;
}

void kube_lease_state_release(struct kube_lease_state *s)
{
    s->releasing = true;
}

void kube_lease_state_init(struct kube_lease_state *s, const struct kube_lease_order *o,
                           const char *identity, uint64_t seed)
{
    *s = (struct kube_lease_state){
        .terms = o->terms,
        .namespace = xstrdup(o->namespace),
        .name = xstrdup(o->name),
        .identity = xstrdup(identity),
        .random = random_stream(seed, random_hash(identity), 0, 0),
        .sure = true,
        .epoch = -1,
    };
}

void kube_lease_state_done(struct kube_lease_state *s)
{
    json_decref(s->record);
    free(s->namespace);
    free(s->name);
    free(s->identity);
}
