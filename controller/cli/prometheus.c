/* See prometheus.h. */
#include "controller/cli/prometheus.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "controller/cli/look.h"
#include "controller/cli/text.h"
#include "proto/base/array.h"
#include "proto/base/cleanup.h"

#define POINTS_MOST 10000  /* of 11,000 that a server allows */
#define POINTS_LEAST 100   /* what is too much in so short a part is the query's fault */
#define WINDOW_LEAST_S 120 /* rate() needs two scrapes, usually 15 s to 1 min apart */
#define BYTES_MOST (256u << 20)
#define TOTAL_MS 120000 /* a server gives up after two minutes, too */

static const struct prometheus_preset PRESETS[] = {
    { "vllm", "model_name", "sum by (model_name) (rate(vllm:request_success_total[%s]))" },
    { "kserve", "model_name", "sum by (model_name) (rate(request_predict_seconds_count[%s]))" },
    { "triton", "model", "sum by (model) (rate(nv_inference_request_success[%s]))" },
    { "haproxy", "proxy", "sum by (proxy) (rate(haproxy_backend_http_requests_total[%s]))" },
    { "nginx-ingress", "ingress",
      /* "" or "-": the default backend's */
      "sum by (ingress) (rate(nginx_ingress_controller_requests{ingress!~\"-?\"}[%s]))" },
    { "generic", "model", "sum by (model) (rate(http_requests_total[%s]))" },
    { NULL, NULL, NULL },
};

const struct prometheus_preset *prometheus_presets(void)
{
    return PRESETS;
}

const struct prometheus_preset *prometheus_preset_find(const char *name)
{
    for (const struct prometheus_preset *p = PRESETS; p->name; p++)
        if (strcmp(p->name, name) == 0)
            return p;
    return NULL;
}

/* Of rate(), where the query leaves a hole for it; else 0. */
static int64_t window_ms(const char *query, int64_t step_ms)
{
    int64_t window_s = step_ms / 1000 > WINDOW_LEAST_S ? step_ms / 1000 : WINDOW_LEAST_S;

    return strstr(query, "%s") ? window_s * 1000 : 0;
}

/* The query with the window in its place. */
static void add_query(struct strbuf *out, const char *query, int64_t step_ms)
{
    const char *hole = strstr(query, "%s");

    if (hole)
        strbuf_printf(out, "%.*s%" PRId64 "s%s", (int)(hole - query), query,
                      window_ms(query, step_ms) / 1000, hole + 2);
    else
        strbuf_puts(out, query);
}

static void add_seconds(struct strbuf *out, const char *key, int64_t ms)
{
    strbuf_printf(out, "&%s=%" PRId64 ".%03" PRId64, key, ms / 1000, ms % 1000);
}

/* --- what a server refuses ----------------------------------------------------------------------
 */

/* A limit of the server on the samples, the time or the bytes of one answer: a shorter part may be
 * within it. */
static bool too_much(int status, const json_t *answer)
{
    const char *type = look_text(answer, "errorType"), *said = look_text(answer, "error");

    return status == 504 || (type && strcmp(type, "timeout") == 0) ||
           (status == 422 && said && strstr(said, "too many samples"));
}

static const char *way_out(int status, const json_t *answer)
{
    if (too_much(status, answer))
        return "; a longer --step or a query of fewer series asks for less";
    if (status / 100 == 3)
        return "; it sends elsewhere: give the address of the API itself, and --token-file where "
               "a login is asked for";
    if (status == 401 || status == 403)
        return "; give --token-file, and --user where a name and a password are asked for";
    if (status == 404)
        return "; give what stands before /graph or /query in the address of Prometheus' own page";
    if (status / 100 == 5)
        return "; it may be starting or overloaded: look at its own page and try again";
    return "; try the query in Prometheus' own page";
}

/* What the server says of its refusal. */
static int refused(const char *url, int status, const char *text, struct err *e)
{
    AUTO(strbuf) struct strbuf safe = STRBUF_INIT;
    json_t *answer = text ? json_loads(text, 0, NULL) : NULL;
    const char *said = look_text(answer, "error"), *hint = way_out(status, answer);
    int code = status == 401 || status == 403 ? -EACCES
               : too_much(status, answer)     ? -EFBIG
                                              : -EPROTO;

    text_safe(&safe, said ? said : status == 404 ? "no Prometheus API there" : "no reason given");
    json_decref(answer);
    return err_set(e, code, "%.200s (%d): %.300s%s", url, status, strbuf_text(&safe), hint);
}

/* --- asking -------------------------------------------------------------------------------------
 */

struct asking {
    const struct session *server;
    const char *query, *label;
    struct prometheus_range range; /* of evaluation */
    int64_t behind_ms;             /* by so much later than what it tells of */
};

/* `n` points from the `first` on. -EFBIG: more than the server allows, or we do. */
static int ask(const struct asking *a, int64_t first, int64_t n, struct traces *t, struct err *e)
{
    AUTO(strbuf) struct strbuf url = STRBUF_INIT;
    AUTO(mem) char *text = NULL;
    const char *server = a->server->server;
    int64_t start_ms = a->range.start_ms + first * a->range.step_ms;
    int status;

    strbuf_printf(&url, "%s/api/v1/query_range?query=", server);
    session_escape(&url, a->query);
    add_seconds(&url, "start", start_ms);
    add_seconds(&url, "end", start_ms + (n - 1) * a->range.step_ms);
    add_seconds(&url, "step", a->range.step_ms);
    status = http_fetch(&(struct http_request){ .url = strbuf_text(&url),
                                                .accept = "application/json",
                                                .most_bytes = BYTES_MOST,
                                                .total_ms = TOTAL_MS,
                                                .compressed = true,
                                                .ca_file = a->server->ca,
                                                .user = a->server->user,
                                                .bearer = a->server->token },
                        NULL, NULL, &text, NULL, e);
    if (status < 0)
        return status;
    if (status / 100 != 2)
        return refused(server, status, text, e);
    return trace_read_matrix(server, text, NULL, a->label, (double)a->behind_ms / 1000, t, e);
}

static int ask_all(const struct asking *a, void (*told)(void *data, size_t done, size_t all),
                   void *data, struct traces *t, struct err *e)
{
    int64_t points = (a->range.end_ms - a->range.start_ms) / a->range.step_ms + 1;
    int64_t most = POINTS_MOST, done = 0;

    while (done < points) {
        int64_t n = points - done < most ? points - done : most;
        int r;

        if (told)
            told(data, (size_t)done, (size_t)points);
        r = ask(a, done, n, t, e);
        if (r == -EFBIG && n > POINTS_LEAST) {
            most = n / 2;
            continue;
        }
        if (r < 0)
            return r;
        done += n;
    }
    return 0;
}

static int nothing_found(const struct asking *a, const char *query, struct err *e)
{
    int64_t window_s = window_ms(query, a->range.step_ms) / 1000;
    AUTO(strbuf) struct strbuf scrapes = STRBUF_INIT;

    if (window_s > 0)
        strbuf_printf(&scrapes,
                      "; rate() needs two scrapes within %" PRId64
                      " s: a longer --step where they are further apart",
                      window_s);
    return err_set(e, -ENOENT,
                   "%.200s knows no series for: %.200s (try it in Prometheus' own page; --query "
                   "takes another one, --start and --end another time%s)",
                   a->server->server, a->query, strbuf_text(&scrapes));
}

int prometheus_read(const struct session *server, const char *query, const char *label,
                    const struct prometheus_range *range,
                    void (*told)(void *data, size_t done, size_t all), void *data, struct traces *t,
                    struct err *e)
{
    AUTO(strbuf) struct strbuf whole = STRBUF_INIT;
    int64_t window = window_ms(query, range->step_ms);
    struct asking a = { .server = server, .label = label, .range = *range };
    size_t before = t->n_traces;
    int r;

    /* The middle of the window is that of the step for which the value holds. */
    a.behind_ms = window > 0 ? (window + range->step_ms) / 2 : 0;
    a.range.start_ms += a.behind_ms;
    if (a.range.start_ms + range->step_ms > range->end_ms)
        return err_set(e, -EINVAL,
                       "--start must be %" PRId64 " s or more before --end: rate() looks back",
                       (a.behind_ms + range->step_ms + 999) / 1000);
    add_query(&whole, query, range->step_ms);
    a.query = strbuf_text(&whole);
    r = ask_all(&a, told, data, t, e);
    return r == 0 && t->n_traces == before ? nothing_found(&a, query, e) : r;
}
