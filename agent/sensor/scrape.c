/* Scrapes of replicas' metrics pages: see scrape.h. */
#include "agent/sensor/scrape.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"

/* 0.0.4 first: OpenMetrics pages carry exemplars, which nobody reads here. */
#define ACCEPT "text/plain;version=0.0.4,application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.1"

struct task {
    struct scraper *scraper;
    uint64_t id;
    char *url;
    int64_t deadline_ms;
    scrape_done_fn *fn;
    void *data;
    const struct metrics_preset *preset;
    struct metrics_parser *parser; /* NULL, as is the call: waits in line */
    struct http_call *call;
    struct err error; /* of the parser */
    bool refused;
};

struct scraper {
    struct loop *loop;
    struct http_client *client;
    struct loop_timer *timer; /* when to look at the line next */
    struct task **tasks;      /* in the order in which they came */
    size_t n_tasks, cap_tasks;
    size_t n_running;
};

static void on_timer(void *data, int64_t now_ms);

int scraper_new(struct loop *l, struct scraper **ret_scraper, struct err *e)
{
    AUTO(scraper) struct scraper *s = xcalloc(1, sizeof(*s));
    int r = http_client_new(l, &s->client, e);

    if (r < 0)
        return r;
    s->loop = l;
    s->timer = loop_timer_add(l, on_timer, s);
    *ret_scraper = TAKE(s);
    return 0;
}

static void take_out(struct task *t)
{
    struct scraper *s = t->scraper;
    size_t at = 0;

    while (s->tasks[at] != t)
        at++;
    s->n_tasks--;
    memmove(&s->tasks[at], &s->tasks[at + 1], (s->n_tasks - at) * sizeof(struct task *));
    if (t->call)
        s->n_running--;
}

static void task_free(struct task *t)
{
    http_cancel(t->call);
    metrics_parser_free(t->parser);
    free(t->url);
    free(t);
}

void scraper_free(struct scraper *s)
{
    if (!s)
        return;
    ARRAY_FOREACH(t, s, tasks)
        task_free(*t);
    free(s->tasks);
    loop_timer_remove(s->timer);
    http_client_free(s->client);
    free(s);
}

static struct task *find(const struct scraper *s, uint64_t id)
{
    ARRAY_FOREACH(t, s, tasks) {
        if ((*t)->id == id)
            return *t;
    }
    return NULL;
}

/* Tells the caller and forgets the task. The callback may start or cancel others. */
static void end(struct task *t, const struct metrics *m, const struct err *error)
{
    struct scraper *s = t->scraper;

    take_out(t);
    t->call = NULL; /* it ends by itself */
    t->fn(t->data, t->id, m, error);
    task_free(t);
    loop_timer_arm(s->timer, loop_now_ms(s->loop)); /* there may be room for the next */
}

static int on_chunk(void *data, const char *bytes, size_t n)
{
    struct task *t = data;

    t->refused = metrics_parser_feed(t->parser, bytes, n, &t->error) < 0;
    return t->refused;
}

static void on_done(void *data, const struct http_response *response)
{
    struct task *t = data;
    struct metrics m;

    if (!t->refused && response->status == 0) {
        end(t, NULL, &response->error);
        return;
    }
    if (!t->refused && response->status != 200) {
        (void)err_set(&t->error, -EPROTO, "HTTP status %d", response->status);
        t->refused = true;
    }
    if (!t->refused && metrics_parser_finish(t->parser, &m, &t->error) == 0) {
        end(t, &m, NULL);
        return;
    }
    (void)err_prefix(&t->error, -EBADMSG, "%s", t->url);
    end(t, NULL, &t->error);
}

static int run(struct task *t, int64_t now_ms, struct err *e)
{
    struct http_request request = { .url = t->url,
                                    .accept = ACCEPT,
                                    .connect_ms = t->deadline_ms - now_ms,
                                    .total_ms = t->deadline_ms - now_ms,
                                    .chunk = on_chunk };
    int r = http_send(t->scraper->client, &request, on_done, t, &t->call, e);

    if (r < 0)
        return r;
    t->parser = metrics_parser_new(t->preset);
    t->scraper->n_running++;
    return 0;
}

/* The first in line that cannot be scraped any more, and why; starts others while there is room. */
static struct task *start_waiting(struct scraper *s, int64_t now_ms, struct err *e)
{
    ARRAY_FOREACH(place, s, tasks) {
        struct task *t = *place;
        if (t->call)
            continue;
        if (t->deadline_ms <= now_ms) {
            (void)err_set(e, -ETIMEDOUT, "%s: no time left when its turn came", t->url);
            return t;
        }
        if (s->n_running < SCRAPE_PARALLEL && run(t, now_ms, e) < 0)
            return t;
    }
    return NULL;
}

static void on_timer(void *data, int64_t now_ms)
{
    struct scraper *s = data;
    int64_t first_ms = INT64_MAX;
    struct err e = ERR_INIT;
    struct task *failed = start_waiting(s, now_ms, &e);

    if (failed) {
        end(failed, NULL, &e); /* its callback may have changed the line: again in the next turn */
        return;
    }
    ARRAY_FOREACH(t, s, tasks) {
        if (!(*t)->call && (*t)->deadline_ms < first_ms)
            first_ms = (*t)->deadline_ms;
    }
    loop_timer_disarm(s->timer);
    if (first_ms < INT64_MAX)
        loop_timer_arm(s->timer, first_ms);
}

int scraper_start(struct scraper *s, const struct scrape *what, scrape_done_fn *fn, void *data,
                  struct err *e)
{
    const char *name = what->preset && *what->preset ? what->preset : "generic";
    const struct metrics_preset *preset = metrics_preset_find(name);
    struct task *t;

    if (!preset)
        return err_set(e, -EINVAL, "metrics preset \"%s\" is unknown; expected %s", name,
                       metrics_preset_names());
    if (find(s, what->id))
        return err_set(e, -EALREADY, "%s: the scrape before is still under way", what->url);
    t = xcalloc(1, sizeof(*t));
    *t = (struct task){ .scraper = s,
                        .id = what->id,
                        .url = xstrdup(what->url),
                        .deadline_ms = loop_now_ms(s->loop) + what->limit_ms,
                        .fn = fn,
                        .data = data,
                        .preset = preset };
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers */
    *ARRAY_ADD(s, tasks) = t;
    loop_timer_arm(s->timer, loop_now_ms(s->loop)); /* never from inside this call */
    return 0;
}

void scraper_cancel(struct scraper *s, uint64_t id)
{
    struct task *t = find(s, id);

    if (!t)
        return;
    take_out(t);
    task_free(t);
    loop_timer_arm(s->timer, loop_now_ms(s->loop));
}
