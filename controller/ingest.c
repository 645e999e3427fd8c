/* Boxes of nodes behind one lock: see ingest.h. Decoding, encoding and freeing are done outside of
 * it. */
#include "controller/ingest.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/state/named.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"

#define FIRST_MS 500     /* an unknown node's next report: its desired state is made meanwhile */
#define CROWD 256        /* while as many reports wait, */
#define LAG_MS 200       /* ... longer than this, agents are told to report half as often, */
#define LAG_MUCH_MS 2000 /* ... or a sixth */
#define FOREIGN_MS 60000 /* between two tellings of reports in other names */
#define STRETCH 3        /* at most, of the interval last used: four are taken for silence */

struct waiting {
    struct wire_report *report;
    int64_t since_ms;
};

struct box {
    char *name; /* first: an element of a named_set */
    char *reply;
    size_t reply_n;
    struct waiting waiting[INGEST_BOX]; /* oldest first */
    size_t n_waiting;
    struct box *next; /* in the queue, while something waits */
};

struct ingest {
    struct ingest_options options; /* nodes_max is guarded by the lock */
    pthread_mutex_t lock;          /* guards what follows */
    struct named_set boxes;
    struct box *first, **last; /* boxes in which something waits */
    size_t n_waiting;          /* boxes in which something waits */
    bool rung;
    int64_t lag_ms;                /* of the report taken last */
    struct ingest_foreign foreign; /* n > 0: not told yet */
    int64_t foreign_told_ms;
    struct ingest_stats stats;
};

struct ingest *ingest_new(const struct ingest_options *options)
{
    struct ingest *in = xcalloc(1, sizeof(*in));

    in->options = *options;
    if (!in->options.clock_ms)
        in->options.clock_ms = clock_boot_ms;
    in->last = &in->first;
    in->foreign_told_ms = INT64_MIN / 2;
    (void)pthread_mutex_init(&in->lock, NULL);
    return in;
}

static void box_free(struct box *b)
{
    for (size_t i = 0; i < b->n_waiting; i++)
        wire_report_free(b->waiting[i].report);
    free(b->reply);
    free(b->name);
    free(b);
}

void ingest_free(struct ingest *in)
{
    if (!in)
        return;
    for (size_t i = 0; i < in->boxes.n_items; i++)
        box_free((struct box *)in->boxes.items[i]);
    named_done(&in->boxes);
    (void)pthread_mutex_destroy(&in->lock);
    free(in);
}

static struct box *box_add(struct ingest *in, const char *node)
{
    struct box *b = xcalloc(1, sizeof(*b));

    b->name = xstrdup(node);
    named_add(&in->boxes, b);
    return b;
}

/* --- reports ------------------------------------------------------------------------------------
 */

/* Is everything that `old` says also said by `new`, or no longer true? */
static bool contains(const struct wire_report *new, const struct wire_report *old)
{
    return new->epoch == old->epoch &&new->sequence > old->sequence &&
           (!old->inventory || new->inventory) &&
           new->power.stage == old->power.stage &&strcmp(new->power.op, old->power.op) == 0 &&
           strcmp(new->boot_id, old->boot_id) == 0;
}

static void queue(struct ingest *in, struct box *b)
{
    b->next = NULL;
    *in->last = b;
    in->last = &b->next;
    in->n_waiting++;
}

/* Puts the report behind those that wait, or in the place of the newest of them. Returns what is
 * superfluous now, perhaps the report itself; *ret_full when there is no room. */
static struct wire_report *box_put(struct ingest *in, struct box *b, struct wire_report *report,
                                   int64_t now_ms, bool *ret_full)
{
    struct waiting *newest = b->n_waiting ? &b->waiting[b->n_waiting - 1] : NULL;

    if (newest && contains(report, newest->report)) {
        struct wire_report *old = newest->report;

        *newest = (struct waiting){ report, now_ms };
        in->stats.replaced++;
        return old;
    }
    if (newest && newest->report->epoch == report->epoch &&
        newest->report->sequence > report->sequence) {
        in->stats.replaced++; /* overtaken on its way */
        return report;
    }
    if (b->n_waiting == INGEST_BOX) {
        *ret_full = true;
        return report;
    }
    if (b->n_waiting == 0)
        queue(in, b);
    b->waiting[b->n_waiting++] = (struct waiting){ report, now_ms };
    return NULL;
}

/* Milliseconds to the next report, or 0: as the reply says. */
static uint32_t next_interval(const struct ingest *in, const struct box *b,
                              const struct wire_report *report)
{
    int64_t most_ms = STRETCH * (int64_t)report->interval_ms, ms;

    if (!b->reply)
        return FIRST_MS < in->options.interval_ms ? FIRST_MS : (uint32_t)in->options.interval_ms;
    if (in->n_waiting < CROWD || in->lag_ms <= LAG_MS || report->power.stage != POWER_STAGE_NONE)
        return 0;
    ms = in->options.interval_ms * (in->lag_ms > LAG_MUCH_MS ? 6 : 2);
    return (uint32_t)(ms < most_ms ? ms : most_ms);
}

static int refuse(struct ingest *in, int status)
{
    (void)pthread_mutex_lock(&in->lock);
    in->stats.refused++;
    (void)pthread_mutex_unlock(&in->lock);
    return status;
}

/* What answers this report alone, and where it goes: the node's box. Returns the HTTP status. */
static int put_decoded(struct ingest *in, struct wire_report *report, struct strbuf *reply,
                       struct wire_reply *head, struct err *e)
{
    struct wire_report *superfluous = report;
    bool full = false, ring = false;
    size_t most;
    int64_t now_ms = in->options.clock_ms();
    int status = 200;
    struct box *b;

    (void)pthread_mutex_lock(&in->lock);
    most = in->options.nodes_max;
    b = named_find(&in->boxes, report->node);
    if (!b && in->boxes.n_items < most)
        b = box_add(in, report->node);
    if (b) {
        head->next_interval_ms = next_interval(in, b, report);
        superfluous = box_put(in, b, report, now_ms, &full);
        strbuf_add(reply, b->reply, b->reply_n);
        ring = in->first && !in->rung;
        in->rung |= ring;
        in->stats.reports += !full;
    }
    in->stats.refused += !b || full;
    (void)pthread_mutex_unlock(&in->lock);
    if (!b)
        status = err_set(e, 403, "there are %zu nodes already, as many as nodesMax allows", most);
    else if (full)
        status = err_set(e, 503, "the controller is behind: report again");
    wire_report_free(superfluous);
    if (ring)
        in->options.ring(in->options.data);
    return status;
}

/* Does the bearer's token belong to another node than the report's? Remembers it for the loop. */
static bool is_foreign(struct ingest *in, const struct bearer *by, const char *node)
{
    struct ingest_foreign *f = &in->foreign;

    if (!by->node[0] || strcmp(by->node, node) == 0)
        return false;
    (void)pthread_mutex_lock(&in->lock);
    if (f->n++ == 0) {
        f->by = *by;
        (void)snprintf(f->node, sizeof(f->node), "%s", node);
    }
    (void)pthread_mutex_unlock(&in->lock);
    return true;
}

bool ingest_take_foreign(struct ingest *in, struct ingest_foreign *ret_foreign)
{
    int64_t now_ms = in->options.clock_ms();
    bool due;

    (void)pthread_mutex_lock(&in->lock);
    due = in->foreign.n > 0 && now_ms - in->foreign_told_ms >= FOREIGN_MS;
    if (due) {
        *ret_foreign = in->foreign;
        in->foreign.n = 0;
        in->foreign_told_ms = now_ms;
    }
    (void)pthread_mutex_unlock(&in->lock);
    return due;
}

int ingest_put(struct ingest *in, const struct bearer *by, const void *bytes, size_t n,
               struct strbuf *reply, struct err *e)
{
    struct wire_report *report = NULL;
    struct wire_reply head = { .cluster_id = "", .power = { .op = "", .boot_id = "" } };
    int status;

    if (in->options.elsewhere && in->options.elsewhere(in->options.data))
        return refuse(in, err_set(e, 421, "another controller leads, and reports are his"));
    if (wire_report_decode(bytes, n, &report, e) < 0)
        return refuse(in, 400);
    if (is_foreign(in, by, report->node)) {
        status = err_set(e, 403,
                         "%s%s belongs to node %s and cannot report for node %.100s: set `node` in "
                         "the agent's configuration, or make a token for that node",
                         strchr(by->who, ':') ? "" : "token ", by->who, by->node, report->node);
        wire_report_free(report);
        return refuse(in, status);
    }
    head.epoch = report->epoch;
    head.sequence = report->sequence;
    status = put_decoded(in, report, reply, &head, e);
    /* The head comes last: in the merge of both its interval counts. */
    if (status == 200 && wire_reply_encode(&head, reply, e) < 0)
        status = 500;
    return status;
}

struct wire_report *ingest_take(struct ingest *in)
{
    struct waiting w = { 0 };
    int64_t now_ms = in->options.clock_ms();
    struct box *b;

    (void)pthread_mutex_lock(&in->lock);
    b = in->first;
    if (b) {
        w = b->waiting[0];
        b->n_waiting--;
        memmove(b->waiting, b->waiting + 1, b->n_waiting * sizeof(b->waiting[0]));
        in->first = b->next;
        in->n_waiting--;
        if (!in->first)
            in->last = &in->first;
        if (b->n_waiting)
            queue(in, b); /* its other reports behind those of other nodes */
        in->lag_ms = now_ms - w.since_ms;
    } else {
        in->rung = false;
        in->lag_ms = 0;
    }
    (void)pthread_mutex_unlock(&in->lock);
    if (w.report && now_ms > w.since_ms)
        w.report->age_ms += (uint64_t)(now_ms - w.since_ms);
    return w.report;
}

void ingest_set_nodes_max(struct ingest *in, size_t nodes_max)
{
    (void)pthread_mutex_lock(&in->lock);
    in->options.nodes_max = nodes_max;
    (void)pthread_mutex_unlock(&in->lock);
}

/* --- replies ------------------------------------------------------------------------------------
 */

void ingest_publish(struct ingest *in, const char *node, char *bytes, size_t n)
{
    struct box *b;
    char *old;

    (void)pthread_mutex_lock(&in->lock);
    b = named_find(&in->boxes, node);
    if (!b)
        b = box_add(in, node); /* known from the store: it counts, but is never refused */
    old = b->reply;
    b->reply = bytes;
    b->reply_n = n;
    (void)pthread_mutex_unlock(&in->lock);
    free(old);
}

void ingest_forget(struct ingest *in, const char *node)
{
    char *old = NULL;
    struct box *b;

    (void)pthread_mutex_lock(&in->lock);
    b = named_find(&in->boxes, node);
    if (b && b->n_waiting > 0) {
        old = b->reply; /* it is answered like a new node from now on */
        b->reply = NULL;
        b->reply_n = 0;
        b = NULL;
    } else if (b) {
        named_remove(&in->boxes, node);
    }
    (void)pthread_mutex_unlock(&in->lock);
    free(old);
    if (b)
        box_free(b);
}

void ingest_stats(struct ingest *in, struct ingest_stats *ret_stats)
{
    (void)pthread_mutex_lock(&in->lock);
    *ret_stats = in->stats;
    (void)pthread_mutex_unlock(&in->lock);
}
