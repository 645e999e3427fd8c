/* simulate: what huddle would have saved on one's own history, before it touches anything. Needs no
 * server of huddle's. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/cli/beside.h"
#include "controller/cli/demand_files.h"
#include "controller/cli/manifest_files.h"
#include "controller/cli/progress.h"
#include "controller/cli/setting.h"
#include "controller/cli/simulation_rates.h"
#include "controller/cli/simulation_request.h"
#include "controller/cli/writer.h"
#include "controller/cli/zones.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"

#define SHARE_EXPECTED 0.9
#define DAY_S 86400.0

/* --- inputs -------------------------------------------------------------------------------------
 */

static void tell_query(void *data, size_t done, size_t all)
{
    progress_show(data, done, all, "asking Prometheus", clock_boot_ms());
}

static int read_prometheus(const struct cli *c, const struct simulation_request *q,
                           struct traces *t, struct err *e)
{
    struct progress progress;
    struct session server;
    int r = session_open_at(&c->options, q->url, &server, e);

    if (r < 0)
        return err_prefix(e, r, "--prometheus");
    progress_begin(&progress, clock_boot_ms());
    r = prometheus_read(&server, q->query, q->label, &q->range, tell_query, &progress, t, e);
    progress_end(&progress);
    session_done(&server);
    return r;
}

/* A model that is new, or gone, cuts all others short: that should be no surprise. */
static void tell_span(const struct history *h)
{
    double known_s = (double)h->load.n_steps * h->load.step_s;

    if (known_s < SHARE_EXPECTED * h->whole_s)
        (void)fprintf(stderr,
                      "note: %.3g of %.3g days are played, those of which all models are known; "
                      "without \"%s\" there are more\n",
                      known_s / DAY_S, h->whole_s / DAY_S, h->narrow);
}

static int read_history(const struct cli *c, const struct simulation_request *q,
                        struct history *ret, struct err *e)
{
    const char *const *names = c->options.given[OPT_HISTORY].values;
    AUTO(traces) struct traces t = { 0 };
    int r = 0;

    for (size_t i = 0; i < c->options.given[OPT_HISTORY].n_values; i++) {
        r = demand_files_read(names[i], q->label, &t, e);
        if (r < 0)
            return r;
    }
    if (q->url) {
        r = read_prometheus(c, q, &t, e);
        if (r < 0)
            return r;
    }
    r = history_lay_out(&t, q->step_s, ret, e);
    if (r == 0)
        tell_span(ret);
    return r;
}

static int read_objects(struct manifest_files *f, const char *const *names, size_t n, struct err *e)
{
    manifest_files_read(f, names, n, false);
    if (f->n_refusals)
        *e = f->refusals[0];
    return f->n_refusals ? -EINVAL : 0;
}

/* --- variants -----------------------------------------------------------------------------------
 */

struct variant {
    const char *file; /* of --compare; NULL: what -f says alone */
    struct manifest_files files;
    struct simulation_rack rack;
    struct zones zones; /* of its policy's windows */
    struct grid grid;
    struct comparison result;
    const struct comparison *shared;
};

static const char *base_of(const char *file)
{
    const char *slash = strrchr(file, '/');

    return slash ? slash + 1 : file;
}

static int declare(const struct cli *c, struct variant *v, struct err *e)
{
    const char *const *settings = c->options.given[OPT_SET].values;
    AUTO(manifest_files) struct manifest_files own = { 0 };
    int r = read_objects(&v->files, c->options.given[OPT_FILENAME].values,
                         c->options.given[OPT_FILENAME].n_values, e);

    if (r == 0 && v->file && (r = read_objects(&own, &v->file, 1, e)) == 0)
        setting_replace(&v->files, &own);
    for (size_t i = 0; r == 0 && i < c->options.given[OPT_SET].n_values; i++)
        r = setting_apply(settings[i], &v->files, e);
    return r < 0 ? r : setting_need_policy(&v->files, e);
}

struct telling { /* how far all variants are */
    struct progress progress;
    const char *name;
};

static void tell_run(void *data, size_t done, size_t all, const char *what)
{
    struct telling *t = data;
    AUTO(strbuf) struct strbuf words = STRBUF_INIT;
    size_t percent = all ? 100 * done / all : 0;

    strbuf_printf(&words, "%s%s%s", what, t->name ? " " : "", t->name ? t->name : "");
    if (!t->progress.terminal) /* a line a quarter is enough for a log */
        percent = percent / 25 * 25;
    progress_show(&t->progress, percent, 100, strbuf_text(&words), clock_boot_ms());
}

/* The other policies know of no PowerPolicy: where racks are alike, one run of them is enough. */
static void run(const struct simulation_request *q, const struct history *h, struct variant *v,
                const struct variant *first)
{
    struct telling telling = { .name = v->file ? base_of(v->file) : NULL };
    struct comparison_of of = { .hw = &v->rack.hw,
                                .load = &v->rack.load,
                                .pool = v->rack.pool,
                                .policy = v->rack.policy,
                                .plain = v->rack.plain,
                                .seed = (uint64_t)q->seed,
                                .start_s = h->start_s,
                                .zones = h->start_s >= SIMULATION_DATES_S ? v->zones.zones : NULL,
                                .beside = beside_run,
                                .told = tell_run,
                                .data = &telling };

    if (v != first && rack_alike(&v->rack.hw, &v->rack.load, &first->rack.hw, &first->rack.load)) {
        v->shared = &first->result;
        of.planned_only = true;
    }
    progress_begin(&telling.progress, clock_boot_ms());
    comparison_run(&of, &v->result);
    progress_end(&telling.progress);
}

static struct simulation_variant shown(const struct variant *v)
{
    const char *currency = v->rack.policy->currency;

    return (struct simulation_variant){ .name = v->file ? base_of(v->file) : NULL,
                                        .rack = &v->rack,
                                        .result = &v->result,
                                        .shared = v->shared,
                                        .grid = v->grid,
                                        .currency = currency[0] ? currency : NULL };
}

static int run_all(const struct cli *c, const struct simulation_request *q, const struct history *h,
                   struct variant *v, size_t n, struct err *e)
{
    for (size_t i = 0; i < n; i++) { /* first everything that can be refused */
        int r = declare(c, &v[i], e);

        if (r == 0)
            r = simulation_fit(v[i].files.manifests, v[i].files.n_manifests, &q->node, &q->chance,
                               (uint32_t)q->nodes, h, &v[i].rack, e);
        if (r == 0)
            r = zones_read(v[i].rack.policy, &v[i].zones, e);
        if (r == 0)
            r = simulation_rates_find(q->rates, v[i].rack.policy, h, &v[i].grid, e);
        if (r < 0)
            return v[i].file ? err_prefix(e, r, "%s", v[i].file) : r;
    }
    for (size_t i = 0; i < n; i++)
        run(q, h, &v[i], &v[0]);
    return 0;
}

static int simulate(const struct cli *c, const struct simulation_request *q, struct variant *v,
                    size_t n, json_t **ret, struct err *e)
{
    AUTO(mem) struct simulation_variant *s = xcalloc(n, sizeof(*s));
    struct history history;
    int r = read_history(c, q, &history, e);

    if (r < 0)
        return r;
    r = run_all(c, q, &history, v, n, e);
    for (size_t i = 0; r == 0 && i < n; i++)
        s[i] = shown(&v[i]);
    if (r == 0)
        *ret = simulation_json(s, n, history.start_s, (uint64_t)q->seed);
    history_done(&history);
    return r;
}

/* --- output -------------------------------------------------------------------------------------
 */

static int show(const struct cli *c, const struct simulation_request *q, const json_t *result)
{
    AUTO(strbuf) struct strbuf out = STRBUF_INIT;
    struct err e = ERR_INIT;

    if (q->output.format == OUTPUT_TABLE)
        simulation_table(&out, result, c->colour && !q->output.file);
    else if (q->output.format == OUTPUT_HTML)
        simulation_html(&out, result);
    else
        (q->output.format == OUTPUT_JSON ? write_json : write_yaml)(&out, result);
    return output_write(&q->output, &out, &e) < 0 ? cli_fail(&e) : EXIT_DONE;
}

/* `--compare A B` and `--compare A --compare B` are the same. */
static size_t name_variants(const struct cli *c, struct variant *v)
{
    const char *const *named = c->options.given[OPT_COMPARE].values;
    size_t n = 0;

    for (size_t i = 0; i < c->options.given[OPT_COMPARE].n_values; i++)
        v[n++].file = named[i];
    for (size_t i = 0; i < c->options.n_operands; i++)
        v[n++].file = c->options.operands[i];
    return n ? n : 1;
}

int verb_simulate(struct cli *c)
{
    AUTO(mem)
    struct variant *v =
        xcalloc(c->options.given[OPT_COMPARE].n_values + c->options.n_operands + 1, sizeof(*v));
    size_t n = name_variants(c, v);
    struct simulation_request q;
    struct err e = ERR_INIT;
    json_t *result = NULL;
    int code;

    if (simulation_request_read(c, &q, &e) < 0)
        return cli_usage(c, "%s", e.text);
    code = simulate(c, &q, v, n, &result, &e) < 0 ? cli_fail(&e) : show(c, &q, result);
    json_decref(result);
    for (size_t i = 0; i < n; i++) {
        comparison_done(&v[i].result);
        zones_done(&v[i].zones);
        grid_done(&v[i].grid);
        manifest_files_done(&v[i].files);
    }
    return code;
}
