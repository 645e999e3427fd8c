/* simulate: what huddle would have saved on one's own history, before it touches anything. Needs no
 * server. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "controller/cli/manifest_files.h"
#include "controller/cli/progress.h"
#include "controller/cli/simulation.h"
#include "controller/cli/verb.h"
#include "controller/cli/writer.h"
#include "proto/base/clock.h"
#include "proto/base/file.h"
#include "proto/quantity.h"

#define HISTORY_BYTES_MOST (256u << 20)
#define NODES_MOST 10000u
#define SEED 1u

static void show_progress(void *data, size_t done, size_t all, const char *what)
{
    size_t percent = all ? 100 * done / all : 0;

    progress_show(data, percent, 100, what, clock_boot_ms());
}

static int read_number(const struct cli *c, enum option_id id, double least, double most,
                       double *ret, struct err *e)
{
    const char *text = options_get(&c->options, id);
    char *end;
    double v;

    if (!text)
        return 0;
    v = strtod(text, &end);
    if (end == text || *end || !(v >= least && v <= most))
        return err_set(e, -EINVAL, "--%s: \"%.40s\" is no number from %g to %g",
                       option_of(id)->name, text, least, most);
    *ret = v;
    return 0;
}

struct request {
    struct simulation_node node;
    struct simulation_rates rates;
    double count, seed, failures;
};

static int read_request(const struct cli *c, struct request *q, struct err *e)
{
    static const enum option_id needed[] = { OPT_HISTORY, OPT_NODES, OPT_COUNT, OPT_SIZE,
                                             OPT_WATTS };
    int r = 0;

    *q = (struct request){ .rates = { NAN, NAN, NULL }, .seed = SEED };
    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
        if (!options_get(&c->options, needed[i]))
            return err_set(e, -EINVAL, "--%s %s is needed: %s", option_of(needed[i])->name,
                           option_of(needed[i])->value, option_of(needed[i])->help);
    if (simulation_read_size(options_get(&c->options, OPT_SIZE), &q->node, e) < 0)
        return err_prefix(e, -EINVAL, "--size");
    if (simulation_read_watts(options_get(&c->options, OPT_WATTS), &q->node, e) < 0)
        return err_prefix(e, -EINVAL, "--watts");
    if (read_number(c, OPT_COUNT, 2, NODES_MOST, &q->count, e) < 0 ||
        read_number(c, OPT_PRICE, 0, 1e6, &q->rates.price_per_kwh, e) < 0 ||
        read_number(c, OPT_CARBON, 0, 1e6, &q->rates.carbon_g_per_kwh, e) < 0 ||
        read_number(c, OPT_FAILURES, 0, 1, &q->failures, e) < 0 ||
        read_number(c, OPT_SEED, 0, 9007199254740992.0, &q->seed, e) < 0)
        r = -EINVAL;
    return r;
}

static int run(struct cli *c, struct request *q, const struct manifest_files *f,
               struct history *history, json_t **ret_result, struct err *e)
{
    struct rack_hardware hw = { .nodes = (uint32_t)q->count, .boot_failed_share = q->failures };
    struct comparison_of of = { .hw = &hw, .load = &history->load, .seed = (uint64_t)q->seed };
    struct comparison result;
    struct progress progress;
    int r = simulation_fit(f->manifests, f->n_manifests, &q->node, &history->load, &hw, &of.pool,
                           &of.policy, e);

    if (r < 0)
        return err_prefix(e, r, "%s", options_get(&c->options, OPT_NODES));
    if (isnan(q->rates.price_per_kwh) && of.policy && of.policy->price.value > 0)
        q->rates.price_per_kwh = of.policy->price.value;
    q->rates.currency = of.policy && of.policy->currency[0] ? of.policy->currency : NULL;
    of.told = show_progress;
    of.data = &progress;
    progress_begin(&progress, clock_boot_ms());
    comparison_run(&of, &result);
    progress_end(&progress);
    *ret_result = simulation_json(&result, &hw, &history->load, &q->rates, of.seed);
    return 0;
}

static int simulate(struct cli *c, struct request *q, json_t **ret_result)
{
    AUTO(manifest_files) struct manifest_files files = { 0 };
    const char *nodes = options_get(&c->options, OPT_NODES);
    const char *path = options_get(&c->options, OPT_HISTORY);
    AUTO(mem) char *text = NULL;
    struct history history;
    struct err e = ERR_INIT;
    size_t n;
    int r;

    manifest_files_read(&files, &nodes, 1, false);
    if (files.n_refusals)
        return cli_fail(&files.refusals[0]);
    if (file_read(path, HISTORY_BYTES_MOST, &text, &n, &e) < 0 ||
        history_parse(path, text, &history, &e) < 0)
        return cli_fail(&e);
    r = run(c, q, &files, &history, ret_result, &e);
    history_done(&history);
    return r < 0 ? cli_fail(&e) : EXIT_DONE;
}

int verb_simulate(struct cli *c)
{
    const char *format = options_get(&c->options, OPT_OUTPUT_ONE);
    AUTO(strbuf) struct strbuf out = STRBUF_INIT;
    struct request q;
    struct err e = ERR_INIT;
    json_t *result = NULL;
    int code;

    if (format && strcmp(format, "table") != 0 && strcmp(format, "json") != 0 &&
        strcmp(format, "yaml") != 0)
        return cli_usage(c, "unknown format \"%.40s\"; there are table, json, yaml", format);
    if (read_request(c, &q, &e) < 0)
        return cli_usage(c, "%s", e.text);
    code = simulate(c, &q, &result);
    if (code != EXIT_DONE)
        return code;
    if (!format || *format == 't')
        simulation_table(&out, result, c->colour);
    else
        (*format == 'j' ? write_json : write_yaml)(&out, result);
    json_decref(result);
    cli_print(&out);
    return EXIT_DONE;
}
