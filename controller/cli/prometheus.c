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
#define WINDOW_LEAST_S 120 /* rate() needs two scrapes, usually 15 s to 1 min apart */
#define BYTES_MOST (256u << 20)
#define TOTAL_MS 120000 /* a server gives up after two minutes, too */

static const struct prometheus_preset PRESETS[] = {
    { "vllm", "model_name", "sum by (model_name) (rate(vllm:request_success_total[%s]))" },
    { "kserve", "model_name", "sum by (model_name) (rate(request_predict_seconds_count[%s]))" },
    { "triton", "model", "sum by (model) (rate(nv_inference_request_success[%s]))" },
    { "haproxy", "proxy", "sum by (proxy) (rate(haproxy_backend_http_requests_total[%s]))" },
    { "nginx-ingress", "ingress",
      "sum by (ingress) (rate(nginx_ingress_controller_requests[%s]))" },
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

/* The query with the window in its place. */
static void add_query(struct strbuf *out, const char *query, int64_t step_ms)
{
    const char *hole = strstr(query, "%s");
    int64_t window_s = step_ms / 1000 > WINDOW_LEAST_S ? step_ms / 1000 : WINDOW_LEAST_S;

    if (!hole) {
        strbuf_puts(out, query);
        return;
    }
    strbuf_printf(out, "%.*s%" PRId64 "s%s", (int)(hole - query), query, window_s, hole + 2);
}

static void add_seconds(struct strbuf *out, const char *key, int64_t ms)
{
    strbuf_printf(out, "&%s=%" PRId64 ".%03" PRId64, key, ms / 1000, ms % 1000);
}

/* What the server says of its refusal. */
static int refused(const char *url, int status, const char *text, struct err *e)
{
    AUTO(strbuf) struct strbuf safe = STRBUF_INIT;
    json_t *answer = text ? json_loads(text, 0, NULL) : NULL;
    const char *said = look_text(answer, "error");

    text_safe(&safe, said ? said : status == 404 ? "no Prometheus API there" : "no reason given");
    json_decref(answer);
    return err_set(e, status == 401 || status == 403 ? -EACCES : -EPROTO, "%.200s (%d): %s%s", url,
                   status, strbuf_text(&safe),
                   status == 401 || status == 403 ? " (give --token-file)" : "");
}

static int ask(const struct session *server, const char *query, const char *label,
               const struct prometheus_range *part, struct traces *t, struct err *e)
{
    AUTO(strbuf) struct strbuf url = STRBUF_INIT;
    AUTO(mem) char *text = NULL;
    size_t n = 0;
    int status;

    strbuf_printf(&url, "%s/api/v1/query_range?query=", server->server);
    session_escape(&url, query);
    add_seconds(&url, "start", part->start_ms);
    add_seconds(&url, "end", part->end_ms);
    add_seconds(&url, "step", part->step_ms);
    status = http_fetch(&(struct http_request){ .url = strbuf_text(&url),
                                                .accept = "application/json",
                                                .most_bytes = BYTES_MOST,
                                                .total_ms = TOTAL_MS,
                                                .ca_file = server->ca,
                                                .bearer = server->token },
                        NULL, NULL, &text, &n, e);
    if (status < 0)
        return status;
    if (status / 100 != 2)
        return refused(server->server, status, text, e);
    return trace_read_matrix(server->server, text, NULL, label, t, e);
}

int prometheus_read(const struct session *server, const char *query, const char *label,
                    const struct prometheus_range *range,
                    void (*told)(void *data, size_t done, size_t all), void *data, struct traces *t,
                    struct err *e)
{
    AUTO(strbuf) struct strbuf whole = STRBUF_INIT;
    int64_t points = (range->end_ms - range->start_ms) / range->step_ms + 1, done = 0;
    size_t before = t->n_traces;

    add_query(&whole, query, range->step_ms);
    for (; done < points; done += POINTS_MOST) {
        int64_t n = points - done < POINTS_MOST ? points - done : POINTS_MOST;
        struct prometheus_range part = { .start_ms = range->start_ms + done * range->step_ms,
                                         .step_ms = range->step_ms };
        int r;

        part.end_ms = part.start_ms + (n - 1) * range->step_ms;
        if (told)
            told(data, (size_t)(done / POINTS_MOST),
                 (size_t)((points + POINTS_MOST - 1) / POINTS_MOST));
        r = ask(server, strbuf_text(&whole), label, &part, t, e);
        if (r < 0)
            return r;
    }
    if (t->n_traces == before)
        return err_set(
            e, -ENOENT,
            "%.200s knows no series for: %.200s (try it in Prometheus' own page; --query "
            "takes another one, --start and --end another time)",
            server->server, strbuf_text(&whole));
    return 0;
}
